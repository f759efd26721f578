#!/bin/bash
# A bad day, rehearsed: a bad release, a CI that builds it again, one host
# dead, one made anew, a full disk on a third, a freeze by somebody else, and a
# certificate that has expired.
# What is typed is what the messages say, and it ends with four hosts that are
# well.
# parts: 5
# shellcheck disable=SC2119,SC2154
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"
# shellcheck source=tests/nginx.sh
. "$TREE/tests/nginx.sh"

# The disk of h3 takes three of these builds, and not four.
small_disk() {
	mkdir r-h3
	[ "$(id -u)" -ne 0 ] ||
	    ! mount -t tmpfs -o size=4m,mode=755 none r-h3 2>/dev/null ||
	    defer umount -l "$PWD/r-h3"
}

# build WORD: a build that shares nothing with the one before.
build() {
	rm -rf site
	mkdir site
	echo "$1" >site/index.html
	head -c 900000 /dev/urandom >site/picture
}

goes_live() {
	run deploy publish
	cat "$out"
}

# typed STATUS: what the last message with a command says, and when it goes on with another
# command, that one too.
typed() {
	local got=8 line
	while [ "$got" = 8 ]; do
		line=$(grep -hE "run(: | ')deploy " "$out" "$err" | tail -n 1)
		case $line in
		# What mends it comes before what leaves a host out.
		*"run: deploy "*"; to go on "*"run: deploy "*)
			line=${line#*run: }
			line=${line%%; to go on *}
			;;
		*"run: deploy "*) line=${line##*run: } ;;
		*"run 'deploy "*)
			line=${line##*run \'}
			line=${line%%\'*}
			;;
		*) fail "no command in: $line" ;;
		esac
		echo "typed: $line" >&2
		got=0
		bash -c "$line" >"$out" 2>"$err" || got=$?
	done
	assert_eq "$got" "$1" "$line: $(cat "$err")"
}

# bad_day NAME DEATH LIFE: what deploy calls h4, how that dies, and comes back.
bad_day() {
	local h4=$1 good bad better fixed
	build first
	run deploy publish
	build good
	good=$(goes_live)
	build bad
	bad=$(goes_live)
	assert_live "$bad"
	cp -a site bad

	# Everybody sees it, and one host is dead just now.
	"$2" h4
	expect_status 8 deploy rollback -m "the menu is gone"
	typed 7
	assert_live "$good" h1 h2 h3
	assert_contains "$err" "run: deploy sync"

	# A job of the CI builds what was bad again.
	expect_status 8 deploy publish
	typed 4
	assert_contains "$err" "the menu is gone"
	assert_live "$good" h1 h2 h3

	# Somebody wants quiet, and the fix has to go out.
	expect_status 7 env DEPLOY_WHO=ann deploy freeze --skip "$h4" -m "hands off"
	build fixed
	expect_status 3 deploy publish --skip "$h4"
	assert_contains "$err" "hands off"
	typed 7

	expect_status 7 deploy publish --skip "$h4"
	better=$(cat "$out")

	# It is not yet right, and now the disk of h3 is full.
	build "fixed at last"
	if mountpoint -q r-h3; then
		expect_status 10 deploy publish --skip "$h4"
		assert_contains "$err" "/r-h3"
		typed 7
	fi
	expect_status 7 deploy publish --skip "$h4"
	fixed=$(cat "$out")
	assert_live "$fixed" h1 h2 h3

	# h2 is made anew, and h4 comes back.
	rm -rf r-h2
	"$3" h4
	expect_status 7 deploy status
	typed 0
	run deploy status
	assert_live "$fixed"
	run deploy verify

	# Back, also on those that were not there; never to what was bad.
	run deploy rollback -m "only to see"
	assert_live "$better"
	run deploy rollback -m "further"
	assert_live "$good"
	rm -rf site
	cp -a bad site
	expect_status 4 deploy publish
	assert_live "$good"
}

t_hosts_with_deploy() {
	small_disk
	some c c c c
	bad_day h4 dies heal
}

t_hosts_with_sh() {
	small_disk
	some dash busybox busybox dash
	bad_day h4 dies heal
}

t_hosts_of_both_kinds() {
	small_disk
	some dash c busybox c
	bad_day h4 dies heal
}

t_hosts_with_rsync() {
	small_disk
	fleet_start c+rsync dash+rsync c+rsync dash
	bad_day 127.0.0.14 do_refuse undo_refuse
}

# ------------------------------------------------------------ certificates

# An authority of our own, and a key for the web servers.
authority() {
	mkdir ca
	: >ca/index
	echo 01 >ca/serial
	cat >ca/conf <<-'END'
	[ca]
	default_ca = own
	[own]
	new_certs_dir = ca
	database = ca/index
	serial = ca/serial
	default_md = sha256
	policy = any
	x509_extensions = names
	unique_subject = no
	[any]
	commonName = supplied
	[names]
	subjectAltName = DNS:example.org
	END
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca/key -out ca.pem \
	    -days 30 -subj /CN=private 2>/dev/null
	openssl req -newkey rsa:2048 -nodes -keyout key.pem -out ca/request \
	    -subj /CN=example.org 2>/dev/null
}

# serve_until DATE: the web servers of all hosts, with a certificate that is
# good up to then.
serve_until() {
	local h
	openssl ca -batch -config ca/conf -in ca/request -cert ca.pem \
	    -keyfile ca/key -out cert.pem -notext -startdate 20200101000000Z \
	    -enddate "$1" 2>/dev/null
	[ -z "${nginx_pid:-}" ] || kill -HUP "$nginx_pid"
	[ -z "${nginx_pid:-}" ] || return 0
	nginx_start "$PWD/nginx" "$PWD/none"
	kill "$nginx_pid"
	wait "$nginx_pid" || true
	port=${url##*:}
	{
		sed '/^server {/,$d' nginx/nginx.conf
		for h in 1 2 3 4; do
			cat <<-END
			server {
				listen 127.0.0.1$h:$port ssl;
				ssl_certificate "$PWD/cert.pem";
				ssl_certificate_key "$PWD/key.pem";
				root "$PWD/r-h$h/current";
			}
			END
		done
		echo '}'
	} >nginx/conf
	nginx -p "$PWD/nginx" -c "$PWD/nginx/conf" -e "$PWD/nginx/error.log" \
	    </dev/null >/dev/null 2>&1 &
	nginx_pid=$!
	defer kill "$nginx_pid"
	for h in 1 2 3 4; do
		sed -i "s/{address: h$h, /&connect: '127.0.0.1$h:$port', /" deploy.yml
		wait_for 10 curl --noproxy '*' -sk -o /dev/null "https://127.0.0.1$h:$port/"
	done
}

# The certificate has expired: nothing can be checked.  A fix goes out all the
# same, so does a rollback, and when it is renewed all is well.
t_the_certificate_has_expired() {
	local good fixed lines='    check: {url: "https://example.org/", ca: ca.pem, tries: 1}\n'
	need_cmd nginx openssl curl
	authority
	some c dash c busybox
	build good
	good=$(deploy publish --no-check)
	serve_until 20491231235959Z
	run deploy check
	serve_until 20200201000000Z
	wait_for 10 is_expired
	build fixed
	expect_status 6 deploy publish
	assert_contains "$err" "certificate has expired"
	assert_live "$good"
	typed 0
	fixed=$(cat "$out")
	assert_live "$fixed"
	[ "$fixed" != "$good" ] || fail "not the fix"
	expect_status 7 deploy rollback -m "the fix is worse"
	assert_contains "$err" "rolled back, but"
	assert_live "$good"
	serve_until 20491231235959Z
	wait_for 10 deploy check
	build "fixed again"
	run deploy publish
	assert_contains "$err" "it is served"
	run deploy status
}

is_expired() {
	! curl --noproxy '*' -s -o /dev/null --cacert ca.pem \
	    --connect-to "::127.0.0.11:$port" https://example.org/
}

run_tests
