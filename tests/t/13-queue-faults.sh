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

# on_a_disk FS SIZE MKFS...: sites a and b, whose queue and roots are on a disk that
# loses its power; nothing is there yet.
on_a_disk() {
	[ "$STORAGE" = sqlite ] || skip "the disk is PostgreSQL's"
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	need_root
	need_cmd losetup mount flock sqlite3 "$3"
	fault_library
	in_memory 800
	make_disk "$@"
	attach rw
	queue=$mnt/queue
	mkdir "$mnt/www"
	sites a b -- 'worker: {notify: "./acknowledged told-$DEPLOY_REF"}'
	sed -i "s,root: .*/www/,root: $mnt/www/," deploy.yml
	export SHOT_DISK=$PWD/disk SHOT_DIR=$PWD/shots SHOT_MAY=0 SHOT_BESIDE=
	# How far the site is at least when that has been said.
	cat >acknowledged <<-END
	#!/bin/sh
	unset LD_PRELOAD FAULT_EXEC
	[ -e shots ] || exit 0
	case \$1 in
	asked) SHOT_MAY=3 ;;
	told-r1) SHOT_MAY=4 ;;
	told-r2 | success) SHOT_MAY=6 ;;
	*) SHOT_MAY=\$1 ;;
	esac
	export SHOT_MAY
	exec flock "$PWD/shot.lock" "$TREE/tests/faults/shot.sh" "\$1"
	END
	chmod 755 acknowledged
	sync -f "$mnt"
}

# stepped COMMAND...: with what is on the disk before each call, also of a job; or
# before each $every-th: beside a neighbour no image is like the one before it.
every=1
stepped() {
	mkdir -p shots
	export SHOT_STAT=/sys/block/${device#/dev/}/stat
	FAULT_UNDER=$mnt/queue FAULT_CALLS=change,sync LD_PRELOAD=$faults \
	    FAULT_EXEC="[ \$((FAULT_N % $every)) -ne 0 ] || flock $PWD/shot.lock $TREE/tests/faults/shot.sh \"\$FAULT_N \$FAULT_CALL\"" run "$@"
}

# How far the jobs of a are: that only grows.
progress() {
	[ ! -s "$queue/queue.db" ] || sql "SELECT coalesce(sum(CASE state WHEN 'waiting' THEN requests
	    WHEN 'running' THEN 2 WHEN 'done' THEN 3 END), 0) FROM deploy_jobs WHERE site = 'a'" 2>/dev/null
}

# look_at_images STEP LOOK: at every STEP-th, and at all where something has been
# acknowledged: it is a queue, nothing of what was acknowledged is missing, and LOOK.
look_at_images() {
	local image may label found last='' before=0 n=0
	mv shots kept
	while IFS=$'\t' read -r image may label; do
		# Between two of them nothing was written.
		if [ "$image" != "$last" ] && { ((n++ % $1 == 0)) || [ "$may" -gt 0 ]; }; then
			cp --sparse=always "kept/$image" disk
			last=$image
			attach rw || fail "$label: $(cat why)"
			run deploy jobs
			[ ! -s "$queue/queue.db" ] || assert_eq "$(sql 'PRAGMA integrity_check')" ok "$label"
			found=$(progress)
			found=${found:-0}
			"$2" "$label"
			detach
			[ "$found" -ge "$before" ] || fail "$label: it went back from $before to $found"
			before=$found
		fi
		[ "$image" != "$last" ] || [ "$found" -ge "$may" ] || fail "$label: $found, not $may"
	done <kept/list
	[ "$n" -gt 8 ] || fail "only $n images: $(cat kept/list)"
	echo "$n images of $(wc -l <kept/list) calls"
	rm -rf kept
}

# Of all that was asked for the items are there, too.
a_worker_does_it() {
	[ "$found" -gt 0 ] || run deploy enqueue a --item h
	[ "$found" -eq 0 ] || assert_eq "$(sql 'SELECT count(*) FROM deploy_items')" "$found" "$1"
	rm -f items
	run deploy worker --once
	assert_eq "$(head -n "${found/#0/1}" <<<$'h\ni\nj')" "$(cat items)" "$1"
	assert_eq "$(sql 'SELECT state FROM deploy_jobs')" "done" "$1"
}

# Each time who is answered is certain of it, also when there was no queue before,
# and beside somebody who has it open: who closes it last brings it to disk anyway.
enqueue_loses_power() {
	on_a_disk "$@"
	build 'cat "$DEPLOY_ITEMS_FILE" >>items'
	stepped "$DEPLOY" enqueue a --item h
	./acknowledged 1
	coproc SQL { sqlite3 "$queue/queue.db"; }
	echo 'SELECT count(*) FROM deploy_jobs;' >&"${SQL[1]}"
	read -r _ <&"${SQL[0]}"
	stepped "$DEPLOY" enqueue a --item i
	./acknowledged 2
	SHOT_BESIDE=$mnt/neighbour
	wide || every=3
	stepped "$DEPLOY" enqueue a --item j
	./acknowledged 3
	echo .exit >&"${SQL[1]}"
	wait "$SQL_PID"
	detach
	look_at_images "$every" a_worker_does_it
}

# What is not done is done by the next worker, what is done is live, and is not
# done again.
goes_on() {
	local states wants said live=
	states=$(sql "SELECT group_concat(state) FROM (SELECT state FROM deploy_jobs
	    WHERE site = 'a' ORDER BY id)")
	[ ! -e "$mnt/www/a/current" ] || live=$(cat "$mnt/www/a/current/index.html")
	[[ $states != done* ]] || [[ $live == "a r"[12] ]] || fail "$1: done, but live is '$live'"
	case $states in
	waiting | running) wants="a r1 i" ;;
	# Nobody was at the first any more: the second request has all of it.
	running,waiting) wants="a r2 i k" ;;
	done,waiting | done,running) wants="a r2 k" ;;
	done | done,done) wants= ;;
	*) fail "$1: $states" ;;
	esac
	rm -f items built
	touch items built
	run deploy worker --once
	said=$(cat built items)
	assert_eq "${said//$'\n'/ }" "$wants" "$1: $states"
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs WHERE state IN ('waiting', 'running', 'failed')")" 0 "$1"
	[[ $states != *,* ]] || assert_eq "$(cat "$mnt/www/a/current/index.html")" "a r2" "$1"
}

# One job is done already, one waits, and one is asked for meanwhile.
worker_loses_power() {
	local SHOT_BESIDE
	on_a_disk "$@"
	build 'cat "$DEPLOY_ITEMS_FILE" >>items
	    [ ! -e again ] || { rm again; deploy enqueue a --ref r2 --item k -q && ./acknowledged asked; }'
	enqueue b --ref r0
	once
	enqueue a --ref r1 --item i
	detach
	cp --sparse=always disk start
	for SHOT_BESIDE in '' "$mnt/neighbour"; do
		cp --sparse=always start disk
		attach rw
		touch again
		stepped "$DEPLOY" worker --once
		./acknowledged success
		detach
		look_at_images 1 goes_on
		wide || every=6
	done
}

t_power_is_cut_on_enqueue_ext4() {
	enqueue_loses_power "${ext4[@]}"
}

t_power_is_cut_on_a_worker_ext4() {
	worker_loses_power "${ext4[@]}"
}

# That it can fail: a queue whose files are not brought to disk.
t_a_power_cut_is_seen() {
	on_a_disk "${ext4[@]}"
	build :
	enqueue a --ref r1
	sync -f "$mnt"
	mkdir shots
	export SHOT_STAT=/sys/block/${device#/dev/}/stat
	FAULT_UNDER=$queue FAULT_SKIP=sync LD_PRELOAD=$faults run "$DEPLOY" worker --once
	detach
	cp --sparse=always "shots/$(cut -f 1 shots/list)" disk
	attach rw
	assert_eq "$(sql 'SELECT state FROM deploy_jobs') $(cut -f 3 shots/list)" "waiting told-r1"
}

run_tests
