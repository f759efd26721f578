#!/bin/bash
# Four hosts over real sshd, and one of them falls silent at each step of a
# publish: the network is cut, and nobody
# says so.  What it hears too late, it must not do.
# timeout: 900
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

some="pack activate armed went flipped"

t_c_host_is_cut_off() {
	kinds="c+proxy dash busybox c+rsync"
	every_step h1 cut 8 7
}

t_sh_host_is_cut_off() {
	kinds="c dash busybox+proxy c+rsync" steps=$some
	every_step h3 cut 8 7
}

t_host_with_rsync_is_cut_off() {
	kinds="c dash busybox c+rsync+proxy" steps=files
	every_step h4 cut 8 7
}

run_tests
