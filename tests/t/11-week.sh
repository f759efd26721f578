#!/bin/bash
# A week of deploys: a real Hugo site with hashes in the names of its assets, hosts
# of all kinds behind real sshds, each with nginx as man/examples has it, a
# balancer before them, and two CDNs before that: one that obeys what it is told,
# and one that keeps all until it is purged.  Visitors come all the time, by each
# of the three, and know what is right at every instant (tests/week.py).
#
# make test has four days of it and three hosts; make test-all has three weeks, four
# hosts and many more visitors; with TEST_WEEK the columns are written to that
# file, too.
# parts: 2
# shellcheck disable=SC2154 # of fleet.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

examples=$TREE/man/examples

# ------------------------------------------------------------------ the site

# hugo_site: ./main, as one has it in git; ./pr is to be the working copy of who
# proposes something.
hugo_site() {
	local i
	need_cmd hugo python3 nginx curl zstd
	mkdir -p main/assets/assets main/content/posts main/layouts/_default
	cat >main/config.toml <<-'END'
	baseURL = "/"
	title = "A week"
	disableKinds = ["taxonomy", "term", "RSS", "sitemap", "404"]
	END
	cat >main/layouts/_default/baseof.html <<-'END'
	<!DOCTYPE html>
	{{ $css := resources.Get "assets/style.css" | minify | fingerprint }}
	{{ $js := resources.Get "assets/app.js" | fingerprint }}
	<link rel="stylesheet" href="{{ $css.RelPermalink }}">
	<script src="{{ $js.RelPermalink }}"></script>
	<title>{{ .Title }}</title>
	{{ .Content }}{{ range .Pages }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>
	{{ end }}
	END
	cp main/layouts/_default/{baseof,list}.html
	cp main/layouts/_default/{baseof,single}.html
	for i in {1..8}; do
		post "$i" "first words of $i" main
	done
	printf -- '---\ntitle: start\n---\nwelcome\n' >main/content/_index.md
	style 1 main
	script 1 main
	: >truth
	: >story
}

# post NAME WORDS DIR, style WORD DIR, script WORD DIR: what people change.
post() {
	{
		printf -- '---\ntitle: post %s\ndate: 2026-01-01\n---\n%s\n\n' "$1" "$2"
		seq 100
	} >"$3/content/posts/$1.md"
}

style() {
	{ echo "p { margin: $1px }"; seq -f '.c%g { color: #123456 }' 200; } \
	    >"$2/assets/assets/style.css"
}

script() {
	{ seq -f 'let v%g = "some words that stay"' 300; echo "let v = '$1'"; } \
	    >"$2/assets/assets/app.js"
}

# build DIR: with Hugo, into DIR/public; sets $made, its version, whose truth is
# known before anybody can see it.
build() {
	rm -rf "$1/public"
	hugo --quiet -s "$1" -d public
	note "$1/public"
}

# note DIR: that is a version: $made.
note() {
	version=$((${version:-0} + 1))
	made=$version
	(cd "$1" && find . -type f -printf '%P\0' | xargs -0 sha256sum) |
	    sed "s/^\([0-9a-f]*\)  \(.*\)/$version \2 \1/" >>truth
}

# story NAME VERSIONS: may be seen from now on.
story() {
	echo "$EPOCHREALTIME $1 $2" >>story
}

# -------------------------------------------------------------- what serves it

# servers: nginx on every host, at the same port of its own address, and the
# balancer; sets $port.
servers() {
	local try h
	for ((try = 0; try < 20; try++)); do
		port=$((20000 + RANDOM % 12000))
		for h in "${hosts[@]}" balancer; do
			web_server "$h" || {
				web_end "${hosts[@]}" balancer
				continue 2
			}
		done
		return
	done
	fail "no nginx"
}

# web_server HOST: its nginx, or the one in front of all; 1 when it has ended.
web_server() {
	local dir=$PWD/nginx-$1 at=127.0.0.1${1#h} pid
	[ "$1" != balancer ] || at=127.0.0.1
	mkdir -p "$dir"
	web_conf "$1" "$dir" "$at" >"$dir/conf"
	nginx -p "$dir" -c "$dir/conf" -e "$dir/error.log" </dev/null \
	    >>"$dir/log" 2>&1 &
	pid=$!
	echo $pid >"$dir/process"
	defer kill $pid
	while kill -0 $pid 2>/dev/null; do
		! (: >"/dev/tcp/$at/$port") 2>/dev/null || return 0
		sleep 0.05
	done
	return 1
}

web_conf() {
	nginx_head "$2"
	if [ "$1" = balancer ]; then
		balancer_conf
	else
		sed -e "s|/srv/www/example.org|$PWD/r-$1|g" \
		    -e "s|listen 80;|listen $3:$port;|" "$examples/nginx.conf"
	fi
	echo '}'
}

# balance_without HOST: the balancer does not ask it, until it is without ''.
balance_without() {
	lost=$1
	web_conf balancer "$PWD/nginx-balancer" >nginx-balancer/conf
	kill -HUP "$(<nginx-balancer/process)"
}

web_end() {
	local h
	for h; do
		[ -e "nginx-$h/process" ] || continue
		kill "$(<"nginx-$h/process")" 2>/dev/null || continue
		wait "$(<"nginx-$h/process")" || true
	done
}

# In turn; who does not answer is left out, but nobody is asked again for a file
# that another does not have.
balancer_conf() {
	local h servers=''
	for h in "${hosts[@]}"; do
		[ "$h" = "${lost:-}" ] || servers+="server 127.0.0.1${h#h}:$port; "
	done
	cat <<-END
	upstream all { $servers keepalive 8; }
	server {
		listen 127.0.0.1:$port;
		location / {
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host \$host;
			proxy_next_upstream error timeout;
			proxy_pass http://all;
		}
	}
	END
}

# cdn NAME HOW: sets $edge, its port.
cdn() {
	python3 "$TREE/tests/cdn.py" "$1.log" 0 "$port" "$2" >"$1.port" &
	defer kill $!
	wait_for 20 test -s "$1.port"
	edge=$(<"$1.port")
}

# cdns: both, and the hook that purges them: Cloudflare obeys, Bunny keeps.
cdns() {
	cdn obey obey
	obey=$edge
	cdn keep keep
	keep=$edge
	cat >purge <<-END
	#!/bin/sh -e
	export SITE_URL=https://example.org/ CLOUDFLARE_ZONE=z0ne CLOUDFLARE_TOKEN=s3cret
	export CLOUDFLARE_API=http://127.0.0.1:$obey/cf
	export BUNNY_API=http://127.0.0.1:$keep/bunny BUNNY_ZONE=1234 BUNNY_KEY=s3cret
	"$examples/purge-cloudflare"
	"$examples/purge-bunny"
	END
	chmod +x purge
	export no_proxy='*'
}

# config: of fleet_start(), with all that visitors have of it.
config() {
	sed -n '/address:/p' deploy.yml >host-lines
	cat >deploy.yml - host-lines <<-END
	sites:
	  - name: example.org
	    root: $PWD/r
	    source: main/public
	    lock_wait: 20s
	    keep: 20
	    carry: {paths: ["assets/**"], for: 7d}
	    compress: {paths: ["*.html", "assets/**"], with: [gzip, brotli], over: 0}
	    dictionaries: {paths: ["assets/*.js", "assets/*.css"], from: 2}
	    preview: {url: "http://{name}.preview.example.org:$port/"}
	    check:
	      url: http://example.org:$port/
	      headers: {"assets/**": "max-age=31536000, immutable", "*.html": no-cache}
	      edge: ["http://127.0.0.1:$obey/", "http://127.0.0.1:$keep/"]
	      within: 20s
	      wait: 1s
	    hooks: {post_activate: ./purge, post_rollback: ./purge}
	    hosts:
	END
	sed 's/strategy:.*//; s/^    keep:.*/&\n    strategy: rolling/' deploy.yml >rolling.yml
	sed 's|^      url:.*|&\n      expect: 201\n      tries: 1|' deploy.yml >failing.yml
}

# world: all of it, with the first release live everywhere.
world() {
	local third=-
	! wide || third=busybox
	fleet_start c dash "$third" c+rsync
	hugo_site
	servers
	cdns
	config
	build main
	live=$made
	story live "$live"
	run deploy publish
	visitors
}

# ------------------------------------------------------------------- visitors

# visitors: they come, until visitors_end.
visitors() {
	rm -f progress
	"$TREE/tests/week.py" "$PWD" "$pause" "balancer=$port" "edge-obey=$obey" \
	    "edge-keep=$keep" 2>wrong &
	visitors_pid=$!
	defer kill "$visitors_pid"
	wait_for 60 test -e progress
}

# some_visitors N: so many come.
some_visitors() {
	local end=$(($(<progress) + $1)) n=0
	until ((n >= end)); do
		kill -0 "$visitors_pid" || fail "no visitors: $(tail wrong)"
		pause 0.05
		n=$(<progress) || n=0
	done
}

# Sets each of the columns.
visitors_end() {
	local name number
	kill "$visitors_pid"
	wait "$visitors_pid" || fail "visitors: $(tail wrong)"
	while read -r name number; do
		printf -v "$name" %d "$number"
	done <columns
	tr '\n' ' ' <columns >&2
	head -n 30 wrong >&2
	[ -z "${TEST_WEEK:-}" ] || cat columns >"$TEST_WEEK"
}

# settled: nothing is deployed now: all servers, and both CDNs, give $live to
# everybody, and no old validator holds.
settled() {
	local h ports=("$port")
	for h in "${hosts[@]}"; do
		[ "$h" = "${lost:-}" ] || is_live_on "$h"
	done
	some_visitors "$each"
	"$TREE/tests/bench/visitors.py" settled "$live" truth seen "$keep" \
	    "${ports[@]}" "$obey" >looked 2>looked.err || fail "$(<looked.err)"
	settled_n=$((${settled_n:-0} + $(cut -d ' ' -f 1 looked)))
	[ "$(cut -d ' ' -f 2- looked)" = "0 0 0 0" ] ||
	    fail "settled, $(<looked): $(head looked.err)"
}

is_live_on() {
	local page
	page=$(awk -v v="$live" '$1 == v && $2 == "index.html" { print $3 }' truth)
	assert_eq "$(sha256sum <"r-$1/current/index.html")" "$page  -" "$1"
}

# goes STATUS VERSION COMMAND...: while it runs, what was live is seen, or VERSION;
# afterwards VERSION, when the status is 0 or 7 (a host is left out, or the check
# does not like what stays), or what was live still.
goes() {
	story live "$live,$2"
	expect_status "$1" "${@:3}"
	[[ $1 != [07] ]] || live=$2
	story live "$live"
	settled
}

# shows NAME VERSION COMMAND...: the same of a preview.
shows() {
	story "$1" "${shown:--},$2"
	run "${@:3}"
	shown=$2
	story "$1" "$shown"
	some_visitors "$each"
}

# -------------------------------------------------------------------- the week

day=0

# A post, and then other assets.
monday() {
	post "$day" "written on day $day" main
	build main
	goes 0 "$made" deploy publish
	before=$live
	style "$day" main
	script "day $day" main
	build main
	goes 0 "$made" deploy publish
}

# A pull request is opened, and updated, while the site goes on; it is promoted.
tuesday() {
	local pr
	rm -rf pr
	cp -a main pr
	script "proposed on day $day" pr
	build pr
	shows pr-1 "$made" deploy stage --preview pr-1 pr/public
	post "$day" "a correction of day $day" main
	build main
	goes 0 "$made" deploy publish
	before=$live
	cp main/content/posts/* pr/content/posts
	style "2$day" pr
	build pr
	pr=$made
	shows pr-1 "$pr" deploy stage --preview pr-1 pr/public
	goes 0 "$pr" deploy activate pr-1
	shows pr-1 - deploy preview --remove pr-1
	cp -a pr/. main
}

# Another is closed; what went live is taken back, and mended.
wednesday() {
	local back=$before
	rm -rf pr
	cp -a main pr
	style "3$day" pr
	post new "nobody wants this" pr
	build pr
	shows pr-2 "$made" deploy stage --preview pr-2 pr/public
	goes 0 "$back" deploy rollback
	shows pr-2 - deploy preview --remove pr-2
	script "mended on day $day" main
	build main
	goes 0 "$made" deploy publish
}

# One host after the other.
thursday() {
	style "4$day" main
	script "rolled on day $day" main
	build main
	goes 0 "$made" deploy publish -c rolling.yml
	post 2 "rolled on day $day" main
	build main
	goes 0 "$made" deploy publish -c rolling.yml
}

# A host is lost with its disk; the others go on, and it catches up before it is
# asked again.
friday() {
	do_refuse h3
	web_end h3
	balance_without h3
	some_visitors "$each"
	script "without a host on day $day" main
	build main
	goes 8 "$made" deploy publish
	goes 7 "$made" deploy publish --skip 127.0.0.13
	rm -rf r-h3
	undo_refuse h3
	web_server h3 || fail "no nginx"
	run deploy sync
	balance_without ''
	settled
}

# Frozen; and a release that the check does not find as it has to be.
saturday() {
	run deploy freeze -m "holidays"
	style "6$day" main
	build main
	goes 3 "$made" deploy publish
	run deploy thaw
	goes 0 "$made" deploy publish
	before=$live
	script "bad on day $day" main
	style "66$day" main
	post 3 "bad on day $day" main
	build main
	goes 6 "$made" deploy publish -c failing.yml
}

# Back, also when the check does not like that, and forth again.
sunday() {
	local good=$live
	script "sunday of day $day" main
	post 3 "good again" main
	build main
	goes 0 "$made" deploy publish
	goes 0 "$good" deploy rollback
	script "evening of day $day" main
	build main
	goes 0 "$made" deploy publish
	goes 7 "$good" deploy rollback -c failing.yml
	run deploy check
	run deploy verify
	run deploy status --json
	assert_eq "$(json "$out" '.drift | length')" 0
}

# Columns that are to be 0.
assert_nothing_wrong() {
	local name
	for name in wrong missing validators encodings stale previews; do
		assert_eq "${!name}" 0 "$name: $(grep -m 3 " $name " wrong)"
	done
}

t_nothing_is_wrong_all_week() {
	local each=20 pause=0.1 days=(tuesday thursday saturday sunday)
	local week=(monday tuesday wednesday thursday friday saturday sunday)
	! wide || each=500 pause=0 days=("${week[@]}" "${week[@]}" "${week[@]}")
	world
	for day_of in "${days[@]}"; do
		day=$((day + 1))
		$day_of
	done
	visitors_end
	assert_nothing_wrong
	assert_clean
	# And there was something that could have been wrong.
	((requests > 50 * each && gzip > 0 && dcz > 0 && unchanged > 0 && hits > 0)) ||
	    fail "$(<columns)"
}

# by_hand HOST SED: it serves a copy of what it serves, with other words of the
# same length in the page, at the same time: what `ln -sfn` and a build with
# SOURCE_DATE_EPOCH come to.
by_hand() {
	local new=r-$1/hand-$made
	cp -aL "r-$1/current/." "$new"
	sed "$2" "r-$1/current/index.html" >page
	touch -r "$new/index.html" page
	mv page "$new/index.html"
	ln -sfn "hand-$made" "r-$1/current"
}

# Each column has its visitors without what keeps it at 0.
t_what_goes_wrong_is_counted() {
	local each=100 pause=0 name h
	world
	# One host after the other, without a bridge, and no CDN is told.
	sed '/hooks:/d; /edge:/d; s/for: 7d/&, bridge: false/
	    s/strategy: .*/&\n    pause: 2s/' rolling.yml >lax.yml
	style 2 main
	script 2 main
	build main
	story live "$live,$made"
	run deploy publish -c lax.yml
	story live "$made"
	some_visitors "$each"
	# By hand: half of the hosts have another page, with the .gz of the old.
	mkdir copy
	sed 's/welcome/WELCOME/' main/public/index.html >copy/index.html
	note copy
	story live "$made"
	by_hand h1 's/welcome/WELCOME/'
	by_hand h2 's/welcome/WELCOME/'
	some_visitors $((3 * each))
	# What was only proposed.
	sed 's/welcome/propose/' main/public/index.html >copy/index.html
	note copy
	for h in "${hosts[@]}"; do
		by_hand "$h" 's/welcome/propose/i'
	done
	some_visitors $((9 * each))
	visitors_end
	for name in wrong missing validators encodings stale previews; do
		((${!name} > 0)) || fail "$name stays 0: $(<columns)"
	done
}

run_tests
