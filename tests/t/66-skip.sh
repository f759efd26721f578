#!/bin/bash
# Without a host: --skip leaves it out, what says 8 names the command that goes
# on, and a host that knows nothing of the past keeps nobody from going back.
# shellcheck disable=SC2119,SC2154
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# skipped HOST: those that the last line of its journal says were left out.
skipped() {
	tail -n 1 "r-$1/.deploy/journal" | jq -c .skipped
}

# What a command does to h1 and h2 when h3 is dead, and what it leaves.
goes_on() {
	local c want fourth
	three
	dies h3
	echo four >site/index.html
	while read -r c; do
		# Four was rolled back from by then.
		[ "$c" != publish ] || echo five >site/index.html
		# Word splitting is meant.
		# shellcheck disable=SC2086
		expect_status 8 deploy $c
		assert_contains "$err" "to go on without it, run: deploy ${c%% *} --skip h3"
		paste 7
		assert_contains "$err" "left out: h3; all other hosts are done; when it is back, run: deploy "
		cure
		case $c in
		unpin* | thaw | prune*) assert_eq "$cure" "deploy $c" ;;
		*) assert_eq "$cure" "deploy sync" ;;
		esac
		want=$third
		case $c in
		stage) fourth=$(cat "$out") ;;
		activate*) want=$fourth ;;
		rollback*) assert_eq "$(tail -n 1 r-h1/.deploy/journal |
		    jq -r .message)" why ;;
		pin*) assert_eq "$(jq .pinned "r-h2/.deploy/meta/$third.json")" true ;;
		unpin*) assert_eq "$(jq .pinned "r-h2/.deploy/meta/$third.json")" false ;;
		freeze*) [ -e r-h1/.deploy/frozen ] && [ -e r-h2/.deploy/frozen ] ;;
		thaw) [ ! -e r-h1/.deploy/frozen ] && [ ! -e r-h2/.deploy/frozen ] ;;
		publish) want=$(cat "$out") ;;
		esac
		assert_live "$want" h1 h2
		assert_live "$third" h3
		case $c in
		activate* | rollback* | publish)
			assert_eq "$(skipped h1) $(skipped h2)" '["h3"] ["h3"]'
			;;
		esac
	done <<-EOF
	stage
	activate latest
	rollback -m why
	pin current
	unpin current
	freeze -m sale
	thaw
	prune --keep 3
	publish
	EOF
	heal
	run deploy log
	assert_contains "$out" "  WITHOUT"
	assert_contains "$out" "  h3"
	run deploy log --json
	assert_eq "$(jq -c '[.journal[].skipped]' "$out")" \
	    '[["h3"],["h3"],["h3"],[],[],[]]'
}

t_c_hosts_go_on() { some c c c; goes_on; }
t_sh_hosts_go_on() { some dash busybox dash; goes_on; }
t_mixed_hosts_go_on() { some busybox c c; goes_on; }

# A host that is well is left out all the same, and the status says so.
t_a_healthy_host() {
	some c dash c
	three
	expect_status 7 deploy rollback --skip h1 --skip h3
	assert_live "$second" h2
	assert_live "$third" h1 h3
	assert_contains "$err" "left out: h1, h3; all other hosts are done; when they are back"
	assert_eq "$(skipped h2)" '["h1","h3"]'
	# It is so already.
	expect_status 7 deploy activate "$third" --skip h2
	expect_status 7 deploy publish --skip h2
	run deploy rollback --skip h1 -n
	assert_live "$third" h1 h3
	expect_status 7 deploy activate "$second" --skip h2 --json
	assert_eq "$(jq -c .skipped "$out")" '["h2"]'
	assert_eq "$(jq -r .current "$out")" "$second"
}

# What is taken away on the others, no sync takes away: the same command does.
t_what_is_taken_away_without_a_host() {
	local words
	some c dash c
	three
	run deploy stage --preview pr-1
	for words in "pin $first" "freeze -m sale"; do
		# Word splitting is meant.
		# shellcheck disable=SC2086
		run deploy $words
	done
	while read -r words; do
		# shellcheck disable=SC2086
		expect_status 7 deploy $words
		paste 0
	done <<-EOF
	unpin --skip h2 $first --skip=h3
	thaw --skip h2
	preview --skip h3 --remove pr-1
	prune --skip=h1 --keep 2
	EOF
	assert_eq "$(cat r-h?/.deploy/meta/*.json | grep -c '"pinned":true')" 0
	assert_eq "$(ls r-h?/.deploy/frozen 2>/dev/null)" ""
	assert_eq "$(ls r-h?/previews/pr-1 2>/dev/null)" ""
	assert_eq "$(ls -d r-h?/releases/"$first" 2>/dev/null)" ""
}

# Names, and what they come to.
t_wrong_names() {
	local words text
	some c c
	three
	while IFS='|' read -r words text; do
		# Word splitting is meant.
		# shellcheck disable=SC2086
		expect_status 2 deploy $words
		assert_contains "$err" "$text"
		assert_live "$third"
	done <<-EOF
	rollback --skip h7|has no host 'h7'
	rollback --skip nobody|there is h1, h2
	rollback --skip h1 --skip h2|leaves no host
	rollback --host h1 --skip h1|leaves no host
	publish --skip|wants a value
	activate --skip=|has no host ''
	status --skip h1|belongs to other commands
	rollback --root $PWD/r-h1 --skip h1|has no hosts
	EOF
	expect_status 7 deploy rollback --host h1 --skip h2
	assert_live "$second" h1
}

# The command in a message is the one that was given, as a shell reads it.
t_commands_can_be_pasted() {
	some c c c
	three
	dies h2
	mkdir "it's here"
	sed 's/name: t$/name: t\n    keep: 9/' deploy.yml >"it's here/my site.yml"
	expect_status 8 deploy -c "it's here/my site.yml" rollback \
	    -m "it's \$broken; \"menu\" *" -s t
	paste 7
	assert_eq "$(tail -n 1 r-h3/.deploy/journal | jq -r .message)" \
	    "it's \$broken; \"menu\" *"
	cure
	assert_eq "$cure" "deploy sync -c 'it'\\''s here/my site.yml' -s t"
	assert_live "$second" h1 h3
	expect_status 8 deploy activate --override=order --message=x -- "$third"
	paste 7
	assert_live "$third" h1 h3
	# Nobody is left, or the command cannot go on: what there is to know.
	dies h1
	dies h3
	expect_status 8 deploy -s t rollback
	cure
	assert_eq "$cure" "deploy doctor -s t"
	rm h1.fault h3.fault
	expect_status 8 deploy verify
	cure
	assert_eq "$cure" "deploy doctor"
	# So is that which makes a root.
	mkdir "it's a root"
	expect_status 1 deploy status --root "it's a root"
	paste 0
	run deploy status --root "it's a root"
}

t_rolling() {
	lines='    strategy: rolling\n    batch: 2\n'
	some c dash c c
	three
	echo four >site/index.html
	dies h2
	expect_status 8 deploy publish
	assert_live "$third"
	paste 7
	fourth=$(live h1)
	assert_live "$fourth" h1 h3 h4
	assert_live "$third" h2
	assert_eq "$(skipped h1)$(skipped h3)$(skipped h4)" \
	    '["h2"]["h2"]["h2"]'
	# The second batch fails: the first goes back.
	rm h2.fault
	echo five >site/index.html
	fault h4 <<-'END'
	[ "$verb" != activate ] || [[ " $* " = *" --check "* ]] || exit 1
	END
	expect_status 6 deploy publish --skip h2
	assert_live "$fourth" h1 h3 h4
	assert_live "$third" h2
	heal
	run deploy rollback
	assert_live "$third"
}

# What there is to know is shown, and who does not answer.
t_the_dead_are_shown() {
	some c dash c
	three
	dies h2
	expect_status 8 deploy status
	assert_contains "$out" "live       $third"
	assert_contains "$out" "dead       "
	expect_status 8 deploy status --json
	assert_eq "$(jq -c '[.hosts[] | .error == null]' "$out")" \
	    '[true,false,true]'
	assert_eq "$(jq -r .current "$out")" "$third"
	expect_status 8 deploy list
	assert_contains "$err" "h2: "
	assert_not_contains "$out" "only on"
	expect_status 8 deploy list --json
	assert_eq "$(jq -c '[.current, .previous, .dead]' "$out")" \
	    "[\"$third\",\"$second\",[\"h2\"]]"
	expect_status 8 deploy log
	assert_contains "$out" "$first"
	expect_status 7 deploy rollback --skip h2
	for h in 1 0; do
		expect_status "$((7 + h))" deploy status --json
		assert_eq "$(jq -c '[.hosts[].skipped]' "$out")" \
		    '[false,true,false]'
		heal
	done
	expect_status 1 deploy doctor
	assert_contains "$out" "fail  hosts: live: $second on h1, h3; $third on h2; run: deploy sync"
	expect_status 7 deploy status
	paste 0
	run deploy status --json
	assert_eq "$(jq -c '[.hosts[].skipped, .cure]' "$out")" \
	    '[false,false,false,null]'
	run deploy doctor
	# All of them.
	dies h1
	dies h2
	dies h3
	expect_status 8 deploy list
	expect_status 8 deploy status
	assert_contains "$out" "dead       "
}

# One that answers and fails, before anything has changed.
t_a_host_that_fails() {
	local verb
	some c dash c
	three
	for verb in receive activate; do
		edit
		fault h3 <<-END
		[ "\$verb" != $verb ] || {
			echo "deploy-host 1"
			printf 'error\\t1\\tno\\n'
			exit 1
		}
		END
		expect_status 1 deploy publish
		assert_live "$third"
		paste 7
		assert_live "$(live h1)" h1 h2
		heal
		third=$(live h1)
		run deploy sync
		assert_live "$third"
	done
}

# The others have done it: hosts differ, and what goes on is known.
t_a_host_that_fails_alone() {
	local command what
	some c dash c
	run deploy publish
	while IFS='|' read -r command what; do
		fault h2 <<-END
		[ "\$verb" != $what ] || {
			echo "deploy-host 1"
			printf 'error\\t1\\tno\\n'
			exit 1
		}
		END
		# Word splitting is meant.
		# shellcheck disable=SC2086
		expect_status 7 deploy $command
		assert_contains "$err" "1 of 3 hosts failed"
		assert_contains "$err" "to go on without it, run: deploy ${command%% *} --skip h2"
		heal
		paste 7
		# shellcheck disable=SC2086
		run deploy $command
	done <<-'END'
	freeze -m sale|freeze
	thaw|freeze
	pin current|pin
	unpin current|pin
	END
}

# begin_to_roll: a fourth release is live on h1 and waits for the others; $pid
# runs until then, and says so in `said`.
begin_to_roll() {
	some c dash c
	three
	cp deploy.yml atomic.yml
	lines='    strategy: rolling\n    batch: 1\n    pause: 5s\n'
	some c dash c
	echo four >site/index.html
	deploy publish >answer 2>said &
	pid=$!
	wait_for 30 grep -q "flipped h1" said
}

# What a rollback has flipped between two batches stays, and the rest is left.
t_a_rollback_between_two_batches() {
	local pid
	begin_to_roll
	expect_status 7 deploy rollback
	assert_contains "$err" "run: deploy rollback $third, or: deploy rollback $second"
	run deploy rollback "$third"
	expect_status 4 wait "$pid"
	assert_contains said "h1: $third is live, not "
	assert_live "$third"
	run deploy status
}

# So does what another run has published, which is newer.
t_a_publish_between_two_batches() {
	local pid
	begin_to_roll
	echo five >site/index.html
	run deploy publish --config atomic.yml
	expect_status 4 wait "$pid"
	assert_contains said "h1: $(live h1) is live, not "
	assert_not_contains said "asking again"
	assert_eq "$(cat r-h1/current/index.html)" five
	assert_live "$(live h1)"
	run deploy status
}

# What one host refuses under its lock, because it knows a newer build, is not
# tried for ever: each try is a line in the journals of those that were armed.
t_who_is_refused_gives_up() {
	local n
	some c dash
	run deploy publish
	echo two >site/index.html
	expect_status 7 deploy publish --seq 10 --skip h1
	run deploy rollback --host h2
	n=$(wc -l <r-h1/.deploy/journal)
	echo three >site/index.html
	expect_status 4 deploy publish --seq 5
	assert_contains "$err" "sequence 5 is older than 10"
	n=$(($(wc -l <r-h1/.deploy/journal) - n))
	((n <= 2)) || fail "$n lines of what did not happen"
}

# A rollback to what never was live is an activation, and guarded like one: also
# against content that was rolled back from.
t_a_rollback_to_what_never_was_live() {
	local kind id
	for kind in c dash "dash c"; do
		rm -rf r-h1 r-h2
		# shellcheck disable=SC2086 # words are meant
		some $kind
		run deploy publish
		echo bad >site/index.html
		run deploy publish
		run deploy rollback
		run deploy stage
		id=$(cat "$out")
		expect_status 4 deploy rollback "$id"
		assert_contains "$err" "was rolled back from at"
		assert_eq "$(<r-h1/current/index.html)" one
		run deploy rollback "$id" --override=order
		assert_eq "$(<r-h1/current/index.html)" bad
	done
}

# ---------------------------------------------------------------- no vote

# What may have become of h3.
reimaged() { rm -rf r-h3; }
prepared_anew() { rm -rf r-h3; run deploy init; }
sent_the_live_one() { rm -rf r-h3; run deploy stage; }
published_to() { rm -rf r-h3; run deploy publish; }
lost_its_journal() { rm r-h3/.deploy/journal; }
lost_all_but_the_live_one() {
	rm -rf r-h3
	run deploy publish
	run deploy freeze
}

back_with() {
	local what
	three
	cp -a r-h1 h1.was
	cp -a r-h2 h2.was
	cp -a r-h3 h3.was
	for what in reimaged prepared_anew sent_the_live_one published_to \
	    lost_its_journal lost_all_but_the_live_one; do
		echo "# $what" >&2
		rm -rf r-h1 r-h2 r-h3
		cp -a h1.was r-h1
		cp -a h2.was r-h2
		cp -a h3.was r-h3
		"$what"
		run deploy rollback -n
		[ ! -e "r-h3/.deploy" ] || [ "$(live h3)" != "$second" ] ||
		    fail "flipped in a dry run"
		run deploy rollback --expect "$third"
		assert_eq "$(cat "$out")" "$second"
		assert_live "$second"
		assert_tree_eq r-h3/current/ r-h1/current/
		# And further, by those that know.
		run deploy rollback
		assert_live "$first"
		assert_clean
	done
}

t_a_c_host_without_history_has_no_vote() { some c dash c; back_with; }
t_a_dash_host_without_history_has_no_vote() { some c c dash; back_with; }
t_a_busybox_host_without_history_has_no_vote() { some dash c busybox; back_with; }

t_an_added_host_has_no_vote() {
	some c c c
	sed '/h3/d' deploy.yml >two.yml
	hosts=(h1 h2)
	export DEPLOY_CONFIG=two.yml
	three
	unset DEPLOY_CONFIG
	hosts=(h1 h2 h3)
	run deploy rollback
	assert_live "$second"
	run deploy rollback "$first"
	run deploy rollback "$third"
	assert_live "$third"
}

# An older build than what h3 knows, and a frozen site, stop no rollback.
t_no_guard_of_a_new_host_stops_a_rollback() {
	some c c c
	run deploy publish --seq 1
	first=$(cat "$out")
	echo two >site/index.html
	run deploy publish --seq 2
	rm -rf r-h3
	run deploy publish --seq 2
	run deploy freeze
	run deploy rollback
	assert_live "$first"
	expect_status 3 deploy activate latest
}

# Those with a history that do not agree are asked nothing that is guessed.
t_histories_that_differ() {
	some c dash c
	three
	expect_status 0 deploy rollback --host h2
	expect_status 0 deploy activate "$third" --host h2 --override=order
	expect_status 0 deploy activate "$first" --host h2
	expect_status 0 deploy activate "$third" --host h2
	expect_status 7 deploy rollback -s t
	assert_contains "$err" "$second on h1, h3; $first on h2"
	assert_contains "$err" "run: deploy rollback $second -s t, or: deploy rollback $first -s t"
	assert_live "$third"
	run deploy rollback "$second"
	assert_live "$second"
}

# What was missed under --skip counts for nothing, and nothing else changes.
t_a_host_that_was_skipped_has_no_vote() {
	some c c dash
	three
	echo four >site/index.html
	expect_status 7 deploy publish --skip h3
	fourth=$(cat "$out")
	echo five >site/index.html
	run deploy publish
	assert_serves_site
	run deploy rollback
	assert_live "$fourth"
	run deploy rollback
	assert_live "$third"
}

# Nor when the others have nothing to go back to: that is an answer, too.
t_a_left_out_host_alone_decides_nothing() {
	some c dash c
	three
	expect_status 7 deploy rollback --skip h2
	expect_status 7 deploy rollback --skip h2
	assert_live "$first" h1 h3
	expect_status 1 deploy rollback
	assert_contains "$err" "no release that was live before $first is left, and h2, which --skip left out, has no say"
	assert_live "$first" h1 h3
	assert_live "$third" h2
	paste 0
	assert_live "$first"
	expect_status 1 deploy rollback
	assert_contains "$err" "no release that was live before $first is left; name one of 'deploy list'"
}

back_from_the_left_out() { expect_status 7 deploy publish --skip h3 --seq 9; }

# What is gone away from, and refused from then on, is what those serve that
# have a say, whatever a host serves that has none; so it is with --expect.
t_what_was_live_before_is_known_without_a_host() {
	local what bad
	some c dash c
	three
	for what in back_from_the_left_out reimaged prepared_anew; do
		echo "# $what" >&2
		edit
		[ "$what" = back_from_the_left_out ] || run deploy publish
		"$what"
		bad=$(live h1)
		run deploy rollback -n --expect "$bad"
		assert_contains "$err" "; before it: $bad"
		run deploy rollback --expect "$bad" --json
		assert_eq "$(jq -r '.from, .refused' "$out")" "$bad
$bad"
		expect_status 4 deploy publish
		expect_status 4 deploy rollback --expect "$bad"
		assert_clean
	done
	# One that is behind comes to what is live: before that was something else.
	reimaged
	run deploy activate "$(live h1)"
	assert_not_contains "$err" "before it"
}

# It answers, but what should be the root is none: its disk is not mounted, say.
t_a_root_that_cannot_be_opened() {
	some c dash c
	two
	mv r-h3 away
	touch r-h3
	expect_status 1 deploy rollback
	assert_live "$second" h1 h2
	assert_contains "$err" "h3: "
	paste 7
	first=$(live h1)
	[ "$first" != "$second" ] || fail "not rolled back"
	rm r-h3
	mv away r-h3
	run deploy sync
	assert_live "$first"
}

# h1 missed a flip, was synced, and then went back where it had been, without
# h2: it is h2 that is behind.
t_who_was_synced_has_a_vote_again() {
	some c dash
	two
	expect_status 7 deploy publish --again --skip h1
	run deploy sync
	expect_status 7 deploy rollback --skip h2
	assert_live "$second" h1
	run deploy sync
	assert_live "$second"
}

# status_skipped: the hosts that status calls left out.
status_skipped() {
	run deploy status --json
	jq -c '[.hosts[] | select(.skipped) | .host]' "$out"
}

# All are back at the first release, which nothing was live before: none is
# behind, whatever the lines of the journals are.
t_who_is_back_at_the_first_release_was_not_skipped() {
	some c c dash
	two
	expect_status 7 deploy rollback --skip h3
	first=$(live h1)
	run deploy sync
	assert_live "$first"
	assert_eq "$(status_skipped)" "[]"
	expect_status 7 deploy publish --override=order --skip h2
	run deploy rollback "$first"
	assert_live "$first"
	assert_eq "$(status_skipped)" "[]"
	rm -r r-h3
	run deploy sync
	assert_eq "$(status_skipped)" "[]"
}

# ------------------------------------------------------------ real sshds

# over_ssh ACTION: that happens to h3, and the others go back without it.
over_ssh() {
	fleet_start c dash c+rsync
	two
	"do_$1" h3
	expect_status 8 deploy rollback --timeout 3s
	assert_live "$second"
	assert_contains "$err" 127.0.0.13
	paste 7
	assert_live_but h3 "$(live h1)"
	[ "$(live h1)" != "$second" ] || fail "not rolled back"
	edit
	expect_status 8 deploy publish --timeout 3s
	paste 7
	remember
	assert_tree_eq r-h2/current/ old
	"undo_$1" h3
	is_over h3
	assert_live "$second" h3
	assert_heals
	assert_well
}

t_no_sshd_is_there() { over_ssh refuse; }
t_the_host_stands_still() { over_ssh freeze; }

run_tests
