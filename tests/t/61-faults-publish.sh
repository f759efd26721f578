#!/bin/bash
# Every call of a publish fails once, whether it changes something or only
# looks: what the exit status says is true, and the same command ends the
# work.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
exec 3>&1

t_publish_meets_EIO() {
	errors_everywhere publish EIO change,sync,close,look
}

t_first_publish_meets_EIO() {
	errors_everywhere first EIO change,sync,close
}

t_publish_of_an_archive_meets_EIO() {
	errors_everywhere archive EIO change,sync,close,read
}

run_tests
