#!/bin/bash
# `dictionaries`: who has an earlier version of a file gets what changed (RFC
# 9842), made by the tool that keeps those, on every kind of root alike; real
# visitors get it from the nginx of man/examples, and all others the file.
# parts: 3
# shellcheck disable=SC2034
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

paths='paths: ["assets/*.js", "assets/*.css"]'
dictionaries="dictionaries: {$paths}"

# config LINE...: deploy.yml of a root here, with these lines of its site.
config() {
	printf 'sites:\n  - name: example.org\n    source: site\n    root: %s\n' \
	    "$PWD/r-h" >deploy.yml
	printf '    %s\n' "$@" >>deploy.yml
}

# build WORD HASH: a page, and a script and a style sheet that have the word.
build() {
	rm -rf site
	mkdir -p site/assets
	echo "<p>$1" >site/index.html
	{ seq 2000 | sha256sum; seq 4000; echo "// $1"; } >site/assets/app.$2.js
	{ seq 3000; echo "/* $1 */"; } >site/assets/style.css
	echo "small($1)" >site/assets/small.$2.js
}

# hash_of FILE: its SHA-256, as browsers have it: in base64.
hash_of() {
	# shellcheck disable=SC2059 # octal digits
	printf "$(sha256sum <"$1" | cut -c 1-64 |
	    sed 's/../\\x&/g')" | base64 -w 0
}

# name_of FILE: the same in names.
name_of() {
	hash_of "$1" | tr -d = | tr / _
}

# dcz DIR: the forms in it, without the hashes of dictionaries, in one line.
dcz() {
	(cd "$1/." && find . -name '*.dcz') | LC_ALL=C sort |
	    sed 's/[^.]*\.dcz$/dcz/' | tr '\n' ' '
}

# unpack FORM DICTIONARY: what it stands for.
unpack() {
	tail -c +41 "$1" | zstd -dqc --patch-from="$2"
}

# assert_form FILE DICTIONARY: FILE has a form against it, which is true.
assert_form() {
	local f
	f=$1.$(name_of "$2").dcz
	[ -f "$f" ] || fail "no $f: $(ls "${f%/*}")"
	assert_eq "$(head -c 8 "$f" | od -An -tx1 | tr -d ' \n')" \
	    "5e2a4d1820000000"
	assert_eq "$(head -c 40 "$f" | tail -c 32 | base64 -w 0)" \
	    "$(hash_of "$2")"
	unpack "$f" "$2" | cmp - "$1"
	(($(wc -c <"$f") < 200)) || fail "$f: $(wc -c <"$f") bytes"
}

on() {
	local mine first i
	need_cmd zstd
	hosts=(h)
	where "$1"
	config "$dictionaries" 'compress: {paths: "assets/**"}' "$mine"
	build one 1a2b3c4d
	run deploy publish
	assert_eq "$(dcz r-h/current)" ""
	cp -r site one
	build two 9f8e7d6c
	run deploy stage -n
	assert_contains "$err" "earlier files: 2 made ("
	run deploy publish
	assert_contains "$err" "earlier files: 2 made ("
	assert_form r-h/current/assets/app.9f8e7d6c.js one/assets/app.1a2b3c4d.js
	assert_form r-h/current/assets/style.css one/assets/style.css
	assert_eq "$(dcz r-h/current)" \
	    "./assets/app.9f8e7d6c.js.dcz ./assets/style.css.dcz "
	cp -r site two
	first=$(cat "$out")
	# The same again is the same, also when what they are made of has gone.
	run deploy publish
	assert_contains "$err" "unchanged"
	# A page changes: they are linked.
	echo more >>site/index.html
	run deploy publish
	assert_not_contains "$err" "earlier files"
	i=assets/style.css.$(name_of one/assets/style.css).dcz
	[ "r-h/current/$i" -ef "r-h/releases/$first/$i" ] || fail "another file"
	# The next has two, and rolled back to it finds its own again.
	build three 00112233
	run deploy publish
	for i in one two; do
		assert_form r-h/current/assets/app.00112233.js $i/assets/app.*.js
		assert_form r-h/current/assets/style.css $i/assets/style.css
	done
	run deploy verify
	assert_root_clean r-h
	# What was rolled back from is known again, whatever was pruned.
	run deploy rollback
	run deploy prune --keep 1
	expect_status 4 deploy publish
	# Without it they go, and no guard takes that for a loss.
	config "$mine" 'max_delete: 1%'
	rm -rf site
	cp -r two site
	echo more >>site/index.html
	run deploy publish
	assert_eq "$(dcz r-h/current)" ""
	assert_tree_eq site r-h/current/.
}

t_here() {
	on here
}

t_on_a_c_host() {
	on c
}

t_on_a_dash_host() {
	on dash
}

# How many, and which: each row is what releases had, and what the last one has.
t_versions() {
	local i
	config "dictionaries: {$paths, from: 2}" 'max_delete: 99%'
	for i in 1 2 3 4; do
		build $i "$i$i$i${i}a2b3"
		run deploy publish
		cp -r site $i
	done
	assert_eq "$(dcz r-h/current)" "./assets/app.4444a2b3.js.dcz \
./assets/app.4444a2b3.js.dcz ./assets/style.css.dcz ./assets/style.css.dcz "
	assert_form r-h/current/assets/app.4444a2b3.js 3/assets/app.3333a2b3.js
	assert_form r-h/current/assets/app.4444a2b3.js 2/assets/app.2222a2b3.js
	# What is in the build still is no earlier version, and of several the
	# one of the nearest size is taken.
	build 5 5555a2b3
	cp 4/assets/app.4444a2b3.js site/assets/
	run deploy publish
	assert_form r-h/current/assets/app.5555a2b3.js 3/assets/app.3333a2b3.js
	i=$(name_of 4/assets/app.4444a2b3.js)
	[ ! -e "r-h/current/assets/app.5555a2b3.js.$i.dcz" ] ||
	    fail "another file of the build is no version"
	# One that comes to stand elsewhere has none, and other names are others.
	rm -rf r-h
	build 1 1111a2b3
	seq 4000 >site/assets/page1.js
	seq 4000 >site/assets/main.js
	run deploy publish
	build 2 2222a2b3
	{ seq 4000; echo 2; } >site/assets/page2.js
	{ seq 4000; echo 2; } >site/assets/menu.js
	{ seq 4000; echo 2; } >site/elsewhere.js
	run deploy publish
	assert_eq "$(dcz r-h/current)" \
	    "./assets/app.2222a2b3.js.dcz ./assets/style.css.dcz "
	for i in 0 21 x; do
		config "dictionaries: {$paths, from: $i}"
		expect_status 2 deploy stage
		assert_contains "$err" "dictionaries.from"
	done
	config "dictionaries: {from: 3}"
	expect_status 2 deploy stage
	assert_contains "$err" "dictionaries.paths: this key is missing"
}

# What earlier releases have is damaged or missing: a warning, and no form.
t_damage() {
	config "$dictionaries"
	build one 1a2b3c4d
	run deploy publish
	cp -r site one
	echo x >>"$(echo r-h/current/assets/app.*.js)"
	rm r-h/current/assets/style.css
	build two 9f8e7d6c
	run deploy publish
	assert_contains "$err" "'assets/app.1a2b3c4d.js' of "
	assert_contains "$err" "'assets/style.css' of "
	assert_eq "$(dcz r-h/current)" ""
	assert_tree_eq site r-h/current/.
	# One that is damaged itself is made again.
	build three 00112233
	run deploy publish
	assert_form r-h/current/assets/style.css r-h/releases/*/assets/style.css
}

# A carried file keeps its own forms, and the form of one stands beside no other.
t_with_carry() {
	config "$dictionaries" 'carry: {paths: ["assets/**"], for: 7d}'
	build one 1a2b3c4d
	run deploy publish
	cp -r site one
	build two 9f8e7d6c
	run deploy publish
	cp -r site two
	build three 00112233
	run deploy publish
	assert_form r-h/current/assets/app.9f8e7d6c.js one/assets/app.1a2b3c4d.js
	assert_form r-h/current/assets/app.00112233.js one/assets/app.1a2b3c4d.js
	assert_form r-h/current/assets/app.00112233.js two/assets/app.9f8e7d6c.js
	assert_form r-h/current/assets/style.css two/assets/style.css
	run deploy publish
	assert_contains "$err" "unchanged"
}

# The build has one itself: it is what it stands for, or it is refused.
t_of_the_build() {
	local f name
	need_cmd zstd
	config "$dictionaries"
	build one 1a2b3c4d
	run deploy publish
	cp -r site one
	build two 9f8e7d6c
	run deploy publish
	name=$(basename r-h/current/assets/style.css.*.dcz)
	cp r-h/current/assets/"$name" form
	config 'keep: 5'
	rm -rf r-h
	cp form site/assets/"$name"
	echo x >>site/index.html
	expect_status 5 deploy stage
	assert_contains "$err" "'assets/$name' of the build is not 'assets/style.css' compressed by zstd"
	assert_contains "$err" "is not in the build"
	# With its dictionary it can be looked at.
	cp one/assets/style.css site/assets/style.old
	run deploy stage
	for f in style.css "$name"; do
		cp site/assets/"$f" keep
		echo x >>site/assets/"$f"
		expect_status 5 deploy stage
		assert_contains "$err" "'assets/$name' of the build is not"
		mv keep site/assets/"$f"
	done
	{ head -c 39 form; echo; tail -c +41 form; } >site/assets/"$name"
	expect_status 5 deploy stage
	assert_contains "$err" "it does not begin as its name says"
	run deploy stage --override=build
}

# ---------------------------------------------------------------- visitors

# serve: the nginx of man/examples for the root r-h; sets $port.
serve() {
	local try dir=$PWD/nginx
	need_cmd nginx curl
	mkdir -p nginx
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		sed -e "s|/srv/www/example.org|$PWD/r-h|g" \
		    -e "s|listen 80;|listen 127.0.0.1:$port;|" \
		    -e "s|server_name example.org;|server_name example.org localhost;|" \
		    -e "0,/location/s|location|location = /slow.css { limit_rate 10k; }\n&|" \
		    "$TREE/man/examples/nginx.conf" >example
		nginx_head "$dir" "log_format dictionary
		    '\$uri \$http_available_dictionary \$status';
		    access_log \"$dir/access.log\" dictionary;" >config
		printf 'include "%s";\n}\n' "$PWD/example" >>config
		nginx -p "$dir" -c "$PWD/config" -e "$dir/error.log" </dev/null \
		    >>nginx/log 2>&1 &
		pid=$!
		while kill -0 $pid 2>/dev/null; do
			if ask /token && cmp -s body r-h/current/token; then
				defer kill $pid
				return
			fi
			sleep 0.05
		done
	done
	fail "nginx does not start: $(cat nginx/*log)"
}

# ask PATH [OPTION...]: the answer's headers in `heads`, its body in `body`.
ask() {
	: >heads
	: >body
	curl --noproxy '*' -s -m 20 -D heads -o body --path-as-is \
	    --resolve "example.org:$port:127.0.0.1" "${@:2}" \
	    "http://example.org:$port$1" && tr -d '\r' <heads >lines &&
	    mv lines heads
}

# with HASH [ENCODINGS]: ask as one who has the dictionary with that hash.
with() {
	ask "$path" -H "Available-Dictionary: $1" \
	    -H "Accept-Encoding: ${2-gzip, deflate, br, zstd, dcb, dcz}"
}

# check_says TEXT: the check fails with that.  A worker of nginx that is being
# replaced may answer once more.
check_says() {
	local status=0
	deploy check 2>said || status=$?
	[ "$status" -eq 1 ] && grep -qF -- "$1" said
}

t_visitors() {
	local i hash other w word=0 etag
	need_cmd zstd
	config "$dictionaries" 'compress: {paths: "assets/**"}' 'keep: 50'
	# Until a hash has a slash, one has two, and one a plus.
	for ((i = 0; i < 40; i++)); do
		build "$i" "1a2b3c$((i + 10))"
		hash=$(hash_of site/assets/app.*.js)
		case $hash in
		*/*/*) w=two ;;
		*/*) w=one ;;
		*+*) w=plus ;;
		*) w=none ;;
		esac
		[ ! -d "old/$w" ] || continue
		echo "$RANDOM$BASHPID" >site/token
		run deploy publish
		mkdir -p old
		cp -r site "old/$w"
	done
	config "dictionaries: {$paths, from: 9}" 'compress: {paths: "assets/**"}' 'keep: 50'
	build last 99999999
	echo "$RANDOM$BASHPID" >site/token
	run deploy publish
	serve
	path=/assets/app.99999999.js
	file=site$path
	for w in old/*; do
		other=$(echo "$w"/assets/app.*.js)
		hash=$(hash_of "$other")
		with ":$hash:"
		assert_eq "$(header Content-Encoding)" dcz "$w $hash"
		assert_eq "$(header Content-Type)" text/javascript
		assert_eq "$(header Cache-Control)" "max-age=31536000, immutable"
		assert_eq "$(header Use-As-Dictionary)" 'match="/assets/app.*.js"'
		assert_contains heads "Accept-Encoding, Available-Dictionary"
		unpack body "$other" | cmp - "$file"
		word=$((word + 1))
	done
	((word >= 3)) || fail "only $word kinds of hash"
	etag=$(header ETag)
	with ":$hash:" "dcz"
	assert_eq "$(header Content-Encoding)" dcz
	with ":$hash:" "gzip,DCZ"
	assert_eq "$(header Content-Encoding)" dcz
	ask $path -H "Available-Dictionary: :$hash:" -H "Accept-Encoding: dcz" \
	    -H "If-None-Match: $etag"
	assert_eq "$(awk 'NR == 1 { print $2 }' heads)" 304
	ask $path
	assert_plain "$file" "who has nothing"
	[ "$(header ETag)" != "$etag" ] || fail "two forms have one ETag"
	# Who does not take it, or has something else.
	for w in gzip identity "gzip, dcb" "dcz;q=0" "dczx" "xdcz, gzip" ""; do
		with ":$hash:" "$w"
		assert_plain "$file" "$w"
	done
	for w in ":$(hash_of /dev/null):" "$hash" ":${hash%=}:" ":$hash" "::" \
	    ":../../../.deploy/journal=:" ":..%2f..%2f=:" ":${hash:0:20}=:" \
	    ":*=:" ":${hash//[A-Z]/.}:" "://///////////////=:" '"' \
	    ":$hash:, :$hash:"; do
		with "$w"
		assert_plain "$file" "$w"
	done
	# A style sheet without a hash in its name is nobody's dictionary here.
	path=/assets/style.css
	file=site$path
	with ":$(hash_of old/none/assets/style.css):"
	assert_eq "$(header Content-Encoding)" gzip
	assert_eq "$(header Use-As-Dictionary)" ""
	path=/assets/missing.99999999.js
	with ":$hash:"
	assert_eq "$(awk 'NR == 1 { print $2 }' heads)" 404
	assert_not_contains heads immutable
	# No field of the answer comes from who asks.
	for path in '/assets/a%0d%0aX-Own:%20x.99999999.js' '/assets/a%22.99999999.js'; do
		with ":$hash:"
		assert_not_contains heads X-Own
		assert_eq "$(header Use-As-Dictionary)" ""
	done
	# The check sees all of that, and what is wrong with it.
	printf '    check: {url: "http://example.org:%s/", connect: "127.0.0.1:%s", tries: 1, sample: 20}\n' \
	    "$port" "$port" >>deploy.yml
	run deploy check --json
	need_cmd jq
	assert_eq "$(json "$out" '.hosts[0].compressed > 6')" true
	grep -q '^/assets/app.99999999.js.*dcz :' nginx/access.log
	sed -i '/Vary/d' example
	kill -HUP $pid
	wait_for 10 check_says "is for one dictionary only"
	sed -i 's/\$uri\.\$dictionary\.dcz/$uri.gz/' example
	sed -i 's/default_type text.javascript/&; add_header Content-Encoding dcz/' example
	kill -HUP $pid
	wait_for 10 check_says Content-Encoding
}

# A real browser, which has been here before.  It keeps what it has when it has
# time for that, so each visit takes a second longer than the one before.
t_in_the_browser() {
	local i
	need_cmd chromium
	config "$dictionaries"
	visit() {
		timeout 60 chromium --headless --no-sandbox --disable-gpu \
		    --user-data-dir="$PWD/profile" --no-first-run \
		    --disable-background-networking --no-proxy-server \
		    --virtual-time-budget=5000 --dump-dom "$1" \
		    2>browser.log || true
	}
	visit 'data:text/html,<p>up' >page
	grep -q '<p>up' page || skip "chromium does not run: $(tail -n 1 browser.log)"
	for ((i = 0; i < 8; i++)); do
		build "$i" "${i}f${i}e${i}d${i}c"
		echo "$RANDOM$BASHPID" >site/token
		{
			seq 4000 | sed 's,^,// ,'
			echo "document.title = 'release $i'"
		} >site/assets/app.*.js
		{
			echo "<link rel=stylesheet href=slow.css>"
			echo "<script src=\"$(cd site && echo assets/app.*.js)\"></script>"
		} >site/index.html
		{ echo '/*'; head -c $((i * 10000)) /dev/zero | tr '\0' x; echo '*/'; } >site/slow.css
		run deploy publish
		((i > 0)) || serve
		visit "http://localhost:$port/" >page
		assert_contains page "<title>release $i</title>"
		! grep '^/assets/app.*dcz :.* 200$' nginx/access.log || return 0
	done
	fail "never with a dictionary: $(tail -n 20 nginx/access.log)"
}

run_tests
