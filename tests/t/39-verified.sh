#!/bin/bash
# What was checked is remembered: a release that a dead run, or a lost one, has
# left live is checked by the next run, which goes back only to what was found
# to be served.  On a root here, a host with deploy, and the sh verbs.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# Serve www/current, and publish page 1: its id is in $a.
begin() {
	local mine
	mkdir www site
	start_nginx www/current
	where "$1" "connect: ${url#http://}"
	cat >deploy.yml <<-END
	sites:
	  - name: example.org
	    source: site
	    root: $PWD/www
	    keep: 9
	    check: {url: "http://example.org/", tries: 1, timeout: 20s, connect: ${url#http://}}
	    $mine
	END
	page 1
	a=$id
	verified "$a"
}

# Publish this page; its id is in $id.
page() {
	echo "$1" >site/index.html
	run deploy publish
	read -r id <"$out"
}

# The last line about the release says that it was verified.
verified() {
	grep -F "\"to\":\"$1\"" www/.deploy/journal | tail -n 1 |
	    grep -qF '"action":"verify"' || fail "$1 is not verified"
}

not_verified() {
	! grep -F '"verify"' www/.deploy/journal | finds -F "$1" ||
	    fail "$1 is verified"
}

# The web server stands still until go_on.
stand_still() {
	servers="$nginx_pid $(pgrep -P "$nginx_pid")"
	# shellcheck disable=SC2086 # words
	kill -STOP $servers
}

go_on() {
	# shellcheck disable=SC2086
	kill -CONT $servers
}

# die SIGNAL PAGE: publish it, and die while it is checked; its id is in $id.
die() {
	local pid
	echo "$2" >site/index.html
	stand_still
	: >"$err"
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_for 10 grep -q "is live" "$err"
	pause 0.3
	kill "-$1" "$pid"
	status=0
	wait "$pid" || status=$?
	go_on
	id=$(live_of www)
}

# The server gives something else from now on, until heal_server.
break_server() {
	mkdir "$1"
	echo other >"$1/index.html"
	mv "$_base/nginx/nginx.conf" nginx.conf.good
	sed "s,root \"[^\"]*\",root \"$PWD/$1\"," nginx.conf.good >"$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	wait_for 10 gives other
}

heal_server() {
	cp nginx.conf.good "$_base/nginx/nginx.conf"
	kill -HUP "$nginx_pid"
	wait_for 10 gives "$1"
}

gives() {
	[ "$(curl --noproxy '*' -sS "$url/")" = "$1" ]
}

# Killed during the check: the next run checks, and remembers.
a_lost_client() {
	local lost
	begin "$1"
	die KILL 2
	[ "$id" != "$a" ] || fail "not live"
	lost=$id
	not_verified "$lost"
	run deploy publish
	assert_contains "$err" "never found to be served"
	assert_contains "$err" "it is served"
	assert_eq "$(cat "$out")" "$lost"
	verified "$lost"
	run deploy publish
	assert_not_contains "$err" "served"
	# The same with activate, which finds it live.
	die KILL 3
	run deploy activate
	assert_contains "$err" "it is served"
	verified "$id"
}

# ... and finds that it does not do: back to what did.
a_lost_client_of_a_bad_release() {
	begin "$1"
	die KILL 2
	break_server other
	expect_status 6 deploy publish
	assert_contains "$err" "is not"
	assert_eq "$(live_of www)" "$a"
	assert_not_contains "$out" "$id"
}

# What was never verified is nothing to go back to.
back_to_the_verified() {
	begin "$1"
	die KILL 2
	not_verified "$id"
	echo 3 >site/index.html
	break_server other
	expect_status 6 deploy publish
	assert_eq "$(live_of www)" "$a"
	heal_server 1
	page 3
	verified "$id"
}

# A signal during the check: back, and a second one does not stop that.
a_signal() {
	begin "$1"
	die TERM 2
	assert_eq "$status" 6
	assert_contains "$err" "while it was checked: interrupted by SIGTERM"
	assert_eq "$id" "$a"
	run deploy publish
	verified "$(live_of www)"
}

# What passed its check stays verified when the hosts come back to it, by a check
# that failed or by a person: an outage of the web server is no reason to go on to
# what was before.
an_outage() {
	local b
	begin "$1"
	page 2
	b=$id
	verified "$b"
	break_server other
	echo 3 >site/index.html
	expect_status 6 deploy publish
	assert_eq "$(live_of www)" "$b"
	echo 2 >site/index.html
	run deploy publish
	run deploy activate
	assert_eq "$(live_of www)" "$b"
	expect_status 7 deploy rollback
	echo 1 >site/index.html
	run deploy publish
	assert_eq "$(live_of www)" "$a"
}

t_an_outage_here() { an_outage here; }
t_an_outage_c() { an_outage c; }
t_an_outage_dash() { an_outage dash; }
t_a_lost_client_here() { a_lost_client here; }
t_a_lost_client_of_a_bad_release_here() { a_lost_client_of_a_bad_release here; }
t_back_to_the_verified_here() { back_to_the_verified here; }
t_a_signal_here() { a_signal here; }
t_a_lost_client_c() { a_lost_client c; }
t_a_lost_client_of_a_bad_release_c() { a_lost_client_of_a_bad_release c; }
t_back_to_the_verified_c() { back_to_the_verified c; }
t_a_signal_c() { a_signal c; }
t_a_lost_client_dash() { a_lost_client dash; }
t_a_lost_client_of_a_bad_release_dash() { a_lost_client_of_a_bad_release dash; }
t_back_to_the_verified_dash() { back_to_the_verified dash; }
t_a_signal_dash() { a_signal dash; }

run_tests
