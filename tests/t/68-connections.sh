#!/bin/bash
# What a command starts on a host: each program pays the start-up files of a
# login shell and round trips.  One connection; one program, which answers all
# requests; a publish has a second one, because a pack ends the first.
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# host KIND [LINE...]: a host that notes what it starts; KIND `c` has deploy in
# its PATH, `sh` has not.
host() {
	local path=/usr/bin:/bin:/usr/sbin:/sbin
	need_cmd ssh ssh-keygen sshd
	mkdir bin site
	[ "$1" != c ] || path=$PWD/bin:$path
	ln -s "$DEPLOY" bin/deploy
	cat >login <<-END
	#!/bin/sh
	echo "\$SSH_ORIGINAL_COMMAND" >>$PWD/started
	PATH=$path exec sh -c "\$SSH_ORIGINAL_COMMAND"
	END
	chmod +x login
	sshd_start "$PWD/d" "ForceCommand $PWD/login" "${@:2}" ||
	    fail "sshd does not start"
	defer sshd_stop
	DEPLOY_KNOWN_HOSTS=$(cat d/known_hosts)
	export DEPLOY_KNOWN_HOSTS
	unset SSH_AUTH_SOCK
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    source: site
	    root: $PWD/root
	    hosts:
	      - {address: 127.0.0.1, port: $sshd_port, user: $(id -un), identity: $PWD/d/id}
	END
	echo one >site/index.html
}

# programs N COMMAND...: it starts N programs over one connection.
programs() {
	local n=$1 logins
	shift
	: >started
	logins=$(grep -c 'Accepted publickey' d/log || true)
	run deploy "$@"
	assert_eq "$(wc -l <started)" "$n" "programs of '$*': $(cut -c1-80 started)"
	logins=$(($(grep -c 'Accepted publickey' d/log) - logins))
	assert_eq "$logins" 1 "connections of '$*'"
}

counts() {
	programs 2 publish
	programs 1 publish
	echo two >site/index.html
	programs 2 publish -m "a message"
	programs 1 rollback
	programs 1 activate latest --override=order
	programs 1 activate latest
	echo three >site/index.html
	programs 1 stage
	programs 1 stage
	programs 1 activate
	for c in list status log verify diff prune 'pin current' 'unpin current' \
	    freeze thaw doctor init; do
		# shellcheck disable=SC2086 # words are meant
		programs 1 $c
	done
	assert_tree_eq root/current/ site
}

t_a_host_with_deploy() {
	host c
	counts
	# No word of a request is one of the command, but encoded.
	! grep -vE " deploy host serve $PWD/root '[a-z0-9._/+,@:%-]*'\$" started ||
	    fail "other words"
}

t_a_host_with_sh() {
	host sh
	counts
	[ "$(wc -L <started)" -lt 2000 ] || fail "an argument of $(wc -L <started) bytes"
}

t_one_session_at_a_time() {
	host c "MaxSessions 1"
	counts
}

t_one_session_at_a_time_with_sh() {
	host sh "MaxSessions 1"
	counts
}

# When the link of a host was replaced, in ms.
flipped() {
	stat -c %.3Z -- "r-$1/current" | tr -d .
}

# The word goes to a far host first, so that all flip at once: else they are a
# way there apart.  A busy machine may lose time in between, once or twice.
t_far_hosts_hear_first() {
	local i apart
	fleet_start c c+far
	run deploy publish
	for i in 1 2 3; do
		edit
		run deploy publish
		apart=$(($(flipped h2) - $(flipped h1)))
		[ "${apart#-}" -ge 150 ] || return 0
	done
	fail "$apart ms apart"
}

# starts N: so many programs of the host have been started since.
starts() {
	[ "$(wc -l <h1/sessions)" -ge "$1" ]
}

# publish_up_to STEP: the host stands there; sets $pid.
publish_up_to() {
	edit
	stop_at h1 "$1"
	: >h1/sessions
	deploy publish >"$out" 2>"$err" &
	pid=$!
	wait_at h1
}

# The program that makes the release live starts while the host still works on
# the pack: its start-up files, and the way there and back, cost no time.
t_the_next_program_starts_ahead() {
	local kind pid
	for kind in c dash; do
		rm -rf h1 r-h1
		fleet_start "$kind"
		run deploy publish
		publish_up_to received
		wait_for 60 starts 2
		go_on h1
		wait "$pid" || fail "$(cat "$err")"
		assert_eq "$(wc -l <h1/sessions)" 2 "programs ($kind)"
		assert_serves_site
		# Who only stages needs no other one.
		edit
		: >h1/sessions
		run deploy stage
		assert_eq "$(wc -l <h1/sessions)" 1 "programs of 'stage' ($kind)"
	done
}

# One that has ended before it said anything is started again, after a look
# whether it is there at all.
t_one_that_was_started_ahead_is_gone() {
	local pid
	fleet_start c
	run deploy publish
	echo 2 >h1/dead
	publish_up_to pack
	go_on h1
	wait "$pid" || fail "$(cat "$err")"
	assert_eq "$(wc -l <h1/sessions)" 4
	assert_serves_site
}

run_tests
