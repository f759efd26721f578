#!/bin/bash
# The build command of a site: publish runs it, and ends all of it.
. "$(dirname "$0")/../lib.sh"

# site COMMAND [KEY...]: a configuration whose build is COMMAND, a script.
site() {
	printf '%s\n' "$1" >build.sh
	cat >deploy.yml <<-EOF
	sites:
	  - name: example.org
	    source: public
	    root: $PWD/www
	    build:
	      command: ". ./build.sh"
	$(for key in "${@:2}"; do echo "      $key"; done)
	EOF
}

writes='mkdir -p "$DEPLOY_SOURCE"; date +%s%N >"$DEPLOY_SOURCE/index.html"'

# Nothing is live and nothing is listed.
untouched() {
	[ ! -e www/current ] || fail "something is live"
	! compgen -G 'www/releases/*' || fail "a release"
}

# Does a process have $1 among its arguments?
runs() {
	pgrep -f -- "$1" >/dev/null
}

t_publish_builds() {
	site "$writes; echo talk; echo more >&2"
	run deploy publish
	assert_file_eq public/index.html www/current/index.html
	# The answer is the id, the talk is elsewhere.
	assert_eq "$(cat "$out")" "$(basename "$(readlink www/current)")"
	assert_contains "$err" talk
	assert_contains "$err" more
	# And again.
	run deploy publish --json
	assert_eq "$(json "$out" .outcome)" new
	assert_file_eq public/index.html www/current/index.html
}

t_a_named_source_is_there_already() {
	site 'exit 7'
	mksite other 2
	run deploy publish other
	assert_tree_eq other www/current/
	expect_status 1 deploy publish
	# Unless the build is to go there.
	site "$writes"
	run deploy publish --build elsewhere --override=build
	[ ! -e public ] || fail "built into public"
	assert_file_eq elsewhere/index.html www/current/index.html
}

t_environment_and_directory() {
	mkdir src
	site 'pwd >at; env >env; cat >in
		mkdir -p "$DEPLOY_SOURCE"; cp at env in "$DEPLOY_SOURCE"
		touch "$DEPLOY_SOURCE/index.html"' 'directory: src'
	cp build.sh src
	echo input | DEPLOY_SSH_KEY=secret DEPLOY_SSH_KEY_PASSPHRASE=word \
	    DEPLOY_REF=stale FOO=bar run deploy publish --commit 5f0c1ab
	assert_eq "$(cat www/current/at)" "$PWD/src"
	assert_eq "$(grep -E '^(DEPLOY_(S|R|B)|FOO)' www/current/env | sort)" \
	    "DEPLOY_BUILD=1
DEPLOY_REF=5f0c1ab
DEPLOY_SITE=example.org
DEPLOY_SOURCE=$PWD/public
FOO=bar"
	[ ! -s www/current/in ] || fail "it has our standard input"
}

t_a_failing_build_changes_nothing() {
	site "$writes; exit 3"
	expect_status 1 deploy publish
	assert_contains "$err" "the build command failed with status 3"
	untouched
	site "$writes; kill -SEGV \$\$"
	expect_status 1 deploy publish
	assert_contains "$err" "ended by SIGSEGV"
	untouched
	site 'no-such-generator'
	expect_status 1 deploy publish
	assert_contains "$err" "in PATH"
	untouched
	site "$writes" 'directory: nowhere'
	expect_status 1 deploy publish
	assert_contains "$err" "nowhere"
	untouched
}

t_quiet_shows_what_failed() {
	site "$writes; echo early; yes line | head -n 100000; echo late"
	run deploy publish -q
	[ ! -s "$err" ] || fail "$(head -n 5 "$err")"
	site "$(cat build.sh); exit 1"
	expect_status 1 deploy publish -q
	assert_not_contains "$err" early
	assert_contains "$err" late
	[ "$(wc -c <"$err")" -lt 140000 ] || fail "all of it"
}

t_a_hanging_build_is_ended() {
	site "$writes; sleep 4711 & trap '' TERM HUP; sleep 4712; sleep 4713" \
	    'timeout: 1s'
	expect_status 1 deploy publish
	assert_contains "$err" "after 1 s"
	untouched
	! runs '^sleep 471[123]$' || fail "it still runs"
}

# One in the background, one of another session, one that has lost its parent
# as a daemon does, one that ignores what can be ignored.
strays='sleep 5711 &
	setsid sleep 5712 &
	(setsid sh -c "sleep 5713 & sleep 5714 & exit" &)
	(trap "" TERM HUP INT; exec setsid sleep 5715) &
	sleep 0.3'

t_what_a_build_leaves_behind_is_ended() {
	site "$writes; $strays"
	run deploy publish
	assert_contains "$err" "left running"
	! runs '^sleep 571[1-5]$' || fail "it still runs"
	[ -e www/current/index.html ] || fail "not live"
	site "$writes; $strays; exit 1"
	expect_status 1 deploy publish -q
	! runs '^sleep 571[1-5]$' || fail "it still runs"
}

t_a_signal_ends_the_build() {
	local pid sig
	for sig in TERM INT HUP; do
		rm -f there
		site "$strays; touch there; sleep 5716"
		deploy publish 2>err &
		pid=$!
		wait_for 10 test -e there
		kill "-$sig" "$pid"
		expect_status 1 wait "$pid"
		assert_contains err "interrupted by SIG$sig"
		! runs '^sleep 571[1-6]$' || fail "it still runs"
		untouched
	done
}

# Nobody is left to clean up, but the kernel ends the shell at least.
t_killed_with_its_build() {
	local pid
	site 'echo $$ >there; while :; do sleep 0.1; done'
	deploy publish 2>err &
	pid=$!
	wait_for 10 test -s there
	kill -KILL "$pid"
	wait "$pid" || true
	wait_for 5 ended "$(cat there)"
	untouched
}

t_dry_run_builds_nothing() {
	site "$writes; touch ran"
	mksite public 1
	run deploy publish -n
	assert_contains "$err" "would run: . ./build.sh"
	[ ! -e ran ] || fail "it ran"
	untouched
}

t_exit_2_no_build() {
	site "$writes"
	sed -i '/build:/,$d' deploy.yml
	mksite public 1
	expect_status 2 deploy publish --build
	assert_contains "$err" "--build needs 'build' in deploy.yml"
	expect_status 2 deploy publish --build public --root www
	untouched
	site "$writes"
	expect_status 2 deploy publish --build -
	untouched
}

# Generators have hooks that run deploy.
t_a_build_may_publish() {
	site "$writes; deploy publish -q; echo two >>\"\$DEPLOY_SOURCE/index.html\""
	run deploy publish
	assert_file_eq public/index.html www/current/index.html
	assert_eq "$(ls www/releases | wc -l)" 2
	site "$writes; deploy publish --build"
	expect_status 1 deploy publish
	assert_contains "$err" "for ever"
}

run_tests
