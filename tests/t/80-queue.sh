#!/bin/bash
# The queue: enqueue, worker, jobs.  81-queue-postgresql.sh runs the same.
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
# parts: 3
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

# ---------------------------------------------------------------- enqueue

t_enqueue_and_build() {
	need_cmd jq
	sites a
	build :
	run deploy enqueue a --ref abc123 --reason 'a push'
	job=$(cat "$out")
	assert_contains "$err" "job $job"
	assert_eq "$(state "$job")" waiting
	once
	assert_eq "$(state "$job")" "done"
	assert_eq "$(cat www/a/current/index.html)" "a abc123"
	# What was asked for is with the release.
	run deploy list --json
	assert_eq "$(json "$out" '.releases[0] | .commit + " " + .message')" \
	    "abc123 a push"
	# And again: nothing to do.
	once
	assert_eq "$(wc -l <built)" 1
}

t_only_known_sites() {
	sites example.org other
	expect_status 2 deploy enqueue exmaple.org
	assert_contains "$err" "did you mean 'example.org'?"
	expect_status 2 deploy enqueue '../../etc/passwd'
	expect_status 2 deploy enqueue 'other; touch pwned'
	expect_status 2 deploy enqueue ''
	expect_status 2 deploy enqueue
	expect_status 2 deploy enqueue -s other
	expect_status 2 deploy enqueue other example.org
	expect_status 2 deploy enqueue other --root www
	expect_status 2 deploy enqueue other -c nowhere.yml
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0
}

t_refs_and_reasons_are_only_text() {
	local bad
	sites a
	build :
	# shellcheck disable=SC2016
	for bad in '' '--upload-pack=x' '$(touch pwned)' 'a b' $'a\nb' \
	    "$(printf 'x%.0s' {1..256})"
	do
		expect_status 2 deploy enqueue a "--ref=$bad"
	done
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0
	# A reason may be anything, and disturbs nobody.
	enqueue a --reason $'red \e[31m\n"; DROP TABLE deploy_jobs; -- \xff'
	assert_eq "$(field "$job" .reason)" \
	    $'red [31m "; DROP TABLE deploy_jobs; -- \ufffd'
	once
	assert_eq "$(state "$job")" "done"
	enqueue a --reason "$(printf 'ä%.0s' {1..2000})"
	assert_eq "$(field "$job" '.reason | length')" 500
	[ ! -e pwned ] || fail "pwned"
}

# shellcheck disable=SC2016
t_refs_are_those_of_git() {
	local ref good bad
	good=('fix/#123' 'feat(nav)/x' 'v1.0,rc' 'bücher' main HEAD 'a@b' 'a{b'
	    refs/heads/main 'a;b' "a'b" 'a"b' 'a|b&c' '$(touch${IFS}pwned)'
	    '`touch${IFS}pwned`' '$HOME' '100%' 'a=b' 'a!' '<a>' '日本/語'
	    'a.lock.b' 'a-.b' 0123abcd "$(printf 'x%.0s' {1..255})")
	bad=('' @ -x a..b 'a~1' 'a^' 'a:b' 'a?' 'a*' 'a[b' 'a\b' a.lock
	    a.lock/b '@{1}' 'a@{b' .a a/.b a. /a a/ a//b 'a b' $'a\tb'
	    $'a\x7f' $'a\xff' $'a\xc2\x9b' "$(printf 'x%.0s' {1..256})")
	sites a
	build :
	for ref in "${bad[@]}"; do
		expect_status 2 deploy enqueue a "--ref=$ref"
		assert_contains "$err" "is no ref; name a commit or a branch"
	done
	for ref in "${good[@]}"; do
		enqueue a "--ref=$ref"
		assert_eq "$(field "$job" .ref)" "$ref"
	done
	for ref in 'fix/#123' 'a;b' '$(touch${IFS}pwned)' "a'b"; do
		enqueue a "--ref=$ref"
		once
		assert_eq "$(state "$job")" "done"
		assert_eq "$(cat www/a/current/index.html)" "a $ref"
		run deploy list --json
		assert_eq "$(json "$out" '.releases[0].commit')" "$ref"
	done
	[ ! -e pwned ] || fail "pwned"
	command -v git >/dev/null || return 0
	for ref in "${good[@]}"; do
		git check-ref-format --allow-onelevel "$ref" ||
			fail "git refuses '$ref'"
	done
}

t_requests_are_merged() {
	local first
	sites a b
	build :
	enqueue a --ref one --reason first --priority 5
	first=$job
	enqueue b --ref b
	enqueue a --ref two --reason second --priority 3
	assert_eq "$job" "$first"
	assert_contains "$err" "waits already"
	enqueue a --ref three --priority -7
	assert_eq "$job" "$first"
	assert_eq "$(field "$first" '| "\(.ref) \(.reason) \(.priority) \(
	    .requests)"')" "three null 5 3"
	once
	assert_eq "$(cat built)" $'a three\nb b'
}

t_a_log_is_followed() {
	local pid
	sites a
	build "echo first; printf half; $held; echo ' and half'"
	# One that has not begun.
	enqueue a
	deploy jobs log "$job" --follow >seen &
	pid=$!
	worker
	wait_for 20 grep -q first seen
	wait_for 20 test -e began-a
	kill -0 "$pid" || fail 'it has ended before the job'
	touch go-a
	wait "$pid"
	deploy jobs log a >want
	assert_file_eq seen want
	assert_contains seen 'half and half'
	# One that has ended.
	expect_status 0 deploy jobs log a --follow
	assert_file_eq "$out" want
	end_worker "$worker"
	for args in "log a --json" "show a" "list" ""; do
		# shellcheck disable=SC2086 # words
		expect_status 2 deploy jobs $args --follow
		assert_contains "$err" "--follow prints a log as it grows"
	done
}

# What does not fit into the log is there before the job has ended.
t_the_end_of_a_long_log_is_followed() {
	sites a -- 'worker: {log_size: 4}'
	build 'seq 5000'
	enqueue a
	deploy jobs log "$job" --follow >seen &
	once
	wait "$!"
	deploy jobs log a >want
	assert_file_eq seen want
	assert_contains seen 5000
}

t_no_more_wait_than_may() {
	sites a b c -- 'max_waiting: 2'
	build :
	enqueue a
	enqueue b
	expect_status 3 deploy enqueue c
	assert_contains "$err" "'c' is not enqueued: 2 jobs wait already, as many as 'max_waiting' in deploy.yml allows; ask again when some are done"
	expect_status 3 deploy enqueue c -n
	run deploy enqueue b -n
	assert_eq "$(sql 'SELECT count(*) FROM deploy_jobs')" 2 'jobs'
	# What is merged is not one more, and all of it counts.
	enqueue b --item x
	enqueue a --priority 3
	once
	enqueue c
	once
	# Of many at once no more get in.
	for s in a b c a b c a b c; do
		deploy enqueue "$s" >/dev/null 2>&1 &
	done
	wait
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs
	    WHERE state = 'waiting'")" 2 'jobs that wait'
}

t_a_request_while_a_job_runs_waits() {
	local first second
	sites a
	build "$held"
	enqueue a --ref one
	first=$job
	worker --jobs 3
	wait_for 20 test -e began-a
	assert_eq "$(state "$first")" running
	enqueue a --ref two
	second=$job
	[ "$second" != "$first" ] || fail "merged into the running one"
	enqueue a --ref three
	assert_eq "$job" "$second"
	sleep 0.5
	assert_eq "$(state "$second")" waiting
	touch go-a
	wait_for 20 is_state "$second" "done"
	assert_eq "$(cat built)" $'a one\na three'
	assert_uncrossed
}

t_priority_then_age() {
	local site
	sites a b c d e
	build :
	enqueue c
	enqueue a --priority 5
	enqueue d
	enqueue b --priority 5
	enqueue e --priority -1
	run deploy worker -n --once
	assert_eq "$(sed -n 's/.*would do.*: //p' "$err" | tr '\n' ' ')" \
	    "a b c d e "
	enqueue d --priority 9
	once
	assert_eq "$(cut -d ' ' -f 1 built | tr '\n' ' ')" "d a b c e "
	for site in x 1.5 9999999999 ''; do
		expect_status 2 deploy enqueue a "--priority=$site"
	done
}

t_settle() {
	local due created
	sites a
	build :
	sed -i 's/^    source: out.a/    settle: 2s\n&/' deploy.yml
	enqueue a
	once
	[ ! -e built ] || fail "built at once"
	due=$(field "$job" '.due | fromdate')
	sleep 1.2
	enqueue a --ref again
	[ "$(field "$job" '.due | fromdate')" -gt "$due" ] || fail "not put off"
	worker
	wait_for 20 is_state "$job" "done"
	assert_eq "$(cat built)" "a again"
	# Not for ever: ten times at most.
	enqueue a
	created=$(sql "SELECT created FROM deploy_jobs WHERE id = $job")
	kill "$worker"
	wait "$worker"
	sql "UPDATE deploy_jobs SET created = $((created - 60000))
	    WHERE id = $job"
	enqueue a
	once
	assert_eq "$(state "$job")" "done"
}

t_wait_for_the_end() {
	local waiter
	sites a bad
	build '[ "$DEPLOY_SITE" != bad ] || exit 3'
	worker
	run deploy enqueue a --wait
	assert_eq "$(state "$(cat "$out")")" "done"
	run deploy enqueue a --wait --json
	assert_eq "$(json "$out" '"\(.state) \(.status)"')" "done 0"
	expect_status 1 deploy enqueue bad --wait
	assert_contains "$err" "build command failed with status 3"
	kill "$worker"
	wait "$worker"
	# Without a worker it waits; a signal ends that, and the job stays.
	deploy enqueue a --wait --ref x 2>err &
	waiter=$!
	wait_for 10 grep -q 'job' err
	kill "$waiter"
	expect_status 1 wait "$waiter"
	assert_contains err "stays"
	once
	assert_eq "$(cat www/a/current/index.html)" "a x"
}

t_dry_runs() {
	local what
	sites a
	build :
	run deploy enqueue a -n
	assert_contains "$err" "would enqueue 'a'"
	[ ! -s "$out" ] || fail "an answer"
	[ "$STORAGE" != sqlite ] || [ ! -e queue ] || fail "a queue was made"
	enqueue a
	run deploy worker -n
	assert_contains "$err" "would do job $job: a"
	for what in "remove a" "retry a" "priority a 7"; do
		# shellcheck disable=SC2086 # words are meant
		run deploy jobs -n $what
		assert_contains "$err" "job $job of 'a': would be "
	done
	assert_eq "$(field "$job" .priority)" 0
	[ ! -e built ] || fail "built"
}

# ------------------------------------------------------------------ items

# items JOB: its items; refs JOB: its refs
items() {
	field "$1" '.items | join(" ")'
}

refs() {
	field "$1" '.refs | join(" ")'
}

# What a build is told to build goes into the file `items`, a line a build.
# shellcheck disable=SC2016
taking='echo "$(tr "\n" " " <"$DEPLOY_ITEMS_FILE")" >>items; echo "$DEPLOY_ITEMS_FILE" >file'

t_items_are_united() {
	local first
	mkdir tmp
	export TMPDIR=$PWD/tmp
	sites a
	build "$taking"
	enqueue a --item vendor/b --item vendor/a --ref v1
	first=$job
	enqueue a --item vendor/a
	assert_eq "$job" "$first"
	printf 'c d\r\n\nvendor/b\nlast' | deploy enqueue a --item - \
	    --item "it's" --ref v2 >"$out" 2>"$err"
	assert_eq "$(items a)" "c d it's last vendor/a vendor/b"
	assert_eq "$(refs a)" "v1 v2"
	assert_eq "$(field a .requests)" 3
	run deploy jobs
	assert_eq "$(awk '{ print $6 }' "$out")" $'ITEMS\n5' "$(cat "$out")"
	run deploy jobs show a
	assert_contains "$out" "items      c d"
	assert_contains "$out" "refs       v1"
	once
	assert_eq "$(cat items)" "c d it's last vendor/a vendor/b "
	assert_eq "$(cat built)" "a v2"
	# They are still told of, but the file is gone.
	assert_eq "$(items "$first")" "c d it's last vendor/a vendor/b"
	[ ! -e "$(cat file)" ] || fail "the file is still there"
	assert_eq "$(ls tmp)" ""
	# The next one begins anew.
	enqueue a --item other
	assert_eq "$(items "$job")" other
}

t_no_items_are_everything() {
	sites a b
	build "$taking"
	# Whatever comes first, and whatever comes then.
	enqueue a --item x
	enqueue a
	assert_eq "$(items a)" ""
	enqueue a --item y
	assert_eq "$(items a)" ""
	once
	assert_eq "$(cat items file)" $'\n/dev/null'
	# One request is not another site's.
	enqueue a --item x
	enqueue b --item z
	assert_eq "$(items a) $(items b)" "x z"
	once
	# By hand it is everything, unless somebody says it.
	run deploy publish -s a
	assert_eq "$(cat file)" /dev/null
	echo mine >mine
	DEPLOY_ITEMS_FILE=$PWD/mine run deploy publish -s a
	assert_eq "$(tail -n 1 items)" "mine "
}

t_bad_items() {
	local bad
	sites a
	for bad in '' $'a\nb' $'a\tb' $'\e[31m' $'\xff' --all -a \
	    "$(printf 'x%.0s' {1..1001})"
	do
		expect_status 2 deploy enqueue a --item good --item "$bad"
		assert_contains "$err" "is no item"
	done
	for bad in '' '\n\n' 'a\n-b\n' 'a\n-\n' 'a\n\tb\n' 'a\0b\n' '\377\n' 'a\rb\n' '\ra\n' \
	    'a\r\r\n' 'a\rb\r'; do
		printf "$bad" >in
		expect_status 2 deploy enqueue a --item - <in
	done
	head -c 20000000 /dev/zero | tr '\0' x >in
	expect_status 2 deploy enqueue a --item - <in
	assert_contains "$err" "more than 16 MB"
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0
	enqueue a --item "$(printf 'x%.0s' {1..1000})" --item 'ä; touch pwned'
	run deploy enqueue a -n --item x
	assert_eq "$(field a '.items | length')" 2
}

# More than anybody wants to name are everything.
t_very_many_items() {
	sites a
	seq 100000 >in
	deploy enqueue a --item - <in >/dev/null 2>&1
	assert_eq "$(field a '.items | length')" 100000
	enqueue a --item 100000 --item one
	assert_eq "$(items a)" ""
}

t_items_of_a_failed_job_stay() {
	local first
	sites a -- 'worker: {retry: 1h}'
	build "$taking; rmdir busy-a; [ -e good ] || exit 1; mkdir busy-a"
	enqueue a --item x
	first=$job
	expect_status 1 deploy worker --once
	assert_eq "$(items a)" x
	enqueue a --item y
	assert_eq "$job" "$first"
	expect_status 1 deploy worker --once
	touch good
	run deploy jobs retry a
	once
	assert_eq "$(cat items)" $'x \nx y \nx y '
}

# While it runs another request waits, and gets what failed.
t_items_are_handed_on() {
	local first
	sites a -- 'worker: {retry: 1h}'
	build "$taking; $held; rmdir busy-a; [ -e good ] || exit 1; mkdir busy-a"
	enqueue a --item x --ref r1
	first=$job
	worker
	wait_for 20 test -e began-a
	enqueue a --item y --ref r2
	assert_eq "$(items "$first") $(items "$job")" "x y"
	kill "$worker"
	wait "$worker"
	assert_eq "$(state "$first")" merged
	assert_eq "$(items "$job")" "x y"
	assert_eq "$(refs "$job")" "r1 r2"
	# It fails while a third one waits.
	rm -rf began-a busy-a
	first=$job
	worker
	wait_for 20 test -e began-a
	enqueue a --item z
	rm began-a
	touch go-a
	wait_for 20 is_state "$first" failed
	wait_for 20 is_state "$job" waiting
	kill "$worker"
	wait "$worker"
	assert_eq "$(items "$job")" "x y z"
	assert_eq "$(refs "$job")" "r1 r2"
	touch good
	# Everything is everything, also when it comes from one that failed.
	sql "DELETE FROM deploy_items WHERE job = $first"
	run deploy jobs retry "$first"
	assert_eq "$(items "$job")" ""
	run deploy jobs retry "$job"
	once
	assert_eq "$(tail -n 1 items)" ""
}

t_refs_of_merged_requests() {
	local i
	sites a
	build :
	for i in v1 v2 '' v1 main; do
		enqueue a ${i:+--ref "$i"}
	done
	assert_eq "$(refs a) / $(field a .ref)" "v2 v1 main / main"
	enqueue a
	assert_eq "$(refs a) / $(field a .ref)" "v2 v1 main / null"
	once
	assert_eq "$(cat built)" "a "
}

t_items_of_forgotten_jobs_go() {
	sites a b -- 'worker: {keep: 1}'
	build :
	for i in 1 2 3; do
		enqueue a --item "x$i" --item y
		once
	done
	assert_eq "$(sql "SELECT count(*) FROM deploy_items")" 2
	enqueue b --item z
	run deploy jobs remove b --json
	assert_eq "$(json "$out" '.jobs[0].items[0]')" z
	assert_eq "$(sql "SELECT count(*) FROM deploy_items
	    WHERE item = 'z'")" 0
}

# ----------------------------------------------------------------- worker

t_the_daemon_wakes_up() {
	local i start
	sites a b
	build :
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	for i in 1 2 3; do
		sleep 0.7
		start=${EPOCHREALTIME/./}
		enqueue a --ref "r$i"
		wait_for 8 is_state "$job" "done"
		echo "after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	done
	assert_eq "$(wc -l <built)" 3
}

# What is live is looked at by time, mended where that is possible, and told.
t_what_is_live_is_verified() {
	local f was
	sites a b -- 'worker: {verify: 1s}'
	build :
	deploy publish --site a
	deploy publish --site b
	deploy publish --again --site a
	# The release before has the file as it was.
	f=www/a/current/index.html
	was=$(<"$f")
	rm "$f"
	echo bad >"$f"
	deploy worker --once
	[ -z "$(find logs "$queue" -name 'verify-*' 2>/dev/null)" ] || fail "--once verifies"
	worker
	wait_for 30 grep -q "warning: \|a: what is live is intact" worker.log
	wait_for 30 grep -q "a: what is live is intact" worker.log
	wait_for 30 grep -q "b: what is live is intact" worker.log
	assert_eq "$(<"$f")" "$was"
	# What cannot be mended.
	f=www/b/current/index.html
	touch -r "$f" before
	printf X | dd of="$f" bs=1 seek=1 conv=notrunc status=none
	touch -r before "$f"
	wait_for 30 grep -q "b: verify: release .* is not what its manifest says" worker.log
	# It goes on with jobs.
	enqueue a
	wait_for 30 is_state "$job" "done"
}

t_idle_means_idle() {
	local before after
	sites a
	build :
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	enqueue a
	wait_for 10 is_state "$job" "done"
	# One that is not for it.
	sql "INSERT INTO deploy_jobs (site, state, priority, who, requests,
	    created, due) VALUES ('strange', 'waiting', 9, 'x', 1, 1, 1)"
	sleep 1
	before=$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$worker/status")
	sleep 5
	after=$(awk '/ctxt/ { n += $2 } END { print n }' "/proc/$worker/status")
	grep -E 'VmRSS|RssAnon' "/proc/$worker/status"
	echo "context switches in 5 s: $((after - before))"
	((after - before < 20)) || fail "$((after - before)) in 5 s"
}

# As systemd(1) listens: to the socket that the environment names.
t_it_tells_the_service_manager() {
	local name=deploy-$BASHPID
	need_cmd python3
	sites a
	build "env >env; $held"
	cat >manager.py <<-'EOF'
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("\0" + sys.argv[1])
	print("bound", flush=True)
	while True:
	    print(s.recv(4096).decode(), flush=True)
	EOF
	python3 manager.py "$name" >told &
	defer kill "$!"
	wait_for 20 grep -q bound told
	NOTIFY_SOCKET="@$name" WATCHDOG_USEC=400000 worker
	wait_for 20 grep -qx 'STATUS=waiting for jobs' told
	grep -qx READY=1 told || fail "$(cat told)"
	enqueue a
	wait_for 20 test -e began-a
	wait_for 20 grep -qx "STATUS=job $job: a" told
	wait_for 20 enough_signs
	touch go-a
	wait_for 20 is_state "$job" "done"
	! grep -E '^(NOTIFY_SOCKET|WATCHDOG)' env || fail "a build has it"
	kill "$worker"
	wait "$worker"
	wait_for 20 grep -qx STOPPING=1 told
	# For another process, none; and nobody there is no failure.
	: >told
	NOTIFY_SOCKET="@$name" WATCHDOG_USEC=400000 WATCHDOG_PID=1 \
	    run deploy worker --once
	wait_for 20 grep -qx READY=1 told
	! grep WATCHDOG told || fail "not for it"
	NOTIFY_SOCKET=@nobody-$BASHPID run deploy worker --once
	NOTIFY_SOCKET=nonsense run deploy worker --once
}

enough_signs() {
	[ "$(grep -cx WATCHDOG=1 told)" -ge 5 ]
}

t_sites_side_by_side() {
	sites a b c
	# Each waits for another one: alone it would never end.
	build 'touch "at-$DEPLOY_SITE"
	until [ "$(ls at-* | wc -l)" -ge 2 ]; do sleep 0.05; done'
	enqueue a
	enqueue b
	enqueue c
	once --jobs 2
	assert_eq "$(wc -l <built)" 3
	assert_uncrossed
}

t_several_workers() {
	local i
	sites a b c d e f g h
	build 'sleep 0.2'
	for i in a b c d e f g h; do
		enqueue "$i" --ref 1
	done
	for i in 1 2 3 4; do
		worker --jobs 2
	done
	for i in a b c d e f g h; do
		wait_for 30 is_state "$i" "done"
	done
	assert_eq "$(sort built | uniq -c | awk '{ print $1 }' | sort -u)" 1
	assert_eq "$(wc -l <built)" 8
	assert_uncrossed
}

t_max_jobs() {
	local i
	sites a b c d -- 'worker: {jobs: 4, max_jobs: 2}'
	build 'mkdir "one-of-$DEPLOY_SITE"
	n=$(ls -d one-of-* | wc -l); [ "$n" -le 2 ] || echo "$n" >>toomany
	sleep 0.3; rmdir "one-of-$DEPLOY_SITE"'
	for i in a b c d; do
		enqueue "$i"
	done
	worker
	worker
	for i in a b c d; do
		wait_for 30 is_state "$i" "done"
	done
	[ ! -e toomany ] || fail "$(cat toomany) at once"
}

t_only_one_site() {
	sites a b
	build :
	enqueue a
	enqueue b
	once -s b
	assert_eq "$(cat built)" "b "
	expect_status 2 deploy worker --once -s nosuch
}

t_update_before_the_build() {
	sites a
	sed -i "s|^    source: out.a|    update: 'echo update \"\$DEPLOY_REF\" >>built'\n&|" \
	    deploy.yml
	build :
	enqueue a --ref v2
	once
	assert_eq "$(cat built)" $'update v2\na v2'
	# Not without a worker, unless it is asked for.
	run deploy publish
	assert_eq "$(grep -c update built)" 1
	run deploy publish --update
	assert_eq "$(grep -c update built)" 2
	# A failing one ends the try.
	sed -i "s|update: .*|update: 'exit 4'|" deploy.yml
	enqueue a
	expect_status 1 deploy worker --once
	assert_contains "$err" "the update command failed with status 4"
	assert_eq "$(grep -c '^a' built)" 3
}

t_a_site_without_a_build() {
	sites a
	sed -i '/build:/d' deploy.yml
	mksite out/a 3
	enqueue a
	once
	assert_tree_eq out/a www/a/current/
}

t_environment_of_a_job() {
	sites a
	build 'env >env'
	enqueue a --ref v1
	once
	grep -qx "DEPLOY_JOB=$job" env || fail "no DEPLOY_JOB"
	grep -qx "DEPLOY_REF=v1" env || fail "no DEPLOY_REF"
	# Nothing but its own output is open in it.
	build 'ls -l /proc/self/fd | grep -v " [0-3] ->" | grep -- "->" >fds ||
	    true'
	enqueue a
	once
	[ ! -s fds ] || fail "open: $(cat fds)"
}

# What a CI system says of the job that started the worker is not about a job of
# the queue: its commit, its number, how it reads errors.
t_a_worker_that_a_ci_starts() {
	local ci name
	sites a -- "worker: {retry: 0s}"
	for ci in 'GITHUB_ACTIONS=true GITHUB_SHA=5f0c1ab GITHUB_RUN_NUMBER=7 GITHUB_ACTOR=ann' \
	    'GITLAB_CI=true CI_COMMIT_SHA=5f0c1ab CI_PIPELINE_IID=7 CI_JOB_URL=https://x/' \
	    'CI_PIPELINE_NUMBER=7 CI_COMMIT_SHA=5f0c1ab CI_COMMIT_AUTHOR=ann' \
	    'JENKINS_URL=https://x/ GIT_COMMIT=5f0c1ab BUILD_NUMBER=7 BUILD_USER_ID=ann'; do
		build 'env >env'
		enqueue a
		# shellcheck disable=SC2086 # words
		expect_status 0 env $ci OTHER=x deploy worker --once
		for name in $ci; do
			assert_not_contains env "${name%%=*}="
		done
		grep -qx OTHER=x env || fail "not what is the user's"
		assert_not_contains env 5f0c1ab
		expect_status 0 deploy list --root www/a --json
		assert_not_contains "$out" 5f0c1ab
		build 'exit 3'
		enqueue a
		# shellcheck disable=SC2086 # words
		expect_status 1 env $ci deploy worker --once
		assert_contains <(field a .message) 'failed with status 3'
	done
}

# ---------------------------------------------------------------- failures

t_tried_five_times() {
	local i ended due
	sites a -- 'worker: {retry: 1h}'
	build 'exit 1'
	enqueue a
	for i in 1 2 3; do
		expect_status 1 deploy worker --once
		assert_contains "$err" "try $i failed"
		assert_eq "$(state "$job")" waiting
		assert_eq "$(field "$job" .tries)" "$i"
		ended=$(field "$job" '.ended | fromdate')
		due=$(field "$job" '.due | fromdate')
		# Twice as long each time; both are cut to seconds.
		((due - ended >= 3600 * (1 << (i - 1)) - 1 &&
		    due - ended <= 3600 * (1 << (i - 1)) + 1)) ||
		    fail "try $i: $((due - ended)) s"
		# Not before.
		run deploy worker --once
		assert_eq "$(field "$job" .tries)" "$i"
		run deploy jobs retry "$job"
	done
	expect_status 1 deploy worker --once
	run deploy jobs retry "$job"
	expect_status 1 deploy worker --once
	assert_contains "$err" "failed: the build command failed"
	assert_eq "$(state "$job")" failed
	assert_eq "$(wc -l <built)" 5
	# It stays so, and is not tried by itself.
	run deploy worker --once
	assert_eq "$(wc -l <built)" 5
	run deploy jobs
	assert_contains "$out" "failed"
	assert_contains "$out" "the build command failed with status 1"
	# By hand: from the beginning.
	rmdir busy-a
	build :
	run deploy jobs retry "$job"
	once
	assert_eq "$(state "$job")" "done"
	assert_eq "$(field "$job" .tries)" 0
}

t_the_daemon_tries_again() {
	sites a -- 'worker: {retry: 1s}'
	build 'rmdir busy-a; [ -e good ] || { touch good; exit 1; }; mkdir busy-a'
	worker
	enqueue a
	wait_for 20 is_state "$job" "done"
	assert_eq "$(field "$job" .tries)" 1
	assert_eq "$(wc -l <built)" 2
}

t_a_new_request_begins_anew() {
	local first
	sites a -- 'worker: {retry: 1h}'
	build 'rmdir busy-a; exit 1'
	enqueue a --ref old
	first=$job
	expect_status 1 deploy worker --once
	assert_eq "$(field "$first" .tries)" 1
	enqueue a --ref new
	assert_eq "$job" "$first"
	assert_eq "$(field "$first" .tries)" 0
	build :
	once
	assert_eq "$(cat www/a/current/index.html)" "a new"
}

# The request that came while it ran is the next try.
t_failed_while_another_waits() {
	local first
	sites a -- 'worker: {retry: 1h}'
	build "$held; rmdir busy-a; [ \"\$DEPLOY_REF\" != old ] || exit 1; mkdir busy-a"
	enqueue a --ref old --priority 7
	first=$job
	worker
	wait_for 20 test -e began-a
	enqueue a --ref new
	touch go-a
	wait_for 20 is_state "$job" "done"
	assert_eq "$(state "$first")" failed
	assert_eq "$(field "$job" .priority)" 7
	assert_eq "$(cat www/a/current/index.html)" "a new"
}

t_a_hanging_build() {
	sites a b
	build '[ "$DEPLOY_SITE" = b ] || { trap "" TERM; sleep 4811.'$$'; sleep 4812.'$$'; }'
	sed -i '/name: a/,/timeout/s/timeout: 60s/timeout: 1s/' deploy.yml
	enqueue a
	enqueue b
	expect_status 1 deploy worker --once
	assert_contains "$err" "after 1 s (timeout)"
	assert_eq "$(state a)" waiting
	assert_eq "$(state b)" "done"
	runs_not "^sleep 481[12].$$\$" || fail "it still runs"
}

# A job that takes too long in all, wherever.
t_a_job_has_a_timeout() {
	sites a -- 'worker: {timeout: 1s}'
	build "sleep 4813.$$"
	enqueue a
	expect_status 1 deploy worker --once
	assert_contains "$err" "longer than 1 s"
	assert_eq "$(field "$job" .tries)" 1
	runs_not "^sleep 4813.$$\$" || fail "it still runs"
}

t_what_a_job_leaves_running_is_ended() {
	sites a
	build "sleep 4821.$$ & setsid sleep 4822.$$ &
	(setsid sh -c 'sleep 4823.$$ & exec sleep 4824.$$' &)
	(trap '' TERM HUP; exec setsid sleep 4825.$$) & sleep 0.3"
	enqueue a
	once
	assert_eq "$(state a)" "done"
	runs_not "^sleep 482[1-5].$$\$" || fail "it still runs"
}

t_a_flood_of_output() {
	local size
	sites a -- 'worker: {log_size: 64}'
	build 'echo the-first-line; yes "a line of the flood" | head -c 30000000
	echo the-last-line'
	enqueue a
	once
	run deploy jobs log "$job"
	assert_contains "$out" the-first-line
	assert_contains "$out" the-last-line
	assert_contains "$out" "bytes left out"
	size=$(wc -c <"$out")
	((size <= 66000)) || fail "$size bytes"
	run deploy jobs show "$job"
	assert_contains "$out" the-last-line
}

t_no_good_bytes_in_the_output() {
	sites a
	build 'printf "\377\376 \0 \033[31m red \200\n"; printf "no end of line"'
	enqueue a
	once
	run deploy jobs log "$job"
	grep -qaF $'\e[31m red' "$out" || fail "not as it was printed"
	# On a terminal nothing is lost, and nothing does harm.
	script -qec "deploy jobs log $job" typescript </dev/null >shown
	assert_contains shown '\xff\xfe \x00 \x1b[31m red \x80'
	assert_contains shown 'no end of line'
	run deploy jobs show a --json
	json "$out" '.jobs[0].log' >log
	assert_contains log "red"
	rm -rf queue/logs .home
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs WHERE
	    tail LIKE '%red%'")" 1
}

t_logs_and_jobs_rotate() {
	local i
	sites a b -- "worker: {keep: 3, logs: logs, retry: 0s}"
	build '[ "$DEPLOY_SITE" != b ] || { rmdir busy-b; exit 1; }'
	enqueue b
	expect_status 1 deploy worker --once
	assert_contains "$err" "5 tries failed"
	for i in 1 2 3 4 5; do
		enqueue a --ref "v$i"
		once
	done
	assert_eq "$(ls logs/*.log | wc -l)" 3
	run deploy jobs --json
	assert_eq "$(json "$out" '[.jobs[] | select(.state == "done")] |
	    length')" 3
	# What failed for good is not driven out by what went well.
	assert_eq "$(state b)" failed
}

# ------------------------------------------------------- the end of a worker

t_sigterm_puts_the_job_back() {
	local sig
	sites a
	for sig in TERM INT HUP; do
		rm -rf began-a go-a busy-a
		build "sleep 4831.$$ & $held"
		worker
		enqueue a --ref "$sig"
		wait_for 20 test -e began-a
		kill "-$sig" "$worker"
		wait "$worker" || fail "status $?"
		assert_eq "$(state "$job")" waiting
		assert_eq "$(field "$job" .tries)" 0
		runs_not "^sleep 4831.$$\$" || fail "it still runs"
		rmdir busy-a
		touch go-a
		once
		assert_eq "$(cat www/a/current/index.html)" "a $sig"
	done
}

t_sigterm_ends_an_idle_worker() {
	sites a
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	kill "$worker"
	wait "$worker" || fail "status $?"
}

# Its publish ends the build, and has the claim until then.
t_a_killed_worker() {
	sites a
	build 'rmdir busy-a; setsid sleep 4841.'$$' & echo $$ >pid; '"$held"
	worker
	enqueue a --ref x
	wait_for 20 test -e began-a
	kill -KILL "$worker"
	wait "$worker" || true
	touch go-a
	worker
	wait_for 30 is_state "$job" "done"
	assert_eq "$(cat www/a/current/index.html)" "a x"
	assert_eq "$(field "$job" .tries)" 0
	runs_not "^sleep 4841.$$\$" || fail "it still runs"
}

# The worker and all of deploy at once: who comes next ends what is left.
t_killed_with_its_child() {
	sites a
	build 'rmdir busy-a; echo $PPID >publish
	(setsid sh -c "echo \$\$ >left; while :; do sleep 0.1; done" &) ; '"$held"
	worker
	enqueue a --ref x
	wait_for 20 test -e began-a
	wait_for 20 test -s left
	kill -STOP "$worker"
	kill -KILL "$(cat publish)" "$worker"
	wait "$worker" || true
	kill -0 "$(cat left)" || fail "nothing is left: no test"
	touch go-a
	once
	wait_for 10 ended "$(cat left)"
	assert_eq "$(state "$job")" "done"
}

# Another worker that lives takes it over, without being told.
t_another_worker_takes_over() {
	sites a b
	build 'rmdir "busy-$DEPLOY_SITE"; '"$held"'; mkdir "busy-$DEPLOY_SITE"'
	worker
	enqueue a
	wait_for 20 test -e began-a
	first=$worker
	worker
	sleep 1
	kill -KILL "$first"
	touch go-a
	wait_for 30 is_state "$job" "done"
	assert_contains worker.log "job $job: a"
}

t_it_dies_again_and_again() {
	sites a
	build 'kill -KILL $PPID; sleep 5'
	sed -i '/build:/d' deploy.yml
	sed -i 's|root: .*|&\n    build: {command: "rm -rf busy-a; . ./build.sh"}|' \
	    deploy.yml
	enqueue a
	# The child that dies is a failed try.
	expect_status 1 deploy worker --once
	assert_contains "$err" "signal 9"
	assert_eq "$(field "$job" .tries)" 1
	# The worker that dies is none, but it does not go on like that.
	sql "UPDATE deploy_jobs SET state = 'running', token = 'x',
	    host = 'h', worker = 'w', deaths = 24 WHERE id = $job"
	run deploy worker --once
	assert_eq "$(state "$job")" failed
	assert_contains <(deploy jobs) "its worker died 25 times"
}

# -------------------------------------------------------------------- jobs

t_jobs() {
	sites a b
	build "$held"
	run deploy jobs
	[ ! -s "$out" ] || fail "jobs from nowhere"
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs | length')" 0
	enqueue a --ref v1 --reason because
	worker
	wait_for 20 test -e began-a
	enqueue b
	enqueue a --ref v2
	run deploy jobs
	assert_eq "$(awk '{ print $2, $3 }' "$out")" \
	    $'STATE SITE\nrunning a\nwaiting b\nwaiting a'
	assert_contains "$out" "v1"
	run deploy jobs -s b
	assert_eq "$(wc -l <"$out")" 2
	# The log of one that runs.
	run deploy jobs show a
	assert_contains "$out" "because"
	assert_contains "$out" "build: . ./build.sh"
	run deploy jobs log a
	assert_contains "$out" "build: . ./build.sh"
	touch go-a go-b
	wait_for 20 is_state a "done"
	wait_for 20 is_state b "done"
	run deploy jobs
	assert_eq "$(awk '{ print $2 }' "$out" | sort -u)" $'STATE\ndone'
	run deploy jobs --limit 1
	assert_eq "$(wc -l <"$out")" 2
}

t_jobs_usage() {
	sites a
	expect_status 2 deploy jobs lisst
	assert_contains "$err" "did you mean 'list'?"
	expect_status 2 deploy jobs show
	expect_status 2 deploy jobs show a
	expect_status 2 deploy jobs show 1
	enqueue a
	expect_status 2 deploy jobs show 4711
	assert_contains "$err" "no job 4711"
	expect_status 2 deploy jobs show nosuch
	expect_status 2 deploy jobs show a a
	expect_status 2 deploy jobs priority a
	expect_status 2 deploy jobs priority a high
	expect_status 2 deploy jobs --root www
}

t_priority_of_a_job() {
	sites a b
	build :
	enqueue a
	enqueue b
	run deploy jobs priority b 5
	run deploy jobs priority a -- -5
	once
	assert_eq "$(cat built)" $'b \na '
	expect_status 2 deploy jobs priority a 1
}

t_remove_jobs() {
	sites a b
	build "$held; rmdir busy-a"
	enqueue b
	run deploy jobs remove b
	expect_status 2 deploy jobs show b
	enqueue a
	worker
	wait_for 20 test -e began-a
	expect_status 3 deploy jobs remove a
	assert_contains "$err" "is running"
	run deploy jobs stop a
	wait_for 20 is_state "$job" failed
	assert_contains <(deploy jobs) "stopped by "
	run deploy jobs remove "$job"
	run deploy jobs
	[ ! -s "$out" ] || fail "$(cat "$out")"
	expect_status 2 deploy jobs retry "$job"
}

t_json() {
	sites a
	build :
	run deploy enqueue a --json --ref v1
	assert_eq "$(json "$out" '"\(.site) \(.merged) \(.state) \(.status)"')" \
	    "a false waiting null"
	run deploy enqueue a --json
	assert_eq "$(json "$out" .merged)" true
	run deploy worker --once --json
	assert_eq "$(json "$out" .failed)" 0
	run deploy jobs --json
	assert_eq "$(json "$out" '.jobs[0] | "\(.site) \(.state) \(.status) \(
	    .requests) \(.ref)"')" "a done 0 2 null"
	run deploy jobs log a --json
	json "$out" '.jobs[0].log' | finds 'is live' || fail "no log"
	expect_status 2 deploy jobs show 99 --json
	assert_eq "$(json "$out" .error.code)" 2
}

t_notify() {
	sites a -- 'worker: {notify: "env >>told; exit 5", retry: 0s}'
	build 'rmdir busy-a; [ -e good ] || { touch good; exit 3; }; mkdir busy-a'
	enqueue a --ref v1 --reason why
	expect_status 1 deploy worker --once
	assert_contains "$err" "notify: status 5"
	assert_eq "$(grep -E '^DEPLOY_(STATE|STATUS|TRIES)' told | sort |
	    tr '\n' ' ')" "DEPLOY_STATE=done DEPLOY_STATE=waiting DEPLOY_STATUS=0 DEPLOY_STATUS=1 DEPLOY_TRIES=1 DEPLOY_TRIES=1 "
	assert_contains told "DEPLOY_MESSAGE=the build command failed"
	assert_contains told "DEPLOY_REASON=why"
	assert_contains told "DEPLOY_SITE=a"
	assert_eq "$(sed -n 's/^DEPLOY_EVENT=//p' told | tr '\n' ' ')" \
	    "retrying well-again "
}

# What the last try before came to, also in a job that was asked for again.
t_well_again() {
	sites a b -- 'worker: {notify: "echo $DEPLOY_SITE $DEPLOY_EVENT >>told", retry: 1h}'
	build '[ -e good ] || { rmdir busy-*; exit 3; }'
	enqueue b
	enqueue a
	expect_status 1 deploy worker --once
	touch good
	enqueue a			# begins anew
	once
	enqueue a
	once
	run deploy jobs retry b
	once
	assert_eq "$(tr '\n' ',' <told)" \
	    "b retrying,a retrying,a well-again,a done,b well-again,"
}

# -------------------------------------------------------------------- FIFO

t_fifo() {
	sites a b
	build :
	worker --fifo fifo
	wait_for 10 test -p fifo
	assert_eq "$(stat -c %a fifo)" 660
	echo a >fifo
	wait_for 10 is_state a "done"
	# Garbage, a line that has no end, no name, blanks.
	{
		head -c 100000 /dev/zero | tr '\0' x
		printf '\n\n\0\377\n../../b\na; rm -rf /\n'
		head -c 20000 /dev/urandom
		printf '\n  b \r\n'
	} >fifo
	wait_for 10 is_state b "done"
	# Half a line, and its writer is gone; then another one.
	printf 'a' >fifo
	sleep 1.5
	echo b >fifo
	wait_for 10 grep -q '^2$' <(
		for _ in {1..100}; do
			grep -c '^b' built
			sleep 0.1
		done
	)
	assert_eq "$(grep -c '^a' built)" 2
	kill -0 "$worker" || fail "the worker is gone"
	assert_contains worker.log "are no names"
	[ -e build.sh ] || fail "pwned"
}

t_fifo_refuses() {
	sites a
	touch file
	expect_status 2 deploy worker --fifo file
	assert_contains "$err" "is no FIFO"
	expect_status 1 deploy worker --fifo nowhere/fifo
	assert_contains "$err" "; run: mkdir -p nowhere"
	expect_status 2 deploy worker --once --fifo fifo
	mkfifo real
	ln -s real link
	expect_status 1 deploy worker --fifo link
	user_dir theirs
	as_user mkfifo -m 666 theirs/fifo
	expect_status 2 deploy worker --fifo theirs/fifo
	assert_contains "$err" "belongs to the user 65534, who is neither you nor root; remove it, a worker makes its own: rm 'theirs/fifo'"
}

# --------------------------------------------------- several configurations

# both NAME...: as `sites`, and both.yml has the site `low` besides.
both() {
	sites "$@" low
	mv deploy.yml both.yml
	sites "$@"
}

t_strange_sites_are_left_alone() {
	local low
	both a
	build :
	enqueue low -c both.yml
	low=$job
	once
	worker
	enqueue a
	wait_for 20 is_state a "done"
	assert_eq "$(field "$low" '| "\(.state) \(.tries) \(.workers)"')" \
	    "waiting 0 0"
	run deploy jobs
	assert_contains "$out" "no worker for low has been seen"
	run deploy jobs show "$low"
	assert_contains "$out" "no worker for low has been seen"
	# Nor is it worth while to look at.
	run deploy worker -n
	assert_not_contains "$err" low
	once -c both.yml
	assert_eq "$(state "$low")" "done"
	assert_eq "$(cat built)" $'a \nlow '
}

# More of them than are looked at for one claim, and all are more urgent.
t_strange_sites_are_not_in_the_way() {
	local i rows=
	sites a
	build :
	enqueue a
	for ((i = 0; i < 300; i++)); do
		rows+="${rows:+, }('s$i', 'waiting', 9, 'x', 1, 1, 1)"
	done
	sql "INSERT INTO deploy_jobs (site, state, priority, who, requests,
	    created, due) VALUES $rows"
	once
	assert_eq "$(state "$job")" "done"
	assert_eq "$(sql "SELECT count(*) FROM deploy_jobs
	    WHERE state = 'waiting'")" 300
}

t_only_these_sites() {
	sites a b c d
	build :
	for i in a b c d; do
		enqueue "$i"
	done
	run deploy worker -n -s d --site=b
	assert_eq "$(sed -n 's/.*would do.*: //p' "$err" | tr '\n' ' ')" "b d "
	once -s d --site=b
	assert_eq "$(cat built)" $'b \nd '
	expect_status 2 deploy worker --once -s a -s nosuch
	run deploy jobs -s a -s d
	assert_eq "$(awk '{ print $3 }' "$out" | tr '\n' ' ')" "SITE a d "
}

# of_worker FILTER: of the workers, one a line
of_workers() {
	deploy jobs workers --json | jq -r ".workers[] | $1"
}

are_workers() {
	[ "$(of_workers '"\(.there) \(.sites | join(","))"')" = "$1" ]
}

t_workers_are_seen() {
	local first
	both a b
	build :
	run deploy jobs workers
	[ ! -s "$out" ] || fail "$(cat "$out")"
	worker -s a -s b
	first=$worker
	wait_for 20 are_workers "true a,b"
	worker -c both.yml -s low
	wait_for 20 are_workers $'true low\ntrue a,b'
	assert_eq "$(of_workers .host | sort -u)" "$(hostname)"
	run deploy jobs workers
	finds -E '^WORKER  *STATE  SINCE  *HOST  *SITES$' <"$out" ||
	    fail "$(cat "$out")"
	grep -qE "\($worker\)  there  20[-0-9]+T[:0-9]+Z  $(hostname)  *low\$" "$out" ||
	    fail "$(cat "$out")"
	kill "$worker"
	wait "$worker"
	are_workers $'true a,b\nfalse low' || fail "$(of_workers .)"
	run deploy enqueue low -c both.yml
	sql "UPDATE deploy_workers SET seen = seen - 3 * 3600 * 1000
	    WHERE gone = 1"
	run deploy jobs
	assert_contains "$out" \
	    "no worker for low; last seen 3 h ago on $(hostname)"
	# One that dies cannot say so: it lapses.
	kill -KILL "$first"
	wait "$first" || true
	are_workers $'true a,b\nfalse low' || fail "$(of_workers .)"
	sql "UPDATE deploy_workers SET seen = seen - 200 * 1000
	    WHERE gone = 0"
	are_workers $'false a,b\nfalse low' || fail "$(of_workers .)"
	# Who comes next is the last one that was seen of its sites.
	once -s a
	are_workers $'false a\nfalse b\nfalse low' || fail "$(of_workers .)"
	once -c both.yml
	are_workers 'false a,b,low' || fail "$(of_workers .)"
}

# One that ended while the clock was a day ahead is no newer for that, neither
# in lists nor when old ones are forgotten.
t_a_clock_that_was_ahead() {
	local i
	sites a -- "worker: {keep: 2}"
	build :
	for i in 1 2 3; do
		enqueue a --ref "v$i"
		once
		((i > 1)) || sql "UPDATE deploy_jobs SET ended = ended + 86400000"
	done
	run deploy jobs --json
	assert_eq "$(json "$out" '[.jobs[].ref] | join(" ")')" "v3 v2"
	run deploy jobs show a
	assert_contains "$out" v3
}

# Forgotten, say after a suspended machine was gone for long: it comes back.
t_a_worker_that_lapsed_enters_again() {
	sites a
	build :
	worker
	wait_for 20 are_workers "true a"
	sql "DELETE FROM deploy_worker_sites; DELETE FROM deploy_workers"
	deploy jobs workers
	wait_for 60 are_workers "true a"
	enqueue a
	wait_for 20 is_state "$job" "done"
}

t_waiting_for_nobody() {
	both a
	build "$held"
	deploy enqueue low -c both.yml --wait 2>low.err &
	defer kill "$!"
	deploy enqueue a --wait 2>a.err &
	defer kill "$!"
	wait_for 30 grep -q "no worker for a has been seen" a.err
	worker
	wait_for 20 test -e began-a
	wait_for 30 grep -q "no worker for low has been seen" low.err
	# Another one has it in hand, or is before it.
	deploy enqueue a --wait 2>second.err &
	defer kill "$!"
	wait_for 30 grep -q "yet: 1 other is before it" second.err
	touch go-a
	wait_for 20 test -e go-a
}

# ---------------------------------------------------------------- upgrades

# From the tables of the first version, which has a worker that goes on.
t_an_older_queue() {
	need_cmd flock
	storage
	sites a b c
	build :
	queue_of_version_1
	claim c
	run deploy jobs
	assert_eq "$(awk '{ print $2, $3 }' "$out")" \
	    $'STATE SITE\nrunning c\nwaiting a\nfailed b'
	assert_contains "$out" "no worker for a has been seen"
	enqueue a --ref v2
	assert_eq "$(field "$job" '| "\(.requests) \(.priority) \(.job)"')" \
	    "4 5 1"
	once
	assert_eq "$(cat built)" "a v2"
	assert_eq "$(state c)" running
	# The statements of that version: it takes a request, and its job ends.
	sql "INSERT INTO deploy_jobs (site, state, priority, ref, reason, who,
	    requests, created, due) VALUES ('c', 'waiting', 0, 'v3', NULL,
	    'old', 1, 2, 2) ON CONFLICT (site) WHERE state = 'waiting'
	    DO UPDATE SET requests = deploy_jobs.requests + 1"
	sql "UPDATE deploy_jobs SET state = 'done', due = 1, tries = 0,
	    deaths = 0, status = 0, message = NULL, tail = 'x', ended = 3,
	    token = NULL, stopped_by = NULL WHERE id = 3"
	[ -z "${claim_fd:-}" ] || exec {claim_fd}>&-
	[ "$STORAGE" = sqlite ] || sql "SELECT pg_terminate_backend(pid)
	    FROM pg_locks WHERE locktype = 'advisory'"
	run deploy jobs retry b
	once
	assert_eq "$(cat built)" $'a v2\nb \nc v3'
}

# All at once, and nobody sees half of it.
t_an_older_queue_is_opened_by_many() {
	local i pids=()
	storage
	sites a b c d
	build :
	queue_of_version_1
	for i in a b d a b d; do
		deploy enqueue "$i" >/dev/null 2>"err$i$RANDOM" &
		pids+=("$!")
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "$(cat err*)"
	done
	assert_eq "$(sql "SELECT sum(requests) FROM deploy_jobs
	    WHERE state = 'waiting'")" 9
}

# ----------------------------------------------------------- configuration

t_the_configuration_changes() {
	local first
	sites a
	build :
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	# A broken one is not taken.
	cp deploy.yml good.yml
	echo 'nonsense' >>deploy.yml
	wait_for 10 expect_status 2 deploy enqueue a
	cp good.yml deploy.yml
	sites a new
	enqueue new
	wait_for 20 is_state "$job" "done"
	# One that a worker does no more was known until then.
	cp deploy.yml all.yml
	sites a
	enqueue a
	wait_for 20 is_state "$job" "done"
	run deploy enqueue new -c all.yml
	run deploy jobs
	assert_contains "$out" "no worker for new; last seen "
	# What counts from the beginning only.
	assert_not_contains worker.log restart
	for key in 'worker: {jobs: 3}' 'worker: {logs: elsewhere}'; do
		: >worker.log
		sites a -- "$key"
		enqueue a
		wait_for 20 grep -q "restart it" worker.log
	done
	sites a
	: >worker.log
	enqueue a
	wait_for 20 grep -q "again" worker.log
	assert_not_contains worker.log restart
	# A site that is gone before its turn.
	kill "$worker"
	wait "$worker"
	enqueue a
	first=$job
	sites new
	once
	assert_eq "$(deploy jobs --json | jq -r ".jobs[] |
	    select(.job == $first) | \"\(.state) \(.tries)\"")" "waiting 0"
}

# While it cannot be read, no job begins, and none loses a try.
t_a_broken_configuration() {
	local how n=0
	sites a
	build :
	cp deploy.yml good.yml
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	for how in 'echo "x: [" >>deploy.yml' 'rm deploy.yml' ': >deploy.yml'; do
		n=$((n + 1))
		eval "$how"
		run deploy enqueue a -c good.yml
		job=$(<"$out")
		wait_for 10 eval \
		    '[ "$(grep -c "no job is begun until that is mended" worker.log)" -eq $n ]'
		sleep 1
		assert_eq "$(deploy jobs -c good.yml --json | jq -r \
		    ".jobs[] | select(.job == $job) | \"\(.state) \(.tries)\"")" \
		    "waiting 0" "$how"
		cp good.yml deploy.yml
		wait_for 20 is_state "$job" "done"
	done
	assert_eq "$(grep -c "is mended" worker.log)" 3 'said once'
}

t_default_place() {
	[ "$STORAGE" = sqlite ] || skip "has none"
	sites a
	sed -i '/^queue:/d' deploy.yml
	build :
	enqueue a
	[ -e "$XDG_STATE_HOME/deploy/queue.db" ] || fail "not there"
	assert_eq "$(stat -c %a "$XDG_STATE_HOME/deploy")" 700
	once
	[ -e "$XDG_STATE_HOME/deploy/logs/$job.log" ] || fail "no log"
	expect_status 2 env -u XDG_STATE_HOME -u HOME deploy enqueue a
	run env -u XDG_STATE_HOME deploy enqueue a
	[ -e "$HOME/.local/state/deploy/queue.db" ] || fail "not there"
}

run_tests
