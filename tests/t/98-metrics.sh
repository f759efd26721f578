#!/bin/bash
# deploy metrics: what it says is so, its form, its file, and that a worker
# writes it.
# parts: 2
# shellcheck disable=SC2154 # $queue: set by what is called
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

# value NAME [LABELS]: of the sample in `metrics`, or nothing.
value() {
	WANT="$1${2:+{$2\}}" awk '$1 == ENVIRON["WANT"] { print $2 }' metrics
}

metrics() {
	run deploy metrics "$@"
	cp "$out" metrics
	well_formed
}

# As OpenMetrics wants it: the samples of a family together, after its head, no
# sample twice, the end at the end.
well_formed() {
	awk '
	ended { bad("after the end") }
	$1 == "#" && $2 == "EOF" { ended = 1; next }
	$1 == "#" && $2 == "TYPE" {
		if ($3 in types) bad("a family twice")
		types[$3] = $4; family = $3; unit = ""; next
	}
	$1 == "#" && $2 == "UNIT" {
		if ($3 != family || $3 !~ ("_" $4 "$")) bad("unit")
		next
	}
	$1 == "#" && $2 == "HELP" { if ($3 != family || NF < 5) bad("help"); next }
	/^[a-z_]+({[a-z]+="([^"\\\n]|\\.)*"(,[a-z]+="([^"\\\n]|\\.)*")*})? -?[0-9]+(\.[0-9]+)?$/ {
		name = $0; sub(/[{ ].*/, "", name)
		if (name != family) bad("not of its family")
		key = $0; sub(/ [^ ]*$/, "", key)
		if (seen[key]++) bad("twice")
		next
	}
	{ bad("no line of it") }
	function bad(why) { print NR ": " why ": " $0; wrong = 1 }
	END { if (!ended) bad("no end"); exit wrong }' metrics >wrong ||
	    fail "$(cat wrong)"
}

t_what_is_so() {
	local at b='site="b"'
	sites a b -- "worker: {retry: 0s}"
	metrics
	assert_eq "$(value deploy_queue_jobs 'state="waiting"')" 0
	assert_eq "$(value deploy_live_info 'site="a"')" ''
	assert_eq "$(value deploy_job_success 'site="a"')" ''
	assert_eq "$(value deploy_host_up 'site="a",host="localhost"')" 1
	assert_eq "$(value deploy_host_live 'site="a",host="localhost"')" 0
	build '[ "$DEPLOY_SITE" = b ] || { rmdir busy-a; exit 3; }'
	enqueue a
	enqueue b --ref v1
	metrics
	assert_eq "$(value deploy_queue_jobs 'state="waiting"')" 2
	at=$(deploy jobs show a --json | jq -r '.jobs[0].created')
	assert_eq "$(value deploy_job_waiting_since_timestamp_seconds 'site="a"' |
	    cut -d . -f 1)" "$(date -d "$at" +%s)"
	assert_eq "$(value deploy_queue_oldest_timestamp_seconds)" \
	    "$(value deploy_job_waiting_since_timestamp_seconds 'site="a"')"
	expect_status 1 deploy worker --once
	metrics
	assert_eq "$(value deploy_queue_jobs 'state="waiting"')" 0
	assert_eq "$(value deploy_queue_jobs 'state="failed"')" 1
	assert_eq "$(value deploy_job_success 'site="a"')" 0
	assert_eq "$(value deploy_job_status 'site="a"')" 1
	assert_eq "$(value deploy_job_failed_tries 'site="a"')" 5
	assert_eq "$(value deploy_job_success "$b")" 1
	assert_eq "$(value deploy_job_failed_tries "$b")" 0
	run deploy status -s b --json
	at=$(json "$out" .current)
	assert_eq "$(value deploy_live_info "$b,release=\"$at\",commit=\"v1\"")" 1
	assert_eq "$(value deploy_live_since_timestamp_seconds "$b" |
	    cut -d . -f 1)" "$(date -d "$(json "$out" .since)" +%s)"
	assert_eq "$(value deploy_live_files "$b")" 1
	assert_eq "$(value deploy_live_bytes "$b")" \
	    "$(wc -c <www/b/current/index.html)"
	assert_eq "$(value deploy_host_live 'site="b",host="localhost"')" 1
	assert_eq "$(value deploy_live_verified "$b")" '' "no check"
	assert_eq "$(value deploy_publish_sent_bytes "$b")" 0
	assert_eq "$(value deploy_publish_skew_seconds "$b")" 0.000000
	assert_eq "$(value deploy_publish_sent_bytes 'site="a"')" ''
	[ "$(value deploy_job_end_timestamp_seconds "$b" | cut -d . -f 1)" -le \
	    "$(date +%s)" ]
	assert_eq "$(value deploy_frozen "$b")" 0
	run deploy freeze -s b
	worker
	wait_for 20 workers_are 1
	metrics
	assert_eq "$(value deploy_frozen "$b")" 1
	assert_eq "$(value deploy_job_workers "$b")" 1
	# Some sites only, and what is no site.
	metrics -s b
	assert_not_contains metrics 'site="a"'
	expect_status 2 deploy metrics -s c
}

workers_are() {
	deploy metrics >metrics
	[ "$(value deploy_queue_workers)" = "$1" ]
}

# Hosts that are down or differ are numbers; names are words.
t_hosts() {
	mkdir one two site
	echo one >site/index.html
	cat >deploy.yml <<-EOF
	sites:
	  - name: 'a"b\c'
	    source: site
	    root: $PWD/one
	    check: {url: "http://127.0.0.1:1/", tries: 1}
	    hosts:
	      - {address: www1, transport: local}
	      - {address: www2, transport: local, root: $PWD/two}
	      - {address: 127.0.0.1, port: 1}
	queue: $PWD/queue
	EOF
	run deploy publish --root "$PWD/one" site
	metrics
	assert_eq "$(value deploy_host_up 'site="a\"b\\c",host="www1"')" 1
	assert_eq "$(value deploy_host_up 'site="a\"b\\c",host="127.0.0.1"')" 0
	assert_eq "$(value deploy_host_live 'site="a\"b\\c",host="www1"')" 1
	assert_eq "$(value deploy_host_live 'site="a\"b\\c",host="www2"')" 0
	assert_eq "$(value deploy_host_live 'site="a\"b\\c",host="127.0.0.1"')" ''
	assert_eq "$(value deploy_live_verified 'site="a\"b\\c"')" 0
}

t_file() {
	sites a
	metrics
	run deploy metrics --file m.prom -n
	[ ! -e m.prom ] || fail "not dry"
	echo old >m.prom
	ln m.prom old
	run deploy metrics --file m.prom
	[ ! -s "$out" ] || fail "$(cat "$out")"
	assert_eq "$(cat old)" old "it is replaced, not written to"
	assert_eq "$(stat -c %a m.prom)" 644
	diff metrics m.prom
	assert_eq "$(printf '%s\n' .tmp-*)" '.tmp-*'
	run deploy metrics --file "$PWD/m.prom" --json
	assert_eq "$(json "$out" .file)" "$PWD/m.prom"
	json "$out" .metrics | head -n -1 >metrics
	expect_status 1 deploy metrics --file "no/it's there/m.prom"
	assert_contains "$err" "; run: mkdir -p 'no/it'\\''s there'"
	expect_status 1 deploy metrics --file m.prom/x
	assert_not_contains "$err" mkdir
	expect_status 2 deploy metrics --file logs/
}

# The worker writes it when it begins, and when a job has ended.
t_worker() {
	sites a b -- "worker: {metrics: m.prom}"
	build :
	worker -s a
	wait_for 20 test -s m.prom
	assert_not_contains m.prom 'site="b"'
	enqueue a
	wait_for 20 grep -qx 'deploy_job_success{site="a"} 1' m.prom
	cp m.prom metrics
	well_formed
	assert_eq "$(value deploy_publish_received_bytes 'site="a"')" 0
	# What cannot be written is a warning, and the jobs go on.
	sed -i 's,m.prom,no/m.prom,' deploy.yml
	enqueue a
	wait_for 20 grep -q 'metrics: .*/no' worker.log
	wait_for 20 is_state "$job" 'done'
}

# The builds do not see where the result goes.
t_result_is_not_for_builds() {
	sites a
	build 'env >env'
	enqueue a
	once
	assert_not_contains env DEPLOY_RESULT
	jq -e '.outcome == "new"' queue/logs/result-a >seen
}

t_promtool() {
	need_cmd promtool
	promtool check rules "$TREE/man/examples/alerts.yml"
	sites a -- "worker: {retry: 0s}"
	build 'rmdir busy-a; exit 3'
	enqueue a
	expect_status 1 deploy worker --once
	metrics
	promtool check metrics <metrics >said 2>&1 || fail "$(cat said)"
	[ ! -s said ] || fail "$(cat said)"
}

# Each number of the rules is one that there is.
t_alerts() {
	sites a
	metrics
	sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' metrics | sort -u >there
	grep -o 'deploy_[a-z_]*' "$TREE/man/examples/alerts.yml" | sort -u >used
	[ -s used ]
	comm -13 there used >missing
	[ ! -s missing ] || fail "no such number: $(cat missing)"
	# And the manual has all of them.
	while read -r name; do
		grep -qw "$name" "$TREE/man/deploy-queue.7" ||
		    fail "deploy-queue.7 lacks $name"
	done <there
}

run_tests
