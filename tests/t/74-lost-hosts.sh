#!/bin/bash
# Four hosts over real sshd, and one of them is lost at each step of a publish:
# its program or its connection is killed.
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

for victim in h1 h2 h3; do
	eval "t_program_of_${victim}_is_killed() {
		every_step $victim kill_verb 1 6
	}"
	eval "t_connection_of_${victim}_is_killed() {
		every_step $victim kill_session 8 6
	}"
done

run_tests
