#!/bin/bash
# A publish to hosts over real sshd is interrupted at each step, by a
# signal or by another publish.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# interrupt SIGNAL STEP VICTIM: the client gets the signal when this host has
# come to the step.  Sets $status.
interrupt() {
	local pid
	edit
	stop_at "$3" "$2"
	deploy publish >"$out" 2>said &
	pid=$!
	wait_at "$3"
	kill "-$1" "$pid"
	# Before "go" it does not wait for the host; after that for a while.
	case $1:$2 in
	KILL:* | *:info | *:receive | *:files | *:pack | *:received | \
	    *:activate | *:prune)
		wait_for 20 has_ended "$pid"
		;;
	esac
	go_on "$3"
	status=0
	wait "$pid" || status=$?
	echo "SIG$1 at $2: $status: $(tail -n 1 said)" >&2
	is_over "$3"
}

has_ended() {
	! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1")" = Z ]
}

# All or none, and the next one heals.
interrupted_at_every_step() {
	local step
	fleet_beside "$2"
	two
	for step in info receive $3 pack received activate armed; do
		interrupt "$1" "$step" "$2"
		assert_eq "$status" 1 "status"
		assert_contains said ": interrupted by SIG$1"
		# No host is at fault.
		assert_not_contains said "hosts failed"
		assert_not_contains said "--skip"
		assert_live "$second"
		assert_heals
	done
	# Told to go: that is brought to its end.
	for step in went flipped prune; do
		interrupt "$1" "$step" "$2"
		[[ " 0 9 " = *" $status "* ]] || fail "status $status"
		assert_serves_site
		# What is half-pruned goes with the next release.
		edit
		assert_heals
	done
	assert_well
}

t_ctrl_c_with_a_c_host() { interrupted_at_every_step INT h1 ""; }
t_ctrl_c_with_a_dash_host() { interrupted_at_every_step INT h2 ""; }
t_term_with_a_busybox_host() { interrupted_at_every_step TERM h3 ""; }
t_ctrl_c_with_rsync() { interrupted_at_every_step INT h4 files; }

# Killed, it can do nothing any more: each host serves something whole, the
# same unless some were told to go and others not, and the next run heals.
t_killed() {
	local step
	fleet_beside h2
	two
	for step in info receive pack received activate armed; do
		interrupt KILL "$step" h2
		assert_live "$second"
		assert_heals
	done
	for step in went flipped prune; do
		interrupt KILL "$step" h2
		assert_whole
		edit
		assert_heals
	done
	assert_well
}

# Each does all of it or nothing, and they never mix.
t_several_clients_at_once() {
	local i n round pids status won=0
	fleet_start c dash busybox c+rsync
	two
	for round in 1 2 3; do
		pids=()
		for i in 1 2 3; do
			cp -a site "site$i"
			echo "client $i, round $round" >"site$i/index.html"
			deploy publish "site$i" --lock-wait 20 >"out$i" 2>"err$i" &
			pids+=($!)
		done
		n=0
		for i in 1 2 3; do
			status=0
			wait "${pids[i - 1]}" || status=$?
			[[ " 0 3 4 9 " = *" $status "* ]] ||
			    fail "client $i: $status: $(cat "err$i")"
			((status != 0 && status != 9)) || n=$((n + 1))
		done
		((n > 0)) || fail "nobody won: $(cat err1 err2 err3)"
		won=$((won + n))
		assert_live "$(live h1)"
		i=$(sed -n 's/client \([0-9]\), round .*/\1/p' r-h1/current/index.html)
		for h in "${hosts[@]}"; do
			assert_tree_eq "r-$h/current/" "site$i"
		done
		rm -r site?
	done
	assert_clean
	assert_well
}

# While one stands armed, another one finds it locked, and can stage.
t_another_while_armed() {
	fleet_beside h2
	two
	edit
	stop_at h2 armed
	deploy publish >"$out.1" 2>said &
	pid=$!
	wait_at h2
	cp -a site other
	echo other >other/index.html
	expect_status 3 deploy publish other --lock-wait 1s
	assert_contains "$err" "locked"
	expect_status 3 deploy stage other --lock-wait 1s
	expect_status 3 deploy rollback --lock-wait 1s
	run deploy list
	assert_live "$second"
	go_on h2
	wait "$pid"
	assert_serves_site
	run deploy publish other
	assert_clean
}

run_tests
