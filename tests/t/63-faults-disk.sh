#!/bin/bash
# The disk is full, for once or for good, or dies: as in 61-faults-publish.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
exec 3>&1

# every_command ERRNO CALLS [FAULT_...]
every_command() {
	local s
	for s in first stage activate publish rollback prune; do
		errors_everywhere "$s" "$@"
	done
}

# Other users of the disk come and go.
t_disk_is_full_once() {
	every_command ENOSPC space,sync,close
}

# From one call on; removing works, nothing can be made.
t_disk_stays_full() {
	every_command ENOSPC space FAULT_REPEAT=1
}

# From one call on everything fails; the way out of an error meets errors.
t_disk_dies() {
	every_command EIO change,sync,close FAULT_REPEAT=1
}

run_tests
