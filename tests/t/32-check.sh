#!/bin/bash
# Live means served: what the web servers are asked after a flip, and what
# happens when they give something else.  A real nginx for each host.
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
	assert_contains "$err" "it is served: 1 URLs, 3 files compared"
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
	assert_eq "$(live)" "$first"
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

t_a_signal_while_it_is_checked() {
	start 'timeout: 30s'
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
		assert_contains "$err" "www$i: it is served: 1 URLs, 3 files"
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

run_tests
