#!/bin/bash
# Whoever asks, and whoever works, is killed before each of its calls that change
# the queue, or the power is cut there.  14-queue-faults-postgresql.sh does the
# same to what is sent to the server.
# parts: 2
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
# shellcheck source=tests/mounts.sh
. "$(dirname "${BASH_SOURCE[0]}")/../mounts.sh"
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"
# shellcheck source=tests/faults/lib.sh
. "$TREE/tests/faults/lib.sh"
# shellcheck source=tests/faults/disk.sh
. "$TREE/tests/faults/disk.sh"

# disturbed AT COMMAND...: killed before that call; $status is what came of it.
disturbed() {
	local calls=change,sync at=$1
	shift
	[ "$STORAGE" = sqlite ] || calls=send
	status=0
	rm -f hits
	FAULT_HIT=$PWD/hits FAULT_UNDER=$PWD/queue FAULT_CALLS=$calls FAULT_AT=$at LD_PRELOAD=$faults \
	    "$DEPLOY" "$@" >disturbed.out 2>disturbed.err || status=$?
}

# all_calls FUNCTION [STEP]: with 1, 1 + STEP, ... until one is not reached.
all_calls() {
	local at
	for ((at = 1; at < 500; at += ${2:-1})); do
		"$1" "$at" 2>>killed
		[ "$status" -ne 0 ] || [ -s hits ] || break
	done
	[ "$at" -gt 4 ] || fail "only $at calls"
	[ "$at" -lt 500 ] || fail "it does not end"
	echo "$((at - 1)) calls"
}

intact() {
	[ "$STORAGE" != sqlite ] || assert_eq "$(sql 'PRAGMA integrity_check')" ok "$at"
}

# A request is there with all that it asked for, or it is not there at all.
request_at() {
	local before after
	before=$(requests)
	disturbed "$1" enqueue a --ref "r$1" --item "i$1" --item "j$1"
	intact
	after=$(requests)
	case $status in
	0) assert_eq "$after" $((before + 1)) "it was acknowledged" ;;
	137) [ "$after" -eq "$before" ] || [ "$after" -eq $((before + 1)) ] || fail "$1: $before, then $after" ;;
	*) fail "$1: status $status: $(cat disturbed.err)" ;;
	esac
	assert_eq "$(sql "SELECT count(*) FROM deploy_items")" $((after * 2)) "items at $1"
}

requests() {
	sql "SELECT coalesce(sum(requests), 0) FROM deploy_jobs" 2>/dev/null || echo 0
}

t_enqueue_is_killed() {
	fault_library
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	sites a
	build :
	enqueue a --item i --item j
	all_calls request_at
	once
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs WHERE state <> 'done'")" 0
}

# With no queue there yet.
first_at() {
	rm -rf queue
	disturbed "$1" enqueue a
	[ "$status" -eq 0 ] || [ "$status" -eq 137 ] || fail "$1: status $status"
	run deploy enqueue a
	intact
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs")" 1
}

t_the_first_enqueue_is_killed() {
	fault_library
	[ "$STORAGE" = sqlite ] || skip "one transaction"
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	sites a
	all_calls first_at
}

# A job that was claimed is done by whoever comes next, once or again, and is done
# then; and so is the request that came meanwhile.
work_at() {
	rm -f items
	run deploy enqueue a --ref "r$1" --item "i$1"
	disturbed "$1" worker --once
	intact
	# Its job may live a little longer than it.
	wait_for 30 all_done
	assert_eq "$(cat www/a/current/index.html)" "a r$1"
	grep -qx "i$1" items || fail "the item of $1 was not built"
}

all_done() {
	deploy worker --once 2>/dev/null
	[ -z "$(sql "SELECT id FROM deploy_jobs WHERE state IN ('waiting', 'running')")" ]
}

t_a_worker_is_killed() {
	fault_library
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	sites a
	build 'rmdir busy-a; cat "$DEPLOY_ITEMS_FILE" >>items'
	if wide; then all_calls work_at; else all_calls work_at 6; fi
}

# ------------------------------------------------------------ the power is cut

# What is on the disk before each call, and after success; as it is, and beside a
# neighbour who has his own files written to disk (see 65-powercut).
stepped() {
	SHOT_MAY=$1 FAULT_UNDER=$queue FAULT_CALLS=change,sync LD_PRELOAD=$faults \
	    FAULT_EXEC="$TREE/tests/faults/shot.sh \"\$FAULT_N \$FAULT_CALL\"" \
	    run "${@:2}"
}

# look_at IMAGE LABEL: it is a queue, and goes on; $found requests are in it.
look_at() {
	mv "shots/$1" disk
	attach rw || fail "$2: $(cat why)"
	assert_eq "$(sql 'PRAGMA integrity_check')" ok "$2"
	run deploy jobs
	found=$(requests)
	run deploy enqueue a
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs")" 1 "$2"
	detach
}

t_the_power_is_cut() {
	local image may label found last=
	[ "$STORAGE" = sqlite ] || skip "the disk is PostgreSQL's"
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	need_root
	need_cmd losetup mount mkfs.ext4
	fault_library
	in_memory 400
	make_disk "${ext4[@]}"
	attach rw
	queue=$mnt/queue
	sites a
	enqueue a
	sync -f "$mnt"
	mkdir shots
	export SHOT_DISK=$PWD/disk SHOT_DIR=$PWD/shots SHOT_MAY='' SHOT_BESIDE=
	export SHOT_STAT=/sys/block/${device#/dev/}/stat
	stepped '1 2' "$DEPLOY" enqueue a --item i
	SHOT_MAY=2 "$TREE/tests/faults/shot.sh" "success"
	SHOT_BESIDE=$mnt/neighbour
	stepped '2 3' "$DEPLOY" enqueue a --item j
	SHOT_MAY=3 "$TREE/tests/faults/shot.sh" "success beside a neighbour"
	detach
	while IFS=$'\t' read -r image may label; do
		# Between two of them nothing was written.
		[ "$image" = "$last" ] || look_at "$image" "$label"
		last=$image
		[[ " $may " == *" $found "* ]] || fail "$label: $found requests, not ${may// / or }"
	done <shots/list
	[ "$(wc -l <shots/list)" -gt 20 ] || fail "$(cat shots/list)"
}

run_tests
