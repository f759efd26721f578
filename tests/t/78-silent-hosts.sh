#!/bin/bash
# Hosts over real sshd, and one of them falls silent at each step of a publish:
# the machine stands still, or only its program does and sshd lives on, or the
# network is cut, and nobody says so.  What it hears too late, it must not do.
# parts: 12
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

some="pack activate armed went flipped"

t_c_host_stands_still() {
	steps="info receive pack received activate"
	every_step h1 freeze 8 7
}

t_c_host_stands_still_late() {
	steps="armed went flipped prune"
	every_step h1 freeze 8 7
}

t_sh_host_stands_still() {
	steps=$some
	every_step h2 freeze 8 7
}

t_host_with_rsync_stands_still() {
	steps=files
	every_step h4 freeze 8 7
}

# Its state can be asked for, once its program has done what it had to do.
t_program_of_a_c_host_is_stuck_early() {
	steps="info receive received activate"
	every_step h1 stick 8 "6 7"
}

t_program_of_a_c_host_is_stuck_late() {
	steps="armed went flipped"
	every_step h1 stick 8 "6 7"
}

t_program_of_a_sh_host_is_stuck() {
	steps="pack armed went flipped"
	every_step h3 stick 8 "6 7"
}

t_rsync_is_stuck() {
	steps=files
	every_step h4 stick 8 "6 7"
}

t_c_host_is_cut_off_early() {
	steps="info receive pack received activate"
	every_step h1 cut 8 7
}

t_c_host_is_cut_off_late() {
	steps="armed went flipped prune"
	every_step h1 cut 8 7
}

t_sh_host_is_cut_off() {
	steps=$some
	every_step h3 cut 8 7
}

t_host_with_rsync_is_cut_off() {
	steps=files
	every_step h4 cut 8 7
}

run_tests
