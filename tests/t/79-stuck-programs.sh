#!/bin/bash
# Four hosts over real sshd, and one of them falls silent at each step of a
# publish: its program does, and sshd lives on.  What it hears too late, it must
# not do.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# Its state can be asked for, once its program has done what it had to do.
t_program_of_a_c_host_is_stuck() {
	steps="info receive received activate armed went flipped"
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

run_tests
