#!/bin/bash
# The queue under fire: a thousand requests from sixteen processes for five
# sites, and four workers of which one is killed again and again, alone or
# with the process of its job.  85-queue-kill-postgresql.sh runs the same.
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

requests=${REQUESTS:-1000}
names=(one two three four five)

# A build holds a lock, and so does all that it starts: whoever finds it held
# runs beside another build, or beside what that left.
armed_build() {
	sed "s/@OWN@/$$/" >build.sh <<-'EOF'
	exec 9>"lock-$DEPLOY_SITE"
	flock -n 9 || echo "$DEPLOY_SITE $DEPLOY_REF" >>crossed
	echo "$DEPLOY_SITE $DEPLOY_REF" >>built
	sed "s/^/$DEPLOY_SITE /" "$DEPLOY_ITEMS_FILE" >>built-items
	setsid sleep 0.3@OWN@ &
	sleep "0.0$((${RANDOM:-7} % 10))" || sleep 0.05
	mkdir -p "$DEPLOY_SOURCE"
	echo "$DEPLOY_SITE $DEPLOY_REF" >"$DEPLOY_SOURCE/index.html"
	EOF
}

# Enqueue $2 times as process $1; note what was acknowledged.
requester() {
	local i site
	for ((i = 1; i <= $2; i++)); do
		site=${names[RANDOM % ${#names[@]}]}
		if deploy enqueue "$site" --ref "p$1-$i" --item "p$1-$i" \
		    --lock-wait 60 -q \
		    >/dev/null 2>>enqueue.err; then
			echo "$site p$1-$i" >>acknowledged
		else
			echo "$site p$1-$i" >>refused
		fi
	done
}

# Keep four workers alive, and kill one after the other, until the file
# `peace` is there; then end them.
battle() {
	local pids=() i child killed=0 both=0
	for i in 0 1 2 3; do
		deploy worker --jobs 2 2>>worker.log &
		pids[i]=$!
	done
	while [ ! -e peace ]; do
		sleep "0.$((RANDOM % 4 + 1))"
		i=$((RANDOM % 4))
		child=$(pgrep -P "${pids[i]}" | head -n 1)
		if ((RANDOM % 3 == 0)) && [ -n "$child" ]; then
			both=$((both + 1))
			kill -STOP "${pids[i]}"
			kill -KILL "$child" "${pids[i]}" 2>/dev/null
		else
			kill -KILL "${pids[i]}"
		fi
		killed=$((killed + 1))
		wait "${pids[i]}" 2>/dev/null
		deploy worker --jobs 2 2>>worker.log &
		pids[i]=$!
	done
	echo "$killed workers were killed, $both of them with a job's process"
	: >over
	while [ ! -e ended ]; do sleep 0.1; done
	kill "${pids[@]}"
	wait "${pids[@]}"
}

# Also when the test has failed.
end_battle() {
	: >peace
	: >ended
	wait "$1" || true
}

left_to_do() {
	sql "SELECT count(*) FROM deploy_jobs
	    WHERE state IN ('waiting', 'running')"
}

nothing_left() {
	[ "$(left_to_do)" -eq 0 ]
}

t_nothing_lost_nothing_twice() {
	local i pids=() site start=$SECONDS
	need_cmd flock
	sites "${names[@]}" -- 'worker: {keep: 100000, retry: 1s}'
	# Twenty clients of a server that has two processors.
	[ "$STORAGE" = sqlite ] || sed -i '/^queue:/s/"$/?connect_timeout=60"/' deploy.yml
	armed_build
	: >acknowledged
	(set +e; battle) 2>battle.err &
	defer end_battle "$!"
	for i in $(seq 16); do
		(set +e; requester "$i" $((requests / 16 +
		    (i <= requests % 16 ? 1 : 0)))) &
		pids+=("$!")
	done
	wait "${pids[@]}"
	echo "$(wc -l <acknowledged) requests in $((SECONDS - start)) s," \
	    "$(wc -l <built) builds"
	[ ! -e refused ] || fail "refused: $(cat refused enqueue.err)"
	# Some more of it, while what waits is being done.
	sleep 3
	: >peace
	wait_for 30 test -e over
	wait_for 120 nothing_left
	: >ended
	wait
	assert_eq "$(wc -l <acknowledged)" "$requests"
	[ ! -e crossed ] || fail "two builds at once: $(cat crossed)"
	# Every item is in a job that was done, and was given to its build.
	sql "SELECT DISTINCT j.site || ' ' || i.item FROM deploy_items i
	    JOIN deploy_jobs j ON j.id = i.job WHERE j.state = 'done'" |
	    LC_ALL=C sort >done-items
	LC_ALL=C sort -u acknowledged >acknowledged-items
	assert_file_eq acknowledged-items done-items
	LC_ALL=C sort -u built-items >built-once
	assert_eq "$(LC_ALL=C comm -23 done-items built-once)" ""
	# Every request is in a job that was done.
	assert_eq "$(sql "SELECT sum(requests) FROM deploy_jobs
	    WHERE state = 'done'")" "$requests"
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs
	    WHERE state NOT IN ('done', 'merged')")" 0
	for site in "${names[@]}"; do
		newest=$(sql "SELECT ref FROM deploy_jobs
		    WHERE site = '$site' AND state = 'done'
		    ORDER BY id DESC LIMIT 1")
		# What is live is the newest, and that is the last word of
		# somebody.
		assert_eq "$(cat "www/$site/current/index.html")" \
		    "$site $newest"
		assert_eq "$(grep "^$site ${newest%-*}-" acknowledged |
		    tail -n 1)" "$site $newest"
		assert_eq "$(grep "^$site " built | tail -n 1)" \
		    "$site $newest"
	done
	echo "all in $((SECONDS - start)) s"
	pgrep -fx "sleep 0.3$$" && fail "something is left running"
	[ "$STORAGE" != sqlite ] ||
	    assert_eq "$(sql 'PRAGMA integrity_check')" ok
}

run_tests
