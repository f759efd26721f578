#!/bin/bash
# The hooks of man/examples that tell caches what changed: to doubles of the
# interfaces of CDNs, which hold each request against what its documentation
# wants; and to a real nginx and a real Varnish that keep all for a week.
# parts: 3
# shellcheck disable=SC2034,SC2154
. "$(dirname "$0")/../lib.sh"

examples=$TREE/man/examples

# config EXAMPLE: a site here, with that hook.
config() {
	cat >deploy.yml <<-END
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/r
	    hooks: {post_activate: "$examples/$1", post_rollback: "$examples/$1"}
	END
}

# site WORD: pages with all kinds of names.
site() {
	mkdir -p site/dir/sub site/assets "site/a b"
	echo "<p>$1" | tee site/index.html site/dir/index.html \
	    site/dir/sub/page.html "site/a b/it's \"50%\".html" \
	    $'site/caf\u00e9.html' 'site/q?a=b&c#d.html' 'site/x+y;z|&$`.html' \
	    'site/back\slash.html' 'site/User:@(b)!*,[c]^{.html' \
	    >site/assets/style.css
}

# What of it is at which URL.
want=$(LC_ALL=C sort <<'END'
https://example.org/
https://example.org/a%20b/it's%20%2250%25%22.html
https://example.org/assets/style.css
https://example.org/back%5Cslash.html
https://example.org/caf%C3%A9.html
https://example.org/dir/
https://example.org/dir/index.html
https://example.org/dir/sub/page.html
https://example.org/index.html
https://example.org/q%3Fa=b&c%23d.html
https://example.org/x+y;z|&$%60.html
https://example.org/User:@(b)!*,[c]%5E%7B.html
END
)

# double BUSY: sets $api; the log is `log`.
double() {
	need_cmd python3 curl
	: >log
	python3 "$TREE/tests/cdn.py" log "$1" >port &
	defer kill $!
	wait_for 20 test -s port
	api=http://127.0.0.1:$(<port)
	export SITE_URL=https://example.org/
	export no_proxy='*'
}

# told: what the double was told since, which was all right.
told() {
	assert_not_contains log wrong
	LC_ALL=C sort log >sorted
	: >log
	cat sorted
}

# long NAME N: the hook, for so many pages.
long() {
	seq -f '/many/%g.html' "$2" >list
	DEPLOY_CHANGED_FILE=$PWD/list DEPLOY_CHANGED_CONTENT_FILE=$PWD/list \
	    run "$examples/$1"
}

# hook NAME LIMIT: the whole life of one, which purges all above the limit.
hook() {
	config "$1"
	site one
	run deploy publish
	assert_eq "$(told)" "$want"
	# Nothing changed: nothing is told.
	run deploy publish
	assert_eq "$(told)" ""
	echo "<p>two" >site/dir/index.html
	rm site/assets/style.css
	run deploy publish
	assert_eq "$(told)" "https://example.org/assets/style.css
https://example.org/dir/
https://example.org/dir/index.html"
	run deploy rollback
	assert_eq "$(told | wc -l)" 3
	long "$1" 120
	assert_eq "$(told | wc -l)" 120
	long "$1" "$2"
	assert_eq "$(told)" everything
	# A secret is on no command line, and one that is wrong is told.
	export CLOUDFLARE_TOKEN=wrong FASTLY_TOKEN=wrong BUNNY_KEY=wrong
	echo again >>site/index.html
	expect_status 9 deploy publish
	assert_contains "$err" "the post_activate command failed"
	assert_contains log "token"
}

t_cloudflare() {
	double 1
	export CLOUDFLARE_API=$api/cf CLOUDFLARE_ZONE=z0ne CLOUDFLARE_TOKEN=s3cret
	hook purge-cloudflare 3001
}

t_fastly() {
	double 1
	export FASTLY_API=$api/fastly FASTLY_SERVICE=s3rvice FASTLY_TOKEN=s3cret
	hook purge-fastly 501
}

t_bunny() {
	double 1
	export BUNNY_API=$api/bunny BUNNY_ZONE=1234 BUNNY_KEY=s3cret
	hook purge-bunny 501
}

# Search engines learn of pages, and of what is new on them only.
t_indexnow() {
	local i
	double 1
	export INDEXNOW_API=$api/indexnow INDEXNOW_KEY=s3cret-k3y
	config indexnow
	site one
	run deploy publish
	assert_eq "$(told | wc -l)" 9
	long indexnow 10001
	assert_eq "$(told | wc -l)" 10001
	mkdir site/posts
	for ((i = 1; i < 20; i++)); do
		printf '<p>post %s\n<p>%s\n<p>of May\n' $i $((i * 7919)) \
		    >site/posts/$i.html
	done
	run deploy publish --override=build
	told >/dev/null
	sed -i 's/of May/of June/' site/posts/*.html
	echo 'body { color: red }' >site/assets/style.css
	echo '<p>a correction' >>site/posts/3.html
	run deploy publish
	assert_eq "$(told)" "https://example.org/posts/3.html"
	# With compressed forms beside them no more than that.
	echo '    compress: {paths: "*.html", over: 0}' >>deploy.yml
	{ seq 500; echo new; } >>site/posts/4.html
	run deploy publish
	assert_eq "$(told)" "https://example.org/posts/4.html"
	# Nor are such forms anything to read for others.
	config purge-none
	sed -i "s|hooks:.*|hooks: {post_activate: 'sort \$DEPLOY_CHANGED_CONTENT_FILE >content; sort \$DEPLOY_CHANGED_FILE >changed'}|" deploy.yml
	echo '    compress: {paths: "*.html", over: 0}' >>deploy.yml
	echo newer >>site/posts/4.html
	run deploy publish
	assert_eq "$(tr '\n' ' ' <content)" "/posts/4.html "
	assert_eq "$(tr '\n' ' ' <changed)" \
	    "/posts/4.html /posts/4.html.br /posts/4.html.gz "
}

# ------------------------------------------------------------- real caches

# paths: what visitors ask for, as clients write it.
paths() {
	sed 's|^https://example.org||' <<<"$want"
}

# file_of PATH: of the site.
file_of() {
	case $1 in
	*/) echo "site$1index.html" ;;
	*) printf "site${1//\%/\\x}" ;;
	esac
}

# from AT PATH [OPTION...]: the body, as visitors get it there.
from() {
	curl --noproxy '*' -gs -m 20 --path-as-is "${@:3}" \
	    -H 'Host: example.org' "http://$1$2"
}

# assert_fresh AT: all get what is live, plainly and compressed; and the cache
# answers, not the web server behind it.
assert_fresh() {
	local p f
	while read -r p; do
		f=$(file_of "$p")
		[ -e "$f" ] || continue
		from "$1" "$p" | cmp - "$f" || fail "$p"
		from "$1" "$p" --compressed | cmp - "$f" || fail "$p compressed"
	done < <(paths)
}

# edge AT: a week of deploys with a cache there that keeps what it has.
edge() {
	site two
	# It keeps: who does not purge is stale.
	run deploy publish --config plain.yml
	from "$1" / | cmp - old || fail "the cache keeps nothing"
	rm -rf r/x
	site three
	run deploy publish
	assert_fresh "$1"
	site four
	seq 400 >>site/dir/sub/page.html
	run deploy publish
	assert_fresh "$1"
	assert_fresh "$1"
	rm site/assets/style.css
	run deploy publish
	assert_fresh "$1"
	[ "$(from "$1" /assets/style.css -o /dev/null -w '%{http_code}')" = 404 ] ||
	    fail "what is gone is still there"
	run deploy rollback
	site four
	seq 400 >>site/dir/sub/page.html
	assert_fresh "$1"
	# And by deploy's own check of the edge.
	echo "    check: {url: \"http://example.org/\", connect: \"127.0.0.1:$origin\", edge: \"http://$1/\", within: 2s}" >>deploy.yml
	site five
	run deploy publish
	sed -i 's/hooks:.*/hooks: {post_activate: "true"}/' deploy.yml
	site six
	expect_status 9 deploy publish
	assert_contains "$err" "purge it"
}

# behind EXAMPLE: the site and its web server, and both configurations; sets
# $origin, the port.
behind() {
	config "$1"
	sed '/hooks:/d' deploy.yml >plain.yml
	site one
	run deploy publish --config plain.yml
	cp site/index.html old
	start_nginx r/current
	sed -i 's/http {/http { gzip on; gzip_vary on; gzip_min_length 1; gzip_types text\/css;/' \
	    "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	origin=${url##*:}
	is_gzip() {
		from "127.0.0.1:$origin" / -i -H 'Accept-Encoding: gzip' |
		    grep -aqi '^content-encoding: gzip'
	}
	wait_for 20 is_gzip
}

# An nginx that caches, with no module for purging.
t_nginx() {
	local dir=$PWD/cache at try
	need_cmd nginx curl
	behind purge-nginx
	mkdir -p cache
	for ((try = 0; try < 20; try++)); do
		at=127.0.0.1:$((20000 + RANDOM % 12000))
		nginx_head "$dir" >cache.conf
		cat >>cache.conf <<-END
			proxy_cache_path "$dir/files" keys_zone=site:1m levels=1:2 inactive=7d;
			upstream backend { server 127.0.0.1:$origin; }
			server {
				listen $at;
				location / {
					proxy_pass http://backend;
					proxy_cache site;
					proxy_cache_valid 200 7d;
					proxy_set_header Host \$host;
					add_header X-Cache \$upstream_cache_status;
				}
			}
		}
		END
		nginx -p "$dir" -c "$PWD/cache.conf" -e "$dir/error.log" \
		    </dev/null >>cache/log 2>&1 &
		pid=$!
		while kill -0 $pid 2>/dev/null && ! is_ours; do
			sleep 0.05
		done
		! kill -0 $pid 2>/dev/null || break
	done
	defer kill $pid
	assert_fresh $at
	export NGINX_CACHE=$dir/files NGINX_KEY=http://backend
	edge $at
}

# Varnish with the VCL of the example.
t_varnish() {
	local try
	need_cmd varnishd curl
	behind purge-varnish
	sed "s/8080/$origin/" "$examples/varnish.vcl" >site.vcl
	for ((try = 0; try < 20; try++)); do
		at=127.0.0.1:$((20000 + RANDOM % 12000))
		varnishd -F -n "$PWD/varnish" -a $at -f "$PWD/site.vcl" \
		    -s malloc,16m -j none </dev/null >>varnish.log 2>&1 &
		pid=$!
		while kill -0 $pid 2>/dev/null && ! is_ours; do
			sleep 0.05
		done
		! kill -0 $pid 2>/dev/null || break
	done
	kill -0 $pid || fail "varnish does not start: $(cat varnish.log)"
	defer kill $pid
	assert_fresh $at
	export SITE_URL=https://example.org VARNISH=$at
	edge $at
}

# The cache answers, and not another that has the port.
is_ours() {
	from "$at" / >got && cmp -s got old
}

run_tests
