#!/bin/bash
# What is refused although it could be done: a build that is probably broken,
# one that does not fit, a root that is not ours or not as we left it.
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# parts: 4
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# paths N: ./site is index.html and N - 1 more.
paths() {
	local i
	rm -rf site
	mkdir -p site/dir/empty
	echo hello >site/index.html
	for ((i = 1; i < $1; i++)); do
		echo "$i" >"site/dir/$i.html"
	done
}

# Without a word.
stage_it() {
	deploy stage -q site --root root >/dev/null
}

publish_it() {
	deploy publish -q site --root root >/dev/null
}

# What visitors see and what is listed, to compare.
state() {
	readlink root/current
	ls root/releases
	cat root/.deploy/journal
	find root/current/ -type f -exec sha256sum {} +
}

# refused STATUS TEXT [OPTION...]: neither stage nor publish take ./site; the
# live site is whole, nothing is left.
refused() {
	local status=$1 text=$2 before='' c
	shift 2
	[ ! -e root/current ] || before=$(state)
	for c in stage publish; do
		expect_status "$status" deploy "$c" site --root root "$@"
		assert_contains "$err" "$text"
		[ ! -s "$out" ] || fail "an answer: $(<"$out")"
		nothing_left
	done
	[ -e root/current ] || return 0
	assert_eq "$(state)" "$before"
	deploy verify -q --root root
}

# ---------------------------------------------------- links that lead nowhere

# configure_links [KEY: VALUE]: ./site into ./root.
configure_links() {
	echo "sites: [{name: x, source: site, root: root${1:+, $1}}]" >deploy.yml
}

# Links and whether they lead to anything; what is wrong is said in the words
# behind the colon.
LINKS=(
	'a index.html'
	'a dir' 'a dir/' 'a ./dir/1.html' 'a dir//empty' 'a .' 'a dir/./1.html'
	'dir/a ../index.html' 'dir/a ..' 'dir/a ../dir/1.html' 'dir/a 1.html'
	'dir/empty/a ../../dir/empty/a2:which is not there'
	'a nowhere:which is not there' 'a dir/nowhere:which is not there'
	'dir/a ../nowhere/at/all:which is not there'
	'a index.html/x:which is not a directory'
	'a index.html/:which is not a directory'
	'a a:which goes round in a circle'
	'a dir/../a:'
	'dir/a ../dir/a:which goes round in a circle'
	'dir/a ../dir/a/x:which goes round in a circle'
	'a uploads/photo' 'a uploads'
)

t_links_that_lead_nowhere() {
	local line link target wrong
	for line in "${LINKS[@]}"; do
		read -r link target <<<"${line%%:*}"
		wrong=''
		[[ $line != *:* ]] || wrong=${line#*:}
		# The kernel is asked by the paths of the site itself.
		paths 2
		ln -s "$target" "site/$link"
		rm -rf root
		configure_links 'shared: [uploads]'
		if [[ $line = *: ]]; then
			expect_status 5 deploy publish
			continue
		fi
		run deploy publish --json
		[[ $target = uploads* ]] || [ -e "site/$link" ] ||
		    [ -n "$wrong" ] || fail "$line: the kernel disagrees"
		if [ -z "$wrong" ]; then
			assert_eq "$(json "$out" .broken_links)" 0 "$line"
			assert_not_contains "$err" warning
			configure_links 'shared: [uploads], guard: {links: refuse}'
			run deploy publish
			continue
		fi
		assert_eq "$(json "$out" .broken_links)" 1 "$line"
		assert_contains "$err" \
		    "1 symbolic link leads nowhere: '$link' -> '$target', $wrong"
		configure_links 'shared: [uploads], guard: {links: refuse}'
		expect_status 10 deploy publish --again
		assert_contains "$err" "'$link' -> '$target', $wrong"
		run deploy publish --again --override=build
		assert_contains "$err" "warning"
		run deploy publish --exclude "$link"
	done
}

# Links through links: each that shows nothing is told, the first of many, and
# their number.
t_many_links_that_lead_nowhere() {
	local i
	paths 2
	ln -s b site/a
	ln -s c site/b
	ln -s a site/c
	ln -s dir site/d
	ln -s d/1.html site/e
	ln -s d/2.html site/f
	ln -s f site/g
	run deploy stage site --root root
	assert_contains "$err" "warning: 5 symbolic links lead nowhere: 'a' -> 'b', which goes round in a circle; 'b' -> 'c'"
	assert_contains "$err" "'f' -> 'd/2.html', which is not there; 'g' -> 'f', which is not there"
	for ((i = 0; i < 20; i++)); do ln -s nowhere "site/z$i"; done
	run deploy stage site --root root
	assert_contains "$err" "25 symbolic links lead nowhere"
	assert_contains "$err" "; and 21 more"
	# As the kernel has it: forty on one way.
	rm -r site
	paths 1
	ln -s index.html site/l0
	for ((i = 1; i < 40; i++)); do ln -s "l$((i - 1))" "site/l$i"; done
	cat site/l39 >/dev/null
	run deploy stage site --root root
	assert_not_contains "$err" warning
	ln -s l39 site/l40
	! cat site/l40 2>/dev/null || fail "the kernel goes further"
	run deploy stage site --root root
	assert_contains "$err" "1 symbolic link leads nowhere: 'l40'"
}

# What is left out, and what is carried, counts as what it is in the release.
t_links_to_what_is_left_out_or_carried() {
	paths 3
	ln -s dir/1.html site/a
	run deploy stage site --root root --exclude 1.html
	assert_contains "$err" "'a' -> 'dir/1.html', which is not there"
	configure_links 'guard: {links: refuse}, carry: {paths: ["dir/*"], for: 7d}'
	run deploy publish
	rm site/dir/1.html
	run deploy publish
	assert_contains root/current/a 1
	# From an archive, too.
	rm -rf root
	tar cf site.tar -C site .
	expect_status 10 deploy publish site.tar
	assert_contains "$err" "'a' -> 'dir/1.html', which is not there"
	configure_links 'guard: {links: warn}'
	run deploy publish site.tar
	configure_links 'guard: {links: maybe}'
	expect_status 2 deploy publish
	configure_links 'guard: {link: refuse}'
	expect_status 2 deploy publish
	assert_contains "$err" "did you mean 'links'"
}

# -------------------------------------------- what visitors should not get

# A path in the build, what is in it, and what is told.
t_secrets() {
	local path text told here chain
	chain=$(head -c 300000 /dev/zero | tr '\0' x)
	while IFS='|' read -r path text told; do
		text=${text/CHAIN/$chain}
		for here in '' yes; do
			paths 2
			mkdir -p "$(dirname "site/${here:+dir/}$path")"
			printf %b "$text" >"site/${here:+dir/}$path"
			rm -rf root
			configure_links 'exclude: [none]'
			run deploy stage --json
			assert_eq "$(json "$out" .secrets)" "${told:+1}$([ -n "$told" ] || echo 0)" "$path"
		done
		if [ -z "$told" ]; then
			assert_not_contains "$err" "warning"
			configure_links 'guard: {secrets: refuse}'
			run deploy stage --again
			continue
		fi
		assert_contains "$err" "what looks like keys, passwords or a repository: 'dir/$told'; leave"
		configure_links 'guard: {secrets: refuse}'
		expect_status 10 deploy publish --again
		assert_contains "$err" "'dir/$told'"
		run deploy publish --again --override=build
		run deploy publish --again --exclude "$told"
		assert_not_contains "$err" "warning"
		configure_links 'guard: {secrets: ignore}'
		run deploy publish --again
		assert_not_contains "$err" "warning"
	done <<-'END'
	.env|SECRET=1|.env
	.env.production|SECRET=1|.env.production
	.env.example|SECRET=|
	.environment|x|
	env|x|
	id_rsa|x|id_rsa
	id_rsa.pub|x|
	id_ed25519|x|id_ed25519
	.htpasswd|a:b|.htpasswd
	.htaccess|x|
	.netrc|x|.netrc
	.npmrc|x|.npmrc
	vault.kdbx|x|vault.kdbx
	.p12|x|
	server.key|-----BEGIN PRIVATE KEY-----\\nAA==|server.key
	rsa.pem|-----BEGIN CERTIFICATE-----\\nAA==\\n-----BEGIN RSA PRIVATE KEY-----\\nAA==|rsa.pem
	long.pem|CHAIN\\n-----BEGIN EC PRIVATE KEY-----\\nAA==|long.pem
	cert.pem|-----BEGIN CERTIFICATE-----\\nAA==|
	told.pem|-----BEGIN CERTIFICATE-----\\nAA==\\nits PRIVATE KEY----- is elsewhere|
	public.key|-----BEGIN PUBLIC KEY-----\\nAA==|
	piano.key|C major|
	key.html|-----BEGIN PRIVATE KEY-----\\nAA==|
	.ssh/config|x|.ssh
	.aws/credentials|x|.aws
	ssh/config|x|
	END
}

# A link in the build, what it leads to, and is it told?
t_secrets_behind_links() {
	local link to told here
	while read -r link to told; do
		for here in '' ../; do
			paths 2
			mkdir -p site/.deps/ssh site/sub
			echo x | tee site/.deps/ssh/config >site/.deps/any
			printf -- '-----BEGIN PRIVATE KEY-----\nAA==\n' >site/.deps/key
			link=${here:+sub/}${link##*/}
			ln -s "$here$to" "site/$link"
			rm -rf root
			configure_links 'guard: {secrets: refuse}'
			if [ -n "$told" ]; then
				expect_status 10 deploy publish
				assert_contains "$err" "'$link'"
				run deploy publish --exclude "${link##*/}"
			else
				run deploy publish
			fi
		done
	done <<-'END'
	.env .deps/any told
	.htpasswd .deps/any told
	.env.example .deps/any
	page .deps/any
	.ssh .deps/ssh told
	ssh .deps/ssh
	server.key .deps/key told
	server.pem .deps/any
	.env sub
	.npmrc .deps/nothing
	END
	# What is shared is the host's own.
	paths 2
	rm -rf root
	configure_links 'guard: {secrets: refuse}, shared: [.htpasswd]'
	mkdir -p root/shared
	echo a:b >root/shared/.htpasswd
	run deploy publish
}

t_a_repository_by_another_name() {
	need_cmd git
	paths 2
	git init -q --bare site/dir/copy.git
	configure_links 'guard: {source_maps: warn}'
	run deploy stage
	assert_contains "$err" "a repository: 'dir/copy.git'; leave"
	rm -r site/dir/copy.git
	mkdir -p site/dir/HEAD/{objects,refs} site/objects site/refs
	: >site/HEAD
	run deploy stage
	assert_contains "$err" "a repository: "
}

t_source_maps_on_request() {
	local n
	paths 2
	for n in 1 2 3 4 5 6; do echo {} >"site/$n.js.map"; done
	echo {} >site/world.map
	configure_links 'exclude: [none]'
	run deploy stage
	assert_not_contains "$err" "warning"
	configure_links 'guard: {source_maps: warn}'
	run deploy stage
	assert_contains "$err" "the build has source maps: '1.js.map', '2.js.map', '3.js.map', '4.js.map', and 2 more (-v names them); leave"
	configure_links 'guard: {source_maps: refuse}'
	tar cf site.tar -C site .
	expect_status 10 deploy stage site.tar --again
	assert_contains "$err" "the build has source maps: '1.js.map'"
}

# ------------------------------------------------------- builds that are broken

# A build that three guards refuse: each is set aside alone.
t_overriding_one_guard_says_nothing_about_the_others() {
	local words status
	small
	deploy publish -q site --root root --seq 9 >/dev/null
	deploy freeze -q --root root
	mv site/index.html site/start.html
	while read -r status words; do
		expect_status "$status" deploy publish site --root root --seq 8 \
		    ${words:+--override="$words"}
		case $status in
		10) assert_contains "$err" "--override=build" ;;
		3) assert_contains "$err" "--override=freeze" ;;
		4) assert_contains "$err" "--override=order" ;;
		esac
		assert_eq "$(<root/current/index.html)" hello "$words"
	done <<-EOF
	10
	10 freeze
	10 order
	10 freeze,order
	3 build
	3 build,order
	3 order,build
	4 build,freeze
	4 freeze,build
	EOF
	# Nor is it a guard that there is nothing new.
	expect_status 3 deploy publish site --root root --again --override=build
	expect_status 2 deploy publish site --root root --override=build,all
	assert_contains "$err" "only build,freeze,order"
	expect_status 2 deploy stage site --root root --override=freeze
	assert_contains "$err" "only build"
	expect_status 2 deploy activate --root root --override=build
	assert_contains "$err" "only freeze,order"
	run deploy publish site --root root --seq 8 --override=build \
	    --override=freeze,order
	assert_eq "$(<root/current/start.html)" hello
}

t_empty_build() {
	mkdir site
	refused 10 "the build is empty"
	mkdir -p site/css/deep site/img
	refused 10 "the build is empty"
	ln -s css site/link
	refused 10 "the build is empty"
	assert_contains "$err" "--override=build"
	small
	publish_it
	rm -rf site
	mkdir site
	refused 10 "the build is empty"
	refused 10 "the build is empty" --exclude x
	run deploy stage --override=build site --root root --json
	assert_eq "$(json "$out" .files)" 0
	run deploy verify latest --root root
}

t_no_index() {
	mkdir -p site/sub
	echo x >site/other.html
	echo x >site/sub/index.html
	echo x >site/Index.html
	refused 10 "no index.html at its top"
	assert_contains "$err" "--override=build"
	mkdir site/index.html
	echo x >site/index.html/file
	refused 10 "no index.html at its top"
	run deploy stage --override=build site --root root
	rm -rf site/index.html
	# A link to one counts.
	ln -s sub/index.html site/index.html
	run deploy stage site --root root
	refused 10 "no index.html at its top" --exclude /index.html
}

# A link counts as the page that it leads to.
t_index_is_a_link() {
	local target wrong
	mkdir -p site/sub shared
	echo x >site/home.html
	while IFS='|' read -r target wrong; do
		ln -sfn "$target" site/index.html
		if [ -z "$wrong" ]; then
			run deploy stage -q --again site --root root
			continue
		fi
		refused 10 "a symbolic link to '$target', $wrong"
		run deploy stage -q --again --override=build site --root root
		rm -rf root
	done <<-'END'
	nowhere|which is not there
	sub/nowhere|which is not there
	index.html|which goes round in a circle
	home.html/|which is not a directory
	sub|a directory
	home.html|
	./home.html|
	END
	# What is in shared/ counts as there.
	ln -sfn start.html site/index.html
	printf 'sites:\n  - {name: x, source: site, root: root, shared: [start.html]}\n' \
	    >deploy.yml
	run deploy stage -q
}

t_no_index_because_it_is_a_level_deeper() {
	mkdir -p site/public/css
	echo x >site/public/index.html
	echo x >site/public/css/a.css
	refused 10 "everything is in 'public/'"
	assert_contains "$err" "--strip"
	echo x >site/README
	refused 10 "no index.html at its top"
	assert_not_contains "$err" "everything is in"
	mv site/README site/public-2
	refused 10 "no index.html at its top"
	assert_not_contains "$err" "everything is in"
}

t_max_delete_is_half_and_half_is_allowed() {
	paths 10
	publish_it
	# Empty directories and what is new do not count.
	paths 4
	for i in a b c d e f g; do echo "$i" >"site/$i.html"; done
	rmdir site/dir/empty
	refused 10 "lacks 6 of the 10 paths"
	assert_contains "$err" "max_delete (50%)"
	paths 5
	run deploy publish site --root root
	# An odd number: 2 of 5 may go, 3 may not.
	paths 2
	refused 10 "lacks 3 of the 5 paths"
	paths 3
	stage_it
	paths 2
	run deploy publish site --root root --override=build
	assert_eq "$(find root/current/ -type f | wc -l)" 2
}

t_max_delete_compares_with_what_is_live() {
	paths 10
	publish_it
	paths 30
	stage_it
	# Of the 30 staged 20 are lacking; of the 10 live none.
	paths 10
	echo changed >site/index.html
	publish_it
	# Moving everything is losing everything.
	mv site/dir site/moved
	refused 10 "lacks 9 of the 10 paths"
	# So is leaving it out.
	mv site/moved site/dir
	refused 10 "lacks 9 of the 10 paths" --exclude dir
	# A path is there whatever it has become.
	paths 10
	rm site/dir/*.html
	for i in 1 2 3 4 5 6 7 8 9; do
		ln -s ../index.html "site/dir/$i.html"
	done
	publish_it
	# Links are paths too.
	find site -type l -delete
	refused 10 "lacks 9 of the 10 paths"
}

t_max_delete_of_the_configuration() {
	local percent allowed
	while read -r percent allowed; do
		rm -rf root
		printf '%s\n' sites: '  - name: x' '    source: site' \
		    '    root: root' "    max_delete: $percent" >deploy.yml
		paths 20
		deploy publish -q >/dev/null
		if ((allowed < 19)); then
			paths $((20 - allowed - 1))
			expect_status 10 deploy stage
			assert_contains "$err" \
			    "lacks $((allowed + 1)) of the 20 paths"
			assert_contains "$err" "max_delete ($percent)"
			nothing_left
		fi
		paths $((20 - allowed))
		run deploy stage
	done <<-END
	0% 0
	5% 1
	9% 1
	10% 2
	99% 19
	100% 19
	END
}

t_guards_are_for_builds_not_for_going_back() {
	local a
	paths 3
	a=$(deploy publish -q site --root root)
	paths 12
	publish_it
	run deploy rollback --root root
	paths 13
	publish_it
	run deploy activate "$a" --root root
	assert_eq "$(readlink root/current)" "releases/$a"
}

# ------------------------------------------------------------ what does not fit

t_full_disk_that_was_foreseen() {
	small
	tmpfs root size=2m
	publish_it
	head -c 3000000 /dev/urandom >site/large
	refused 10 "the release needs 3."
	assert_contains "$err" "MB free"
	assert_contains "$err" "make room"
	refused 10 "the release needs" --override=build
	assert_eq "$(<root/current/index.html)" hello
}

# Many small files take more than their bytes: the write itself fails.
t_full_disk_that_was_not_foreseen() {
	local i
	small
	tmpfs root size=2m
	publish_it
	for ((i = 0; i < 600; i++)); do
		echo x >"site/$i"
	done
	refused 10 "No space left on device"
	assert_eq "$(<root/current/index.html)" hello
	# Nothing of it has stayed.
	rm site/[0-9]*
	echo more >site/more.html
	run deploy publish site --root root
}

# Each size from far too small to enough: done, or refused and nothing left.
t_full_disk_at_every_point() {
	local size status ok=0
	mksite site 30
	tmpfs root size=4m
	for ((size = 1; size < 90 && ok < 3; size++)); do
		mount -o "remount,size=$((size * 4))k" root
		status=0
		deploy stage site --root root >id 2>why || status=$?
		case $status in
		0)
			ok=$((ok + 1))
			run deploy verify --root root "$(<id)"
			rm -rf root/* root/.deploy
			;;
		10)
			grep -qE 'No space left|needs' why ||
			    fail "size $size: $(<why)"
			nothing_left
			[ ! -d root/releases ] ||
			    assert_eq "$(ls root/releases)" ""
			;;
		*)
			fail "size $size: status $status: $(<why)"
			;;
		esac
	done
	((ok == 3)) || fail "no size was enough"
}

t_no_inodes() {
	local i
	small
	tmpfs root size=8m,nr_inodes=120
	publish_it
	for ((i = 0; i < 150; i++)); do
		echo "$i" >"site/$i"
	done
	refused 10 "inode"
	assert_contains "$err" "make room"
	assert_eq "$(<root/current/index.html)" hello
}

t_no_inodes_at_every_point() {
	local n status ok=0
	mksite site 20
	tmpfs root size=8m,nr_inodes=200
	for ((n = 1; n < 90 && ok < 3; n++)); do
		mount -o "remount,nr_inodes=$n" root
		status=0
		deploy publish site --root root >id 2>why || status=$?
		case $status in
		0)
			ok=$((ok + 1))
			assert_tree_eq site root/current/.
			run deploy verify --root root "$(<id)"
			rm -rf root/* root/.deploy
			;;
		10)
			grep -qE 'No space left|needs' why ||
			    fail "inodes $n: $(<why)"
			nothing_left
			[ ! -e root/current ] || fail "inodes $n: live"
			rm -rf root/* root/.deploy
			;;
		*)
			fail "inodes $n: status $status: $(<why)"
			;;
		esac
	done
	((ok == 3)) || fail "no number was enough"
}

# Where links do, no space is needed for what is there already.
t_a_nearly_full_disk_takes_small_changes() {
	small
	head -c 1200000 /dev/urandom >site/large
	tmpfs root size=2m
	publish_it
	echo changed >site/index.html
	run deploy publish site --root root --json
	assert_eq "$(json "$out" '[.linked, .copied] | @text')" "[3,1]"
	assert_tree_eq site root/current/.
	# And a dry run needs none at all.
	cat /dev/zero >root/fill 2>/dev/null || true
	echo again >site/index.html
	run deploy stage -n site --root root
}

# The disk is full: this must still be possible, it is the way out.
t_full_disk_lets_go_back_and_prune() {
	local a b
	small
	tmpfs root size=2m
	a=$(deploy publish -q site --root root)
	for i in 1 2 3 4; do
		head -c 200000 /dev/urandom >site/large
		b=$(deploy publish -q site --root root)
	done
	cat /dev/zero >root/fill 2>/dev/null || true
	expect_status 10 deploy stage --again site --root root
	run deploy rollback "$a" --root root
	assert_eq "$(<root/current/index.html)" hello
	run deploy activate "$b" --override=order --root root
	run deploy prune --keep 1 --root root
	nothing_left
	rm root/fill
	run deploy verify --root root
	assert_tree_eq site root/current/.
}

# --------------------------------------------------------- roots to stay out of

# A root with two releases, made writable for nobody.
t_read_only_root() {
	local before c
	small
	tmpfs root
	publish_it
	echo b >site/b.html
	publish_it
	deploy freeze -q -m "ro" --root root
	echo c >site/c.html
	mount -o remount,ro root
	before=$(state)
	for c in 'stage site' 'publish site' 'activate previous' rollback prune thaw \
	    freeze 'pin current' 'unpin current'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 deploy $c --root root
		assert_contains "$err" "Read-only file system"
		assert_contains "$err" "root/"
		assert_eq "$(state)" "$before" "$c"
	done
	for c in list status log verify 'diff previous' 'diff site' \
	    'stage -n site' 'rollback -n' 'prune -n'; do
		# shellcheck disable=SC2086 # words are meant
		run deploy $c --root root
	done
	run deploy status --root root --json
	assert_eq "$(json "$out" .frozen)" true
	mkdir other
	tmpfs other
	mount -o remount,ro other
	for c in init 'stage site'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 deploy $c --root other/new
		assert_contains "$err" "Read-only file system"
	done
}

t_root_of_somebody_else() {
	local before c
	need_root
	small
	publish_it
	echo two >site/two.html
	chmod -R a+rX site
	publish_it
	before=$(state)
	echo more >site/more.html
	for c in 'stage site' 'publish site' rollback prune freeze \
	    'pin current'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 as_user deploy $c --root root
		assert_contains "$err" "Permission denied"
		assert_contains "$err" "root"
		assert_contains "$err" "run deploy as"
		assert_eq "$(state)" "$before" "$c"
	done
	for c in list status log verify 'diff site' 'stage -n site'; do
		# shellcheck disable=SC2086 # words are meant
		run as_user deploy $c --root root
	done
	# No right to make one.
	expect_status 1 as_user deploy stage site --root new
	assert_contains "$err" "Permission denied"
	[ ! -e new ] || fail "made"
}

# The superuser does not work where another user could lead him anywhere.
t_root_of_a_user_is_not_for_the_superuser() {
	local part owner
	need_root
	small
	chmod -R a+rX site
	user_dir root
	as_user deploy publish -q site --root root
	as_user deploy publish -q --again site --root root
	echo more >site/more.html
	# Looking is no work.
	for c in list status log verify 'diff site' 'list --json'; do
		# shellcheck disable=SC2086 # words are meant
		run deploy $c --root root
	done
	for c in 'stage site' 'publish site' 'activate previous' rollback prune freeze \
	    'verify --repair' 'pin latest'; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 deploy $c --root root
		assert_contains "$err" "belongs to nobody"
		assert_contains "$err" "run deploy as that user"
	done
	assert_eq "$(find root ! -user nobody)" ""
	# An empty directory of his neither.
	user_dir empty
	expect_status 1 deploy stage site --root empty
	assert_eq "$(ls -A empty)" ""
	# Nor one part of a root of ours.
	chown -R 0:0 root
	publish_it
	for part in root/releases root/.deploy root/.deploy/incoming \
	    root/.deploy/manifests root/.deploy/meta root/.deploy/trash; do
		owner=$(stat -c %u "$part")
		chown 65534 "$part"
		expect_status 1 deploy publish --again site --root root
		assert_contains "$err" "$part' belongs to nobody"
		chown "$owner" "$part"
	done
	run deploy publish --again site --root root
	# A user in a third one's directory.
	chown -R 65534:65534 root
	expect_status 1 setpriv --reuid 4711 --regid 4711 --clear-groups \
	    deploy publish --again site --root root
	chown 4711 root
	expect_status 1 setpriv --reuid 4711 --regid 4711 --clear-groups \
	    deploy publish --again site --root root
	assert_contains "$err" "belongs to nobody"
	assert_contains "$err" "; if nobody planted it, run as root: chown 4711 '"
}

# all_of DIR: what is in it, a line each.
all_of() {
	find "$1" \( -type d -printf '%m %U %G %p\n' -o \
	    -printf '%y %m %U %G %s %T@ %p %l\n' \) | sort
}

# What is no root is not made one when it is something else already: it is
# left as it is, here and on hosts.
t_roots_that_are_something_else() {
	local kind what how text
	small
	while IFS='|' read -r what how text; do
		for kind in here c dash; do
			mkdir place
			bash -c "$how"
			all_of place >was
			where "$kind"
			printf 'sites:\n  - {name: t, root: %s, source: site%s}\n' \
			    "$PWD/place" "${mine:+, $mine}" >deploy.yml
			for c in publish stage init; do
				if [ "$text" = well ]; then
					[ "$c" = publish ] || continue
					run deploy publish
					continue
				fi
				expect_status 1 deploy "$c"
				assert_contains "$err" "$text"
				assert_contains "$err" "name a directory of its own"
				# Nor is anybody told to do that who only looks.
				[ -n "$mine" ] || {
					expect_status 1 deploy list
					assert_contains "$err" "$text"
				}
				all_of place >is
				diff was is >&2 || fail "$what: changed by $c"
			done
			chmod -R u+w place
			rm -rf place h h.*
		done
	done <<-'END'
	a home|touch place/.bashrc; mkdir place/Documents|not a root of deploy, and has other things in it
	sources of a site|touch place/hugo.toml; mkdir place/content|not a root of deploy, and has other things in it
	one file|touch place/index.html|('index.html')
	a hidden one|touch place/..x|('..x')
	a dead link|ln -s nowhere place/l|('l')
	a scratch directory|chmod 1777 place|is for everybody's files
	nothing|true|well
	a new disk|mkdir place/lost+found|well
	uploads|mkdir place/shared|well
	a layout of another tool|mkdir place/releases place/repo; touch place/revisions.log|well
	END
}

# A root is not made in a root, whose releases visitors see; nothing there
# changes.
t_no_root_in_a_root() {
	local kind part c
	small
	mkdir elsewhere
	ln -s ../www/current elsewhere/link
	for kind in here c dash; do
		where "$kind"
		printf 'sites:\n  - {name: t, root: %s, source: site%s}\n' \
		    "$PWD/www" "${mine:+, $mine}" >deploy.yml
		run deploy publish
		mkdir -p www/shared/x www/current/releases
		all_of www >was
		for part in www/current www/current/releases www/releases/new \
		    www/shared/x www/.deploy elsewhere/link elsewhere/link/sub; do
			sed -i "s|root: [^,]*|root: $PWD/$part|" deploy.yml
			for c in publish stage init; do
				expect_status 1 deploy "$c"
				assert_contains "$err" "'$PWD/$part' is in '$PWD/www', which is a root of deploy; "
				assert_contains "$err" "name that one as the root"
			done
			[ -n "$mine" ] || {
				expect_status 1 deploy list
				assert_contains "$err" "which is a root of deploy"
			}
		done
		all_of www >is
		diff was is >&2 || fail "changed"
		chmod -R u+w www
		rm -rf www h h.*
	done
}

# paste_cure: run the command that the message names.
paste_cure() {
	local cure
	cure=$(sed -n 's/.*run: \(\(mkdir\|chmod\) .*\)/\1/p' "$err" | head -n 1)
	[ -n "$cure" ] || fail "no cure in $(cat "$err")"
	bash -c "$cure"
	[ ! -e owned ] || fail "it does something else: $cure"
}

# A path is one word in them, whatever is in it.
t_cures_can_be_pasted() {
	local kind what how status odd="it's; touch owned #"
	small
	for kind in here c dash; do
		where "$kind"
		printf "sites:\n  - {name: t, root: '%s', source: site%s}\n" \
		    "$PWD/${odd//\'/\'\'}/www" "${mine:+, $mine}" >deploy.yml
		while IFS='|' read -r what status how; do
			(cd "$odd" 2>/dev/null || exit 0; eval "$how")
			expect_status "$status" deploy publish --again
			paste_cure
			run deploy publish --again
		done <<-'END'
		no directory above it|1|true
		written by everybody|1|chmod o+w www
		a part of it|1|chmod o+w www/releases
		a hook that others write|9|mkdir www/.deploy/hooks; echo '#!/bin/sh' >www/.deploy/hooks/post-activate; chmod 766 www/.deploy/hooks/post-activate
		a hook that cannot be run|9|chmod 644 www/.deploy/hooks/post-activate
		END
		rm -rf "$odd" h h.*
	done
}

# A root that cannot be made: who has to do what.  The cure makes it.
t_roots_that_cannot_be_made() {
	local kind root user
	user=$(as_user id -un 2>/dev/null) || skip "no other user here"
	mkdir site closed open
	echo 1 >site/index.html
	chmod 777 open
	while IFS='|' read -r root cure; do
		for kind in here c dash; do
			where "$kind"
			printf "sites:\n  - {name: t, root: '%s', source: site%s}\n" \
			    "$PWD/$root" "${mine:+, $mine}" >deploy.yml
			expect_status 1 as_user "$(command -v deploy)" publish
			assert_contains "$err" "cannot make the root '$PWD/$root'"
			# A host's cure is its word, as in 93-attack-host.
			assert_contains "$err" "run$cure"
			[ ! -e "$PWD/$root" ] || fail "it is there"
			if [[ $cure = *root* ]]; then
				bash -c "${cure#*root: }" || fail "$cure"
			else
				as_user bash -c "${cure#: }" || fail "$cure"
			fi
			run as_user "$(command -v deploy)" publish
			rm -rf "${PWD:?}/$root" "$PWD/closed/a" "$PWD/open/a" h h.*
		done
	done <<-END
	closed/www| there, as root: install -d -o $user '$PWD/closed/www'
	closed/a/www| there, as root: install -d -o $user '$PWD/closed/a/www'
	open/a/www|: mkdir -p '$PWD/open/a/www'
	END
}

t_world_writable_parts_are_refused() {
	local part mode
	small
	publish_it
	echo more >site/more.html
	for part in root root/releases root/.deploy root/.deploy/incoming \
	    root/.deploy/manifests root/.deploy/meta root/.deploy/trash; do
		for mode in 777 1777 757; do
			chmod "$mode" "$part"
			refused_root "can be written by everybody"
			assert_contains "$err" "chmod o-w '$PWD/$part'"
		done
		chmod 755 "$part"
	done
	# Group is a matter of trust.
	chmod 775 root
	run deploy publish site --root root
	mkdir -m 777 open
	expect_status 1 deploy stage site --root open
	assert_eq "$(ls -A open)" ""
}

# refused_root TEXT: no command that writes works on ./root, status 1.
refused_root() {
	local c
	for c in 'stage site' 'publish site' activate rollback prune \
	    'init' freeze; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 1 deploy $c --root root
		assert_contains "$err" "$1"
	done
}

t_planted_links_are_refused() {
	local part before
	small
	publish_it
	echo more >site/more.html
	mkdir trap
	cp -a root/. trap
	before=$(find trap | sort)
	for part in .deploy releases .deploy/incoming .deploy/manifests \
	    .deploy/meta .deploy/trash; do
		mv "root/$part" saved
		ln -s "$PWD/trap/$part" "root/$part"
		refused_root "root/$part"
		# The same in a root that is not complete yet.
		[ -L root/.deploy ] || mv root/.deploy/format .
		expect_status 1 deploy stage site --root root
		assert_contains "$err" "root/$part"
		[ -L root/.deploy ] || mv format root/.deploy
		assert_eq "$(find trap | sort)" "$before" "$part"
		rm "root/$part"
		mv saved "root/$part"
	done
	# Before there is a root at all.
	mkdir fresh
	ln -s "$PWD/trap" fresh/.deploy
	expect_status 1 deploy stage site --root fresh
	assert_contains "$err" "fresh/.deploy"
	ln -sfn nowhere fresh/.deploy
	expect_status 1 deploy stage site --root fresh
	[ ! -e fresh/nowhere ] || fail "made through a link"
	assert_eq "$(find trap | sort)" "$before"
}

t_planted_files_are_not_followed() {
	local file
	small
	publish_it
	for file in lock lock.note journal format frozen; do
		echo precious >precious
		cp root/.deploy/$file saved 2>/dev/null || true
		ln -sfn "$PWD/precious" "root/.deploy/$file"
		echo "$file" >site/about.html
		timeout 20 deploy publish site --root root \
		    >/dev/null 2>&1 </dev/null || true
		timeout 20 deploy freeze --root root >/dev/null 2>&1 || true
		assert_eq "$(<precious)" precious "$file"
		rm -f "root/.deploy/$file" root/.deploy/frozen
		# Nor waited for.
		mkfifo "root/.deploy/$file"
		expect_status_below_124 timeout 20 deploy stage site \
		    --root root --lock-wait 0s
		expect_status_below_124 timeout 20 deploy activate \
		    --root root --lock-wait 0s
		expect_status_below_124 timeout 20 deploy status --root root
		rm -f "root/.deploy/$file" root/.deploy/frozen
		[ ! -e saved ] || mv saved "root/.deploy/$file"
	done
	echo changed >site/about.html
	run deploy publish site --root root
	assert_tree_eq site root/current/.
}

expect_status_below_124() {
	local status=0
	"$@" >"$out" 2>"$err" </dev/null || status=$?
	((status < 124)) || fail "status $status: $*"
}

t_format_of_the_future_is_refused() {
	local format
	small
	publish_it
	echo more >site/more.html
	for format in 2 10 '' 1.1 '1 ' x none; do
		echo "$format" >root/.deploy/format
		# A power cut may have left it without content.
		[ "$format" != none ] || : >root/.deploy/format
		before=$(state)
		refused_root "use a newer deploy"
		for c in list status log verify; do
			expect_status 1 deploy "$c" --root root
			assert_contains "$err" "has format '${format#none}'"
		done
		expect_status 1 deploy stage -n site --root root
		assert_eq "$(state)" "$before"
		assert_eq "$(<root/.deploy/format)" "${format#none}"
	done
	echo 1 >root/.deploy/format
	run deploy publish site --root root
}

# A root whose making was interrupted is gone on with.
t_half_made_root_is_completed() {
	local part
	small
	publish_it
	rm root/.deploy/format
	expect_status 1 deploy list --root root
	assert_contains "$err" "not a root of deploy"
	for part in incoming trash; do
		rmdir "root/.deploy/$part"
	done
	run deploy publish site --root root
	assert_contains "$err" "unchanged"
	assert_eq "$(<root/.deploy/format)" 1
	run deploy verify --root root
}

# -f is what people type for --force, which there is not: a new release though
# nothing has changed, and no guard is set aside by it.
t_f_is_no_force() {
	local first
	mkdir site
	echo hello >site/index.html
	run deploy publish site --root www
	first=$(<"$out")
	run deploy publish -f site --root www
	[ "$(<"$out")" != "$first" ] || fail "no new release"
	run deploy freeze --root www -m "not now"
	expect_status 3 deploy publish -f site --root www
	assert_contains "$err" "--override=freeze"
	run deploy thaw --root www
	rm site/index.html
	expect_status 10 deploy publish -f site --root www
}

run_tests
