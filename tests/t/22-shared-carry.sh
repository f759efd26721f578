#!/bin/bash
# What a release has besides the build: links to shared paths, and files that
# are carried over from earlier releases.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# config LINE...: a deploy.yml for ./site and ./root with these lines.
config() {
	printf '%s\n' sites: '  - name: x' '    source: site' \
	    '    root: root' "${@/#/    }" >deploy.yml
}

small() {
	mkdir -p site/css
	echo hello >site/index.html
	echo 'a {}' >site/css/a.css
}

publish() {
	deploy publish -q "$@"
}

# refused STATUS TEXT: staging is refused, and nothing is left.
refused() {
	local before
	before=$(ls root/releases)
	expect_status "$1" deploy stage
	assert_contains "$err" "$2"
	assert_eq "$(ls root/releases)" "$before"
	assert_eq "$(ls root/.deploy/incoming)" ""
	assert_eq "$(ls root/.deploy/manifests)" "$before"
}

# ------------------------------------------------------------------- shared

t_shared_paths_are_links_to_shared() {
	local id
	small
	mkdir site/.well-known
	echo contact >site/.well-known/security.txt
	config 'shared: [uploads, .well-known/acme-challenge,' \
	    '  "a b/c/d ü", robots.txt]'
	mkdir -p root/shared
	echo "Disallow: /" >root/shared/robots.txt
	id=$(publish)
	assert_eq "$(readlink root/current/uploads)" ../../shared/uploads
	assert_eq "$(readlink root/current/.well-known/acme-challenge)" \
	    ../../../shared/.well-known/acme-challenge
	assert_eq "$(readlink "root/current/a b/c/d ü")" \
	    "../../../../shared/a b/c/d ü"
	assert_eq "$(stat -c '%A' root/shared root/shared/uploads \
	    root/shared/.well-known/acme-challenge "root/shared/a b/c/d ü" |
	    sort -u)" drwxr-xr-x
	# What is served through them is what lies in shared/.
	echo token >root/shared/.well-known/acme-challenge/t
	echo pic >root/shared/uploads/pic
	echo deep >"root/shared/a b/c/d ü/f"
	assert_eq "$(<root/current/.well-known/acme-challenge/t)" token
	assert_eq "$(<root/current/uploads/pic)" pic
	assert_eq "$(<"root/current/a b/c/d ü/f")" deep
	assert_eq "$(<root/current/robots.txt)" "Disallow: /"
	assert_eq "$(<root/current/.well-known/security.txt)" contact
	# The build is all there, nothing of ours among it but those links.
	diff -rq --no-dereference site "root/releases/$id" >extra || true
	assert_eq "$(sort extra)" "$(sort <<-END
	Only in root/releases/$id: a b
	Only in root/releases/$id: robots.txt
	Only in root/releases/$id: uploads
	Only in root/releases/$id/.well-known: acme-challenge
	END
	)"
	run deploy verify
	assert_eq "$(grep -c ' type=link .* tags=shared$' \
	    "root/.deploy/manifests/$id")" 4
	run deploy stage
	assert_contains "$err" unchanged
}

t_uploads_outlive_releases() {
	local i first
	small
	config 'shared: [uploads]'
	first=$(publish)
	echo mine >root/shared/uploads/mine
	mkdir root/shared/uploads/sub
	chmod 2770 root/shared/uploads/sub
	for i in 1 2 3 4; do
		echo "$i" >site/page
		publish --keep 1 >/dev/null
		assert_eq "$(<root/current/uploads/mine)" mine
	done
	[ ! -e "root/releases/$first" ] || fail "nothing was pruned"
	run deploy prune --keep 1
	run deploy rollback
	assert_eq "$(<root/current/uploads/mine)" mine
	assert_eq "$(stat -c %a root/shared/uploads/sub)" 2770
	# Written through the site, as a web application does.
	echo new >root/current/uploads/new
	run deploy publish --override=order
	assert_eq "$(<root/current/uploads/new)" new
	run deploy verify
}

t_shared_paths_and_the_build_do_not_mix() {
	small
	mkdir -p site/uploads site/data
	config 'shared: [uploads, data/db/files]'
	publish >/dev/null
	echo x >site/uploads/old.png
	refused 2 "the build has 'uploads', which is a shared path"
	assert_contains "$err" "exclude it"
	rm site/uploads/old.png
	touch site/uploads/.gitkeep
	refused 2 "'uploads'"
	config 'shared: [uploads, data/db/files]' 'exclude: [.gitkeep]'
	run deploy stage
	rm -r site/uploads
	echo file >site/uploads
	refused 2 "'uploads'"
	rm site/uploads
	ln -s css site/uploads
	refused 2 "'uploads'"
	rm site/uploads
	# A file where a directory has to be.
	echo x >site/data/db
	refused 2 "'data/db/files'"
	rm site/data/db
	ln -s ../css site/data/db
	refused 2 "'data/db/files'"
	rm site/data/db
	mkdir -p site/data/db/files/empty
	refused 2 "'data/db/files'"
	rmdir site/data/db/files/empty
	run deploy publish
	assert_eq "$(readlink root/current/data/db/files)" \
	    ../../../../shared/data/db/files
	# Names that only begin alike are no conflict.
	mkdir site/uploads2
	echo x >site/uploads2/x
	echo x >site/uploads.html
	run deploy publish
	run deploy verify
}

t_an_empty_directory_gives_way() {
	small
	mkdir -p site/uploads site/a/b
	config 'shared: [uploads, a/b]'
	run deploy publish
	assert_eq "$(readlink root/current/uploads)" ../../shared/uploads
	assert_eq "$(readlink root/current/a/b)" ../../../shared/a/b
	run deploy verify
	run deploy publish
	assert_contains "$err" unchanged
	# The same content without the directory.
	rmdir site/uploads
	run deploy publish
	assert_contains "$err" unchanged
	# A build of the same from an archive.
	mkdir site/uploads
	tar -C site -cf site.tar .
	run deploy publish site.tar
	assert_contains "$err" unchanged
	run deploy publish --again site.tar
	run deploy verify
}

t_a_change_of_shared_is_a_change() {
	local a b
	small
	config
	a=$(publish)
	config 'shared: [uploads]'
	b=$(publish)
	[ "$a" != "$b" ] || fail "the new link is missing"
	[ -L root/current/uploads ] || fail "no link"
	config
	publish >/dev/null
	[ ! -e root/current/uploads ] || fail "the link is still there"
	[ -d root/shared/uploads ] || fail "the uploads are gone"
}

t_shared_paths_do_not_count_as_paths_of_the_build() {
	small
	config 'shared: [a, b, c, d, e, f]' 'max_delete: 0%'
	publish >/dev/null
	config 'max_delete: 0%'
	run deploy publish
	config 'shared: [index.html]'
	rm site/index.html
	refused 10 "no index.html"
}

t_shared_paths_stay_inside() {
	local p
	small
	for p in ../x /etc a/../../x . '' 'a//b' './a' ..; do
		config "shared: [\"$p\"]"
		expect_status 2 deploy publish
		assert_contains "$err" "deploy.yml:5:"
	done
	config 'shared: [a, a/b]'
	expect_status 2 deploy publish
	config 'shared: [a, a]'
	expect_status 2 deploy publish
	[ ! -e root ] || fail "something was made"
}

t_dry_run_makes_nothing_in_shared() {
	small
	config 'shared: [uploads]'
	run deploy stage -n
	[ ! -e root ] || fail "a root"
	config
	publish >/dev/null
	config 'shared: [uploads]'
	run deploy publish -n
	[ ! -e root/shared ] || fail "a shared directory"
	run deploy diff
	assert_contains "$out" "A uploads"
}

# -------------------------------------------------------------------- carry

# assets NAME...: the site's assets are these, each its own content.
assets() {
	local a
	rm -rf site/assets
	mkdir -p site/assets
	for a; do
		mkdir -p "site/assets/$(dirname "$a")"
		echo "content of $a" >"site/assets/$a"
	done
	echo "with $*" >site/index.html
}

# What lies under assets/ in the live release.
live_assets() {
	(cd root/current/ && find assets ! -type d -printf '%P\n' | sort |
	    command paste -sd ' ')
}

# What the live release has carried, by its manifest.
carried() {
	sed -nE 's,^\./assets/([^ ]*) type=[fl].* tags=carried\,last-[0-9]+$,\1,p' \
	    "root/.deploy/manifests/$(basename "$(readlink root/current)")" |
	    command paste -sd ' '
}

# age SECONDS: everything in the root happened so much earlier.
age() {
	local f
	command jq -c --argjson s "$1" \
	    '.time |= (fromdateiso8601 - $s | todateiso8601)' \
	    root/.deploy/journal >journal
	cat journal >root/.deploy/journal
	for f in root/.deploy/manifests/*; do
		awk -v s="$1" '
		match($0, /last-[0-9]+$/) {
			n = substr($0, RSTART + 5) - s
			$0 = substr($0, 1, RSTART + 4) sprintf("%d", n)
		}
		{ print }' "$f" >manifest
		cat manifest >"$f"
	done
}

week='carry: {paths: ["assets/**"], for: 7d}'

t_carries_the_assets_of_earlier_live_releases() {
	local a b now
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js sub/style.1.css
	ln -s app.1.js site/assets/app.js
	echo old >site/old.html
	a=root/releases/$(publish)
	assert_eq "$(carried)" ""
	assets app.2.js sub/style.2.css
	rm site/old.html
	now=$(date +%s)
	run deploy publish --json
	assert_eq "$(json "$out" .carried)" 3
	b=root/releases/$(json "$out" .id)
	assert_eq "$(live_assets)" \
	    "app.1.js app.2.js app.js sub/style.1.css sub/style.2.css"
	assert_eq "$(carried)" "app.1.js app.js sub/style.1.css"
	# Linked, with the time they had; nothing else came along.
	assert_eq "$(inode "$a/assets/app.1.js")" \
	    "$(inode "$b/assets/app.1.js")"
	assert_eq "$(readlink "$b/assets/app.js")" app.1.js
	[ ! -e "$b/old.html" ] || fail "carried what no pattern names"
	assert_eq "$(<"$b/index.html")" "with app.2.js sub/style.2.css"
	local last
	last=$(sed -n 's,^\./assets/app\.1\.js .*last-,,p' \
	    "root/.deploy/manifests/${b##*/}")
	((last >= now - 5 && last <= now + 5)) || fail "last live: $last"
	run deploy verify
	# The third one has all of the two before.
	assets app.3.js
	publish >/dev/null
	assert_eq "$(carried)" \
	    "app.1.js app.2.js app.js sub/style.1.css sub/style.2.css"
	run deploy verify
}

t_without_carry_nothing_is_carried() {
	small
	config 'max_delete: 100%'
	assets app.1.js
	publish >/dev/null
	assets app.2.js
	publish >/dev/null
	assert_eq "$(live_assets)" "app.2.js"
	config 'carry: {paths: ["*.nothing"], for: 7d}' 'max_delete: 100%'
	assets app.3.js
	publish >/dev/null
	assert_eq "$(live_assets)" "app.3.js"
}

t_same_build_is_unchanged_though_it_carries() {
	local id
	small
	config "$week"
	assets app.1.js
	publish >/dev/null
	assets app.2.js
	id=$(publish)
	run deploy publish
	assert_eq "$(<"$out")" "$id"
	assert_contains "$err" unchanged
	# A staged one is found again too.
	assets app.3.js
	id=$(deploy stage -q)
	assert_eq "$(deploy stage -q)" "$id"
}

t_never_over_a_path_of_the_build() {
	small
	config "$week" 'max_delete: 100%'
	assets app.js dir/file plain other
	publish >/dev/null
	assets app.js plain/below
	echo "new app" >site/assets/app.js
	echo "a file now" >site/assets/dir
	publish >/dev/null
	assert_eq "$(live_assets)" "app.js dir other plain/below"
	assert_eq "$(carried)" other
	assert_eq "$(<root/current/assets/app.js)" "new app"
	assert_eq "$(<root/current/assets/dir)" "a file now"
	run deploy verify
	# The newer of two that are carried counts.
	assets nothing
	publish >/dev/null
	assert_eq "$(<root/current/assets/app.js)" "new app"
	assert_eq "$(<root/current/assets/dir)" "a file now"
	run deploy verify
	# No directory for assets at all.
	rm -rf site/assets
	echo "only a file" >site/assets
	publish >/dev/null
	assert_eq "$(<root/current/assets)" "only a file"
	run deploy verify
	# And back: what was carried before is carried once more.
	rm site/assets
	publish >/dev/null
	assert_eq "$(<root/current/assets/app.js)" "new app"
	run deploy verify
}

t_carried_files_expire() {
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	publish >/dev/null
	assets app.2.js
	publish >/dev/null
	age $((6 * 86400))
	assets app.3.js
	publish >/dev/null
	# The first ended its time live six days ago, the second just now.
	assert_eq "$(carried)" "app.1.js app.2.js"
	age $((86400 + 60))
	assets app.4.js
	publish >/dev/null
	assert_eq "$(carried)" "app.2.js app.3.js"
	run deploy verify
	# Nothing new is built, but the assets have had their time: the next
	# publish lets them go.
	age $((8 * 86400))
	run deploy publish --json
	assert_eq "$(json "$out" '[.outcome, .carried] | @text')" '["new",0]'
	assert_eq "$(live_assets)" app.4.js
	run deploy publish --json
	assert_eq "$(json "$out" .outcome)" unchanged
}

# What is live is in use until it is replaced, however long ago it went live.
t_time_counts_from_the_end_of_being_live() {
	small
	config "$week"
	assets app.1.js
	publish >/dev/null
	age $((30 * 86400))
	assets app.2.js
	publish >/dev/null
	assert_eq "$(carried)" app.1.js
}

t_a_short_time() {
	small
	config 'carry: {paths: ["assets/*.js"], for: 1s}' 'max_delete: 100%'
	assets app.1.js style.1.css
	publish >/dev/null
	assets app.2.js
	publish >/dev/null
	assert_eq "$(carried)" app.1.js
	sleep 2.1
	assets app.3.js
	publish >/dev/null
	assert_eq "$(carried)" app.2.js
}

# The release that an asset comes from may be gone.
t_carried_files_outlive_their_release() {
	local first
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	first=$(publish)
	for i in 2 3 4 5; do
		assets "app.$i.js"
		publish --keep 1 >/dev/null
	done
	[ ! -e "root/releases/$first" ] || fail "nothing was pruned"
	assert_eq "$(carried)" "app.1.js app.2.js app.3.js app.4.js"
	assert_eq "$(<root/current/assets/app.1.js)" "content of app.1.js"
	run deploy verify
	age $((8 * 86400))
	assets app.6.js
	publish >/dev/null
	assert_eq "$(carried)" "app.5.js"
}

t_rollback_and_carry() {
	local a b c
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	a=$(publish)
	assets app.2.js
	b=$(publish)
	run deploy rollback -n
	assert_eq "$(readlink root/current)" "releases/$b"
	# Visitors have pages of the one that was rolled back from.
	run deploy rollback
	assert_eq "$(<"$out")" "$a"
	assert_live_is root "$a"
	assert_eq "$(live_assets)" "app.1.js app.2.js"
	assert_eq "$(<root/current/index.html)" "with app.1.js"
	run deploy verify
	assets app.3.js
	c=$(publish)
	assert_eq "$(carried)" "app.1.js app.2.js"
	run deploy rollback
	assert_live_is root "$a"
	assert_eq "$(live_assets)" "app.1.js app.2.js app.3.js"
	run deploy prune
	run deploy verify
	run deploy activate "$a"
	assert_contains "$err" unchanged
	run deploy activate --override=order "$c"
	assert_eq "$(carried)" "app.1.js app.2.js"
	run deploy verify
	run deploy verify "$b"
	# Where no bridge is wanted, it goes live as it was.
	sed -i 's/for: 7d/&, bridge: false/' deploy.yml
	run deploy rollback
	assert_eq "$(readlink root/current)" "releases/$a"
}

# What was live stays beside what is gone back to, whatever way that goes, and
# how often.
t_going_back_keeps_assets() {
	local v check='check: {url: "http://127.0.0.1:1/", tries: 1}'
	small
	config "$week" 'max_delete: 100%'
	for v in 1 2 3; do
		assets app.$v.js
		publish >/dev/null
	done
	for v in 1 2; do
		run deploy rollback
		assert_eq "$(live_assets)" "app.1.js app.2.js app.3.js"
	done
	run deploy verify
	# A check that fails.
	config "$week" 'max_delete: 100%' "$check"
	assets app.4.js
	expect_status 6 deploy publish
	assert_eq "$(<root/current/index.html)" "with app.1.js"
	assert_eq "$(live_assets)" "app.1.js app.2.js app.3.js app.4.js"
	assets app.5.js
	v=$(deploy stage -q)
	expect_status 6 deploy activate "$v"
	assert_eq "$(live_assets)" "app.1.js app.2.js app.3.js app.4.js app.5.js"
	# One that does not undo the rollback.
	run deploy activate "$v" --no-check
	expect_status 7 deploy rollback
	assert_eq "$(<root/current/index.html)" "with app.1.js"
	assert_eq "$(live_assets)" "app.1.js app.2.js app.3.js app.4.js app.5.js"
	run deploy verify
}

t_what_was_never_live_is_not_carried() {
	small
	config "$week"
	assets app.1.js
	publish >/dev/null
	assets app.2.js
	deploy stage -q >/dev/null
	assets app.3.js
	publish >/dev/null
	assert_eq "$(carried)" app.1.js
}

t_carried_paths_are_not_counted_by_max_delete() {
	small
	rm -r site/css
	config "$week" 'max_delete: 50%'
	assets old.{1,2,3,4,5,6,7,8,9}
	publish >/dev/null
	# 10 paths are live; a build that has 2 of them, but none is lost.
	assets old.1
	publish >/dev/null
	assert_eq "$(carried | wc -w)" 8 'carried files'
	# What is carried no more is: 2 paths are the live build's.
	mkdir -p site/other
	mv site/index.html site/assets/old.1 site/other/
	echo new >site/index.html
	config 'exclude: ["assets"]' 'max_delete: 0%'
	refused 10 "lacks 1 of the 2 paths"
}

t_carried_files_are_copied_where_links_cannot_be() {
	local a b
	need_root
	[ "$(cat /proc/sys/fs/protected_hardlinks 2>/dev/null)" = 1 ] ||
	    skip "hard links are not protected here"
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js bad.1.js
	user_dir root
	a=root/releases/$(as_user deploy publish -q)
	chown 0:0 "$a/assets/app.1.js"
	assets app.2.js
	b=root/releases/$(as_user deploy publish -q)
	assert_file_eq "$a/assets/app.1.js" "$b/assets/app.1.js"
	[ "$(inode "$a/assets/app.1.js")" != "$(inode "$b/assets/app.1.js")" ]
	assert_eq "$(inode "$a/assets/bad.1.js")" \
	    "$(inode "$b/assets/bad.1.js")"
	run as_user deploy verify
}

# A carried file must be what its manifest says, as everything in a release.
# One that is not stops nothing: it is left out, and told.
t_damaged_files_are_not_carried() {
	local a
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	a=root/releases/$(publish)
	printf X | dd of="$a/assets/app.1.js" conv=notrunc status=none
	assets app.2.js
	run deploy publish
	assert_contains "$err" "$a/assets/app.1.js' is missing or damaged"
	assert_eq "$(live_assets)" app.2.js
	run deploy verify
	# One that is only touched is what its manifest says, and is copied.
	a=$(readlink -f root/current)
	touch "$a/assets/app.2.js"
	assets app.3.js
	run deploy publish
	assert_not_contains "$err" "app.2.js' is missing or damaged"
	assert_eq "$(live_assets)" "app.2.js app.3.js"
	run deploy verify
	# One that grew is not; an earlier release has it whole.
	a=$(readlink -f root/current)
	echo more >>"$a/assets/app.2.js"
	assets app.4.js
	run deploy publish
	assert_contains "$err" "app.2.js' is missing or damaged"
	assert_eq "$(live_assets)" "app.2.js app.3.js app.4.js"
	run deploy verify
	assert_eq "$(ls root/.deploy/incoming)" ""
}

# The same on hosts of these kinds: what none of them has intact is left out, and
# what one has is had from there.
damaged_on() {
	local h list='' way
	for way in lost damaged; do
		echo "# $way" >&2
		rm -rf site root-* && small && list=''
		for h; do
			mkdir "root-$h"
			program "$h" "$h"
			list+="{address: $h, transport: local, deploy: $PWD/$h, root: $PWD/root-$h/www},"
		done
		config "$week" 'max_delete: 100%' "hosts: [$list]"
		assets app.1.js both.1.js
		publish
		assets app.2.js
		publish
		for h; do
			if [ "$way" = lost ]; then
				rm "root-$h"/www/releases/*/assets/app.1.js
			else
				echo damaged >"root-$h/www/current/assets/app.1.js"
			fi
		done
		[ $# -lt 2 ] || rm "root-$1"/www/releases/*/assets/both.1.js
		assets app.3.js
		run deploy publish
		assert_contains "$err" "'assets/app.1.js' is missing or damaged on the hosts, and is not carried on"
		for h; do
			assert_eq "$(ls "root-$h/www/current/assets" | tr '\n' ' ')" "app.2.js app.3.js both.1.js "
		done
		run deploy verify
		run deploy publish
		assert_contains "$err" unchanged
	done
}

t_damaged_on_hosts() { damaged_on c dash; }
t_damaged_on_a_c_host() { damaged_on c; }
t_damaged_on_a_dash_host() { damaged_on dash; }

# What the build has under a shared path may be left out, and is no change.
t_shared_and_excluded() {
	small
	mkdir -p site/up/deep
	echo x >site/up/deep/x
	config 'shared: [up]'
	expect_status 2 deploy publish
	assert_contains "$err" "which is a shared path"
	config 'shared: [up]' 'exclude: [/up]'
	run deploy publish
	assert_eq "$(readlink root/current/up)" ../../shared/up
	run deploy verify
	run deploy publish
	assert_contains "$err" unchanged
}

# What was staged before others went live has their assets when it goes live,
# on hosts of these kinds; `root` is that of the first.
carried_at_activation_on() {
	local h list='' a b c d before
	small
	for h; do
		[ "$h" = here ] && continue
		mkdir "root-$h"
		program "$h" "$h"
		list+="{address: $h, transport: local, deploy: $PWD/$h, root: $PWD/root-$h/www},"
	done
	[ -z "$list" ] || ln -s "root-$1/www" root
	config "$week" 'max_delete: 100%' ${list:+"hosts: [$list]"}
	assets app.1.js
	a=$(publish)
	assets app.2.js sub/app.2.css
	b=$(deploy stage -q)
	assets app.3.js new/app.3.css
	c=$(publish)
	assets app.4.js
	d=$(publish)
	run deploy rollback
	assert_live_is root "$c"
	assert_eq "$(carried)" "app.1.js app.4.js"
	# What may not go live is not made.
	run deploy freeze
	before=$(ls root/releases)
	expect_status 3 deploy activate "$b"
	run deploy thaw
	expect_status 4 deploy activate "$b" --expect "$a"
	expect_status 4 deploy activate "$d"
	run deploy activate -n "$b"
	assert_contains "$err" "3 files of theirs would be carried"
	assert_eq "$(ls root/releases)" "$before"
	run deploy activate "$b"
	assert_contains "$err" "3 files of theirs are carried"
	b=$(basename "$(readlink root/current)")
	[[ $before != *$b* ]] || fail "the release was changed"
	assert_eq "$(live_assets)" \
	    "app.1.js app.2.js app.3.js app.4.js new/app.3.css sub/app.2.css"
	assert_eq "$(carried)" "app.1.js app.3.js app.4.js new/app.3.css"
	assert_eq "$(<root/current/index.html)" "with app.2.js sub/app.2.css"
	run deploy verify
	assert_eq "$(ls root/.deploy/incoming)" ""
	# Once more: that is live.
	run deploy activate
	assert_contains "$err" unchanged
	# Back to what was live before, and again to the one that is there now.
	run deploy rollback
	assert_live_is root "$c"
	before=$(ls root/releases)
	run deploy activate "$b" --override=order
	assert_eq "$(readlink root/current)" "releases/$b"
	assert_eq "$(ls root/releases)" "$before"
	for h in "${@:2}"; do
		diff -r --no-dereference "root-$1/www/current/" "root-$h/www/current/"
		assert_eq "$(readlink "root-$h/www/current")" "releases/$b"
	done
}

t_carried_at_activation_here() { carried_at_activation_on here; }
t_carried_at_activation_on_hosts() { carried_at_activation_on c dash; }
t_carried_at_activation_on_busybox() { carried_at_activation_on busybox; }

# It goes live without them rather than not at all.
t_activated_though_nothing_can_be_carried() {
	local a b
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	a=$(publish)
	assets app.2.js
	b=$(deploy stage -q)
	assets app.3.js
	publish >/dev/null
	echo broken >root/current/assets/app.3.js
	run deploy activate "$b"
	assert_contains "$err" "without what 'carry' keeps"
	assert_eq "$(live_assets)" "app.1.js app.2.js"
	assert_eq "$(readlink root/current)" "releases/$b"
	assert_eq "$(ls root/.deploy/incoming)" ""
}

t_carry_with_an_archive_and_in_a_dry_run() {
	small
	config "$week" 'max_delete: 100%'
	assets app.1.js
	publish >/dev/null
	assets app.2.js
	tar -C site -cf site.tar .
	run deploy stage -n site.tar --json
	assert_eq "$(json "$out" .carried)" 1
	run deploy publish site.tar
	assert_eq "$(live_assets)" "app.1.js app.2.js"
	run deploy verify
	run deploy publish
	assert_contains "$err" unchanged
	run deploy diff previous current
	assert_not_contains "$out" "app.1.js"
}

# A server would give the old one in the place of what the build has now.
t_compressed_files_stay_with_their_own() {
	local s
	small
	config 'carry: {paths: ["css/**"]}'
	# What each has is in no other.
	for s in gz br zst; do
		echo "one $s" >site/css/$s.css
		cp site/css/$s.css site/css/both-$s.css
		cp site/css/$s.css site/css/alone-$s.css
		case $s in
		gz) gzip -nc site/css/$s.css ;;
		br) printf '\140\000\020one br\n\003' ;;
		zst) zstd -qc site/css/$s.css ;;
		esac >site/css/$s.css.$s
		cp site/css/$s.css.$s site/css/both-$s.css.$s
		cp site/css/$s.css.$s site/css/alone-$s.css.$s
	done
	publish
	# The file is there, what stood beside it is not; or both are not, and
	# of those some come back as other files, and go again.
	rm -f site/css/*.{gz,br,zst} site/css/{both,alone}-*
	for s in gz br zst; do
		echo "two $s" >site/css/both-$s.css
	done
	publish
	rm site/css/both-*
	publish
	for s in gz br zst; do
		[ ! -e root/current/css/$s.css.$s ] || fail "$s: beside the build's"
		assert_eq "$(<root/current/css/both-$s.css)" "two $s"
		[ ! -e root/current/css/both-$s.css.$s ] || fail "$s: of another"
		assert_eq "$(<root/current/css/alone-$s.css)" "one $s"
		[ -e root/current/css/alone-$s.css.$s ] || fail "$s: left behind"
	done
}

# The other way round: what is carried beside a form that the build has.
t_nothing_is_carried_beside_a_form_of_the_build() {
	local dcz=47DEQpj8HBSa+_TImW+5JCeuQeRkm5NMpJWZG3hSuFU f
	small
	config 'carry: {paths: ["css/**"]}' 'max_delete: 100%'
	for f in a b c d; do
		echo "one $f" >site/css/$f.css
	done
	publish
	rm site/css/?.css
	echo two | gzip -nc >site/css/a.css.gz
	echo two >site/css/b.css.$dcz.dcz
	ln -s a.css.gz site/css/c.css.gz
	publish
	for f in a b c; do
		[ ! -e root/current/css/$f.css ] || fail "$f is beside another's form"
	done
	assert_eq "$(<root/current/css/d.css)" "one d"
	# Nor by a bridge, when what has the file is gone back from.
	rm site/css/*.css.*
	echo three >site/css/a.css
	publish
	run deploy rollback
	[ ! -e root/current/css/a.css ] || fail "a bridge has it"
}

run_tests
