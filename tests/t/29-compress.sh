#!/bin/bash
# `compress`: a release gets the compressed forms of its files, once for each
# content, on every kind of root alike; and real visitors get them.
# parts: 3
# shellcheck disable=SC2034
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

# site: pages and assets; of all but three something can be saved.
site() {
	mkdir -p site/a/b
	{ echo "<p>one"; seq 3000; } >site/index.html
	seq 2000 >site/a/app.js
	seq 500 >site/a/b/style.css
	echo "small()" >site/a/small.js
	head -c 4000 /dev/urandom >site/a/noise.js
	seq 900 >site/a/picture.png
}

paths='paths: ["*.html", "*.js", "*.css"]'
all="compress: {$paths, with: [gzip, brotli, zstd]}"

# config LINE...: deploy.yml of a root here, with these lines of its site.
config() {
	printf 'sites:\n  - name: t\n    source: site\n    root: %s\n' \
	    "$PWD/r-h" >deploy.yml
	printf '    %s\n' "$@" >>deploy.yml
}

# forms DIR: the compressed files in it, in one line.
forms() {
	(cd "$1/." && find . -name '*.gz' -o -name '*.br' -o -name '*.zst') |
	    LC_ALL=C sort | tr '\n' ' '
}

want='./a/app.js.br ./a/app.js.gz ./a/app.js.zst ./a/b/style.css.br '
want+='./a/b/style.css.gz ./a/b/style.css.zst ./index.html.br '
want+='./index.html.gz ./index.html.zst '

# has_form FILE...: the live release has these forms of files.
has_form() {
	local f
	for f; do
		[ -f "r-h/current/$f" ] || fail "no $f among $(forms r-h/current)"
	done
}

# assert_true DIR: all that is compressed in it is what it stands beside; the
# build of another site, which is looked at, says it of brotli.
assert_true() {
	local f
	for f in "$1"/{.,*,*/*}/*.gz; do
		[ ! -e "$f" ] || gzip -dc "$f" | cmp - "${f%.gz}" || fail "$f"
	done
	for f in "$1"/{.,*,*/*}/*.zst; do
		[ ! -e "$f" ] || zstd -dqc "$f" | cmp - "${f%.zst}" || fail "$f"
	done
	rm -rf look
	run deploy stage --config /dev/null "$1/." --root look
}

# assert_release DIR: it is the site, with all that is to be beside it.
assert_release() {
	assert_eq "$(forms "$1")" "$want" "$1"
	assert_true "$1"
	rm -rf plain
	cp -a "$1/." plain
	find plain \( -name '*.gz' -o -name '*.br' -o -name '*.zst' \) -delete
	assert_tree_eq site plain
}

on() {
	local mine first
	need_cmd zstd
	hosts=(h)
	where "$1"
	config "$all" "$mine"
	site
	run deploy stage -n
	[ ! -d r-h/releases ] || assert_eq "$(ls r-h/releases)" ""
	run deploy publish
	assert_contains "$err" "compressed: 9 made ("
	assert_contains "$err" ", 0 kept, 3 would save too little"
	first=$(cat "$out")
	assert_release r-h/current
	run deploy verify
	# The same again is the same.
	find site -exec touch {} +
	run deploy publish
	assert_eq "$(cat "$out")" "$first"
	assert_contains "$err" "unchanged"
	run deploy diff
	assert_eq "$(cat "$out")" ""
	# One page changes: the forms of the others are linked.
	echo "<p>two" >>site/index.html
	run deploy publish
	assert_contains "$err" "compressed: 3 made ("
	assert_contains "$err" ", 6 kept, 3 would save too little"
	assert_release r-h/current
	for f in a/app.js.{gz,br,zst} a/b/style.css.{gz,br,zst}; do
		[ r-h/current/$f -ef "r-h/releases/$first/$f" ] || fail "$f"
	done
	# All are made again, and are the same.
	run deploy stage --again
	assert_contains "$err" "compressed: 9 made ("
	assert_eq "$(cd "r-h/releases/$(<"$out")" && sha256sum -- *.* */*.*)" \
	    "$(cd r-h/current/ && sha256sum -- *.* */*.*)"
	# Two pages swap their contents: each has its own.
	mv site/a/app.js site/a/x
	mv site/a/b/style.css site/a/app.js
	mv site/a/x site/a/b/style.css
	run deploy publish
	assert_release r-h/current
	assert_root_clean r-h
	# Without it they go, and no guard takes that for a loss.
	config "$mine" 'max_delete: 1%'
	run deploy publish
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

t_on_a_busybox_host() {
	on busybox
}

t_from_an_archive() {
	need_cmd zstd
	config "$all"
	site
	tar -C site -czf site.tgz .
	run deploy stage -n site.tgz
	run deploy publish site.tgz
	assert_release r-h/current
	echo "<p>two" >>site/index.html
	tar -C site -cf site.tar .
	run deploy publish site.tar
	assert_contains "$err" "compressed: 3 made ("
	assert_release r-h/current
}

# Two hosts and rsync: the same bytes and times everywhere, and a host that
# comes later gets what the others have.
t_rsync_and_a_new_host() {
	local k f
	need_cmd rsync ssh ssh-keygen zstd
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS
	DEPLOY_KNOWN_HOSTS=$(cat "$PWD/sshd/known_hosts")
	hosts() {
		local k t
		config "$all" 'hosts:'
		for k; do
			t=local
			[ "$k" = c ] || t=rsync
			[ -e "h-$k" ] || program "h-$k" "${k#new-}" plain
			printf '      - {address: 127.0.0.1, port: %s, root: "%s", identity: %s, transport: %s, deploy: %s}\n' \
			    "$sshd_port" "$PWD/r-$k" "$PWD/sshd/id" "$t" \
			    "$PWD/h-$k" >>deploy.yml
		done
	}
	site
	hosts c dash
	run deploy publish
	echo "<p>two" >>site/index.html
	run deploy publish
	assert_release r-c/current
	assert_release r-dash/current
	hosts c dash new-c new-dash
	echo "a" >>site/a/small.js
	run deploy publish
	for k in c dash new-c new-dash; do
		assert_release "r-$k/current"
		for f in index.html.gz a/app.js.br a/small.js; do
			assert_eq "$(stat -Lc '%Y %s' "r-$k/current/$f")" \
			    "$(stat -Lc '%Y %s' "r-c/current/$f")" "$k: $f"
		done
	done
}

# What the build has beside a file stays the build's; what is shared, or a
# directory, is in nobody's way.
t_what_is_there_already() {
	config "$all"
	site
	gzip -1nc site/index.html >site/index.html.gz
	cp site/index.html.gz mine.gz
	mkdir site/a/app.js.br
	run deploy publish
	cmp mine.gz r-h/current/index.html.gz
	[ -d r-h/current/a/app.js.br ]
	has_form index.html.br index.html.zst a/app.js.gz
	[ ! -e r-h/current/index.html.gz.br ]
	# A form that is not true is not covered by ours.
	echo "<p>two" >>site/index.html
	expect_status 5 deploy publish
}

# Each word of the mapping.
t_settings() {
	site
	config "compress: {$paths}"
	run deploy publish
	assert_eq "$(forms r-h/current)" "./a/app.js.br ./a/app.js.gz \
./a/b/style.css.br ./a/b/style.css.gz ./index.html.br ./index.html.gz "
	config "compress: \"**\"" 'max_delete: 0%'
	run deploy publish
	[ -e r-h/current/a/picture.png.gz ]
	config "compress: {paths: \"**\", with: zstd, over: 5k}" 'max_delete: 0%'
	run deploy publish
	assert_eq "$(forms r-h/current)" "./a/app.js.zst ./index.html.zst "
	config "compress: {paths: \"a/**\", with: [zstd], over: 0}" 'max_delete: 0%'
	printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' >site/a/tiny
	: >site/a/empty
	run deploy publish
	assert_eq "$(forms r-h/current)" \
	    "./a/app.js.zst ./a/b/style.css.zst ./a/picture.png.zst ./a/tiny.zst "
	config "compress: {$paths, with: [lzma]}"
	expect_status 2 deploy stage
	assert_contains "$err" "compress.with[0]: 'lzma' is not a format; use gzip, brotli or zstd"
	config "compress: {$paths, over: 1kb}"
	expect_status 2 deploy stage
	assert_contains "$err" "compress.over: '1kb' is not a size, such as 500, 1k or 2M"
	config "compress: {with: gzip}"
	expect_status 2 deploy stage
	assert_contains "$err" "compress.paths: this key is missing"
}

# A form whose file in the base is damaged is made anew.
# A form is worth less than a release.
t_long_names() {
	local name
	mkdir site
	echo hi >site/index.html
	name=$(printf 'n%.0s' {1..250})
	seq 2000 >"site/$name.js"
	seq 2000 >"site/${name}1.js"
	seq 2000 >"site/${name:0:249}.js"
	config 'compress: {paths: ["*.js"], with: [gzip, brotli]}'
	run deploy publish
	assert_eq "$(grep -c 'no compressed form, which would have a longer name' "$err")" 1
	assert_contains "$err" "2 files get no compressed form"
	assert_eq "$(forms r-h/current)" \
	    "./${name:0:249}.js.br ./${name:0:249}.js.gz "
	rm -r r-h site/*.js
	config 'dictionaries: {paths: ["*.js"]}'
	seq 2000 >"site/${name:0:210}.js"
	run deploy publish
	assert_not_contains "$err" "longer name"
	seq 2001 >"site/${name:0:210}.js"
	run deploy publish
	assert_contains "$err" "1 file gets no form against an earlier one"
}

t_damage() {
	local f=r-h/current/a/app.js.gz
	need_cmd zstd
	config "$all"
	site
	run deploy publish
	cp -L $f whole
	echo x >>$f
	touch -d @1 $f
	echo "<p>two" >>site/index.html
	run deploy publish
	assert_contains "$err" "compressed: 4 made ("
	cmp whole $f
	assert_release r-h/current
	rm -f $f
	echo "<p>three" >>site/index.html
	run deploy publish
	assert_release r-h/current
}

# Carried assets have theirs, and no page gets one of another.
t_with_carry() {
	config "$all" 'carry: {paths: ["a/**"], for: 7d}'
	site
	mv site/a/app.js site/a/app-1.js
	run deploy publish
	mv site/a/app-1.js site/a/app-2.js
	echo "two" >>site/a/app-2.js
	echo "two" >>site/a/b/style.css
	run deploy publish
	has_form a/app-{1,2}.js.{br,gz,zst}
	assert_true r-h/current
	run deploy publish
	assert_contains "$err" "unchanged"
}

# Real visitors: what is given is small, and what it stands for.
t_visitors() {
	mkdir r-h
	start_nginx r-h/current
	sed -i 's/http {/http { gzip_static on;/' "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	config "$all"
	site
	run deploy publish
	get() {
		curl --noproxy '*' -s "$@" "$url/"
	}
	is_gzip() {
		get -i -H 'Accept-Encoding: gzip' | finds -ai '^content-encoding: gzip'
	}
	wait_for 10 is_gzip
	get --compressed | cmp - site/index.html
	echo "<p>two" >>site/index.html
	run deploy publish
	get --compressed | cmp - site/index.html
	get | cmp - site/index.html
	(($(get -H 'Accept-Encoding: gzip' | wc -c) * 10 < 9 * $(get | wc -c))) ||
	    fail "it saves nothing"
}

run_tests
