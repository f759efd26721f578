#!/bin/bash
# The harness itself: a test that cannot fail is worth nothing.
. "$(dirname "$0")/../lib.sh"

# script BODY: write a test script with this body as its test and run it.
# Its TAP is in $out.
script() {
	{
		printf '. "%s/tests/lib.sh"\n' "$TREE"
		printf 't_it() {\n%s\n}\n' "$1"
		printf 't_after() { :; }\n%s\n' "${2:-run_tests}"
	} >x.sh
	env -u TEST_DIR -u KEEP bash x.sh >"$out" 2>&1 || true
}

# The test body $1 must be reported as failed, with the text $2, and the next
# test must still run.
must_fail() {
	script "$1"
	assert_contains "$out" "not ok 1 - it"
	assert_contains "$out" "$2"
	assert_contains "$out" "ok 2 - after"
}

t_failing_command_ends_the_test() {
	must_fail 'false; true' 'status 1: false'
	must_fail 'f() { false; true; }; f' 'status 1: false'
	must_fail 'x=$(false; echo x); true' 'status 1'
	must_fail 'false | true' 'status 1'
	# shellcheck disable=SC2016
	must_fail 'echo $nosuchvariable' 'nosuchvariable'
	must_fail 'exit 3' 'not ok'
}

t_fail_and_skip() {
	must_fail 'fail because' '# FAIL: because'
	script 'skip "no moon"; false'
	assert_contains "$out" 'ok 1 - it # SKIP no moon'
	script 'x=$(need_cmd no-such-command); false'
	assert_contains "$out" 'ok 1 - it # SKIP needs no-such-command'
}

t_expect_status_wants_this_status() {
	script 'expect_status 3 bash -c "echo o; echo e >&2; exit 3"
	    assert_contains "$out" o; assert_contains "$err" e'
	assert_contains "$out" "ok 1 - it"
	must_fail 'expect_status 1 true' 'status 0, expected 1'
	must_fail 'expect_status 1 sh -c "echo why >&2; exit 2"' 'err: why'
	must_fail 'run false' 'status 1, expected 0'
}

t_expect_status_takes_no_crash_for_a_failure() {
	must_fail 'expect_status 139 bash -c "kill -SEGV \$\$"' 'status 139'
	must_fail 'expect_status 127 no-such-command' 'status 127'
	must_fail 'expect_status 126 /' 'status 126'
}

t_sanitizer_report_of_any_process_fails() {
	must_fail 'f=${ASAN_OPTIONS#log_path=}; echo leak >"${f%%:*}.123"' leak
}

t_assertions() {
	echo 'a.b' >f
	cp f g
	assert_eq x x
	assert_contains f a.b
	assert_not_contains f a+b
	assert_file_eq f g
	must_fail 'assert_eq x y' "want: 'y'"
	must_fail 'echo aXb >f; assert_contains f a.b' "no 'a.b'"
	must_fail 'echo a >f; assert_not_contains f a' "'a' in f"
	must_fail 'assert_not_contains nosuch a' 'does not exist'
	must_fail 'echo a >f; echo b >g; assert_file_eq f g' 'differ'
	must_fail 'wait_for 0 false' 'waited in vain for: false'
}

t_refuses_what_would_hide_failures() {
	script 'false' 'run_tests || true'
	assert_contains "$out" "Bail out! errexit"
	# The second definition stands on a line of its own.
	script $':\n}\nt_it() { false;'
	assert_contains "$out" "Bail out! two functions"
}

t_environment_is_clean() {
	GITHUB_RUN_NUMBER=7 DEPLOY_CONFIG=/x NO_COLOR=1 https_proxy=x \
	    script 'env >/dev/null; [ -z "${GITHUB_RUN_NUMBER+x}" ]
	    [ -z "${DEPLOY_CONFIG+x}${NO_COLOR+x}${https_proxy+x}" ]
	    case $HOME in "$TEST_DIR"/*) ;; *) false ;; esac
	    [ -z "$(ls -A)" ]'
	assert_contains "$out" "ok 1 - it"
	assert_not_contains "$out" "not ok"
}

t_deferred_commands_run_after_a_failure() {
	script "defer touch '$PWD/first'; defer rm '$PWD/first'; false"
	assert_contains "$out" "not ok 1"
	[ -e first ] || fail "not run, or not in reverse order"
	script "sleep 300 & echo \$! >'$PWD/pid'"
	! kill -0 "$(cat pid)" 2>/dev/null || fail "left running"
}

t_sites_are_deterministic() {
	mksite a 250 3
	mksite b 250 3
	mksite c 250 4
	assert_tree_eq a b
	assert_eq "$(find a -type f | wc -l)" 253
	assert_eq "$(diff -rq a c | wc -l)" 253 "files that differ"
}

t_nginx_serves_what_it_is_given() {
	mksite site 1
	ln -s site current
	start_nginx current
	run curl --noproxy '*' -sf "$url/"
	assert_file_eq "$out" site/index.html
	expect_status 22 curl --noproxy '*' -sf "$url/nothing"
}

t_as_user_is_nobody_special() {
	need_root
	user_dir theirs
	run as_user sh -c 'id -u; touch theirs/x "$HOME/x" "$TMPDIR/x"'
	assert_contains "$out" 65534
	expect_status 1 as_user touch x
	run as_user test -x "$DEPLOY"
}

# tests/run must notice what a script hides.
runner() {
	env -u TEST_DIR -u KEEP -u ONLY -u TEST_UNTIL TEST_TIMEOUT=2 "$TREE/tests/run" "$@"
}

t_runner_counts() {
	printf '%s\n' 'echo 1..3; echo ok 1 - a; echo "ok 2 - b # SKIP c"' \
	    'echo "# why"; echo not ok 3 - d; exit 1' >x.sh
	expect_status 1 runner ./x.sh
	assert_eq "$(tail -n 1 "$out")" "1 passed, 1 failed, 1 skipped"
	assert_contains "$out" "FAILED: x: 3 - d"
	assert_contains "$out" "# why"
	assert_contains "$out" "skip: x: 2 - b # SKIP c"
}

t_runner_notices_scripts_that_die() {
	echo 'echo 1..2; echo ok 1 - a; exit 0' >x.sh
	expect_status 1 runner ./x.sh
	assert_eq "$(tail -n 1 "$out")" "1 passed, 1 failed, 0 skipped"
	echo 'echo 1..1; echo ok 1 - a; exit 5' >x.sh
	expect_status 1 runner ./x.sh
	assert_contains "$out" "FAILED: x: status 5"
	echo 'if (' >x.sh
	expect_status 1 runner ./x.sh
	assert_eq "$(tail -n 1 "$out")" "0 passed, 1 failed, 0 skipped"
	echo 'echo 1..1; sleep 60' >x.sh
	expect_status 1 runner ./x.sh
	assert_contains "$out" "no end after 2 s"
	expect_status 2 runner nosuchtest
}

t_runner_divides_scripts_into_parts() {
	{
		echo '# parts: 2'
		printf '. "%s/tests/lib.sh"\n' "$TREE"
		echo 't_a() { :; }; t_b() { :; }'
		echo 't_c() { false; }'
		echo run_tests
	} >x.sh
	expect_status 1 env -u TEST_DIR -u KEEP -u ONLY -u TEST_UNTIL "$TREE/tests/run" ./x.sh
	assert_eq "$(tail -n 1 "$out")" "2 passed, 1 failed, 0 skipped"
	assert_contains "$out" "FAILED: x.1: 2 - c"
	grep -Eq '^ok +x\.2 +1 passed' "$out" || fail "$(cat "$out")"
}

# What has not begun then is told, and is no success of its own.
t_runner_ends_in_time() {
	printf '. "%s/tests/lib.sh"\nt_a() { :; }\nrun_tests\n' "$TREE" >x.sh
	run env -u TEST_DIR -u KEEP -u ONLY TEST_UNTIL=$((EPOCHSECONDS + 900)) \
	    "$TREE/tests/run" ./x.sh
	assert_eq "$(tail -n 1 "$out")" "1 passed, 0 failed, 0 skipped"
	run env -u TEST_DIR -u KEEP -u ONLY TEST_UNTIL=$EPOCHSECONDS \
	    "$TREE/tests/run" ./x.sh
	assert_contains "$out" "skip: x # SKIP no time left"
	assert_eq "$(tail -n 1 "$out")" "0 passed, 0 failed, 1 skipped"
}

t_shells_of_hosts_take_turns() {
	{
		printf '. "%s/tests/lib.sh"\n' "$TREE"
		printf '%s\n' 't_a_by_dash() { :; }' 't_a_by_busybox() { false; }' \
		    't_b_on_a_dash_host() { false; }' 't_b_on_a_busybox_host() { :; }' \
		    't_b_here() { :; }' 't_dashing() { :; }'
		echo run_tests
	} >x.sh
	run env -u TEST_DIR -u KEEP -u ONLY -u TEST_UNTIL -u TEST_ALL \
	    "$TREE/tests/run" ./x.sh
	assert_eq "$(tail -n 1 "$out")" "4 passed, 0 failed, 0 skipped"
	expect_status 1 env -u TEST_DIR -u KEEP -u ONLY -u TEST_UNTIL TEST_ALL=yes \
	    "$TREE/tests/run" ./x.sh
	assert_eq "$(tail -n 1 "$out")" "4 passed, 2 failed, 0 skipped"
	expect_status 1 env -u TEST_DIR -u KEEP -u TEST_UNTIL ONLY='*_b_on*' \
	    "$TREE/tests/run" ./x.sh
	assert_eq "$(tail -n 1 "$out")" "1 passed, 1 failed, 0 skipped"
}

run_tests
