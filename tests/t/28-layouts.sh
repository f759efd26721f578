#!/bin/bash
# Roots as people have them: on file systems of every kind, and laid out by
# other tools, which `adopt` takes over.
# parts: 6
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# configure KIND ROOT: a site with that root, here or on a host.
configure() {
	where "$1"
	echo "sites: [{name: s, root: $2, source: $PWD/site, $mine}]" >deploy.yml
}

# -------------------------------------------------------------------- FUSE

# What libfuse 2 makes sets both times of a file or none, numbers the names of
# one file differently, and cannot exchange two names.
fuse_on() {
	local page
	need_root
	need_cmd bindfs jq
	[ -n "${TEST_MOUNTS:-}" ] && [ -e /dev/fuse ] || skip "no FUSE here"
	small
	ln -s about.html site/link
	mkdir below fuse
	bindfs below fuse 2>/dev/null || skip "bindfs does not work here"
	defer umount -l "$PWD/fuse"
	configure "$1" "$PWD/fuse/root"
	# The clock of new content is not that of its files.
	for page in one two three; do
		echo "$page" >site/index.html
		touch -d @1000000000 site/*.html
		run deploy publish
		run deploy verify
		assert_eq "$(<fuse/root/current/index.html)" "$page"
	done
	assert_eq "$(stat -c %Y fuse/root/current/about.html)" \
	    "$(jq -r .mtime fuse/root/.deploy/meta/"$(ls fuse/root/releases |
	    head -n 1)".json)" "a file that never changed"
	run deploy rollback
	assert_eq "$(<fuse/root/current/index.html)" two
	run deploy prune --keep 1
	run deploy verify
}

t_fuse_here() { fuse_on here; }
t_fuse_on_a_c_host() { fuse_on c; }
t_fuse_on_a_dash_host() { fuse_on dash; }
t_fuse_on_a_busybox_host() { fuse_on busybox; }

# --------------------------------------------------- roots that are in parts

# everything DIR: all names in it, and what they are.
everything() {
	find "$1" -printf '%p %i %l %s\n' | sort
}

# A part of a root that is a link to another disk: it is said what is wrong, and
# the way on works; no advice takes away what is served.
linked_part_on() {
	local part before c
	for part in releases .deploy; do
		rm -rf www big site
		mkdir -p www big/parts site
		echo new >site/index.html
		ln -s "$PWD/big/parts" "www/$part"
		configure "$1" "$PWD/www"
		before=$(everything big)
		for c in init publish; do
			expect_status 1 deploy "$c"
			assert_contains "$err" \
			    "www/$part' is a link, and a root is whole on one disk"
			assert_contains "$err" "name a root on the other disk"
		done
		[ "$1" = dash ] || [ "$1" = busybox ] ||
		    assert_eq "$(everything big)" "$before"
		expect_status 1 deploy doctor
		assert_contains "$out" "is a link, and a root is whole on one disk"
		! grep -E 'move it away|remove|chmod' "$out" "$err" || fail "$part"
	done
	# As Capistrano has it, with something live.
	rm -rf www big
	mkdir -p www
	page big/releases/20240101
	ln -s "$PWD/big/releases" www/releases
	ln -s releases/20240101 www/current
	configure "$1" "$PWD/www"
	expect_status 1 deploy publish
	! grep -E 'move it away|remove|chmod' "$out" "$err" || fail "$part"
	[ "$1" = here ] || return 0
	expect_status 1 deploy adopt
	assert_contains "$err" "deploy adopt '$PWD/www/current'"
	assert_eq "$(<www/current/index.html)" "<p>old"
	configure "$1" "$PWD/big/root"
	run deploy adopt "$PWD/www/current"
	assert_eq "$(readlink www/current)" "$PWD/big/root/current"
	assert_eq "$(<www/current/index.html)" "<p>old"
	run deploy publish --override=build
	assert_eq "$(<www/current/index.html)" new
}

t_a_part_is_a_link_here() { linked_part_on here; }
t_a_part_is_a_link_on_a_c_host() { linked_part_on c; }
t_a_part_is_a_link_on_a_dash_host() { linked_part_on dash; }
t_a_part_is_a_link_on_a_busybox_host() { linked_part_on busybox; }

# A part that is mounted, from the same disk or another: nothing can be renamed
# into it, and sh would copy, which a crash would leave half done.
mounted_part_on() {
	local part kind
	need_root
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	mkdir site
	for kind in bind tmpfs; do
		for part in releases .deploy; do
			echo one >site/index.html
			mkdir -p 'w w/r' disk
			configure "$1" "'$PWD/w w/r'"
			run deploy publish
			cp -a "w w/r/$part/." disk
			case $kind in
			bind) mount --bind disk "w w/r/$part" ;;
			*)
				mount -t tmpfs -o mode=755 none "w w/r/$part"
				cp -a disk/. "w w/r/$part"
				;;
			esac
			defer umount -l "$PWD/w w/r/$part"
			echo two >site/index.html
			expect_status 1 deploy publish
			grep -qE "mounted apart|not on one file system" "$err" ||
			    fail "$kind $part: $(<"$err")"
			assert_contains "$err" "mount the whole root there"
			assert_eq "$(<'w w/r/current/index.html')" one
			assert_eq "$(find 'w w/r/releases' -mindepth 1 \
			    -maxdepth 1 | wc -l)" 1
			case $1-$kind in
			here-* | c-* | *-tmpfs)
				expect_status 1 deploy doctor
				grep -q "^fail.*file system" "$out" ||
				    fail "$kind $part: $(<"$out")"
				;;
			esac
			umount "w w/r/$part"
			rm -rf 'w w' disk
		done
	done
	# But all of it, or what is beside releases, may be.
	mkdir -p disk up all/shared
	mount --bind disk all
	defer umount -l "$PWD/all"
	mkdir all/shared
	mount --bind up all/shared
	defer umount -l "$PWD/all/shared"
	echo up >up/f
	where "$1"
	echo "sites: [{name: s, root: $PWD/all, source: $PWD/site,
	    shared: [up], $mine}]" >deploy.yml
	run deploy publish
	echo three >site/index.html
	run deploy publish
	run deploy doctor
}

t_a_part_is_mounted_here() { mounted_part_on here; }
t_a_part_is_mounted_on_a_c_host() { mounted_part_on c; }
t_a_part_is_mounted_on_a_dash_host() { mounted_part_on dash; }
t_a_part_is_mounted_on_a_busybox_host() { mounted_part_on busybox; }

# The root is a link to another disk: that is a way to have it there.
root_is_a_link_on() {
	mkdir -p big/root site
	ln -s "$PWD/big/root" www
	configure "$1" "$PWD/www"
	echo one >site/index.html
	run deploy publish
	echo two >site/index.html
	run deploy publish
	run deploy verify
	run deploy rollback
	assert_eq "$(<www/current/index.html)" one
	assert_eq "$(<big/root/current/index.html)" one
	[ -L www ] || fail "the link is gone"
}

t_root_is_a_link_here() { root_is_a_link_on here; }
t_root_is_a_link_on_a_c_host() { root_is_a_link_on c; }
t_root_is_a_link_on_a_dash_host() { root_is_a_link_on dash; }

# What is served is a mount point, or on what cannot exchange two names: said.
t_adopt_what_cannot_be_exchanged() {
	need_root
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	page old
	mkdir -p www/current
	mount --bind old www/current
	defer umount -l "$PWD/www/current"
	expect_status 2 deploy adopt --root www
	assert_contains "$err" "is a mount point, and no link can take its place; mount the directory above"
	assert_eq "$(<www/current/index.html)" "<p>old"
	need_cmd bindfs
	[ -e /dev/fuse ] || skip "no FUSE here"
	mkdir -p below fuse
	bindfs below fuse 2>/dev/null || skip "bindfs does not work here"
	defer umount -l "$PWD/fuse"
	page fuse/www/current
	expect_status 1 deploy adopt --root fuse/www
	assert_contains "$err" "can do that in one step; publish it to a root of another name"
	assert_eq "$(<fuse/www/current/index.html)" "<p>old"
	# A link can be replaced there.
	mv fuse/www/current fuse/www/v1
	ln -s v1 fuse/www/current
	run deploy adopt --root fuse/www
	assert_eq "$(<fuse/www/current/index.html)" "<p>old"
	[[ $(readlink fuse/www/current) = releases/* ]] || fail "not adopted"
}

# ------------------------------------------------------- laid out by others

# page DIR [NAME...]: a site there, with these files, too.
page() {
	local f
	mkdir -p "$1/docs"
	echo "<p>old" >"$1/index.html"
	echo "<p>docs" >"$1/docs/index.html"
	for f in "${@:2}"; do
		mkdir -p "$1/$(dirname "$f")"
		echo "$f" >"$1/$f"
	done
}

# layout NAME: make ./www as that tool does, and set `served` to what its
# `current` leads to, `shared` to the paths in it that are links into shared/.
layout() {
	local w=$PWD/www r
	mkdir -p www/shared
	shared=()
	case $1 in
	capistrano) # absolute links, dated releases, a log
		r=releases/20240101120000
		page "www/$r" REVISION
		page www/releases/20231224180000
		mkdir -p www/repo www/shared/uploads www/shared/public/media
		echo log >www/revisions.log
		echo photo >www/shared/uploads/p
		echo film >www/shared/public/media/f
		mkdir -p "www/$r/public"
		ln -s "$w/shared/uploads" "www/$r/uploads"
		ln -s "$w/shared/public/media" "www/$r/public/media"
		ln -s "$w/$r" www/current
		shared=(public/media uploads)
		;;
	deployer) # relative links, numbers, a file that is shared
		r=releases/42
		page "www/$r" .dep/x
		mkdir -p www/.dep
		echo 42 >www/.dep/latest_release
		echo "User-agent: *" >www/shared/robots.txt
		ln -s ../../shared/robots.txt "www/$r/robots.txt"
		ln -s releases/42 www/current
		shared=(robots.txt)
		;;
	ansistrano) # relative, from where the link is
		r=releases/20240101T120000
		page "www/$r" REVISION
		mkdir -p www/repo www/shared/a/b
		echo deep >www/shared/a/b/f
		mkdir -p "www/$r/a"
		ln -s ../../../shared/a/b "www/$r/a/b"
		ln -s ./releases/20240101T120000 www/current
		shared=(a/b)
		;;
	mina) # numbers, and a link by the root's whole path
		r=releases/7
		page "www/$r" .mina_git_revision
		mkdir -p www/scm www/tmp www/shared/log
		echo x >www/shared/log/l
		rm -rf "www/$r/log"
		ln -s "$w/shared/log" "www/$r/log"
		ln -s "$w/releases/7" www/current
		shared=(log)
		;;
	slash) r=v1 && page www/v1 && ln -s v1/ www/current ;;
	beside) r=../site-v2 && page site-v2 && ln -s ../site-v2 www/current ;;
	absolute) r=../site-v2 && page site-v2 && ln -s "$PWD/site-v2" www/current ;;
	chain)
		r=v/1.2
		page www/v/1.2
		ln -s 1.2 www/v/1
		ln -s 1 www/v/latest
		ln -s v/latest www/current
		;;
	inner) # links of the build itself, by whole paths and through current
		r=releases/1
		page "www/$r" img/logo.png
		ln -s "$w/$r/img/logo.png" "www/$r/favicon.ico"
		ln -s "$w/current/img" "www/$r/docs/img"
		ln -s "$w/nowhere" "www/$r/gone"
		ln -s releases/1 www/current
		;;
	names) # that are patterns, and have blanks
		r='releases/1 2'
		page "www/$r" 'a b/c'
		mkdir -p 'www/shared/x[1]*'
		echo star >'www/shared/x[1]*/f'
		ln -s "$w/shared/x[1]*" "www/$r/x[1]*"
		echo kept >"www/$r/x1y"
		ln -s "releases/1 2" www/current
		shared=('x[1]*')
		;;
	esac
	served=$PWD/www/$r
}

LAYOUTS=(capistrano deployer ansistrano mina slash beside absolute chain inner names)

# shows DIR: all that a visitor gets there.
shows() {
	(cd "$1" && find -L . -type f ! -path './.git/*' -exec sha256sum {} + | sort)
}

# Whoever asks meanwhile gets the page.
ask() {
	while [ -e asking ]; do
		[ "$(<www/current/index.html)" = "<p>old" ] || echo lost >>lost
	done 2>>lost
}

adopt_layouts_on() {
	local l served shared before id i=0
	for l in "${LAYOUTS[@]}"; do
		# With the sh verbs every third.
		[[ $1 != @(dash|busybox) ]] || wide || ((i++ % 3 == 0)) || continue
		mkdir "$l"
		cd "$l"
		layout "$l"
		before=$(shows www/current/)
		configure "$1" "$PWD/www"
		page site REVISION
		echo new >site/index.html
		# Nothing before it takes the link away, or advises to.
		for c in init publish doctor; do
			! deploy "$c" >o 2>"$err" || fail "$l: $c"
			cat o >>"$err"
			grep -q 'deploy adopt' "$err" || fail "$l: $c: $(<"$err")"
			! grep -q 'remove' "$err" || fail "$l: $c: $(<"$err")"
		done
		assert_eq "$(shows www/current/)" "$before" "$l before"
		run deploy adopt -n
		: >asking
		ask &
		run deploy adopt --json
		rm asking
		wait
		[ ! -s lost ] || fail "$l: $(head -n 3 lost)"
		id=$(json "$out" '.hosts[0].adopted')
		assert_eq "$(json "$out" '.hosts[0].kept')" \
		    "$(realpath "$served")" "$l"
		assert_eq "$(readlink www/current)" "releases/$id" "$l"
		assert_eq "$(shows www/current/)" "$before" "$l"
		[ -d "$served" ] || fail "$l: what was served is gone"
		assert_eq "$(json "$out" '.hosts[0].shared | join(" ")')" \
		    "${shared[*]}" "$l"
		[ "${#shared[@]}" -eq 0 ] ||
		    assert_contains "$err" "say so in deploy.yml: shared: ["
		run deploy verify
		run deploy adopt --json
		assert_eq "$(json "$out" .changed)" false "$l"
		# From here on as ever.
		run deploy publish --override=build
		run deploy rollback
		assert_eq "$(shows www/current/)" "$before" "$l"
		run deploy prune --keep 1
		[ -d "$served" ] || fail "$l: pruned"
		cd ..
	done
}

t_adopt_layouts_here() { adopt_layouts_on here; }
t_adopt_layouts_on_a_c_host() { adopt_layouts_on c; }

t_adopt_layouts_on_a_dash_host() { adopt_layouts_on dash; }
t_adopt_layouts_on_a_busybox_host() { adopt_layouts_on busybox; }

# Hosts with deploy and with the sh verbs make the same release of the same.
t_adopt_layouts_on_mixed_hosts() {
	local l h served shared
	for l in capistrano names deployer inner; do
		wide || [[ $l != @(deployer|inner) ]] || continue
		mkdir "$l"
		cd "$l"
		{
			echo 'sites:'
			echo "  - {name: s, root: $PWD, exclude: ['*.log', /docs/x, 'l?', .dep/],"
			echo '     hosts: ['
			for h in c dash busybox; do
				program "$h" "$h"
				mkdir "r-$h"
				cd "r-$h"
				layout "$l"
				mkdir -p "$served/a/docs"
				echo 1 >"$served/a.log"
				echo 2 >"$served/docs/x"
				echo 3 >"$served/a/docs/x"
				echo 4 >"$served/lx"
				echo 5 >"$served/run.sh"
				chmod 711 "$served/run.sh"
				mkdir -p "$served/.git" "$served/empty"
				echo 6 >"$served/.git/x"
				ln -s nowhere "$served/dangling"
				ln -s a/docs "$served/relative"
				cd ..
				echo "{address: $h, transport: local, deploy: $PWD/$h, root: $PWD/r-$h/www},"
			done
			echo ']}'
		} >deploy.yml
		run deploy adopt --json
		assert_eq "$(json "$out" '[.hosts[].adopted] | unique | length')" 1
		assert_eq "$(json "$out" '[.hosts[].shared] | unique | length')" 1
		for h in dash busybox; do
			diff -r --no-dereference r-c/www/current/ "r-$h/www/current/" >&2 ||
			    fail "$l: $h"
			diff "r-c/www/.deploy/manifests/"* \
			    "r-$h/www/.deploy/manifests/"* >&2 || fail "$l: $h"
			assert_eq "$(json "r-$h/www/.deploy/meta/"* .digest)" \
			    "$(json r-c/www/.deploy/meta/* .digest)" "$l: $h"
			assert_eq "$(json "r-$h/www/.deploy/meta/"* .bytes)" \
			    "$(json r-c/www/.deploy/meta/* .bytes)" "$l: $h"
		done
		[ "$(grep -c 'left out' "$err")" -eq 3 ] &&
		    [ "$(sed -n 's/.*(\(.* left out\)).*/\1/p' "$err" | sort -u |
		    wc -l)" -eq 1 ] || fail "$l: $(<"$err")"
		run deploy verify
		run deploy status
		run deploy doctor
		cd ..
	done
}

# What the sh verbs cannot, and what nobody can, leaves all as it is.
adopt_is_refused_on() {
	local served shared before
	layout capistrano
	before=$(find www -printf '%p %i %l\n' | sort)
	configure "$1" "$PWD/www"
	mkdir site
	echo new >site/index.html
	sed -i 's/source:/exclude: ["a\/**"], source:/' deploy.yml
	expect_status 2 deploy adopt
	assert_contains "$err" "the sh verbs cannot leave out 'a/**'"
	configure "$1" "$PWD/www"
	expect_status 2 deploy adopt "$PWD/html"
	assert_contains "$err" "the sh verbs take over nothing but"
	ln -s "$PWD" "$served/evil"
	expect_status 2 deploy adopt
	assert_contains "$err" "'$served/evil' is a link to '$PWD'"
	ln -sfn "$PWD/shared/uploads" "$served/evil"
	rm "$served/evil"
	mkfifo "$served/fifo"
	expect_status 5 deploy adopt
	assert_contains "$err" "device, socket or FIFO"
	rm "$served/fifo"
	assert_eq "$(readlink www/current)" "$served"
	# Nothing of it is left behind.
	assert_eq "$(find www/.deploy/incoming www/.deploy/meta -mindepth 1)" ""
	[ "$(find www/shared www/releases -printf '%p %i %l\n' | sort)" = \
	    "$(grep -E '^www/(shared|releases)' <<<"$before")" ] || fail "changed"
	run deploy adopt
	# A directory cannot be exchanged.
	rm www/current
	cp -a "$served" www/current
	expect_status 1 deploy adopt
	assert_contains "$err" "install deploy there"
	# What shows nothing may be removed.
	rm -r www/current
	ln -s nowhere www/current
	expect_status 1 deploy publish
	assert_contains "$err" "is not there, or not for"
	assert_contains "$err" "if nothing is served there, remove the link"
}

t_adopt_is_refused_on_a_dash_host() { adopt_is_refused_on dash; }
t_adopt_is_refused_on_a_busybox_host() { adopt_is_refused_on busybox; }

# The configuration names what is shared: then it is no news.
t_adopt_with_what_is_shared_named() {
	local served shared
	layout capistrano
	echo "sites: [{name: s, root: www, source: site,
	    shared: [uploads, public/media]}]" >deploy.yml
	run deploy adopt --json
	assert_eq "$(json "$out" '.hosts[0].shared | length')" 0
	assert_not_contains "$err" "warning"
	page site
	echo new >site/index.html
	run deploy publish
	assert_eq "$(<www/current/uploads/p)" photo
	assert_eq "$(<www/current/public/media/f)" film
}

# A link out that no release can have is named, and nothing happens; the cure is
# one.
t_adopt_with_links_out() {
	local before
	mkdir -p www/releases data
	page www/releases/1
	echo photo >data/p
	ln -s "$PWD/data" www/releases/1/uploads
	ln -s releases/1 www/current
	before=$(find www -printf '%p %i %l\n' | sort)
	expect_status 2 deploy adopt --root www
	assert_contains "$err" "'$PWD/www/releases/1/uploads' is a link to '$PWD/data'"
	assert_contains "$err" "'$PWD/www/shared/uploads'"
	assert_eq "$(find www -path www/.deploy -prune -o -path www/releases \
	    -prune -o -printf '%p %i %l\n' | grep current)" \
	    "$(grep current <<<"$before")"
	# Named as shared, but not there yet.
	echo "sites: [{name: s, root: www, shared: [uploads]}]" >deploy.yml
	expect_status 2 deploy adopt
	assert_contains "$err" "is a shared path; link it before"
	eval "$(sed -n "s/.*link it before: //p" "$err")"
	run deploy adopt
	assert_eq "$(<www/current/uploads/p)" photo
	# Or leads to another place than releases will.
	rm -rf www
	mkdir -p www/shared/uploads www/v1
	page www/v1
	ln -s "$PWD/data" www/v1/uploads
	ln -s v1 www/current
	expect_status 2 deploy adopt
	assert_contains "$err" "leads to '$PWD/data', not to"
	# Or stays out.
	echo "sites: [{name: s, root: www, exclude: [/uploads]}]" >deploy.yml
	run deploy adopt
	[ ! -e www/current/uploads ] || fail "not left out"
}

# `adopt DIR` where DIR is a link of others.
t_adopt_a_link_elsewhere() {
	local target before
	for target in site-v2 "$PWD/site-v2" site-v2/ ./site-v2 latest; do
		rm -rf site-v2 www html latest
		page site-v2
		ln -s site-v2 latest
		ln -s "$target" html
		before=$(shows html/)
		run deploy adopt html --root www --json
		assert_eq "$(readlink html)" "$PWD/www/current"
		assert_eq "$(json "$out" '.hosts[0].kept')" "$PWD/site-v2"
		assert_eq "$(shows html/)" "$before"
		[ ! -L html.before-deploy ] || fail "a link is left"
		run deploy adopt html --root www --json
		assert_eq "$(json "$out" .changed)" false
	done
	# One that leads to `current` has nothing to be done for itself.
	for target in "$PWD/www/current" www/current www/current/ \
	    ./www/../www/current; do
		ln -sfn "$target" html
		run deploy adopt html --root www --json
		assert_eq "$(json "$out" .changed)" false
		assert_eq "$(readlink html)" "$target"
	done
	# But one to the release itself would stay behind.
	ln -sfn "www/$(readlink www/current)" html
	run deploy adopt html --root www
	assert_eq "$(readlink html)" "$PWD/www/current"
	# Another content is live: nobody knows which is meant.
	ln -sfn site-v2 html
	echo x >site-v2/more
	expect_status 2 deploy adopt html --root www
	assert_contains "$err" "has a live release"
	assert_eq "$(readlink html)" site-v2
	# Through a link to `current`, that is adopted.
	rm -rf www
	mkdir www
	ln -s ../site-v2 www/current
	ln -sfn www/current html
	run deploy adopt html --root www
	assert_eq "$(readlink html)" www/current
	assert_eq "$(cat html/more)" x
}

# What an adoption would not change, it does not say it would.
t_adopt_dry_run_of_our_own_link() {
	mkdir site
	echo x >site/index.html
	run deploy publish site --root www
	run deploy adopt -n --root www
	assert_contains "$err" "there is nothing to adopt"
	cp "$err" dry
	run deploy adopt --root www
	assert_eq "$(head -n 1 "$err")" "$(<dry)"
	ln -sfn ../site www/current
	run deploy adopt -n --root www
	assert_contains "$err" "would adopt"
}

# Links that serve nothing.
t_adopt_what_leads_nowhere() {
	local target
	mkdir www
	echo x >file
	for target in nowhere ../nowhere/at/all current ../file; do
		ln -sfn "$target" www/current
		deploy adopt --root www >"$out" 2>"$err" && fail "$target"
		assert_eq "$(readlink www/current)" "$target"
		grep -qE 'nothing to adopt|not a directory' "$err" ||
		    fail "$target: $(<"$err")"
	done
	[ ! -e www/.deploy ] || fail "something was made"
}

# ------------------------------------------------ what cannot be renamed

# Four releases in `lower/r`, under an overlay in `over`.
overlay() {
	local n
	tmpfs disk
	mkdir over site
	mkdir disk/lower disk/up disk/work
	for n in 1 2 3 4; do
		echo "$n" >site/index.html
		run deploy publish site --root "$PWD/disk/lower/r"
	done
	mkdir -p disk/lower/plain/current
	echo old >disk/lower/plain/current/index.html
	mount -t overlay -o "lowerdir=$PWD/disk/lower,upperdir=$PWD/disk/up,workdir=$PWD/disk/work" \
	    none over 2>/dev/null || skip "needs overlayfs"
	defer umount -l "$PWD/over"
}

# A prepared root in the image of a container: what lies in the layer below is
# removed where it is.
t_releases_of_the_layer_below_are_pruned() {
	overlay
	run deploy prune --keep 1 --root "$PWD/over/r"
	assert_eq "$(ls over/r/releases | wc -l)" 2
	echo 5 >site/index.html
	run deploy publish site --root "$PWD/over/r" --keep 1
	run deploy verify --root "$PWD/over/r"
}

t_a_directory_of_the_layer_below_is_not_adopted() {
	overlay
	expect_status 1 deploy adopt --root "$PWD/over/plain"
	assert_contains "$err" "publish it to a root of another name"
	assert_eq "$(<over/plain/current/index.html)" old
}

# What stops a rollback is said with what helps.
t_rollback_where_the_records_are_mounted_apart() {
	need_root
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	small
	publish -q
	echo two >site/index.html
	publish -q
	mv root/.deploy apart
	mkdir root/.deploy
	mount --bind apart root/.deploy
	defer umount -l "$PWD/root/.deploy"
	expect_status 1 deploy rollback --root root
	assert_contains "$err" "is mounted apart; mount the whole root there, not a part"
}

# refused_early STATUS WORDS DIR [ARG...]: the dry run says so, too, and nothing
# was made.
refused_early() {
	local status=$1 words=$2 dir=$3 before
	shift 3
	before=$(find "$dir" | sort)
	for n in -n ''; do
		# shellcheck disable=SC2086 # words
		expect_status "$status" deploy adopt $n "$@"
		assert_contains "$err" "$words"
		assert_eq "$(find "$dir" | sort)" "$before" 'what is there'
	done
}

# What cannot be ended is not begun, here and on hosts, in a dry run and for good.
t_adopt_looks_first() {
	local kind to
	for kind in c dash; do
		for to in . ..; do
			rm -rf top deploy.yml
			mkdir top
			page top/r-h1
			ln -s "$to" top/r-h1/current
			(
				cd top
				some "$kind"
				refused_early 2 'is inside' r-h1
			)
		done
		# A file, by a link.
		(
			cd top
			rm r-h1/current
			ln -s index.html r-h1/current
			refused_early 2 'is not a directory' r-h1
			ln -sfn nowhere r-h1/current
			refused_early 1 'leads nowhere' r-h1
			ln -sfn current r-h1/current
			refused_early 1 'leads nowhere' r-h1
		)
	done
	page w
	refused_early 2 'is inside' w w --root w/root
}

t_adopt_with_a_mount_below() {
	local kind link
	need_root
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	for kind in c dash; do
		rm -rf deploy.yml r-h1
		some "$kind"
		for link in yes no; do
			[ "$link$kind" != nodash ] || continue
			page "r-h1/v1/up loads"
			page r-h1/v1
			page store
			if [ "$link" = yes ]; then
				ln -s v1 r-h1/current
			else
				rm r-h1/current
				mv r-h1/v1 r-h1/current
			fi
			mount --bind store "r-h1/current/up loads"
			refused_early 2 "up loads' is mounted in what is served" r-h1
			umount "r-h1/current/up loads"
		done
	done
}

# What only its owner can read is not shown to everybody by that.
t_adopt_shows_nothing_hidden() {
	local kind name
	for kind in c dash; do
		rm -rf deploy.yml r-h1
		some "$kind"
		page r-h1/v1
		ln -s v1 r-h1/current
		for name in .env .env.local docs/.htpasswd id_rsa; do
			echo secret >"r-h1/v1/$name"
			chmod 640 "r-h1/v1/$name"
			expect_status 10 deploy adopt
			assert_contains "$err" "$name' looks like a secret"
			assert_eq "$(readlink r-h1/current)" v1
			rm "r-h1/v1/$name"
		done
		# What only has such a name is no secret.
		for name in id_card.html a.key b.pem; do
			echo public >"r-h1/v1/$name"
			chmod 640 "r-h1/v1/$name"
		done
		echo '-----BEGIN PRIVATE KEY-----' >r-h1/v1/a.key
		expect_status 10 deploy adopt
		assert_contains "$err" "a.key' looks like a secret"
		rm r-h1/v1/a.key
		echo secret >r-h1/v1/.env
		chmod 600 r-h1/v1/.env
		sed -i 's/^    source: site/    exclude: [.env]\n&/' deploy.yml
		run deploy adopt
		[ ! -e r-h1/current/.env ] || fail 'shown'
		[ -e r-h1/current/id_card.html ] && [ -e r-h1/current/b.pem ] ||
			fail 'not there'
		# What is shared is not copied.
		rm -rf deploy.yml r-h1
		some "$kind"
		page r-h1/v1
		mkdir -p r-h1/shared/private
		echo secret >r-h1/shared/private/.env
		chmod 600 r-h1/shared/private/.env
		ln -s ../shared/private r-h1/v1/private
		ln -s v1 r-h1/current
		sed -i 's/^    source: site/    shared: [private]\n&/' deploy.yml
		run deploy adopt
	done
}

# Doctor knows of the root only: the cure for a file of the site is told here.
t_adopt_what_cannot_be_read() {
	need_root
	page www/v1
	ln -s v1 www/current
	echo x >"www/v1/it's"
	chown -R 12345:12345 www
	chown 0:0 "www/v1/it's"
	chmod 600 "www/v1/it's"
	chmod 755 .
	for n in -n ''; do
		# shellcheck disable=SC2086 # words
		setpriv --reuid 12345 --regid 12345 --clear-groups \
			deploy adopt $n --root "$PWD/www" >"$out" 2>"$err" && fail "read"
		assert_contains "$err" "chmod a+r '$PWD/www/v1/it'\\''s'"
		[ ! -e www/.deploy ] || fail "begun"
	done
	chmod a+r "www/v1/it's"
	setpriv --reuid 12345 --regid 12345 --clear-groups \
		deploy adopt --root "$PWD/www" >"$out" 2>"$err" || fail "$(<"$err")"
}

# Out of what is served, and back into it by its name, which the release has not;
# an absolute one is made relative.
t_adopt_a_link_out_and_back() {
	local kind
	for kind in c dash; do
		rm -rf deploy.yml r-h1
		some "$kind"
		page r-h1/v1
		mkdir r-h1/v1/css
		ln -s v1 r-h1/current
		ln -s ../v1/css r-h1/v1/again
		expect_status 5 deploy adopt
		assert_contains "$err" "the symbolic link 'again' -> '../v1/css' leaves the tree"
		assert_eq "$(readlink r-h1/current)" v1
		ln -sfn "$PWD/r-h1/v1/css" r-h1/v1/again
		run deploy adopt
		assert_eq "$(readlink r-h1/current/again)" css
	done
}

# The old tool deployed once more in between: what was live before was live.
t_adopt_twice() {
	local kind
	for kind in c dash; do
		rm -rf deploy.yml r-h1
		some "$kind"
		page r-h1/v1
		ln -s v1 r-h1/current
		run deploy adopt
		page r-h1/v2
		echo '<p>two' >r-h1/v2/index.html
		ln -sfn v2 r-h1/current
		run deploy adopt
		assert_eq "$(<r-h1/current/index.html)" '<p>two'
		run deploy rollback
		assert_eq "$(<r-h1/current/index.html)" '<p>old'
	done
}

# A subvolume of btrfs is no mount, and nothing can be renamed into it either.
t_a_part_that_is_a_subvolume() {
	local part kind
	need_root
	need_cmd mkfs.btrfs btrfs
	[ -n "${TEST_MOUNTS:-}" ] || skip "no mount namespaces"
	truncate -s 200M img
	mkdir disk
	{ mkfs.btrfs -q img && mount -o loop img disk; } 2>/dev/null ||
		skip "no loop mounts of btrfs"
	defer umount -l "$PWD/disk"
	cd disk
	for kind in c dash; do
		for part in releases .deploy .deploy/incoming; do
			rm -rf r-h1/* r-h1/.deploy deploy.yml
			some "$kind"
			mkdir -p "r-h1/${part%/*}"
			[ "$part" = .deploy/incoming ] || rmdir "r-h1/$part" 2>/dev/null || true
			btrfs subvolume create "r-h1/$part" >/dev/null
			expect_status 1 deploy publish
			grep -qE 'a subvolume of its own|not on one file system' "$err" ||
				fail "$kind $part: $(cat "$err")"
			[ -z "$(ls -A "r-h1/releases" 2>/dev/null)" ] || fail "$part: sent"
			btrfs subvolume delete "r-h1/$part" >/dev/null
		done
	done
}

run_tests
