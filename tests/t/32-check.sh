#!/bin/bash
# Live means served: what the web servers are asked after a flip, and what
# happens when they give something else.  A real nginx for each host.
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# site N: a build whose pages say N.
site() {
	mkdir -p site/docs
	echo "<p>home $1" >site/index.html
	echo "<p>docs $1" >site/docs/index.html
	echo "p { margin: $1 }" >'site/a b.css'
}

# config LINE...: a site on this machine whose `check` has these lines.
config() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/www
	    check:
	      url: http://example.org/
	      tries: 1
	      connect: ${url#http://}
	$(for line in "$@"; do echo "      $line"; done)
	EOF
}

# Serve www/current, and make the first release.
start() {
	site 1
	mkdir www
	start_nginx www/current
	config "$@"
	run deploy publish
	first=$(cat "$out")
}

t_what_is_live_is_served() {
	start
	assert_contains "$err" "it is served: 1 URL, 3 files compared"
	run deploy check --json
	assert_eq "$(json "$out" '[.served, .hosts[0].files, .id] | tostring')" \
	    "[true,3,\"$first\"]"
	site 2
	run deploy publish
	assert_contains "$err" "it is served"
	# Nothing to do, nothing to ask.
	run deploy publish
	assert_not_contains "$err" "served"
}

t_wrong_document_root_goes_back() {
	start
	site 2
	# The server has a copy, as after a lost mount.
	kill "$nginx_pid"
	cp -rL www/current elsewhere
	start_nginx elsewhere
	config
	expect_status 6 deploy publish
	[ ! -s "$out" ] || fail "an answer: $(<"$out")"
	assert_contains "$err" "GET http://example.org/: the answer is not 'index.html' of the release"
	assert_contains "$err" "$first is live again; if only the check cannot work, run: deploy publish --no-check"
	assert_eq "$(live)" "$first"
	# It stays staged, was rolled back from, and is no candidate.
	run deploy log
	assert_contains "$out" "reverted: the check failed"
	expect_status 1 deploy rollback
	expect_status 6 deploy publish --json
	assert_eq "$(json "$out" .error.code)" 6
	# The copy is what is live again.
	run deploy check
	run deploy publish --no-check
	[ "$(live)" != "$first" ] || fail "not live"
	expect_status 1 deploy check --json
	assert_eq "$(json "$out" '[.served, .hosts[0].served] | tostring')" \
	    '[false,false]'
}

t_statuses_and_texts() {
	start 'contains: "<p>"' 'also: [http://example.org/docs/]'
	site 2
	config 'contains: home'
	run deploy publish
	# A page that says something else, though it is what the manifest has.
	echo '<p>hell' >site/index.html
	expect_status 6 deploy publish
	assert_contains "$err" "'home' is not in the answer"
	config 'expect: 404'
	expect_status 6 deploy publish --again
	assert_contains "$err" "GET http://example.org/: the status is 200, not 404"
	config 'also: [http://example.org/nosuch]'
	expect_status 6 deploy publish --again
	assert_contains "$err" "nosuch: the status is 404, not 200"
	assert_contains "$err" "; is the document root the root's 'current'?"
	config 'also: [http://example.org/docs]'
	expect_status 6 deploy publish --again
	assert_contains "$err" "docs: the status is 301, not 200; redirections"
	mkdir site/noindex
	echo x >site/noindex/page.html
	config 'also: [http://example.org/noindex/]'
	expect_status 6 deploy publish --again
	assert_contains "$err" "noindex/: the status is 403, not 200; is there"
}

t_nobody_answers() {
	start
	site 2
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	expect_status 6 deploy publish
	assert_contains "$err" "GET http://example.org/: Failed to connect"
	assert_eq "$(live)" "$first"
	run deploy publish --no-check
}

t_first_release_stays() {
	site 1
	mkdir www
	start_nginx site
	echo other >site/index.html.other
	config 'expect: 201'
	expect_status 7 deploy publish
	assert_contains "$err" "nothing was live before, so it stays live"
	[ -e www/current/index.html ] || fail "not live"
}

t_rollback_stays() {
	start
	site 2
	run deploy publish
	config 'expect: 201'
	expect_status 7 deploy rollback
	assert_contains "$err" "rolled back, but GET"
	assert_contains "$err" "to ask again, run: deploy check"
	assert_eq "$(live)" "$first"
}

# Nobody is left alone with a check that failed.
t_the_doctor_knows_of_it() {
	start
	site 2
	run deploy publish --no-check
	run deploy doctor
	assert_contains "$out" "warn  check: it has not passed since $(live) is live; to ask again, run: deploy check"
	run deploy publish
	run deploy doctor
	assert_contains "$out" "ok    check: it has passed since $(live) is live"
	sed -i '/check:/,$d' deploy.yml
	run deploy doctor
	assert_not_contains "$out" "check:"
}

t_it_is_asked_again() {
	start
	site 2
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	port=${url##*:}
	sed -i 's/tries: 1/tries: 20/' deploy.yml
	# The server comes back while it is asked.
	(sleep 2; exec nginx -p "$_base/nginx" -c "$_base/nginx/nginx.conf" \
	    -e "$_base/nginx/error.log" </dev/null >/dev/null 2>&1) &
	defer kill $!
	run deploy publish -v
	assert_contains "$err" "trying again"
}

t_slow_server() {
	start 'timeout: 1s'
	site 2
	# It accepts, and says nothing.
	kill -STOP "$nginx_pid" $(pgrep -P "$nginx_pid")
	defer kill -CONT "$nginx_pid" $(pgrep -P "$nginx_pid")
	expect_status 6 deploy publish
	assert_contains "$err" "timed out"
	assert_eq "$(live)" "$first"
}

# A server that keeps files open serves the old ones for a while.
t_open_file_cache() {
	site 1
	mkdir www
	start_nginx www/current
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	sed -i 's/http {/http { open_file_cache max=100 inactive=60s;\
	    open_file_cache_valid 60s;/' "$_base/nginx/nginx.conf"
	nginx -p "$_base/nginx" -c "$_base/nginx/nginx.conf" \
	    -e "$_base/nginx/error.log" </dev/null >/dev/null 2>&1 &
	defer kill $!
	wait_for 10 curl --noproxy '*' -s "$url/"
	config 'sample: 0'
	run deploy publish
	first=$(cat "$out")
	for _ in 1 2 3 4 5 6; do
		curl --noproxy '*' -s "$url/" >/dev/null
	done
	site 2
	config
	expect_status 6 deploy publish
	assert_contains "$err" "is no cache before it?"
	assert_eq "$(live)" "$first"
}

t_tls_with_a_private_authority() {
	need_cmd openssl
	start
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem \
	    -days 2 -subj /CN=private 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem \
	    -subj /CN=example.org 2>/dev/null
	openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key \
	    -CAcreateserial -days 2 -out cert.pem \
	    -extfile <(echo subjectAltName=DNS:example.org) 2>/dev/null
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	sed -i "s,listen \(127.0.0.1:[0-9]*\);,listen \1 ssl;\
	    ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem;,
	    " "$_base/nginx/nginx.conf"
	nginx -p "$_base/nginx" -c "$_base/nginx/nginx.conf" \
	    -e "$_base/nginx/error.log" </dev/null >/dev/null 2>&1 &
	defer kill $!
	wait_for 10 curl --noproxy '*' -sk "https://${url#http://}/"
	site 2
	config
	sed -i 's,http://example.org/,https://example.org/,' deploy.yml
	expect_status 6 deploy publish
	assert_contains "$err" "certificate"
	config 'ca: ca.pem'
	sed -i 's,http://example.org/,https://example.org/,' deploy.yml
	run deploy publish
	assert_contains "$err" "it is served"
	# The name in the URL is the one that the certificate must have.
	site 3
	sed -i 's,https://example.org/,https://example.net/,' deploy.yml
	expect_status 6 deploy publish
}

# The flip does not wait for a server that stands still, either.
t_a_signal_while_it_is_checked() {
	start 'timeout: 3600s'
	site 2
	kill -STOP "$nginx_pid" $(pgrep -P "$nginx_pid")
	defer kill -CONT "$nginx_pid" $(pgrep -P "$nginx_pid")
	# Not what an earlier run said.
	: >"$err"
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_for 10 grep -q "is live" "$err"
	sleep 0.3
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" 6
	assert_contains "$err" "while it was checked: interrupted by SIGINT"
	assert_contains "$err" "$first is live again"
	assert_eq "$(live)" "$first"
}

# -------------------------------------------------- as visitors ask for it

# serve LINE...: the server of start_nginx has these lines from now on, and in
# front of them what all have.
serve() {
	local conf=$_base/nginx/nginx.conf
	served=$((${served:-0} + 1))
	[ -e "$conf.first" ] || cp "$conf" "$conf.first"
	{
		sed '/index index.html;/q' "$conf.first"
		echo "location = /.served { return 200 $served; }"
		printf '%s\n' "$@"
		sed '1,/index index.html;/d' "$conf.first"
	} >"$conf"
	# Another one: after a HUP old workers may still answer for a while.
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	nginx -p "$_base/nginx" -c "$conf" -e "$_base/nginx/error.log" \
	    </dev/null >/dev/null 2>&1 &
	nginx_pid=$!
	defer kill "$nginx_pid"
	wait_for 10 is_served "$served"
}

is_served() {
	[ "$(curl --noproxy '*' -s "$url/.served")" = "$1" ]
}

# reverted TEXT: a publish goes back, and says so.
reverted() {
	local before
	before=$(live)
	expect_status 6 deploy publish --override=order
	assert_contains "$err" "$1"
	assert_eq "$(live)" "$before"
}

t_compressed_answers_are_compared() {
	start 'sample: 1'
	serve 'gzip_static on;'
	site 2
	gzip -nk site/index.html
	run deploy publish
	assert_contains "$err" "it is served: 1 URL, 1 file compared, also compressed"
	run deploy check --json
	assert_eq "$(json "$out" '.hosts[0].compressed')" 2
	# A build that means it: only who takes gzip sees it.
	site 3
	run deploy publish --override=build --no-check
	expect_status 1 deploy check
	assert_contains "$err" "GET http://example.org/ with Accept-Encoding: gzip: the answer, with Content-Encoding: gzip, is not 'index.html'"
	rm site/index.html.gz
	run deploy publish
	# What the server makes itself is asked for, too.
	serve 'gzip on; gzip_min_length 1;'
	run deploy check --json
	assert_eq "$(json "$out" '.hosts[0].compressed')" 1
	# And is compared: what it says is gzip is none.
	serve 'location = / { if ($http_accept_encoding ~ zstd) {' \
	    '    rewrite ^ /index.html break; }' \
	    '  add_header Content-Encoding gzip; }'
	expect_status 1 deploy check
	assert_contains "$err" "the answer is not what gzip makes, as its Content-Encoding says"
	assert_contains "$err" "(Accept-Encoding: gzip, br, zstd)"
}

# Servers with modules that Debian's nginx has not: a rewrite gives what stands
# beside the page, or of another.
t_every_encoding_that_has_a_sibling() {
	local s name
	need_cmd zstd
	start 'sample: 1'
	site 2
	zstd -q site/index.html
	# A block of 10 bytes that is not compressed, and the end.
	{ printf '\220\000\020'; cat site/index.html; printf '\003'; } \
	    >site/index.html.br
	gzip -nk site/index.html
	run deploy publish
	for s in gz:gzip br:br zst:zstd; do
		name=${s#*:}
		s=${s%:*}
		serve "location = / { set \$f index.html; set \$e '';" \
		    "  if (\$http_accept_encoding = $name) {" \
		    "    set \$f index.html.$s; set \$e $name; }" \
		    "  add_header Content-Encoding \$e; rewrite ^ /\$f break; }"
		run deploy check --json
		assert_eq "$(json "$out" '.hosts[0].compressed')" 1 "$s"
		# Another file's.
		[ ! -d old ] || rm -r old
		mkdir old
		echo "<p>old" >old/index.html
		case $s in
		gz) gzip -n old/index.html ;;
		zst) zstd -q --rm old/index.html ;;
		br) printf '\140\000\020<p>old\n\003' >old/index.html.br ;;
		esac
		serve "location = / { set \$r $PWD/www/current; set \$f index.html;" \
		    "  set \$e '';" \
		    "  if (\$http_accept_encoding = $name) {" \
		    "    set \$r $PWD/old; set \$f index.html.$s; set \$e $name; }" \
		    "  root \$r; add_header Content-Encoding \$e;" \
		    "  rewrite ^ /\$f break; }"
		expect_status 1 deploy check
		assert_contains "$err" "with Accept-Encoding: $name: the answer, with Content-Encoding: $name, is not 'index.html'"
	done
	# Who asks plainly must not get it.
	serve 'location = / { add_header Content-Encoding gzip;' \
	    '  rewrite ^ /index.html.gz break; }'
	config 'sample: 1' 'expect: 200'
	expect_status 1 deploy check
	assert_contains "$err" "comes with Content-Encoding: gzip, which was not asked for"
}

t_what_caches_are_told() {
	local long='public, max-age=31536000, immutable'
	local rules='headers: {"assets/**": "max-age=31536000, immutable", "*.html": no-cache, "/no/such": no-store}'
	start
	mkdir site/assets
	echo 'a {}' >site/assets/a.1f2e.css
	config 'sample: 0' "$rules"
	reverted "GET http://example.org/assets/a.1f2e.css: Cache-Control is '', not 'max-age=31536000, immutable', as 'check.headers' wants it for 'assets/**'"
	serve "location /assets/ { add_header Cache-Control '$long'; }" \
	    "location / { add_header Cache-Control 'max-age=60'; }"
	reverted "Cache-Control is 'max-age=60', not 'no-cache', as 'check.headers' wants it for '*.html'"
	serve "location /assets/ { add_header Cache-Control '$long'; }" \
	    "location / { add_header Cache-Control 'no-cache'; }"
	run deploy publish --override=order
	run deploy check --json
	assert_eq "$(json "$out" '[.served, .hosts[0].files] | tostring')" \
	    '[true,0]'
	# That an asset is missing is not to be kept, nor a page in its place.
	serve "location /assets/ { add_header Cache-Control '$long' always; }" \
	    "location / { add_header Cache-Control 'no-cache'; }"
	site 2
	reverted "GET http://example.org/assets/deploy-missing-a.1f2e.css, which the release does not have: the status is 404 with Cache-Control: $long"
	serve "location /assets/ { try_files \$uri /index.html;" \
	    "  add_header Cache-Control '$long'; }" \
	    "location / { add_header Cache-Control 'no-cache'; }"
	config 'sample: 0' 'headers: {"assets/**": immutable}'
	reverted "deploy-missing-a.1f2e.css, which the release does not have: the status is 200, not 404"
	# Where nothing is kept for long, it may be.
	config 'sample: 0' 'headers: {"assets/**": public}'
	run deploy publish --override=order
}

# A browser that has the page of before asks whether it has changed.
t_browsers_learn_that_it_changed() {
	start
	site 2
	serve 'location = /docs/ { if ($http_if_none_match) { return 304; } }'
	reverted 'GET http://example.org/docs/ with If-None-Match: "'
	assert_contains "$err" "of the release before: the status is 304"
	serve 'location = /docs/ { if ($http_if_modified_since) { return 304; } }'
	reverted 'GET http://example.org/docs/ with If-Modified-Since: '
	# What did not change may be as it was, and what nothing is known of.
	serve 'location = /docs/ { if ($http_if_none_match) { return 304; } }' \
	    'location = /docs/index.html { etag off; add_header Last-Modified ""; }'
	run deploy publish --override=order
	serve 'location = /docs/ { if ($http_if_none_match) { return 304; } }'
	echo "<p>home 3" >site/index.html
	run deploy publish
	# It is no failure that nobody could be asked before.
	site 4
	serve 'location / { return 503; }'
	run deploy publish --no-check
	serve ''
	run deploy check
}

# What was staged before the live release is older: a server that compares times
# by their order is right in its way, and the release is not reverted.
t_an_older_one_goes_live() {
	local id
	start
	site 2
	run deploy stage
	id=$(cat "$out")
	site 3
	run deploy publish
	serve 'if_modified_since before;'
	run deploy activate "$id"
	assert_eq "$(live_of www)" "$id"
	# Tags are asked with all the same.
	site 4
	run deploy publish
	serve 'if_modified_since before;' \
	    'location = /docs/ { if ($http_if_none_match) { return 304; } }'
	expect_status 6 deploy activate "$id"
	assert_contains "$err" "with If-None-Match: "
}

# A cache before the server, of the name that the public knows.
edge() {
	local origin=$url
	nginx_start "$_base/edge" "$PWD/nowhere"
	defer kill "$nginx_pid"
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	edge=$url url=$origin
	sed -i "s,^http {,&\
	    proxy_cache_path $_base/cache keys_zone=e:1m;," "$_base/edge/nginx.conf"
	sed -i "s,index index.html;,&\
	    location / { proxy_pass $origin; proxy_cache e;\
	    proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control;\
	    add_header X-Cache \$upstream_cache_status; }," "$_base/edge/nginx.conf"
	nginx -p "$_base/edge" -c "$_base/edge/nginx.conf" \
	    -e "$_base/edge/error.log" </dev/null >/dev/null 2>&1 &
	defer kill $!
	wait_for 10 curl --noproxy '*' -sf "$edge/"
}

t_the_edge_gives_it_too() {
	local old
	export no_proxy='*'
	start
	edge
	config "edge: ['$edge/', $edge]" 'within: 0s'
	curl --noproxy '*' -s "$edge/docs/" >/dev/null
	site 2
	old=$(live)
	expect_status 9 deploy publish
	assert_contains "$err" "it is live, but $edge/ gives 'index.html' of $old still, X-Cache: HIT; purge it"
	assert_eq "$(<www/current/index.html)" "<p>home 2"
	[ "$(cat "$out")" = "$(live)" ] || fail "no answer"
	# Nothing went live, so nobody is asked,
	run deploy publish
	# but by whoever wants to know.
	expect_status 9 deploy check --json
	assert_contains "$err" "it is live, but $edge/ gives 'index.html' of $old still"
	assert_eq "$(json "$out" '.served, (.edge_error | contains("of '"$old"'"))' |
	    tr '\n' ' ')" "true true "
	# A hook is what helps, in time.
	config "edge: ['$edge/']" 'within: 1m'
	echo "    hooks: {post_activate: 'rm -rf $_base/cache/*; sleep 0'}" >>deploy.yml
	site 3
	run deploy publish
	assert_contains "$err" "$edge/ gives it, too"
	assert_eq "$(curl --noproxy '*' -s "$edge/")" "<p>home 3"
	run deploy check --json
	assert_eq "$(json "$out" .edge_error)" null
	# Going back is the same, but for the hook.
	sed -i 's/within: 1m/within: 1s/' deploy.yml
	old=$(live)
	expect_status 9 deploy rollback
	assert_contains "$err" "of $old still"
	# While it is waited for, the cache gets to know it.
	sed -i '/hooks:/d; s/within: 1s/within: 5m/' deploy.yml
	site 4
	deploy publish -v >"$out" 2>"$err" &
	pid=$!
	wait_for 30 grep -q "asking again" "$err"
	rm -rf "$_base"/cache/*
	wait "$pid"
	assert_contains "$err" "$edge/ gives it, too"
	# Whoever does not answer, or lacks it.
	config "edge: ['http://127.0.0.1:1/', '$edge/no/such/']" 'within: 0s'
	site 5
	expect_status 9 deploy publish
	assert_contains "$err" "GET http://127.0.0.1:1/"
	assert_contains "$err" "$edge/no/such/ gives the status 404"
	config "edge: ['$edge/']" 'within: 0s'
	site 6
	run deploy publish --no-check
}

# ------------------------------------------------------------------ hosts

# fleet N: roots h1 to hN with a server each, and a configuration.
fleet() {
	local i
	{
		echo "sites:"
		echo "  - name: example.org"
		echo "    source: site"
		echo "    root: $PWD/none"
		echo "    check: {url: http://example.org/, tries: 1, timeout: 3s}"
		echo "    hosts:"
	} >deploy.yml
	for ((i = 1; i <= $1; i++)); do
		mkdir "h$i"
		nginx_start "$_base/nginx$i" "$PWD/h$i/current"
		defer kill "$nginx_pid"
		pids[i]=$nginx_pid
		{
			echo "      - address: www$i"
			echo "        transport: local"
			echo "        root: $PWD/h$i"
			echo "        connect: ${url#http://}"
		} >>deploy.yml
	done
}

# all_serve N TEXT: hosts 1 to N have this as their index.html.
all_serve() {
	local i
	for ((i = 1; i <= $1; i++)); do
		assert_eq "$(cat "h$i/current/index.html")" "$2" "host $i"
	done
}

t_one_of_four_hosts_is_broken() {
	site 1
	fleet 4
	run deploy publish
	for i in 1 2 3 4; do
		assert_contains "$err" "www$i: it is served: 1 URL, 3 files"
	done
	# The third has another document root.
	kill "${pids[3]}"
	wait "${pids[3]}" || true
	cp -rL h3/current old
	sed -i "s,root \"[^\"]*\",root \"$PWD/old\"," "$_base/nginx3/nginx.conf"
	nginx -p "$_base/nginx3" -c "$_base/nginx3/nginx.conf" \
	    -e "$_base/nginx3/error.log" </dev/null >/dev/null 2>&1 &
	defer kill $!
	site 2
	wait_for 10 deploy check
	expect_status 6 deploy publish
	assert_contains "$err" "www3: GET http://example.org/"
	assert_contains "$err" "all hosts serve what they served before"
	all_serve 4 '<p>home 1'
	run deploy status
	# Two are wrong: each is told.
	kill "${pids[1]}"
	expect_status 6 deploy publish
	assert_contains "$err" "2 of 4 hosts failed"
	assert_contains "$err" "www1: GET"
	all_serve 4 '<p>home 1'
	expect_status 1 deploy check --json
	assert_eq "$(json "$out" '[.hosts[].served] | tostring')" \
	    '[false,true,true,true]'
	run deploy publish --no-check
	all_serve 4 '<p>home 2'
}

t_rolling() {
	site 1
	fleet 3
	sed -i 's/^    root: .*none/&\n    strategy: rolling\n    batch: 2/' deploy.yml
	run deploy publish
	all_serve 3 '<p>home 1'
	site 2
	# The last one fails: the first two go back.
	kill "${pids[3]}"
	expect_status 6 deploy publish
	assert_contains "$err" "flipped www1 and the rest of its batch"
	assert_contains "$err" "www2: it is served"
	assert_contains "$err" "www3: GET"
	all_serve 3 '<p>home 1'
	# The first one fails: the last never flips.
	kill "${pids[1]}"
	expect_status 6 deploy publish
	assert_not_contains "$err" "flipped www3"
	assert_eq "$(grep -vc '"verify"' h3/.deploy/journal)" 3
	all_serve 3 '<p>home 1'
	run deploy publish --no-check
	all_serve 3 '<p>home 2'
}

# signal_nginx SIGNAL N: to the processes of that server.
signal_nginx() {
	local workers
	mapfile -t workers < <(pgrep -P "${pids[$2]}")
	kill "-$1" "${pids[$2]}" "${workers[@]}"
}

# serve_from N DIR: the server of the last host, N, has this document root now.
serve_from() {
	sed -i "s,root \".*\",root \"$PWD/$2\"," "$_base/nginx$1/nginx.conf"
	kill -HUP "${pids[$1]}"
	wait_for 10 gives "$2/index.html"
}

gives() {
	curl --noproxy '*' -sS "$url/" | cmp -s - "$1"
}

# The first publish of all: there is nothing to go back to, and nobody whom the
# rest could be like.
t_rolling_for_the_first_time() {
	site 1
	fleet 2
	sed -i 's/^    root: .*none/&\n    strategy: rolling/' deploy.yml
	signal_nginx STOP 1
	defer signal_nginx CONT 1
	expect_status 7 deploy publish
	assert_contains "$err" "these still serve the new release: www1 (nothing was live there before); to see what is live where, run: deploy status"
}

# Neither the check nor the release is at fault then.
t_a_signal_while_it_rolls() {
	site 1
	fleet 2
	sed -i 's/^    root: .*none/&\n    strategy: rolling/' deploy.yml
	run deploy publish
	site 2
	signal_nginx STOP 2
	defer signal_nginx CONT 2
	: >"$err"
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_for 20 grep -q "flipped www2" "$err"
	kill -TERM "$pid"
	status=0
	wait "$pid" || status=$?
	assert_eq "$status" 6
	assert_contains "$err" "error: while it was checked: interrupted by SIGTERM; all hosts serve what they served before"
	assert_not_contains "$err" "--no-check"
	signal_nginx CONT 2
	all_serve 2 '<p>home 1'
}

# Nothing is to go back then: what counts is what another run made live.  Where
# that is not so everywhere, it is said who serves what.
t_another_release_goes_live_while_it_is_checked() {
	local strategy want said words pid n=1
	site 1
	fleet 2
	sed -i 's/timeout: 3s/timeout: 600s/' deploy.yml
	run deploy publish
	defer signal_nginx CONT 2
	while IFS='|' read -r strategy want said words; do
		echo "# $strategy $words" >&2
		sed -i "/strategy:/d; s/^    root: .*none/&\n    strategy: $strategy/" deploy.yml
		site $((++n))
		signal_nginx STOP 2
		: >older.err
		deploy publish >older.out 2>older.err &
		pid=$!
		wait_for 20 grep -q "$said" older.err
		site $((++n))
		# Word splitting is meant.
		# shellcheck disable=SC2086
		run deploy publish --no-check $words
		signal_nginx CONT 2
		expect_status "$want" wait "$pid"
		assert_not_contains older.err "still serve"
		if ((want == 4)); then
			assert_contains older.err "; another run has made $(live h1) live meanwhile on all hosts"
			assert_not_contains older.err "run: deploy"
			all_serve 2 "<p>home $n"
		else
			assert_contains older.err "; another run has changed hosts meanwhile: $(live h1) on www1; $(live h2) on www2; to see what is live where, run: deploy status"
		fi
	done <<-'END'
	atomic|4|all hosts flipped|
	rolling|4|flipped www2|
	rolling|7|flipped www2|--host www2
	END
}

# What is live on the first host already was checked there, or was not, as when
# a run died: the next checks it, and then takes it back with the rest.
t_half_of_it_is_live() {
	local strategy n=1
	site 1
	fleet 3
	run deploy publish
	# What stands still does not end.
	defer signal_nginx CONT 1
	defer signal_nginx CONT 3
	for strategy in at-once rolling; do
		[ "$strategy" = at-once ] ||
		    sed -i 's/^    root: .*none/&\n    strategy: rolling/' deploy.yml
		echo "# $strategy" >&2
		# The last one fails.
		signal_nginx STOP 3
		site $((++n))
		run deploy publish --host www1 --no-check
		expect_status 6 deploy publish
		assert_contains "$err" "www3: GET"
		assert_contains "$err" "all hosts serve what was verified last"
		all_serve 3 '<p>home 1'
		site $((++n))
		run deploy publish --host www1
		expect_status 7 deploy publish
		assert_contains "$err" "all hosts serve what they served before, which is not the same everywhere"
		assert_contains "$err" "to make all serve what www2 serves, run: deploy sync --from www2"
		run deploy sync --from www2 --no-check
		all_serve 3 '<p>home 1'
		signal_nginx CONT 3
		# That one does.
		site $((++n))
		run deploy publish --host www1 --no-check
		signal_nginx STOP 1
		expect_status 6 deploy publish
		assert_contains "$err" "www1: GET"
		all_serve 3 '<p>home 1'
		signal_nginx CONT 1
	done
}

# What has passed its check stays live, however often it is said again, when a host
# that was only synced is wrong: that host is, not the release.
t_a_host_that_was_made_anew_is_broken() {
	local kind word good verified
	site 1
	fleet 2
	mkdir old
	echo old >old/index.html
	run deploy publish
	for kind in '' 'deploy: none'; do
		echo "# $kind" >&2
		sed -i "/deploy: none/d; s,^        root: .*/h2,&${kind:+\n        $kind}," deploy.yml
		site "2$kind"
		run deploy publish
		good=$(live h1)
		verified=$(grep -c '"verify"' h1/.deploy/journal)
		rm -rf h2
		serve_from 2 old
		# Again, as it has not passed: there is nothing else to do.
		for word in sync sync; do
			expect_status 7 deploy "$word"
			assert_contains "$err" "www2: GET"
			assert_contains "$err" "synced, but "
			assert_contains "$err" "to ask again, run: deploy check"
		done
		for word in 'publish' 'activate current' 'rollback current'; do
			# shellcheck disable=SC2086 # words
			expect_status 7 deploy $word
			assert_contains "$err" "never found to be served on www2: checking"
			assert_contains "$err" "www2: GET"
			assert_contains "$err" "; it stays live, because it was found to be served on other hosts; to ask again, run: deploy check"
			assert_eq "$(live h1) $(live h2)" "$good $good"
		done
		assert_eq "$(grep -c '"verify"' h1/.deploy/journal)" "$verified"
		serve_from 2 h2/current
		run deploy sync -n
		assert_not_contains "$err" "served"
		if [ -z "$kind" ]; then
			run deploy publish
		else
			run deploy sync
		fi
		assert_contains "$err" "www2: it is served"
		for word in sync publish; do
			run deploy $word
			assert_not_contains "$err" "it is served"
		done
	done
}

# What a run that died left live is not taken back while the site is frozen.
t_a_frozen_site_stays() {
	local left
	site 1
	fleet 2
	run deploy publish
	site 2
	run deploy publish --no-check
	left=$(live h1)
	signal_nginx STOP 2
	defer signal_nginx CONT 2
	run deploy freeze
	expect_status 7 deploy publish
	assert_contains "$err" "; it stays live, because the site is frozen; to ask again, run: deploy check"
	assert_eq "$(live h1) $(live h2)" "$left $left"
	run deploy thaw
	expect_status 6 deploy publish
	all_serve 2 '<p>home 1'
}

run_tests
