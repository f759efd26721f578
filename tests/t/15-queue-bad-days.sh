#!/bin/bash
# The queue on a bad day: the clock jumps, a worker stands still and comes back,
# names are odd, a job is taken back in each of its states.
# 16-queue-bad-days-postgresql.sh runs the same.
# parts: 2
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

hour=3600000

# ------------------------------------------------------------------ the clock

# What has happened to a job, as "STATE|its columns", and how far its times lie
# ahead: it is done at once when the clock went back, and not when it did not.
t_the_clock_goes_back() {
	local what columns wants
	sites a -- 'worker: {retry: 1h}'
	build :
	while IFS='|' read -r what columns wants; do
		enqueue a --ref "$what"
		sql "UPDATE deploy_jobs SET ${columns//@/$(date +%s000) + $hour}
		    WHERE id = $job"
		once
		assert_eq "$(state "$job")" "$wants" "$what"
		run deploy jobs remove "$job"
	done <<-'END'
	asked-for|created = @, due = @|done
	settles|created = @, due = @ + 60000|done
	tried-once|tries = 1, created = 1, started = @, ended = @, due = @ + 3600000|done
	put-back|created = 1, started = @, due = @|done
	waits-for-its-try|tries = 1, due = @|waiting
	put-off|deaths = 4, started = 1, due = @|waiting
	a-little-ahead|created = @ - 3600000 + 20000, due = @ - 3600000 + 40000|waiting
	END
}

t_the_clock_goes_forward() {
	sites a -- 'worker: {retry: 12h}'
	build :
	enqueue a
	sql "UPDATE deploy_jobs SET tries = 1, created = created - 24 * $hour,
	    started = created - 24 * $hour, ended = created - 24 * $hour,
	    due = due - 12 * $hour"
	once
	assert_eq "$(state "$job")" "done"
}

# do_step STEP: a job is asked for and comes to `ok` or `bad` (or its worker died,
# or it is only `asked` for), by a worker whose clock is ahead or behind ("ok+2h");
# "again1:ok" is the first job once more, "old-ok" a worker of the version before.
do_step() {
	local what=$1 clock=() old=
	if [[ $what =~ ^(.*)([+-][0-9]+h)$ ]]; then
		what=${BASH_REMATCH[1]} clock=(faketime -f "${BASH_REMATCH[2]}")
	fi
	case $what in
	again*)
		job=${jobs[${what//[^0-9]/} - 1]} what=${what#*:}
		run deploy jobs retry "$job"
		is_state "$job" waiting || job=${jobs[-1]}
		;;
	*)
		enqueue a
		jobs+=("$job")
		;;
	esac
	[[ $what != old-* ]] || old=$(sql "SELECT coalesce(turn, 0) FROM deploy_jobs WHERE id = $job")
	rm -f bad
	case ${what#old-} in
	ok) run "${clock[@]}" deploy worker --once ;;
	bad)
		touch bad
		sql "UPDATE deploy_jobs SET tries = 4 WHERE id = $job"
		expect_status 1 "${clock[@]}" deploy worker --once
		;;
	died)
		sql "UPDATE deploy_jobs SET state = 'running', token = 'x', host = 'h',
		    worker = 'w', deaths = 24 WHERE id = $job"
		run "${clock[@]}" deploy worker --once
		;;
	asked) ;;
	*) fail "$1?" ;;
	esac
	[ -z "$old" ] || sql "UPDATE deploy_jobs SET turn = nullif($old, 0) WHERE id = $job"
}

# What is to be done again is done at once, also when the clock was ahead then.
t_a_retry_while_the_clock_was_ahead() {
	need_cmd faketime
	[ -z "${TEST_SANITIZE:-}" ] || skip "faketime hangs under a sanitizer"
	sites a
	build '[ ! -e bad ] || { rmdir busy-a; exit 3; }'
	touch bad
	enqueue a --ref v1
	deploy worker --once || true
	rm bad
	faketime -f +2h deploy jobs retry 1
	once
	assert_eq "$(tail -n 1 built)" "a v1"
	is_state 1 "done" || fail "it waits"
}

# What the last try of a site came to, which decides whether it is well again, is
# that of the try that ended last, whatever the clock said and whichever job it was
# of: "STEPS|what is told|is the last one a success".
t_the_last_try_is_the_last() {
	local steps told success step jobs row=0
	need_cmd faketime
	[ -z "${TEST_SANITIZE:-}" ] || skip "faketime hangs under a sanitizer"
	sites a -- 'worker: {notify: "echo $DEPLOY_EVENT >>told"}'
	build '[ ! -e bad ] || { rmdir busy-a; exit 3; }'
	while IFS='|' read -r steps told success; do
		# The rules are the same in both.
		[ "$STORAGE" = sqlite ] || wide || ((row++ % 3 == 0)) || continue
		jobs=()
		: >told
		for step in $steps; do
			do_step "$step"
		done
		assert_eq "$(tr '\n' ' ' <told)" "$told " "$steps"
		deploy metrics >metrics
		assert_eq "$(sed -n 's/^deploy_job_success{.*} //p' metrics)" "$success" "$steps"
		sql "DELETE FROM deploy_jobs"
	done <<-'END'
	bad+2h ok ok|failed well-again done|1
	ok+2h bad ok|done failed well-again|1
	ok bad-2h ok-4h ok-6h|done failed well-again done|1
	ok bad-2h|done failed|0
	bad ok again1:ok|failed well-again done|1
	bad ok again1:bad ok|failed well-again failed well-again|1
	bad+2h ok again1:ok-2h|failed well-again done|1
	bad ok+2h again1:bad|failed well-again failed|0
	bad asked again1:ok|failed well-again|1
	ok bad asked again2:asked|done failed|0
	died ok ok|well-again done|1
	ok died|done|0
	old-bad ok ok|failed well-again done|1
	bad ok again1:old-bad ok|failed well-again failed well-again|1
	old-ok old-bad+2h ok-2h ok|done failed well-again done|1
	END
}

# of_worker FILTER: of the workers, one a line
there() {
	deploy jobs workers --json |
	    jq -r '.workers[] | "\(.there) \(.sites | join(","))"'
}

are_there() {
	[ "$(there)" = "$1" ]
}

# Seen in a time that is still to come: nobody knows whether it is there.
t_a_worker_that_was_seen_tomorrow() {
	sites a
	build :
	worker
	wait_for 20 are_there "true a"
	kill -KILL "$worker"
	wait "$worker" || true
	sql "UPDATE deploy_workers SET seen = seen + 24 * $hour"
	are_there "false a" || fail "$(there)"
	enqueue a
	run deploy jobs
	assert_contains "$out" "no worker for a"
	# Who comes next is the last one.
	once
	assert_eq "$(sql 'SELECT count(*) FROM deploy_workers')" 1
}

# Away for longer than it counts as there, a worker is forgotten for the sites
# that another one knows: it knows them again when it is back.
t_a_worker_comes_back_to_its_sites() {
	sites a b
	build :
	worker
	wait_for 20 are_there "true a,b"
	sql "UPDATE deploy_workers SET seen = seen - $hour"
	once -s a
	wait_for 60 is_one_of_two
	enqueue a
	wait_for 20 is_state "$job" "done"
}

is_one_of_two() {
	there | finds -x "true a,b"
}

# --------------------------------------------------------- names, and states

# Names that mean something to a shell, an option, a template or printf(3): asked
# for, built, looked at and forgotten like any other, and a cure that names one is
# safe to paste.
t_odd_names() {
	local name cure
	while read -r name; do
		jq -n --arg n "$name" --arg d "$PWD" --arg q "${queue:=}" '{sites: [{name: $n,
		    source: "out", root: ($d + "/www"), build: {command:
		    "mkdir -p out; printf %s \"$DEPLOY_SITE\" >out/index.html"}}], queue: $q}' >deploy.yml
		[ -n "$queue" ] || {
			storage
			sed -i "s,\"queue\": \"\",\"queue\": \"$queue\"," deploy.yml
		}
		rm -rf www
		run deploy enqueue -- "$name"
		run deploy jobs remove -- "$name"
		expect_status 2 deploy jobs show -- "$name"
		cure=$(sed -n 's/.*to make one, run: //p' "$err")
		eval "$cure" >id 2>said || fail "$cure: $(cat said)"
		once
		assert_eq "$(cat www/current/index.html)" "$name"
		for what in show log remove; do
			run deploy jobs $what -- "$name"
		done
		expect_status 2 deploy jobs show -- "$name"
	done <<-'END'
	a b
	it's
	-x
	--wait
	$(touch pwned)
	`touch pwned`; touch pwned
	a"b
	bücher日本
	{{x}}
	%s%n
	*
	END
	[ ! -e pwned ] || fail "pwned"
}

# In each state, each way to change a job does what it says or is refused with
# what can be done instead: "STATE|ACTION|STATUS|STATE AFTER", - for gone.
t_each_state_and_each_change() {
	local state action status after
	sites a
	while IFS='|' read -r state action status after; do
		enqueue a
		[ "$state" = waiting ] || sql "UPDATE deploy_jobs SET state = '$state', token = 'x', worker = 'w',
		    started = 1, ended = 1, tries = 5 WHERE id = $job"
		# shellcheck disable=SC2086 # words
		expect_status "$status" deploy jobs ${action/N/$job}
		[ "$status" -eq 0 ] || assert_contains "$err" "job $job of 'a' is $state; "
		if [ "$after" = - ]; then
			expect_status 2 deploy jobs show "$job"
		else
			assert_eq "$(state "$job")" "$after" "$state $action"
		fi
		sql "DELETE FROM deploy_jobs"
	done <<-'END'
	waiting|stop N|2|waiting
	waiting|remove N|0|-
	waiting|retry N|0|waiting
	waiting|priority N 5|0|waiting
	running|stop N|0|running
	running|remove N|3|running
	running|retry N|3|running
	running|priority N 5|3|running
	failed|stop N|2|failed
	failed|remove N|0|-
	failed|retry N|0|waiting
	failed|priority N 5|2|failed
	done|stop N|2|done
	done|remove N|0|-
	done|retry N|2|done
	done|priority N 5|2|done
	merged|stop N|2|merged
	merged|remove N|0|-
	merged|retry N|2|merged
	merged|priority N 5|2|merged
	END
}

# A site gets another name while a job waits: that is nobody's then, which is
# said, and can be removed; the site is another one.
t_a_site_is_renamed() {
	local old
	sites a
	build :
	worker
	wait_for 20 are_there "true a"
	enqueue a
	wait_for 20 is_state "$job" "done"
	end_worker "$worker"
	enqueue a --ref old
	old=$job
	sites b
	worker
	enqueue b --ref new
	wait_for 20 is_state "$job" "done"
	run deploy jobs
	assert_contains "$out" "no worker for a; last seen"
	assert_eq "$(state "$old")" waiting
	run deploy jobs remove a
	assert_eq "$(tail -n 1 built)" "b new"
}

# ------------------------------------------------------- who stands still

# The worker and its job stop when all is built, as a machine that is suspended
# does; the server gives the claim to another one, which publishes what was asked
# for since.  Back again, whoever of them is first: what is old does not go live,
# and the queue stays as it is.
suspended() {
	local first publish old p
	[ "$STORAGE" = postgresql ] || skip "a claim on a file outlives everything"
	need_root
	unshare -u hostname another 2>/dev/null || skip "needs a host name of its own"
	sites a -- 'worker: {notify: "echo $DEPLOY_EVENT $DEPLOY_REF >>told"}'
	sed -i "s|^    source: out.a|&\n    hooks: {pre_activate: 'echo \$PPID >publish; until [ -e go-a ]; do sleep 0.05; done'}|" deploy.yml
	build 'rmdir busy-a'
	enqueue a --ref old
	old=$job
	worker
	first=$worker
	wait_for 20 test -s publish
	publish=$(cat publish)
	kill -STOP "$first" "$publish"
	sql "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'" >/dev/null
	wait_for 20 no_claims
	enqueue a --ref new
	touch go-a
	run unshare -u sh -c 'hostname another && exec deploy worker --once'
	assert_eq "$(cat www/a/current/index.html)" "a new"
	for p; do
		kill -CONT "${!p}"
		[ "$p $2" != "publish first" ] || wait_for 20 is_zombie "$publish"
	done
	wait_for 20 grep -q "is in other hands since" worker.log
	kill "$first"
	wait "$first"
	assert_eq "$(cat www/a/current/index.html)" "a new"
	assert_eq "$(state "$old") $(state "$job")" "merged done"
	assert_eq "$(cat told)" "done new"
}

t_a_suspended_worker_is_back_first() {
	suspended first publish
}

t_a_suspended_job_is_back_first() {
	suspended publish first
}

no_claims() {
	[ "$(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" -eq 0 ]
}

is_zombie() {
	[ "$(awk '$1 == "State:" { print $2 }' "/proc/$1/status")" = Z ]
}

# A server that hangs, as one whose disk does: its kernel keeps the connection, and
# no statement ends.  The worker heeds signals, and goes on when it is back.
t_a_database_that_hangs() {
	local pids i
	[ "$STORAGE" = postgresql ] || skip "a file does not hang"
	sites a
	worker
	wait_for 20 grep -q 'waiting for jobs' worker.log
	pids=$(head -n 1 "$TEST_DIR/pg/data/postmaster.pid")
	pids="$pids $(pgrep -P "$pids")"
	# shellcheck disable=SC2086 # words
	defer kill -CONT $pids
	# shellcheck disable=SC2086
	kill -STOP $pids
	pause 3
	kill -TERM "$worker"
	for ((i = 0; i < 600; i++)); do
		kill -0 "$worker" 2>/dev/null || break
		pause 0.1
	done
	! kill -0 "$worker" 2>/dev/null || fail "$(cat worker.log)"
	assert_contains worker.log 'the server does not answer'
	# shellcheck disable=SC2086
	kill -CONT $pids 2>/dev/null || true
	run deploy enqueue a
}

run_tests
