#!/bin/bash
# Every call of the other commands fails once, as in 61-faults-publish; and
# what must not be a failure at all: interrupted calls, short reads and
# writes, abilities that a file system has not.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
exec 3>&1

t_stage_meets_EIO() {
	errors_everywhere stage EIO change,sync,close
}

t_activate_meets_EIO() {
	errors_everywhere activate EIO change,sync,close,look
}

t_rollback_meets_EIO() {
	errors_everywhere rollback EIO change,sync,close,look
}

t_prune_meets_EIO() {
	errors_everywhere prune EIO change,sync,close,look
}

t_too_many_open_files() {
	errors_everywhere publish EMFILE open,creat
	errors_everywhere prune EMFILE open,creat
}

# What a signal interrupts is done again, and a close is not repeated.
t_interrupted_calls_are_no_failure() {
	harmless publish "interrupted" FAULT_MODE=error FAULT_ERRNO=EINTR \
	    FAULT_CALLS=data,flock,close
}

t_short_reads_and_writes_are_no_failure() {
	harmless publish "short" FAULT_MODE=short FAULT_CALLS=data
	harmless publish "all short" FAULT_MODE=short FAULT_CALLS=data \
	    FAULT_REPEAT=1
	harmless rollback "short" FAULT_MODE=short FAULT_CALLS=data
	harmless first "short" FAULT_MODE=short FAULT_CALLS=data
	harmless archive "short" FAULT_MODE=short FAULT_CALLS=data
}

# Where the kernel or the file system cannot do it, another way is taken.
t_missing_abilities_are_no_failure() {
	harmless publish "no links (EMLINK)" FAULT_MODE=error \
	    FAULT_ERRNO=EMLINK FAULT_CALLS=linkat
	harmless publish "no links (EXDEV)" FAULT_MODE=error \
	    FAULT_ERRNO=EXDEV FAULT_CALLS=linkat FAULT_REPEAT=1
	harmless publish "no links (EPERM)" FAULT_MODE=error \
	    FAULT_ERRNO=EPERM FAULT_CALLS=linkat FAULT_REPEAT=1
	harmless publish "no copy_file_range" FAULT_MODE=error \
	    FAULT_ERRNO=EOPNOTSUPP FAULT_CALLS=copy_file_range FAULT_REPEAT=1
	local how
	for how in EINVAL ENOSYS EPERM EOPNOTSUPP; do
		harmless publish "no renameat2 ($how)" FAULT_MODE=error \
		    FAULT_ERRNO="$how" FAULT_CALLS=renameat2 FAULT_REPEAT=1
	done
}

run_tests
