#!/bin/bash
# deploy killed before every call that changes something: visitors get the
# whole old or the whole new release, only complete releases are listed, the
# journal tells the truth, and the same command ends the work.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
exec 3>&1

# After a death: the old or the new state, whole.
judge_death() {
	[ "$status" -eq 137 ] || violation "not killed"
	status=
	look
	[ "$live" = "$old" ] || [ "$live" = "$new" ] ||
	    violation "visitors get $live"
}

# kill_everywhere SCENARIO: calls that only look are not counted, as before
# them the disk is what it was after the last that changed something.
kill_everywhere() {
	prepare
	scenario "$1"
	each "killed before" judge_death FAULT_MODE=kill \
	    FAULT_CALLS=change,sync,close
	# In the middle of a write: torn lines and files.
	each "killed while writing" judge_death FAULT_MODE=torn \
	    FAULT_CALLS=write,copy_file_range
	((violations == 0)) || fail "$violations violations"
}

t_first_publish_killed() {
	kill_everywhere first
}

t_stage_killed() {
	kill_everywhere stage
}

t_activate_killed() {
	kill_everywhere activate
}

t_publish_killed() {
	kill_everywhere publish
}

t_publish_of_an_archive_killed() {
	kill_everywhere archive
}

t_rollback_killed() {
	kill_everywhere rollback
}

t_prune_killed() {
	kill_everywhere prune
}

run_tests
