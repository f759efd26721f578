#!/bin/bash
# Hosts over real sshd, and one of them is lost at each step of a publish:
# its program or its connection is killed.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

t_four_hosts_of_four_kinds() {
	fleet_start c dash busybox c+rsync
	two
	assert_serves_site
	assert_clean
}

# What dash is tested for at all steps, busybox is at some, and the other way
# round; make test-all tests both at all.
some="pack activate armed went flipped"

t_program_of_a_c_host_is_killed() { every_step h1 kill_verb 1 6; }
t_program_of_a_dash_host_is_killed() { every_step h2 kill_verb 1 6; }
t_program_of_a_busybox_host_is_killed() {
	wide || steps=$some
	every_step h3 kill_verb 1 6
}

t_connection_of_a_c_host_is_killed() { every_step h1 kill_session 8 6; }

t_connection_of_a_dash_host_is_killed() {
	wide || steps=$some
	every_step h2 kill_session 8 6
}

t_connection_of_a_busybox_host_is_killed() { every_step h3 kill_session 8 6; }

by_rsync="info receive files pack received"

t_program_of_a_host_with_rsync_is_killed() {
	steps=$by_rsync
	every_step h4 kill_verb 1 6
}

t_connection_of_a_host_with_rsync_is_killed() {
	steps=$by_rsync
	every_step h4 kill_session 8 6
}

run_tests
