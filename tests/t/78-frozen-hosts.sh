#!/bin/bash
# Four hosts over real sshd, and one of them falls silent at each step of a
# publish: the machine stands still.  What it hears too late, it must not do.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

some="pack activate armed went flipped"

t_c_host_stands_still() { every_step h1 freeze 8 7; }

t_sh_host_stands_still() {
	steps=$some
	every_step h2 freeze 8 7
}

t_host_with_rsync_stands_still() {
	steps=files
	every_step h4 freeze 8 7
}

run_tests
