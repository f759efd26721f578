#!/bin/bash
# Keeping order: pin, freeze, the lock, and runs that are stopped.
# shellcheck disable=SC2154 # the names: set by new and go
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# -------------------------------------------------------------------- pin

t_pin_and_unpin() {
	local before
	go a
	before=$(json "www/.deploy/meta/$a.json" 'del(.pinned) | tostring')
	run d pin "$a"
	assert_eq "$(cat "$out")" "$a"
	assert_eq "$(json "www/.deploy/meta/$a.json" .pinned)" true
	run d list --json
	assert_eq "$(json "$out" '.releases[0].pinned')" true
	run d list
	assert_contains "$out" "pinned"
	# Again is no error, and nothing else is lost.
	run d pin "$a"
	run d unpin "${a:0:30}"
	assert_eq "$(json "www/.deploy/meta/$a.json" .pinned)" false
	run d unpin current
	assert_eq "$(json "www/.deploy/meta/$a.json" \
	    'del(.pinned) | tostring')" "$before"
	run d list
	assert_not_contains "$out" "pinned"
}

t_pin_words() {
	go a b
	new c
	run d pin current
	assert_eq "$(cat "$out")" "$b"
	run d pin previous
	assert_eq "$(cat "$out")" "$a"
	run d pin latest
	assert_eq "$(cat "$out")" "$c"
}

t_pin_refuses() {
	go a b
	expect_status 2 d pin
	expect_status 2 d unpin
	expect_status 2 d pin 20
	expect_status 2 d pin nonsense
	expect_status 2 d pin "$a" "$b"
	# A meta alone is no release.
	mv "www/releases/$a" .
	expect_status 2 d pin "$a"
}

t_pin_dry_run() {
	go a
	run d pin -n "$a"
	assert_eq "$(json "www/.deploy/meta/$a.json" .pinned)" false
	run d pin "$a"
	run d unpin -n "$a"
	assert_eq "$(json "www/.deploy/meta/$a.json" .pinned)" true
}

# ----------------------------------------------------------------- freeze

t_exit_3_frozen() {
	go a
	run env GITHUB_ACTIONS=1 GITHUB_ACTOR=octocat \
	    deploy freeze --root www -m 'until the launch'
	new b
	expect_status 3 d activate latest
	assert_contains "$err" "octocat"
	assert_contains "$err" "until the launch"
	assert_contains "$err" "deploy thaw"
	expect_status 3 d activate latest -n
	assert_eq "$(live)" "$a"
	assert_eq "$(wc -l <www/.deploy/journal)" 1
	# What is live already is no activation.
	run d activate "$a"
}

t_staging_goes_on() {
	go a
	run d freeze
	new b
	mkdir b-c
	echo c >b-c/index.html
	expect_status 3 d publish b-c
	assert_contains "$err" "stays staged"
	[ ! -s "$out" ] || fail "an answer"
	assert_eq "$(live)" "$a"
	run d list --json
	assert_eq "$(json "$out" '.releases | length')" 3
	# The staged one goes live when that is allowed again.
	run d thaw
	run d publish b-b
	assert_eq "$(live)" "$b"
}

t_thaw() {
	go a
	run d thaw
	run d freeze
	run d freeze -m 'another reason'
	run d status
	assert_contains "$out" "another reason"
	run d thaw
	run d thaw
	run d status --json
	assert_eq "$(json "$out" '[.frozen, .frozen_by, .frozen_why] |
	    tostring')" '[false,null,null]'
	go b
}

t_freeze_for_a_time() {
	go a
	new b
	run d freeze --for 2s -m tea
	expect_status 3 d activate latest
	assert_contains "$err" " until 20"
	sleep 2.1
	run d activate latest
	run d status --json
	assert_eq "$(json "$out" .frozen)" false
	# What is over does not come back.
	run d freeze
	expect_status 3 d activate "$a"
}

t_freeze_for_wrong_times() {
	local t
	go a
	for t in 0 0s -1s x 1y ''; do
		expect_status 2 d freeze --for="$t"
		[ ! -e www/.deploy/frozen ] || fail "frozen for '$t'"
	done
}

t_freeze_dry_run() {
	go a
	run d freeze -n
	[ ! -e www/.deploy/frozen ] || fail "frozen"
	run d freeze
	run d thaw -n
	[ -e www/.deploy/frozen ] || fail "thawed"
}

t_override_a_freeze() {
	go a
	run d freeze
	new b
	run d activate latest --override=freeze
	assert_eq "$(live)" "$b"
}

# A record that cannot be understood was meant as one.
t_broken_record_counts_as_frozen() {
	local text
	go a
	new b
	for text in '' garbage '{' '[]' '{}' 'null' '"x"' \
	    '{"until":5}' '{"until":"soon"}' '{"who":7,"why":[]}'
	do
		printf '%s' "$text" >www/.deploy/frozen
		expect_status 3 d activate latest
		assert_contains "$err" "frozen"
		run d status --json
		assert_eq "$(json "$out" .frozen)" true
	done
	run d thaw
	[ ! -e www/.deploy/frozen ] || fail "still there"
	run d activate latest
}

t_something_else_named_frozen() {
	go a
	new b
	mkdir www/.deploy/frozen
	expect_status 1 d activate latest
	rmdir www/.deploy/frozen
	ln -s nowhere www/.deploy/frozen
	expect_status 1 d activate latest
	assert_eq "$(live)" "$a"
	# The link is replaced, and not what it points to.
	run d freeze
	expect_status 3 d activate latest
	run d thaw
	run d activate latest
}

t_reason_cannot_disturb_a_terminal() {
	go a
	new b
	run d freeze -m $'red \e[31m and\a\nmore \xff'
	expect_status 3 d activate latest
	assert_contains "$err" 'red [31m and\x0amore'
	run d status
	assert_contains "$out" 'red [31m and\x0amore'
	run d status --json
	assert_eq "$(json "$out" .frozen_why)" $'red [31m and\nmore \ufffd'
}

t_freeze_without_a_root() {
	expect_status 1 d freeze
	expect_status 1 d thaw
	[ ! -e www ] || fail "a root"
}

# ------------------------------------------------------------------- lock

# Is process $1 stopped?
is_stopped() {
	[ "$(cut -d ' ' -f 3 "/proc/$1/stat")" = T ]
}

# The releases that are on their way, and how many they are.
incoming_ids() {
	find www/.deploy/incoming -mindepth 1 -maxdepth 1 -type d -printf '%f\n'
}

incoming() {
	incoming_ids | wc -l
}

# A process that is stopped does not hear the SIGTERM that ends a test.
end_halted() {
	! jobs -p | finds -x "$1" || kill -KILL "$1"
}

# halted: start a stage of a big build, stopped in the midst of
# it; $stage is the process.  Its output is in halted.out and halted.err.
halted() {
	local try
	for try in 1 2 3 4 5; do
		[ -d big ] || mksite big 1000
		echo "$try" >big/index.html
		deploy stage big --root www --again >halted.out 2>halted.err &
		stage=$!
		defer end_halted "$stage"
		# It has begun to write: the lock of the root is free.
		until compgen -G 'www/.deploy/incoming/*[0-9a-f]/*' >/dev/null ||
		    ! kill -0 "$stage" 2>/dev/null
		do :; done
		kill -STOP "$stage" 2>/dev/null || continue
		wait_for 5 is_stopped "$stage"
		[ "$(incoming)" -eq 0 ] || return 0
		kill -CONT "$stage"
		wait "$stage"
	done
	fail "a stage could not be stopped in its midst"
}

# go_on: let it run to its end; its id is in $id.
go_on() {
	kill -CONT "$stage"
	wait "$stage" || fail "$(cat halted.err)"
	id=$(cat halted.out)
}

# hold KIND [NOTE]: hold the lock from here, with that note; until release.
hold() {
	exec 9<www/.deploy/lock
	flock -n "$1" 9
	[ $# -lt 2 ] || echo "$2" >www/.deploy/lock.note
}

release() {
	exec 9<&-
}

# between LEAST MOST CMD...: it takes so many milliseconds.
between() {
	local start=${EPOCHREALTIME/./} ms
	"${@:3}"
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	((ms >= $1 && ms <= $2)) || fail "$ms ms, not $1 to $2: ${*:3}"
}

note='{"who":"ann@ci1","command":"publish","pid":4711,"since":"2026-11-21T19:03:05Z","job":"https://ci/9"}'

t_exit_3_locked() {
	local command
	go a b
	new c
	hold -x "$note"
	for command in activate rollback prune "pin $a" "unpin $a" freeze thaw \
	    'stage b-a' 'publish b-a'
	do
		# The words are meant to be split.
		# shellcheck disable=SC2086
		between 0 4000 expect_status 3 d $command --lock-wait=0
		assert_contains "$err" "locked by ann@ci1"
		assert_contains "$err" "publish, process 4711"
		assert_contains "$err" "https://ci/9"
	done
	release
	assert_eq "$(live)" "$b"
	run d activate latest
}

t_waits_as_long_as_told() {
	go a
	new b
	hold -x "$note"
	between 1000 5000 expect_status 3 d activate latest --lock-wait=1s
	assert_contains "$err" "waiting for the lock, held by ann@ci1"
	assert_contains "$err" "gave up after 1 s"
	cat >deploy.yml <<-'EOT'
	sites: [{name: s, root: www, lock_wait: 2s}]
	EOT
	between 2000 6000 expect_status 3 deploy activate latest
	expect_status 3 deploy activate latest --lock-wait=0
	assert_contains "$err" "gave up after 0 s"
	release
	assert_eq "$(live)" "$a"
}

t_wrong_waits() {
	go a
	for t in x -1 1y ''; do
		expect_status 2 d activate latest --lock-wait="$t"
	done
}

t_waiting_succeeds_when_released() {
	go a
	new b
	hold -x "$note"
	(
		exec 9<&-
		d activate latest --lock-wait=30 >waited.out 2>waited.err
	) &
	wait_for 5 grep -q 'waiting for the lock' waited.err
	assert_eq "$(live)" "$a"
	release
	wait $! || fail "$(cat waited.err)"
	assert_eq "$(cat waited.out)" "$b"
	assert_eq "$(live)" "$b"
}

# A stage that becomes a release has it so, for a moment.
t_a_shared_lock_stops_activation() {
	go a
	new b
	hold -s "$note"
	between 0 4000 expect_status 3 d activate latest --lock-wait=0
	assert_contains "$err" "ann@ci1"
	# Looking is free.
	run d list
	run d status
	run d verify
	run d diff b-a
	run d log
	run d activate latest -n
	release
	run d activate "$b"
}

t_looking_is_free_under_an_exclusive_lock() {
	go a
	hold -x "$note"
	between 0 4000 run d list
	run d log
	run d diff b-a
	run d verify
	run d status
	assert_contains "$out" "ann@ci1 (publish, process 4711"
	run d status --json
	assert_eq "$(json "$out" '.hosts[0].locked_by | test("ann@ci1")')" true
	release
	run d status --json
	assert_eq "$(json "$out" '.hosts[0].locked_by')" null
	run d status
	assert_contains "$out" "free"
}

# `status` asks for the lock; that must not make others fail.
t_status_is_in_nobodys_way() {
	local n
	go a
	new b
	touch on
	while [ -e on ]; do
		d status >status.out 2>&1 || cp status.out complaint
	done &
	for n in {1..10}; do
		run d activate "$a" --lock-wait=0 -q
		run d activate "$b" --lock-wait=0 -q
	done
	rm on
	wait
	[ ! -e complaint ] || fail "$(cat complaint)"
}

# Whatever the note says, the lock is what counts.
t_odd_notes() {
	go a
	new b
	hold -x ''
	expect_status 3 d activate latest --lock-wait=0
	assert_contains "$err" "a run that left no name"
	echo 'garbage {' >www/.deploy/lock.note
	expect_status 3 d activate latest --lock-wait=0
	assert_contains "$err" "a run that left no name"
	printf '{"who":"\\u001b[31mann\\n"}' >www/.deploy/lock.note
	expect_status 3 d activate latest --lock-wait=0
	assert_contains "$err" '\x1b[31mann\x0a'
	head -c 1000000 /dev/zero >www/.deploy/lock.note
	expect_status 3 d activate latest --lock-wait=0
	rm www/.deploy/lock.note
	expect_status 3 d activate latest --lock-wait=0
	mkfifo www/.deploy/lock.note
	between 0 4000 expect_status 3 d activate latest --lock-wait=0
	release
	between 0 4000 run d activate latest
	rm www/.deploy/lock.note
	echo precious >victim
	ln -s "$PWD/victim" www/.deploy/lock.note
	run d activate "$a"
	assert_eq "$(cat victim)" precious
}

t_planted_lock() {
	go a
	new b
	rm www/.deploy/lock
	echo precious >victim
	ln -s "$PWD/victim" www/.deploy/lock
	expect_status 1 d activate latest
	assert_contains "$err" "www/.deploy/lock"
	assert_eq "$(cat victim)" precious
	rm www/.deploy/lock
	mkdir www/.deploy/lock
	expect_status 1 d activate latest
	rmdir www/.deploy/lock
	# Without one it is made.
	run d activate latest
	assert_eq "$(live)" "$b"
}

# A dead holder holds nothing, whatever it left.
t_killed_holder_leaves_no_lock() {
	go a
	new b
	halted
	kill -KILL "$stage"
	wait "$stage" || true
	grep -q '"stage"' www/.deploy/incoming/*.lock || fail "no lock was left"
	run d status
	assert_not_contains "$out" "staging"
	between 0 4000 run d activate "$b" --lock-wait=0
	[ -n "$(ls -A www/.deploy/incoming)" ] || fail "it left nothing at all"
	# And the next stage sweeps.
	new c
	assert_eq "$(ls -A www/.deploy/incoming)" ""
	assert_eq "$(find www/.deploy/manifests -type f | wc -l)" 3
}

t_two_stages_at_once() {
	local first
	go a
	halted
	first=$(incoming_ids)
	# They sweep, but not what lives.
	new b
	new c
	assert_eq "$(incoming_ids)" "$first" "the first one's work"
	go_on
	assert_eq "$id" "$first"
	run d verify "$id"
	run d verify "$b"
	run d verify "$c"
	assert_tree_eq big "www/releases/$id"
	# Last staged is not last begun.
	run d activate latest
	assert_eq "$(live)" "$c"
}

# However long it takes; who takes away leaves alone what it has.
t_nobody_waits_for_a_stage() {
	local command
	go a b
	new c
	halted
	for command in "activate $c" rollback 'prune --keep 1' "pin $a" \
	    "unpin $a" freeze thaw "activate $a" 'stage b-a' \
	    'publish b-c --override=order'
	do
		# The words are meant to be split.
		# shellcheck disable=SC2086
		between 0 4000 run d $command --lock-wait=0
	done
	run d status
	assert_contains "$out" "$(incoming_ids) by "
	assert_contains "$out" "(stage, process $stage, since "
	! grep -q '^lock ' "$out" || fail "a free lock"
	go_on
	run d verify "$id"
	assert_tree_eq big "www/releases/$id"
	run d status
	assert_contains "$out" "lock       free"
	assert_not_contains "$out" "staging"
}

t_stage_waits_for_an_exclusive_lock() {
	go a
	mkdir -p b
	echo x >b/index.html
	hold -x "$note"
	expect_status 3 d stage b --lock-wait=0
	assert_eq "$(ls -A www/.deploy/incoming)" ""
	(
		exec 9<&-
		d stage b --lock-wait=30 >waited.out 2>waited.err
	) &
	wait_for 5 grep -q 'waiting for the lock' waited.err
	sleep 0.2
	assert_eq "$(ls -A www/.deploy/incoming)" "" "did not wait"
	release
	wait $! || fail "$(cat waited.err)"
	run d verify "$(cat waited.out)"
}

t_many_stages_at_once() {
	local n pids=()
	go a
	for n in {1..8}; do
		mksite "s$n" 30 "$n"
		deploy stage "s$n" --root www >"o$n" 2>"e$n" &
		pids+=($!)
	done
	for n in {1..8}; do
		wait "${pids[n - 1]}" || fail "$(cat "e$n")"
		assert_tree_eq "s$n" "www/releases/$(cat "o$n")"
		run d verify "$(cat "o$n")"
	done
	assert_eq "$(ls -A www/.deploy/incoming)" ""
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 9
}

# ---------------------------------------------------------------- signals

# stopped_by SIGNAL: a stage that gets it undoes what it began.
stopped_by() {
	local status=0
	halted
	kill "-$1" "$stage"
	kill -CONT "$stage"
	wait "$stage" || status=$?
	assert_eq "$status" 1 "status after $1"
	assert_contains halted.err "interrupted by $1"
	[ ! -s halted.out ] || fail "an answer"
	assert_eq "$(ls -A www/.deploy/incoming)" "" "left in incoming"
	assert_eq "$(find www/.deploy -name '.tmp-*')" "" "temporary files"
	assert_eq "$(ls www/.deploy/manifests)" "$(ls www/releases)"
	assert_eq "$(ls www/.deploy/meta)" \
	    "$(find www/releases -mindepth 1 -maxdepth 1 -printf '%f.json\n' |
	    sort)"
}

t_stage_stopped_by_a_signal() {
	go a
	stopped_by SIGTERM
	stopped_by SIGINT
	stopped_by SIGHUP
	assert_eq "$(live)" "$a"
	assert_eq "$(find www/releases -mindepth 1 -maxdepth 1 | wc -l)" 1
	# Nothing is in the way of the next one.
	run d publish big --again
	assert_tree_eq big www/current/.
}

# It removes what it made, and not what another run is making.
t_signal_leaves_the_other_stage_alone() {
	local other
	go a
	halted
	other=$(ls www/.deploy/incoming)
	mksite second 1000 7
	deploy stage second --root www >second.out 2>second.err &
	until [ "$(incoming)" -eq 2 ] || ! kill -0 $! 2>/dev/null; do :; done
	kill -TERM $! 2>/dev/null || true
	wait $! || true
	assert_eq "$(ls www/.deploy/incoming)" "$other"
	go_on
	run d verify "$id"
}

t_signal_ends_waiting() {
	local status=0
	go a
	new b
	hold -x "$note"
	deploy activate latest --root www --lock-wait=1h >waited.out 2>waited.err 9<&- &
	wait_for 5 grep -q 'waiting for the lock' waited.err
	kill -TERM $!
	wait $! || status=$?
	assert_eq "$status" 1
	assert_contains waited.err "interrupted by SIGTERM"
	release
	assert_eq "$(live)" "$a"
}

run_tests
