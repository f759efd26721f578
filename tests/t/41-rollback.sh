#!/bin/bash
# deploy rollback: by the journal, and by what a journal may look like.
# shellcheck disable=SC2154 # the letters: set by go
# parts: 2
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/root.sh
. "$TREE/tests/root.sh"

# back WANTED_ID [OPTION...]: roll back, and there we are.
back() {
	run d rollback "${@:2}"
	assert_eq "$(live)" "$1" "live after the rollback"
	assert_eq "$(cat "$out")" "$1" "stdout"
}

# stuck STATUS ID [OPTION...]: it fails so, and ID stays live.
stuck() {
	local lines
	lines=$(wc -l <www/.deploy/journal)
	expect_status "$1" d rollback "${@:3}"
	assert_eq "$(live)" "$2" "live"
	assert_eq "$(wc -l <www/.deploy/journal)" "$lines" "journal"
	[ ! -s "$out" ] || fail "an answer"
}

# announce ACTION FROM TO [SEQ]: a journal line that no flip followed.
announce() {
	printf '{"time":"2026-11-21T19:03:05Z","action":"%s","from":"%s",%s}\n' \
	    "$1" "$2" "\"to\":\"$3\",\"seq\":${4:-null},\"who\":\"x\"" \
	    >>www/.deploy/journal
}

t_to_what_was_live_before() {
	go a b
	back "$a"
	assert_contains "$err" "$a is live, rolled back; before it: $b"
	assert_file_eq www/current/index.html b-a/index.html
	run d log --json
	assert_eq "$(json "$out" '.journal[0] |
	    [.action, .from, .to, .happened] | tostring')" \
	    "[\"rollback\",\"$b\",\"$a\",true]"
}

t_twice_and_no_further() {
	go a b c
	back "$b"
	back "$a"
	stuck 1 "$a"
	assert_contains "$err" "no release that was live before"
	stuck 1 "$a"
}

t_exit_1_nothing_before() {
	go a
	stuck 1 "$a"
	assert_contains "$err" "$a is the only release"
	# What is staged only is nothing to go back to.
	new b
	stuck 1 "$a"
}

t_nothing_is_live() {
	expect_status 1 d rollback
	assert_contains "$err" "not a root"
	run d init
	expect_status 1 d rollback
	assert_contains "$err" "nothing is live"
	new a
	expect_status 1 d rollback
	[ ! -L www/current ] || fail "a link"
}

# A; B was bad; C is bad, too: back to A, not to B.
t_skips_what_was_rolled_back_from() {
	go a b
	back "$a"
	go c
	run d status --json
	assert_eq "$(json "$out" .previous)" "$a"
	back "$a"
	stuck 1 "$a"
	go e
	back "$a"
}

t_after_a_rollback_of_two() {
	go a b c
	back "$b"
	go e
	back "$b"
	back "$a"
}

# What was rolled back from and then activated again is good again.
t_second_chance() {
	go a b
	back "$a"
	expect_status 4 d activate "$b"
	assert_contains "$err" "release $b was rolled back from at "
	run d activate "$b" --override=order
	go c
	back "$b"
	back "$a"
}

t_same_release_live_twice() {
	go a b
	run d activate "$a"
	back "$b"
	# A was found bad just now.
	stuck 1 "$b"
}

t_to_a_release_anywhere() {
	go a b c e
	back "$b" "$b"
	# From there by what was live before it.
	back "$a"
	# Forward again, by prefix.
	back "$e" "${e:0:20}"
	new staged
	back "$id" "$id"
	back "$id" "$id"
	assert_contains "$err" "unchanged"
	stuck 2 "$id" nonsense
	stuck 2 "$id" 20
	stuck 2 "$id" "$a" "$b"
}

t_previous_was_pruned() {
	go a b c e
	run d prune --keep 2
	assert_eq "$(sort "$out" | tr '\n' ' ')" "$a $b "
	back "$c"
	stuck 1 "$c"
	go f
	# Removed by hand, or by a disk.
	rm -rf "www/releases/$c" "www/.deploy/manifests/$c"
	stuck 1 "$f"
	go g h
	rm -rf "www/releases/$g"
	back "$f"
}

t_expect_makes_it_one_step() {
	go a b c
	back "$b" --expect "$c"
	stuck 4 "$b" --expect "$c"
	assert_contains "$err" "$b is live, not $c"
	stuck 4 "$b" --expect "$c"
	back "$a" --expect "${b:0:24}"
}

# Also when there would be no second step to go.
t_expect_repeated_at_the_end() {
	go a b
	back "$a" --expect "$b"
	stuck 4 "$a" --expect "$b"
}

t_expect_with_a_release() {
	go a b c
	stuck 4 "$c" "$a" --expect "$b"
	stuck 4 "$c" "$a" --expect none
	back "$a" "$a" --expect "$c"
	# Done already.
	back "$a" "$a" --expect "$c"
}

t_two_at_once_with_expect_go_one_step() {
	local status=0
	go a b c
	d rollback --expect "$c" >one 2>&1 &
	d rollback --expect "$c" >two 2>&1 || status=$?
	# The second one finds it done, or that it was done meanwhile.
	wait $! || assert_eq "$?" 4
	[[ $status = [04] ]] || fail "status $status"
	assert_eq "$(live)" "$b"
}

t_freeze_does_not_stop_it() {
	go a b
	run d freeze -m 'holidays'
	back "$a"
	expect_status 3 d activate "$b"
	back "$b" "$b"
	run d status --json
	assert_eq "$(json "$out" .frozen)" true
}

t_sequence_does_not_stop_it() {
	new a --seq 5
	a=$id
	run d activate latest
	new b --seq 6
	run d activate latest
	back "$a"
	assert_eq "$(json <(tail -n 1 www/.deploy/journal) .seq)" 5
}

# With freeze_on_rollback the bad build does not come back by itself.
t_freeze_on_rollback() {
	go a b
	cat >deploy.yml <<-'EOT'
	sites:
	  - name: s
	    root: www
	    freeze_on_rollback: true
	EOT
	run deploy rollback -n
	run deploy status --json
	assert_eq "$(json "$out" .frozen)" false
	run deploy rollback
	assert_eq "$(live)" "$a"
	assert_contains "$err" "frozen"
	run deploy status --json
	assert_eq "$(json "$out" '[.frozen, .frozen_why] | tostring')" \
	    '[true,"rolled back"]'
	expect_status 3 deploy activate "$b"
	assert_contains "$err" "rolled back"
	# A rollback that changes nothing, or fails, freezes nothing.
	run deploy thaw
	run deploy rollback "$a"
	expect_status 1 deploy rollback
	run deploy activate "$b" --override=order
	# A freeze that is there already is no obstacle.
	run deploy freeze -m mine
	run deploy rollback
	run deploy status --json
	assert_eq "$(json "$out" .frozen)" true
}

t_dry_run() {
	local before
	go a b c
	before=$(find www -printf '%p %i %s %T@ %l\n' | sort | sha256sum)
	run d rollback -n
	assert_eq "$(cat "$out")" "$b"
	assert_contains "$err" "would make: $b is live"
	run d rollback -n "$a"
	assert_eq "$(cat "$out")" "$a"
	expect_status 4 d rollback -n --expect "$b"
	assert_eq "$(find www -printf '%p %i %s %T@ %l\n' | sort |
	    sha256sum)" "$before" "something was changed"
}

t_exit_5_target_without_manifest() {
	go a b
	rm "www/.deploy/manifests/$a"
	stuck 5 "$b"
	assert_contains "$err" "$a"
}

t_message_and_who() {
	new a -m 'first build'
	a=$id
	run d activate latest
	go b
	run env GITLAB_CI=1 GITLAB_USER_LOGIN=ann CI_JOB_URL=https://j/1 \
	    CI_PIPELINE_IID=77 deploy rollback --root www -m 'b is broken'
	run d log --json --limit 1
	assert_eq "$(json "$out" '.journal[0] |
	    [.who, .job, .message, .seq] | tostring')" \
	    '["ann","https://j/1","b is broken",null]'
}

# The line was written, then the machine died: the flip never was.
t_line_without_its_flip() {
	go a b
	new c
	announce activate "$b" "$id" 99
	run d status --json
	assert_eq "$(json "$out" '[.current, .previous] | tostring')" \
	    "[\"$b\",\"$a\"]"
	run d log
	assert_not_contains "$out" "  $id  "
	run d log --json
	assert_eq "$(json "$out" '[.journal[].happened] | tostring')" \
	    '[false,true,true]'
	run d list --json --limit 1
	assert_eq "$(json "$out" '.releases[0].was_live')" false
	back "$a"
	# Its number does not count either.
	new e --seq 11
	run d activate latest
}

t_rollback_line_without_its_flip() {
	go a b c
	announce rollback "$c" "$a"
	run d status --json
	assert_eq "$(json "$out" .previous)" "$b"
	back "$b"
	back "$a"
}

t_first_line_without_its_flip() {
	new a
	announce activate "" "$id"
	sed -i 's/"from":""/"from":null/' www/.deploy/journal
	expect_status 1 d rollback
	go b
	stuck 1 "$b"
	assert_eq "$(wc -l <www/.deploy/journal)" 2
}

t_torn_last_line() {
	go a b c
	printf '{"time":"2026-11-21T19:03:05Z","action":"rollb' \
	    >>www/.deploy/journal
	run d log
	assert_contains "$err" "1 line of the journal in '$PWD/www' makes"
	back "$b"
	back "$a"
	run d log --json
	assert_eq "$(json "$out" '[.broken, (.journal | length)] | tostring')" \
	    '[1,5]'
}

t_garbage_lines() {
	local journal=www/.deploy/journal
	go a b c
	{
		echo '<<<<<<< HEAD'
		sed -n 1p $journal
		echo '[]'
		echo
		printf '\0\0\0\0\0\n'
		sed -n 2p $journal
		printf '\377\376\n{"action":"activate"}\n'
		sed -n 3p $journal
		head -c 100000 /dev/zero | tr '\0' x
	} >j
	cp j $journal
	back "$b"
	back "$a"
	stuck 1 "$a"
	run d log --json
	assert_eq "$(json "$out" .broken)" 6
}

t_crlf() {
	go a b c
	sed -i 's/$/\r/' www/.deploy/journal
	back "$b"
	back "$a"
	run d log --json
	assert_eq "$(json "$out" .broken)" 0
}

t_empty_journal() {
	go a b
	: >www/.deploy/journal
	stuck 1 "$b"
	go c
	back "$b"
	stuck 1 "$b"
	back "$a" "$a"
}

# All is forgotten but what is live: nothing is guessed, nothing breaks.
t_lost_journal() {
	go a b
	rm www/.deploy/journal
	expect_status 1 d rollback
	assert_contains "$err" "deploy list"
	assert_eq "$(live)" "$b"
	run d log
	[ ! -s "$out" ] || fail "a line"
	run d list --json
	assert_eq "$(json "$out" '[.releases[].was_live] | tostring')" \
	    '[true,false]'
	run d status
	assert_contains "$out" "an unknown time"
	run d prune --keep 1
	assert_eq "$(live)" "$b"
	back "$a" "$a"
	go c
	back "$a"
}

t_unreadable_journal() {
	user_dir www
	mkdir b
	for n in a b; do
		echo $n >b/index.html
		run as_user deploy publish b --root www
	done
	chmod 0 www/.deploy/journal
	expect_status 1 as_user deploy rollback --root www
	assert_contains "$err" "www/.deploy/journal"
	assert_eq "$(cat www/current/index.html)" b
	expect_status 1 as_user deploy prune --root www
	chmod 644 www/.deploy/journal
	run as_user deploy rollback --root www
}

# `ln -sfn` at three in the morning.  What was announced last is not proved
# by anything then; what was live before that is.
t_current_changed_by_hand() {
	go a b c
	ln -sfn "releases/$a" www/current
	run d status --json
	assert_eq "$(json "$out" '[.current, .since] | tostring')" \
	    "[\"$a\",null]"
	back "$c"
	run d log --json --limit 1
	assert_eq "$(json "$out" '.journal[0] | [.from, .to] | tostring')" \
	    "[\"$a\",\"$c\"]"
}

t_by_hand_and_on_by_program() {
	go a b
	new x
	x=$id
	ln -sfn "releases/$x" www/current
	go c
	run d list --json
	assert_eq "$(json "$out" \
	    ".releases[] | select(.id == \"$x\") | .was_live")" true
	back "$x"
}

# A flip by hand to what the journal announced is a flip.
t_by_hand_what_was_announced() {
	go a
	new b
	announce activate "$a" "$id"
	ln -sfn "releases/$id" www/current
	back "$a"
}

t_json() {
	go a b
	run d rollback --json
	assert_eq "$(json "$out" 'keys_unsorted | tostring')" \
	    '["site","root","skipped","dry_run","changed","current","from","refused","sent_bytes","received_bytes","skew_us"]'
	assert_eq "$(json "$out" '[.dry_run, .changed, .current, .from, .refused] |
	    tostring')" "[false,true,\"$a\",\"$b\",\"$b\"]"
	run d rollback "$a" --json
	assert_eq "$(json "$out" '[.changed, .refused] | tostring')" '[false,null]'
	expect_status 1 d rollback --json
	assert_eq "$(json "$out" .error.code)" 1
}

# The same words and status as on this machine.
t_nothing_to_go_back_to_on_hosts() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: s
	    root: $PWD/none
	    hosts:
	      - {address: h1, transport: local, root: $PWD/h1}
	      - {address: h2, transport: local, root: $PWD/h2}
	EOF
	run deploy init
	expect_status 1 deploy rollback
	assert_contains "$err" "nothing is live"
	mkdir b
	echo a >b/index.html
	run deploy publish b
	expect_status 1 deploy rollback
	assert_contains "$err" "is the only release, so there is none to go back to"
}

# Many, as an afternoon of trying may make them.
t_long_history() {
	local names=() n
	for n in {1..12}; do
		names+=("r$n")
	done
	go "${names[@]}"
	for ((n = 10; n >= 0; n--)); do
		back "${!names[n]}"
	done
	stuck 1 "$r1"
}

run_tests
