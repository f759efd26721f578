#!/bin/bash
# The compressed forms that a build has beside its files are what they stand
# for, or it is refused: on every kind of root, and to real visitors.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# brotli FILE: FILE.br, of a file of 1 to 65536 bytes: a block that is not
# compressed, and the last, which is empty (RFC 7932, 9.2).
brotli() {
	local bits
	bits=$(($(stat -c %s "$1") - 1 << 4 | 1 << 20))
	{
		# shellcheck disable=SC2059 # octal digits
		printf "$(printf '\\%o\\%o\\%o' $((bits & 255)) \
		    $((bits >> 8 & 255)) $((bits >> 16)))"
		cat "$1"
		printf '\3'
	} >"$1.br"
}

# pack FILE [SUFFIX...]: what stands beside it, as the suffixes say.
pack() {
	local f=$1 s
	shift
	(($# > 0)) || set -- gz br zst
	for s; do
		case $s in
		gz) gzip -9nc "$f" >"$f.gz" ;;
		br) brotli "$f" ;;
		zst) zstd -q -19 -f "$f" -o "$f.zst" ;;
		esac
	done
}

# build WORD: pages and an asset that have it, each with all three.
build() {
	mkdir -p site/a
	echo "<p>$1" >site/index.html
	seq 500 | sed "s/^/$1 /" >site/a/app.js
	pack site/index.html
	pack site/a/app.js
}

# roots KIND: a site with a root of this kind in deploy.yml.
roots() {
	local mine
	hosts=(h)
	where "$1"
	printf 'sites:\n  - name: t\n    source: site\n    root: %s\n    %s\n' \
	    "$PWD/r-h" "$mine" >deploy.yml
}

# refused FILE PLAIN TEXT: neither a dry run nor stage nor publish take it, and
# both are named; nothing has changed.
refused() {
	local c before
	before=$(live h)
	for c in 'stage -n' stage publish; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 5 deploy $c
		assert_contains "$err" "'$1' of the build is not '$2' compressed by "
		assert_contains "$err" "$3"
		[ ! -s "$out" ] || fail "an answer: $(<"$out")"
	done
	assert_contains "$err" "--override=build stages it anyway"
	assert_eq "$(live h)" "$before"
	[ ! -d r-h ] || assert_root_clean r-h
}

on() {
	local s id
	need_cmd zstd
	roots "$1"
	build one
	run deploy publish
	assert_tree_eq site r-h/current/.
	# Another page, and what stands beside it is forgotten: each by itself.
	for s in gz br zst; do
		cp site/index.html.$s old.$s
	done
	echo "<p>two" >site/index.html
	for s in gz br zst; do
		pack site/index.html
		cp old.$s site/index.html.$s
		refused index.html.$s index.html "other bytes come out"
		rm site/index.html.$s
		echo two >site/index.html.$s
		refused index.html.$s index.html "compressed by"
		: >site/index.html.$s
		refused index.html.$s index.html "unexpected end"
	done
	pack site/index.html
	run deploy publish
	assert_tree_eq site r-h/current/.
	# One that changed beside a file that did not.
	echo more | gzip -c >>site/a/app.js.gz
	refused a/app.js.gz a/app.js "more than"
	# It is meant.
	run deploy stage --override=build
	id=$(cat "$out")
	run deploy activate "$id"
	assert_tree_eq site r-h/current/.
	# What is live has it, so it is not said again, but when all is hashed.
	echo new >site/new.html
	run deploy publish
	expect_status 5 deploy stage --again
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

t_in_an_archive() {
	need_cmd zstd
	build one
	tar -C site -cf - . >site.tar
	run deploy publish site.tar --root root
	echo "<p>two" >site/index.html
	tar -C site -cf - . >site.tar
	for c in "stage" "stage -n"; do
		# shellcheck disable=SC2086 # words are meant
		expect_status 5 deploy $c site.tar --root root
		assert_contains "$err" "of the build is not 'index.html' compressed"
	done
}

# Each is left as it is: no file beside it, or none of that build.
t_what_stands_for_nothing() {
	build one
	mkdir site/dir site/dir.gz
	echo x >site/dir/index.html
	echo x >site/.gz
	echo x >site/alone.js.br
	ln -s dir site/link
	echo x >site/link.gz
	ln -s nothing site/away
	echo x >site/away.gz
	ln -s nothing site/alone.js.gz
	echo x >site/upper.css
	echo x >site/upper.css.GZ
	run deploy publish site --root root
	assert_tree_eq site root/current/.
}

# Web servers go through links, of either of the two: what they lead to counts,
# also where only that is another than before.
t_through_links() {
	local t
	# files of the first build | what the second has besides
	for t in \
	    'pack one.js gz; echo two >a.js|ln -s one.js.gz a.js.gz' \
	    'ln -s one.js a.js|echo two >x; gzip -nc x >a.js.gz' \
	    'ln -s one.js a.js; pack one.js gz; cp one.js.gz a.js.gz|rm a.js; ln -s two.js a.js' \
	    'ln -s one.js a.js; pack one.js gz; cp one.js.gz a.js.gz|echo 2 >one.js; pack one.js gz' \
	    'mkdir v; echo two >v/a.js; gzip -nc v/a.js >v/a.js.gz; echo one >a.js|ln -s v w; ln -s w/a.js.gz a.js.gz' \
	    'ln -s one.js a.js|ln -s two.js.gz a.js.gz'; do
		rm -rf site root
		mkdir site
		echo 'sites: [{name: t, source: site, root: root, compress: two.js}]' \
		    >deploy.yml
		(
			cd site
			echo one >one.js
			seq 1000 >two.js
			echo hi >index.html
			eval "${t%|*}"
		)
		run deploy publish
		(cd site && eval "${t#*|}")
		expect_status 5 deploy publish
		assert_contains "$err" "'a.js.gz' of the build is not 'a.js' compressed by gzip"
		run deploy publish --override=build
		# It is live, and was meant.
		echo more >site/index.html
		run deploy publish
	done
}

# Links on both sides that lead to what belongs together.
t_links_that_are_right() {
	mkdir site
	echo 'sites: [{name: t, source: site, root: root, compress: two.js}]' \
	    >deploy.yml
	echo hi >site/index.html
	seq 1000 >site/two.js
	ln -s two.js site/a.js
	ln -s two.js.gz site/a.js.gz
	echo one >site/one.js
	pack site/one.js gz
	ln -s one.js site/b.js
	ln -s one.js.gz site/b.js.gz
	run deploy publish -v
	assert_contains "$err" "3 compressed files are what they stand for"
	echo two >site/one.js
	pack site/one.js gz
	run deploy publish -v
	assert_contains "$err" "2 compressed files are what they stand for"
}

# Sets that are right: several members and frames, and the packed of a packed.
t_what_is_right() {
	need_cmd zstd
	build one
	seq 1000 >site/n
	{ seq 400 | gzip -c; seq 401 1000 | gzip -c; } >site/n.gz
	{ seq 400 | zstd -qc; seq 401 1000 | zstd -qc; } >site/n.zst
	pack site/n.gz br
	: >site/empty
	gzip -nc site/empty >site/empty.gz
	zstd -q site/empty -o site/empty.zst
	printf '\006' >site/empty.br
	run deploy publish -v site --root root
	assert_contains "$err" "12 compressed files are what they stand for"
	# Only what is new is looked at.
	echo x >site/x
	gzip -nc site/x >site/x.gz
	run deploy publish -v site --root root
	assert_contains "$err" "1 compressed file is"
	run deploy publish -v site --root root
	assert_not_contains "$err" "compressed files are"
}

# A few bytes that are a gigabyte end as soon as they are too many.
t_bombs() {
	local s
	need_cmd zstd
	for s in gz zst; do
		build one
		case $s in
		gz) head -c 100000000 /dev/zero | gzip -1c ;;
		zst) head -c 1000000000 /dev/zero | zstd -qc ;;
		esac >site/index.html.$s
		expect_status 5 deploy stage site --root root
		assert_contains "$err" "'index.html.$s' of the build is not 'index.html'"
		assert_contains "$err" "more than 7 bytes come out"
	done
	build one
	head -c 2000000 /dev/zero | zstd -qc --long=27 >site/index.html.zst
	expect_status 5 deploy stage site --root root
	assert_contains "$err" "its window is larger than the 8 MB"
	assert_contains "$err" "; compress it with a level up to 19"
}

# Whoever takes gzip gets what all others get.
t_visitors() {
	mkdir root
	start_nginx root/current
	sed -i 's/http {/http { gzip_static on;/' "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	build one
	run deploy publish site --root root
	get() {
		curl --noproxy '*' -s "$@" "$url/"
	}
	is_gzip() {
		get -i -H 'Accept-Encoding: gzip' | finds -ai '^content-encoding: gzip'
	}
	wait_for 10 is_gzip
	build two
	cp root/current/index.html.gz site/
	expect_status 5 deploy publish site --root root
	assert_eq "$(get)" "<p>one"
	assert_eq "$(get --compressed)" "<p>one"
	build two
	run deploy publish site --root root
	assert_eq "$(get)" "<p>two"
	assert_eq "$(get --compressed)" "<p>two"
}

run_tests
