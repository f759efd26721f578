#!/bin/bash
# A file of a release goes bad on the disk, with the same size and time: verify
# finds it, and from then on no release links to it.  verify --repair takes it
# from where it is intact: another release, or another host.
# parts: 5
# shellcheck disable=SC2119,SC2154
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# begin KIND: a published site of some pages.
begin() {
	local mine
	where "$1"
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    source: site
	    root: $PWD/www
	    keep: 9
	    $mine
	END
	mksite site 20
	printf 'one and more\n' >'site/a name: with.txt'
	run deploy publish
}

# rot PATH: one byte of the live release is another.
rot() {
	local file=www/current/$1
	touch -r "$file" before
	printf X | dd of="$file" bs=1 seek=1 conv=notrunc status=none
	touch -r before "$file"
}

# Publish another page; the release is what the build is.
next() {
	echo "$1" >site/index.html
	run deploy publish
	cp "$err" told
	assert_tree_eq www/current/ site
	run deploy verify
}

bit_rot() {
	begin "$1"
	rot css/site.css
	rot 'a name: with.txt'
	expect_status 5 deploy verify
	assert_contains "$out" "css/site.css: has other content"
	assert_contains "$out" "a name: with.txt: has other content"
	next 2
	# What is well is linked as ever.
	[ "$(stat -L -c %h www/current/img/logo.png)" -ge 2 ] || [ "$1" != here ] ||
	    fail "nothing is linked"
	next 3
	[ "$(stat -L -c %h www/current/css/site.css)" -eq 2 ] ||
	    fail "css/site.css has $(stat -L -c %h www/current/css/site.css) links"
}

t_bit_rot_here() {
	bit_rot here
}

t_bit_rot_on_a_c_host() {
	bit_rot c
}

t_bit_rot_on_a_dash_host() {
	bit_rot dash
}

t_bit_rot_on_a_busybox_host() {
	bit_rot busybox
}

# A new release of the same content links to nothing that went bad; files that
# are compared in memory, and others.
t_a_new_release_of_the_same_trusts_no_file() {
	local size source
	begin here
	for size in 1 1000 1048575 1048576 1048577 2500000; do
		head -c "$size" /dev/urandom | tee "site/well-$size" \
		    >"site/bad-$size"
		echo >>"site/bad-$size"
	done
	tar -C site -cf site.tar .
	for source in site site.tar; do
		run deploy publish --again "$source"
		for size in 1 1000 1048575 1048576 1048577 2500000; do
			rot "bad-$size"
		done
		run deploy publish --again "$source"
		assert_tree_eq www/current/ site
		run deploy verify
		assert_eq "$(cd www/current && stat -c '%h %n' bad-* | grep -v '^1 ')" ""
		assert_eq "$(cd www/current && stat -c '%h %n' well-* | grep '^1 ')" ""
	done
}

# What else may become of a file, in the live release.
gone() { rm css/site.css; }
gone_with_its_directory() { rm -r css; }
a_fifo() { rm css/site.css && mkfifo css/site.css; }
a_fifo_for_no_bytes() { rm none && mkfifo none; }
a_directory() { rm css/site.css && mkdir css/site.css; }
a_link() { mv css/site.css ../../aside.css && ln -s ../../../aside.css css/site.css; }
a_link_to_its_directory() { mv css ../../aside && ln -s ../../aside css; }
gone_pages() { rm index.html p*.html; }
fifos_for_pages() { rm index.html p*.html && mkfifo index.html p1.html; }

# The next release is whole: nothing is taken from what is lost.
lost_in_the_base() {
	local what i every=(gone_with_its_directory a_fifo a_directory gone_pages)
	! wide || every+=(gone a_fifo_for_no_bytes a_link a_link_to_its_directory fifos_for_pages)
	begin "$1"
	: >site/none
	for what in "${every[@]}"; do
		echo "# $what" >&2
		for i in 1 2 3 4; do
			seq -f "<p>$i, line %g, as before</p>" 300 >"site/p$i.html"
			echo "<footer>before $what</footer>" >>"site/p$i.html"
		done
		next "before $what"
		rm -rf www/aside*
		(cd www/current && "$what")
		sed -i 's/before/after/' site/p*.html
		next "after $what"
	done
}

# What may become of the list of the live release.
no_manifest() { rm "www/.deploy/manifests/$1"; }
no_line_of_it() { echo x >"www/.deploy/manifests/$1"; }
half_of_it() { truncate -s -30 "www/.deploy/manifests/$1"; }

# Who has no cache, as in CI, sends all of the next one.
no_list_of_the_base() {
	local what
	begin "$1"
	for what in no_manifest no_line_of_it half_of_it; do
		echo "# $what" >&2
		next "before $what"
		"$what" "$(basename "$(readlink www/current)")"
		rm -rf "$XDG_CACHE_HOME"
		next "after $what"
		assert_contains told "cannot be used as a base: "
		assert_not_contains told "--again"
		next "long after $what"
		assert_not_contains told "as a base"
	done
}

t_no_list_of_the_base_here() { no_list_of_the_base here; }
t_no_list_of_the_base_on_a_c_host() { no_list_of_the_base c; }
t_no_list_of_the_base_on_a_dash_host() { no_list_of_the_base dash; }

t_lost_in_the_base_here() { lost_in_the_base here; }
t_lost_in_the_base_on_a_c_host() { lost_in_the_base c; }
t_lost_in_the_base_on_a_dash_host() { lost_in_the_base dash; }

# ------------------------------------------------------------- verify --repair

# What may become of the live release, in its directory: index.html is new in
# it, all else is in the one before, too.
lost() { rm css/site.css; }
lost_directory() { rm -r css; }
lost_empty_directory() { rmdir empty; }
lost_link() { rm to; }
other_link() { ln -sfn css to; }
touched() { touch -d 2001-01-01 css/site.css; }
other_mode() { chmod 600 index.html; }
other_mode_of_directory() { chmod 700 css; }
file_where_a_link_was() { rm to && echo x >to; }
link_where_a_file_was() { ln -sf /etc/passwd 'a name: with.txt'; }
fifo_where_a_file_was() { rm css/site.css && mkfifo css/site.css; }
shorter_by_hand() { rm css/site.css && echo x >css/site.css; }
empty_by_hand() { rm 'b\s -x' && : >'b\s -x'; }
odd_names() { rm 'a name: with.txt' 'b\s -x' ü; }
all_of_it() { lost_directory && lost_link && odd_names && other_mode; }

mendable=(lost lost_directory lost_empty_directory lost_link other_link touched
	other_mode other_mode_of_directory file_where_a_link_was link_where_a_file_was
	fifo_where_a_file_was shorter_by_hand empty_by_hand odd_names all_of_it)

# Three releases, $zeroth, $first and $second; the last two with all kinds of files.
two_releases() {
	begin "$1"
	zeroth=$(cat "$out")
	printf 'odd\n' >'site/b\s -x'
	printf 'umlaut\n' >site/ü
	ln -s index.html site/to
	mkdir site/empty
	run deploy publish
	first=$(cat "$out")
	echo second >site/index.html
	run deploy publish
	second=$(cat "$out")
	cp -a site old
}

# $1 is what the manifest says, and nothing of a repair is left.
assert_mended() {
	run deploy verify "$1"
	assert_eq "$(cat "$out")" ""
	[ -z "$(ls -A www/.deploy/incoming)" ] || fail "left: $(ls -A www/.deploy/incoming)"
}

every_damage() {
	local what inode
	# Of each kind one; all of them here, and with make test-all.
	[ "$1" = here ] || wide ||
	    mendable=(lost_directory other_link touched link_where_a_file_was fifo_where_a_file_was all_of_it)
	two_releases "$1"
	for what in "${mendable[@]}"; do
		echo "# $what" >&2
		inode=$(stat -c %i "www/releases/$first/css/site.css")
		(cd www/current && "$what")
		run deploy verify --repair --json
		assert_eq "$(jq -c '[.intact, .differences, (.mended | length > 0)]' "$out")" '[true,[],true]'
		assert_tree_eq www/current/ old
		assert_mended "$first"
		# What was well in the other release is the same file still.
		[ "$what" = touched ] || assert_eq "$(stat -c %i "www/releases/$first/css/site.css")" "$inode" "$what"
	done
	# Nothing is left to do.
	run deploy verify --repair --json
	assert_eq "$(jq -c .mended "$out")" '[]'
}

t_every_damage_here() { every_damage here; }
t_every_damage_on_a_c_host() { every_damage c; }
t_every_damage_on_a_dash_host() { every_damage dash; }
t_every_damage_on_a_busybox_host() { every_damage busybox; }

# The bad file is that of several releases, which all get the good one; who has
# it open goes on reading what he had.
hard_links() {
	local third
	two_releases "$1"
	rot css/site.css
	exec 5<www/current/css/site.css
	expect_status 5 deploy verify --repair
	assert_contains "$out" "css/site.css: has other content"
	assert_contains "$err" "which nothing here has intact"
	# The next one has it anew.
	echo third >site/index.html
	run deploy publish
	third=$(cat "$out")
	run deploy verify --repair "$first" --json
	assert_eq "$(jq -c '[.mended[] | [.id, .path]] | sort' "$out")" \
	    "[[\"$zeroth\",\"css/site.css\"],[\"$first\",\"css/site.css\"],[\"$second\",\"css/site.css\"]]"
	assert_mended "$first"
	assert_mended "$second"
	assert_mended "$third"
	assert_tree_eq "www/releases/$second/" old
	cmp -s - "site/css/site.css" <&5 && fail "what was open has changed"
	exec 5<&-
}

t_hard_links_here() { hard_links here; }
t_hard_links_on_a_dash_host() { hard_links dash; }
t_hard_links_on_a_busybox_host() { hard_links busybox; }

# What cannot be mended is named, and stays; a dry run mends nothing.
named() {
	two_releases "$1"
	rm www/current/css/site.css
	expect_status 5 deploy verify --repair -n
	[ ! -e www/current/css/site.css ] || fail "a dry run has mended"
	rot index.html
	echo mine >www/current/mine
	rm www/current/ü
	mkdir www/current/ü
	expect_status 5 deploy verify --repair
	assert_contains "$err" "mended: css/site.css"
	sort "$out" >found
	grep -q 'index.html: has other content$' found || fail "index.html is not named"
	grep -q 'mine: does not belong there$' found || fail "mine is not named"
	grep -q 'ü: has another type$' found || fail "ü is not named"
	[ -e www/current/mine ] && [ -d www/current/ü ] || fail "what is a user's is gone"
	# The cure of a verify without it, and the usage.
	expect_status 5 deploy verify
	assert_contains "$err" "run: deploy verify --repair $second"
}

t_what_cannot_be_mended_here() { named here; }
t_what_cannot_be_mended_on_a_dash_host() { named dash; }

# A bridge stands for the release: it is what visitors get, so it is looked at,
# and mended, too.
bridged() {
	local id
	begin "$1"
	echo '    carry: {paths: ["css/**"], for: 7d}' >>deploy.yml
	mv site/css/site.css site/css/new.css
	echo 2 >site/index.html
	run deploy publish
	run deploy rollback
	id=$(<"$out")
	[ -e www/current/css/new.css ] || fail "there is no bridge"
	run deploy verify
	rm www/current/index.html www/current/css/new.css
	expect_status 5 deploy verify
	assert_eq "$(sed 's/^.*bridge [^ ]* //' "$out")" "css/new.css: is missing
index.html: is missing"
	assert_contains "$err" "the bridge for ${id%Z-*} "
	run deploy verify --repair "$id"
	cmp www/current/index.html "www/releases/$id/index.html"
	[ -e www/current/css/new.css ] || fail "what is carried is lost still"
	run deploy verify
	assert_not_contains "$err" bridge
}

t_a_bridge_here() { bridged here; }
t_a_bridge_on_a_c_host() { bridged c; }
t_a_bridge_on_a_dash_host() { bridged dash; }

# The meta says whether a release is pinned: without it prune leaves that, and
# names the command that says so anew.  Its manifest and files are well.
damaged_meta() {
	local first damage
	begin "$1"
	first=$(<"$out")
	for damage in 2 3; do
		echo "$damage" >site/index.html
		run deploy publish
	done
	for damage in 'echo garbage >' 'rm '; do
		eval "$damage www/.deploy/meta/$first.json"
		run deploy diff "$first" current
		assert_contains "$out" index.html
		run deploy prune --keep 1
		assert_eq "$(<"$out")" ""
		assert_contains "$err" "release $first stays, for it may be pinned"
		assert_contains "$err" "run: deploy unpin $first"
		run deploy pin "$first"
		run deploy prune --keep 1
		assert_eq "$(<"$out")" ""
		assert_not_contains "$err" "may be pinned"
	done
	run deploy unpin "$first"
	run deploy prune --keep 1
	assert_eq "$(<"$out")" "$first"
}

t_a_damaged_meta_here() { damaged_meta here; }
t_a_damaged_meta_on_a_c_host() { damaged_meta c; }
t_a_damaged_meta_on_a_dash_host() { damaged_meta dash; }

# Each host lacks something else, and one something that another has bad, too.
t_from_another_host() {
	local h
	some c dash busybox c
	echo 1 >site/1
	echo 2 >site/2
	run deploy publish
	for h in "${hosts[@]}"; do
		cp -a "r-$h/current/." "was-$h"
	done
	bad() {
		local file=r-$1/current/$2
		touch -r "$file" before
		printf X | dd of="$file" conv=notrunc status=none
		touch -r before "$file"
	}
	bad h1 1
	bad h1 index.html
	bad h2 2
	bad h2 index.html
	rm r-h3/current/1 r-h3/current/index.html
	bad h4 2
	rm -r r-h4/current/a
	run deploy verify --repair --json
	assert_eq "$(jq -c '[.intact, .differences]' "$out")" '[true,[]]'
	assert_eq "$(jq -c '[.mended[] | .host + " " + .path] | sort' "$out")" \
	    '["h1 1","h1 index.html","h2 2","h2 index.html","h3 1","h3 index.html","h4 2","h4 a","h4 a/numbers"]'
	for h in "${hosts[@]}"; do
		assert_tree_eq "r-$h/current/" site
		[ -z "$(ls -A "r-$h/.deploy/incoming")" ] || fail "left on $h"
	done
	assert_eq "$(ls r-h1/releases | wc -l)" 1 "releases"
	# Bad everywhere: named for each host, and the rest is mended.
	for h in "${hosts[@]}"; do
		bad "$h" 1
	done
	bad h2 2
	expect_status 5 deploy verify --repair
	assert_eq "$(grep -c ': 1: has other content$' "$out")" 4
	assert_contains "$err" "h2: mended: 2"
	assert_not_contains "$out" ": 2:"
}

# The size that a host announces must come, or the client waits for the rest.
t_shorter_than_its_manifest_says() {
	local h size
	some c dash c
	run deploy publish
	for size in 0 1; do
		for h in h1 h2; do
			truncate -s "$size" "r-$h/current/a/numbers" "r-$h/current/index.html"
		done
		run deploy verify --repair --timeout 3
		assert_not_contains "$err" "in time"
		for h in "${hosts[@]}"; do
			assert_tree_eq "r-$h/current/" site
		done
	done
	for h in "${hosts[@]}"; do
		truncate -s 100 "r-$h/current/a/numbers"
	done
	truncate -s 1 r-h1/current/index.html
	expect_status 5 deploy verify --repair --timeout 3
	assert_not_contains "$err" "in time"
	assert_contains "$err" "h1: mended: index.html"
	assert_contains "$out" "h2: a/numbers: has 100 bytes instead of"
	# Hosts that were made anew have nobody else to ask.
	rm -rf r-h2 r-h3
	expect_status 5 deploy sync --timeout 3
	assert_not_contains "$err" "in time"
	assert_contains "$err" "a/numbers' is not what its manifest says"
}

# What may become of the manifest $1.
manifest_lost() { rm "$1"; }
manifest_empty() { : >"$1"; }
manifest_cut() { truncate -s 100 "$1"; }
manifest_noise() { head -c 300 /dev/urandom >"$1"; }
manifest_less() { sed -i '/numbers/d' "$1"; }
manifest_more() { echo './x type=file mode=0644 size=1 time=1.0 sha256digest=00' >>"$1"; }
manifest_other_digest() { sed -i '/numbers/s/digest=..../digest=0000/' "$1"; }
manifest_twice() { tail -n 1 "$1" >>"$1.2" && cat "$1.2" >>"$1" && rm "$1.2"; }
manifest_link() { cp "$1" "$1.2" && rm "$1" && ln -s "$1.2" "$1"; }

manifests_lost=(manifest_lost manifest_empty manifest_cut manifest_noise
	manifest_less manifest_more manifest_other_digest manifest_twice manifest_link)

# A manifest comes back from a host that has it, or from the client's cache; and
# it is not the files that are thought to be wrong meanwhile.
t_a_manifest_comes_back() {
	local id what h n=0 kinds=(c busybox)
	! wide || kinds=(c dash busybox c)
	some "${kinds[@]}"
	run deploy publish
	id=$(cat "$out")
	cp "r-h1/.deploy/manifests/$id" was
	for what in "${manifests_lost[@]}"; do
		h=h$((n++ % ${#kinds[@]} + 1))
		echo "# $what on $h" >&2
		touch -r "r-$h/current/a/numbers" before
		"$what" "r-$h/.deploy/manifests/$id"
		expect_status 5 deploy verify
		assert_contains "$out" "$h: manifest of $id: "
		[ "$(wc -l <"$out")" -eq 1 ] || fail "$(cat "$out")"
		((n % 2)) || rm -rf "$HOME/.cache/deploy"
		run deploy verify --repair --json
		assert_eq "$(jq -c '[.intact, (.mended[] | .host, .path)]' "$out")" \
		    "[true,\"$h\",\".deploy/manifests/$id\"]"
		cmp "was" "r-$h/.deploy/manifests/$id"
		[ ! -L "r-$h/.deploy/manifests/$id" ] || fail "a link"
		assert_eq "$(stat -c %Y "r-$h/current/a/numbers")" "$(stat -c %Y before)"
		assert_clean
	done
	# With a file that went bad besides: both.
	rm r-h2/.deploy/manifests/"$id" r-h2/current/index.html
	run deploy verify --repair
	assert_tree_eq r-h2/current/ site
}

# Nobody has it: said, with what helps, and nothing is changed.
t_a_manifest_that_is_nowhere() {
	local id
	begin here
	id=$(readlink www/current)
	id=${id##*/}
	rm "www/.deploy/manifests/$id"
	expect_status 5 deploy verify --repair
	assert_contains "$out" "manifest of $id: "
	assert_contains "$err" "stage the build anew with --again"
	run deploy publish --again
	assert_tree_eq www/current/ site
	run deploy verify
}

# All of what is live is gone: that is no wrong word of the caller's.
t_verify_where_the_live_release_is_gone() {
	local id what
	small
	run deploy publish site --root root
	id=$(cat "$out")
	mv "root/releases/$id" gone
	for what in "" current; do
		# shellcheck disable=SC2086 # no word is meant, too
		expect_status 5 deploy verify -q --root root $what
		assert_contains "$err" "the live release $id is not there any more"
	done
	expect_status 2 deploy verify --root root 20200101T000000.000Z-00000000-0000-4000-8000-000000000000
}

run_tests
