#!/bin/bash
# The manifest of a release: other programs read it, it names the content,
# and `deploy verify` finds whatever is not as it says.
#
# As root it runs in a mount namespace of its own, to work in memory where a
# root is copied many times.
# parts: 2
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

small() {
	mkdir -p site/css site/empty
	echo hello >site/index.html
	echo about >site/about.html
	echo 'a {}' >site/css/a.css
	printf '#!/bin/sh\n' >site/run.sh
	chmod 755 site/run.sh
	ln -s index.html site/link
}

# Names that need quoting somewhere.
# shellcheck disable=SC2016 # names
nasty() {
	local name
	small
	mkdir site/sub
	for name in "with space" "trailing " '*' '?' '[a]' '#hash' 'a=b' '~x' \
	    '$x' '!x' '-x' "quo'te" 'dou"ble' ';' ',last-12' 'a,last-5.js' \
	    'x time=1.0' 'y tags=shared' '..a' $'caf\u00e9' $'cafe\u0301' \
	    "$(printf '%0255d' 0)"; do
		echo "$name" >"site/$name"
		mkdir "site/sub/$name"
		echo "$name" >"site/sub/$name/$name"
		ln -s "sub/$name" "site/sub/$name/..link"
	done
	# Outside of ASCII, and what stands for something else in mtree(5).
	nastiest=('back\slash' '\040' 'C:\dir' $'\xff\xfe' $'e\xcc')
}

manifest() {
	echo "root/.deploy/manifests/$1"
}

# ------------------------------------------------------------ other programs

t_one_line_an_entry_in_order() {
	local id
	nasty
	id=$(publish)
	assert_eq "$(head -n 1 "$(manifest "$id")")" "#mtree v2.0"
	assert_eq "$(sed -n 2p "$(manifest "$id")")" ". type=dir mode=0755"
	assert_eq "$(wc -l <"$(manifest "$id")")" \
	    $(($(find "root/releases/$id" | wc -l) + 1))
	{
		echo '^\./[^ ]+ type=dir mode=0755$'
		printf '%s ' '^\./[^ ]+ type=file mode=0(644|755) size=[0-9]+' \
		    'time=[0-9]+\.0'
		echo 'sha256digest=[0-9a-f]{64}$'
		printf '%s ' '^\./[^ ]+ type=link mode=0777 time=[0-9]+\.0'
		echo 'link=[^ ]+$'
	} >forms
	tail -n +3 "$(manifest "$id")" | grep -vE -f forms >others || true
	[ ! -s others ] || fail "other lines: $(<others)"
	# In the order of their bytes, "/" before all others, and escaped.
	cut -d ' ' -f 1 "$(manifest "$id")" | tail -n +3 | tr / '\001' >paths
	assert_eq "$(tr -d 'a-zA-Z0-9._/+,@:%~\n\001\\-' <paths)" "" \
	    "bytes that should be escaped"
	while IFS= read -r line; do printf '%b\n' "${line//\\/\\0}"; done \
	    <paths >plain
	LC_ALL=C sort -c plain || fail "not sorted"
}

t_bsdtar_reads_it() {
	local id
	need_cmd bsdtar
	nasty
	id=$(publish)
	(cd "root/releases/$id" && find . | LC_ALL=C sort) >want
	(cd / && bsdtar -tf "$OLDPWD/$(manifest "$id")") |
	    LC_ALL=C sort >got
	assert_file_eq got want
	bsdtar -tvf "$(manifest "$id")" >"$out"
	assert_contains "$out" "./link -> index.html"
	grep -q "^-rwxr-xr-x .* 10 .* ./run.sh$" "$out" || fail "$(<"$out")"
	# As a list of what to pack it gives the release again.  In the C
	# locale, because in others bsdtar takes both forms of a name for one.
	(cd "root/releases/$id" &&
	    LC_ALL=C bsdtar -cf - "@../../.deploy/manifests/$id") >site.tar
	mkdir back
	LC_ALL=C bsdtar -xpf site.tar -C back
	assert_tree_eq "root/releases/$id" back
}

t_mtree_finds_no_difference() {
	local id name
	need_cmd mtree
	nasty
	for name in "${nastiest[@]}"; do
		echo x >"site/$name"
		mkdir "site/sub/$name"
		echo x >"site/sub/$name/$name"
		ln -s "$name" "site/sub/$name/to"
	done
	# To mtree these are patterns, also in what it wrote itself.
	rm -r site/[*?[]* site/sub/[*?[]*
	id=$(publish)
	run mtree -f "$(manifest "$id")" -p "root/releases/$id"
	[ ! -s "$out" ] || fail "mtree: $(<"$out")"
	# It does look.
	echo x >root/current/sub/extra
	printf 'HELLO\n' >root/current/index.html
	touch -d "@$(stat -c %Y root/current/about.html)" \
	    root/current/index.html
	expect_status 2 mtree -f "$(manifest "$id")" -p "root/releases/$id"
	assert_contains "$out" "extra: sub/extra"
	assert_contains "$out" "sha256"
	assert_eq "$(grep -c '^[^	]*: *$' "$out")" 1 "$(<"$out")"
}

t_mtree_reads_shared_and_carried() {
	local id
	need_cmd mtree
	small
	mkdir site/assets
	echo 1 >site/assets/1.js
	printf '%s\n' sites: '  - name: x' '    source: site' \
	    '    root: root' '    shared: [up/loads]' \
	    '    carry: {paths: ["assets/**"], for: 7d}' >deploy.yml
	deploy publish -q
	mv site/assets/1.js site/assets/2.js
	id=$(deploy publish -q)
	assert_contains "$(manifest "$id")" " tags=carried,last-"
	assert_contains "$(manifest "$id")" " tags=shared"
	run mtree -f "$(manifest "$id")" -p "root/releases/$id"
	[ ! -s "$out" ] || fail "mtree: $(<"$out")"
	run bsdtar -tf "$(manifest "$id")"
	assert_contains "$out" "./assets/1.js"
}

# As deploy-root(5) tells it, for whoever has only sed and sha256sum.
t_sums_with_sed_and_sha256sum() {
	local id
	nasty
	id=$(publish)
	sed -n 's/^\([^ \\]*\) .*sha256digest=\([0-9a-f]*\).*/\2  \1/p' \
	    "$(manifest "$id")" >sums
	[ "$(wc -l <sums)" -gt 5 ] || fail "no sums"
	(cd "root/releases/$id" && sha256sum --quiet -c) <sums
	while read -r sum path; do
		printf '%s  %b\n' "$sum" "${path//\\/\\0}"
	done < <(sed -n \
	    's/^\([^ ]*\) .*sha256digest=\([0-9a-f]*\).*/\2 \1/p' \
	    "$(manifest "$id")") >sums
	assert_eq "$(wc -l <sums)" "$(find site -type f | wc -l)"
	(cd "root/releases/$id" && sha256sum --quiet -c) <sums
}

# ---------------------------------------------------------- the tree digest

computed() {
	sed -e 1,2d -e 's/ time=[^ ]*//' \
	    -e 's/\( tags=carried\),last-[0-9]*$/\1/' \
	    "$(manifest "$1")" | sha256sum | cut -d ' ' -f 1
}

t_tree_digest_can_be_computed() {
	local id
	nasty
	id=$(publish)
	assert_eq "$(computed "$id")" "$(digest "$id")"
	mkdir site/assets
	echo 1 >site/assets/1.js
	printf '%s\n' sites: '  - name: x' '    source: site' \
	    '    root: root' '    shared: [up/loads]' \
	    '    carry: {paths: ["assets/**"], for: 7d}' >deploy.yml
	deploy publish -q
	mv site/assets/1.js site/assets/2.js
	id=$(deploy publish -q)
	assert_contains "$(manifest "$id")" " tags=carried,last-"
	assert_eq "$(computed "$id")" "$(digest "$id")"
}

t_tree_digest_names_the_content() {
	local a seen i
	small
	a=$(digest "$(publish)")
	seen=$a
	# The same in another root, later, with other times and inodes.
	sleep 1.1
	cp -r site other
	touch other/*
	deploy stage -q other --root root2 >id
	assert_eq "$(json "root2/.deploy/meta/$(<id).json" .digest)" "$a"
	[ "$(stat -c %Y "root2/releases/$(<id)/index.html")" != \
	    "$(stat -c %Y root/current/index.html)" ] || fail "times"
	assert_eq "$(digest "$(publish --again)")" "$a"
	# Whatever changes, changes it.
	for change in 'echo hellO >site/index.html' 'chmod +x site/about.html' \
	    'mv site/about.html site/About.html' 'rmdir site/empty' \
	    'ln -sfn css site/link' 'mkdir site/new' 'rm site/link' \
	    ': >site/nothing' 'mv site/css/a.css site/'; do
		eval "$change"
		a=$(digest "$(publish)")
		case $seen in *"$a"*) fail "same digest: $change" ;; esac
		seen+=" $a"
	done
	assert_eq "$(wc -w <<<"$seen")" 10
}

# ------------------------------------------------------------------- verify

t_intact_releases_pass() {
	local id before
	nasty
	id=$(publish)
	before=$(find root -printf '%p %m %s %T@ %C@\n' | sort)
	run deploy verify --root root
	[ ! -s "$out" ] || fail "it answers: $(<"$out")"
	assert_contains "$err" "$id is intact"
	run deploy verify "$id" --root root --json
	assert_eq "$(json "$out" '[.id, .intact, .files, .differences] | @text')" \
	    "[\"$id\",true,$(find site -type f | wc -l),[]]"
	assert_eq "$(find root -printf '%p %m %s %T@ %C@\n' | sort)" \
	    "$before" "verify changes something"
	# Every way to name it.
	echo b >site/b
	b=$(publish)
	for w in current latest "$b"; do
		run deploy verify "$w" --root root --json
		assert_eq "$(json "$out" .id)" "$b" "$w"
	done
	for w in previous "$id" "${id%-*}"; do
		run deploy verify "$w" --root root --json
		assert_eq "$(json "$out" .id)" "$id" "$w"
	done
	expect_status 2 deploy verify 20 --root root
	assert_contains "$err" "$id"
	assert_contains "$err" "$b"
	for w in nosuch 1999 "$id-" '../releases' "x$id"; do
		expect_status 2 deploy verify "$w" --root root
		assert_contains "$err" "deploy list"
	done
}

# damage TEXT CMD...: with CMD done to the release, verify ends with 5 and
# tells TEXT; afterwards everything is as it was.
damage() {
	local text=$1
	shift
	cp -a root whole
	(
		cd "root/releases/$id"
		"$@"
	)
	expect_status 5 deploy verify "$id" --root root
	cat "$out" "$err" >said
	assert_contains said "$text"
	assert_contains "$err" "deploy: error: "
	expect_status 5 deploy verify "$id" --root root --json
	jq -es length "$out" >/dev/null || fail "no JSON"
	if [ "$(json "$out" 'has("error")')" = false ]; then
		assert_eq "$(json "$out" .intact)" false
		json "$out" '.differences[]' >said
		assert_contains said "$text"
	else
		assert_eq "$(json "$out" .error.code)" 5
	fi
	rm -rf root
	mv whole root
}

# Write other bytes and leave size, time and inode as they were.
unseen() {
	touch -r "$1" ../stamp
	printf '%s' "$2" | dd of="$1" conv=notrunc status=none
	touch -r ../stamp "$1"
	rm ../stamp
}

t_verify_finds_what_was_changed() {
	local id
	in_memory
	small
	head -c 400000 /dev/urandom >site/large
	id=$(publish)
	cp -a root/releases/"$id" elsewhere
	damage "index.html: has other content" unseen index.html H
	damage "large: has other content" unseen large X
	damage "about.html: has 12 bytes instead of 6" \
	    sh -c 'echo about >>about.html'
	damage "about.html: " sh -c ': >about.html'
	damage "index.html: was modified" touch -d 2001-01-01 index.html
	damage "css/a.css: is missing" rm css/a.css
	damage "css/a.css: is missing" rm -r css
	damage "css: is missing" rm -r css
	damage "empty: is missing" rmdir empty
	damage "link: is missing" rm link
	damage "css/extra: does not belong there" touch css/extra
	damage ".hidden: does not belong there" touch .hidden
	damage "new: does not belong there" mkdir new
	damage ".git: does not belong there" mkdir .git
	damage "extra: does not belong there" ln -s index.html extra
	damage "index.html: has mode 0600 instead of 0644" chmod 600 index.html
	damage "index.html: has mode 4644" chmod 4644 index.html
	damage "run.sh: has mode 0644 instead of 0755" chmod 644 run.sh
	damage "css: has mode 0777 instead of 0755" chmod 777 css
	damage "link: points to 'about.html' instead of 'index.html'" \
	    ln -sfn about.html link
	damage "link: points to '/etc/passwd'" ln -sfn /etc/passwd link
	damage "index.html: has another type" \
	    sh -c 'rm index.html && mkdir index.html'
	damage "index.html: has another type" \
	    sh -c 'mv index.html ../../h && ln -s ../../h index.html'
	damage "css: has another type" \
	    sh -c 'rm -r css && ln -s ../../../elsewhere/css css'
	damage "link: has another type" sh -c 'rm link && cp index.html link'
	damage "index.html" sh -c 'rm index.html && mkfifo index.html'
	# And nothing is wrong with what was put back.
	run deploy verify "$id" --root root
}

t_verify_counts_all_differences() {
	local id
	small
	id=$(publish)
	rm root/current/css/a.css
	touch root/current/x root/current/y
	chmod 600 root/current/about.html
	expect_status 5 deploy verify --root root
	assert_eq "$(wc -l <"$out")" 4
	assert_contains "$err" "4 differences"
	assert_eq "$(sort -c "$out" 2>&1)" "" "order"
	# Told without what could drive a terminal.
	touch root/current/$'evil\e[31m\nname'
	expect_status 5 deploy verify --root root
	assert_not_contains "$out" $'\e'
	assert_eq "$(grep -c '^name' "$out")" 0
}

t_verify_finds_a_changed_manifest() {
	local id m
	in_memory
	small
	id=$(publish)
	m=../../.deploy/manifests/$id
	damage "manifest of $id: has digest" sed -i 's/size=6/size=7/' "$m"
	damage "manifest of $id: has digest" sed -i '/about/d' "$m"
	# The line and the file, together.
	damage "manifest of $id: has digest" \
	    sh -c "sed -i '/about/d' $m && rm about.html"
	damage "manifest of $id: has digest" \
	    sed -i '/about/s/digest=..../digest=0000/' "$m"
	damage "manifest" sed -i '1d' "$m"
	damage "manifest" sh -c ": >$m"
	damage "manifest" rm "$m"
	damage "manifest" truncate -s 100 "$m"
	damage "manifest" sh -c "head -c 200 /dev/urandom >$m"
	damage "manifest" sed -i 's,\./about.html,../about.html,' "$m"
	damage "manifest" sed -i 's,\./about.html,/etc/passwd,' "$m"
	damage "manifest" sed -i 's/link=.*/link=\/etc\/passwd/' "$m"
	damage "twice" sh -c "tail -n 1 $m >>$m"
	damage "$id" sh -c "rm $m && ln -s /etc/passwd $m"
	damage "$id" rm "../../.deploy/meta/$id.json"
	damage "$id" sh -c "echo '{' >../../.deploy/meta/$id.json"
	# Times are not in the digest, but they are compared.
	damage "was modified" sed -i 's/time=[0-9]*/time=1/' "$m"
}

# One release's manifest for another.
t_verify_finds_a_swapped_manifest() {
	local id a
	small
	a=$(publish)
	echo b >site/b
	id=$(publish)
	damage "manifest of $id: has digest" \
	    cp "../../.deploy/manifests/$a" "../../.deploy/manifests/$id"
}

t_verify_of_what_cannot_be_read() {
	local id
	need_root
	small
	chmod -R a+rX site
	user_dir root
	id=$(as_user deploy publish -q site --root root)
	chown 0:0 root/current/index.html
	chmod 600 root/current/index.html
	expect_status 5 as_user deploy verify --root root
	assert_contains "$out" "index.html: cannot be read"
	chown 0:0 root/current/css
	chmod 700 root/current/css
	as_user deploy verify --root root >"$out" 2>"$err" &&
	    fail "passes although it cannot be read"
	assert_contains "$err" "css"
}

t_verify_without_a_live_release() {
	local id
	small
	id=$(deploy stage -q site --root root)
	expect_status 2 deploy verify --root root
	assert_contains "$err" "live"
	run deploy verify latest --root root
	run deploy verify "$id" --root root
	rm -rf "root/releases/$id"
	expect_status 2 deploy verify "$id" --root root
}

# What the live release lost shows in `status`, without hashing.
t_status_tells_of_drift() {
	small
	publish >/dev/null
	run deploy status --root root --json
	assert_eq "$(json "$out" '.hosts[0].drift | length')" 0
	rm root/current/about.html
	run deploy status --root root --json
	assert_eq "$(json "$out" '.hosts[0].drift[]')" "about.html: is missing"
	run deploy status --root root
	assert_contains "$out" "deploy verify"
	# A new stage of the same build mends it.
	run deploy publish --again site --root root
	run deploy verify --root root
	assert_tree_eq site root/current/.
}

run_tests
