#!/bin/bash
# Four hosts over real sshd, and one of them is lost at each step of a publish:
# its program or its connection is killed, or its sshd is gone.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

t_four_hosts_of_three_kinds() {
	fleet_start c dash busybox c
	two
	assert_serves_site
	assert_clean
}

before="receive pack received again activate"

# lost VICTIM ACTION STATUS-AT-FIRST STATUS-BEFORE STATUS-AFTER: at every step.
lost() {
	local victim=$1 action=$2 step=info
	fleet_start c dash busybox c
	two
	publish_while info "$victim" "$action" "$3"
	is_undone
	for step in $before; do
		publish_while "$step" "$victim" "$action" 1
		is_undone
	done
	# Noticed while all wait for the last one, or when the word goes out.
	publish_while armed "$victim" "$action" "1 $5"
	is_undone
	for step in went flipped; do
		publish_while "$step" "$victim" "$action" "$5"
		is_undone
	done
	publish_while prune "$victim" "$action" 9
	assert_contains "$err" "127.0.0.1${victim#h}"
	"undo_$action" "$victim"
	assert_serves_site
	assert_heals
	assert_well
}

# Nobody serves something new, or the victim does and the status says so.
is_undone() {
	echo "$action at $step: $status" >&2
	assert_contains "$err" "127.0.0.1${victim#h}"
	assert_whole
	if [ "$status" = 7 ]; then
		assert_live "$second" "$victim"
	else
		assert_live "$second"
	fi
	"undo_$action" "$victim"
	assert_heals
}

for victim in h1 h2 h3; do
	eval "t_program_of_${victim}_is_killed() { lost $victim kill_verb 1 1 6; }"
	eval "t_connection_of_${victim}_is_killed() { lost $victim kill_session 8 1 6; }"
	eval "t_sshd_of_${victim}_is_gone() { lost $victim refuse 8 1 7; }"
done

run_tests
