#!/bin/bash
# deploy sync: hosts that were left out, made anew or added serve what the
# others serve, and can go back as they can; the others stay as they are.
# shellcheck disable=SC2119,SC2154
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# next [OPTION...]: another edition goes live.
next() {
	edition=$((${edition:-0} + 1))
	echo "edition $edition" >site/index.html
	deploy publish "$@"
}

# ---------------------------------------- what may have become of host $odd

skipped_once() { expect_status 7 next --skip "$odd"; }
skipped_twice() {
	expect_status 7 next --skip "$odd"
	expect_status 7 next --skip "$odd"
}
skipped_and_published_to() {
	expect_status 7 next --skip "$odd"
	run next
}
skipped_for_a_rollback() { expect_status 7 deploy rollback --skip "$odd"; }
skipped_back_and_on() {
	expect_status 7 deploy rollback --skip "$odd"
	run next
}
made_anew() { rm -rf "r-$odd"; }
prepared_anew() {
	rm -rf "r-$odd"
	run deploy init
}
made_anew_and_published_to() {
	rm -rf "r-$odd"
	run deploy publish
}
# What was live before has the content of what all went back from since.
made_anew_after_a_rollback() {
	echo "edition 2" >site/index.html
	run deploy publish
	run deploy rollback
	rm -rf "r-$odd"
}
without_journal() { rm "r-$odd/.deploy/journal"; }
lacks_what_waits() {
	echo waits >site/index.html
	expect_status 7 deploy stage --skip "$odd"
}
lacks_a_pin() {
	expect_status 7 next --skip "$odd"
	expect_status 7 deploy pin current --skip "$odd"
}
# One that all had was moved meanwhile, another is new.
lacks_a_preview() {
	echo moved >site/index.html
	run deploy stage --preview moved
	echo "moved on" >site/index.html
	expect_status 7 deploy stage --preview moved --skip "$odd"
	expect_status 7 deploy preview new current --for 3d --skip "$odd"
}
was_down_for_a_freeze() {
	expect_status 7 next --skip "$odd"
	expect_status 7 deploy freeze -m sale --skip "$odd"
}

cases=(skipped_once skipped_twice skipped_and_published_to
	skipped_for_a_rollback skipped_back_and_on made_anew prepared_anew
	made_anew_and_published_to made_anew_after_a_rollback without_journal lacks_what_waits
	lacks_a_pin lacks_a_preview was_down_for_a_freeze)

shows_what_others_show() {
	local p
	for p in moved new; do
		assert_eq "$(readlink "r-$odd/previews/$p")" \
		    "$(readlink "r-${hosts[0]}/previews/$p")" "$p"
		assert_eq "$(readlink "r-$odd/previews/$p")" \
		    "$(readlink "r-${hosts[1]}/previews/$p")" "$p"
	done
	assert_eq "$(cat "r-$odd/previews/moved/index.html")" "moved on"
	run deploy preview --json
	assert_eq "$(jq -c '[.previews[] | .hosts | length]' "$out")" "[3,3]"
}

# What hosts know but the odd one: their journals.
others() {
	local h
	for h in "${hosts[@]}"; do
		[ "$h" = "$odd" ] || cat "r-$h/.deploy/journal"
	done
}

# All serve the same, have the same, and would go back to the same.
assert_alike() {
	local h
	assert_live "$(live h1)"
	for h in "${hosts[@]}"; do
		assert_tree_eq "r-$h/current/" r-h1/current/
		[ -e "r-$h/.deploy/frozen" ] && echo frozen || echo free
	done | sort -u >frozen
	assert_eq "$(wc -l <frozen)" 1 "hosts that are frozen differ"
	run deploy status --json
	assert_eq "$(jq '[.hosts[].previous] | unique | length' "$out")" 1
	assert_eq "$(jq -c .drift "$out")" '[]'
}

every_case() {
	local what i
	run next
	run next
	run next
	for i in "${hosts[@]}"; do
		cp -a "r-$i" "was-$i"
	done
	for what in "${cases[@]}"; do
		echo "# $what" >&2
		for i in "${hosts[@]}"; do
			rm -rf "r-$i"
			cp -a "was-$i" "r-$i"
		done
		"$what"
		others >before
		run deploy sync -n
		others >after
		assert_file_eq after before
		run deploy sync --json
		assert_eq "$(jq -c .synced "$out")" "[\"$odd\"]"
		assert_alike
		others >after
		assert_file_eq after before
		[ "$what" != lacks_a_pin ] ||
		    assert_eq "$(jq .pinned "r-$odd/.deploy/meta/$(live h1).json")" true
		[ "$what" != lacks_a_preview ] || shows_what_others_show
		# Once more: nothing is left to do.
		cp "r-$odd/.deploy/journal" journal
		run deploy sync --json
		assert_eq "$(jq -c '[.synced, .sent]' "$out")" '[[],[]]'
		assert_file_eq "r-$odd/.deploy/journal" journal
		# All go back together, as far as it goes.
		while deploy rollback >"$out" 2>"$err"; do
			assert_alike
		done
		assert_contains "$err" "no release that was live before"
		run deploy verify
		assert_clean
	done
}

t_a_c_host_is_odd() {
	some c dash c
	odd=h3
	every_case
}

t_a_dash_host_is_odd() {
	some c dash c
	odd=h2
	every_case
}

t_a_busybox_host_is_odd() {
	some busybox c dash
	odd=h1
	every_case
}

# What was live of the odd one is told by its journal.
t_the_journal_tells() {
	local first second
	some c dash
	run next
	first=$(cat "$out")
	run next
	second=$(cat "$out")
	for odd in h1 h2; do
		rm -rf "r-$odd"
		run deploy sync
		tail -n 1 "r-$odd/.deploy/journal" |
		    jq -c '[.action, .from, .to, .before, .message]' >line
		assert_eq "$(cat line)" \
		    "[\"sync\",null,\"$second\",[\"$first\"],\"as $([ "$odd" = h1 ] && echo h2 || echo h1) serves it\"]"
		run deploy log
		grep -qE " sync +$(short "$second") " "$out" ||
		    fail "$(cat "$out")"
	done
}

# What was found bad on the others is refused by the odd one, too: by itself,
# and by who publishes to it alone; and told in the same words.
t_what_was_found_bad() {
	local bad why waits
	some c dash c
	run next -m good
	echo bad >site/index.html
	run deploy publish -m bad
	bad=$(cat "$out")
	run deploy rollback -m 'the "prices" are wrong'
	expect_status 4 deploy publish
	why=$(sed -n 's,;.*,,; s,.*release ,release ,p' "$err" | head -n 1)
	assert_contains "$err" 'the "prices" are wrong'
	for odd in h1 h2 h3; do
		echo "# $odd" >&2
		rm -rf "r-$odd"
		run deploy sync --json
		assert_eq "$(jq -c .synced "$out")" "[\"$odd\"]"
		assert_alike
		# It is nowhere else now than in the journals.
		expect_status 4 deploy publish --host "$odd"
		assert_contains "$err" "$why"
		run deploy stage --host "$odd" --again -q
		waits=$(cat "$out")
		expect_status 4 deploy activate --host "$odd" "$waits"
		assert_contains "$err" "release $bad, which has this content, was rolled back from"
		assert_contains "$err" 'the "prices" are wrong'
		rm -rf "r-$odd/releases/$waits"
		run deploy sync --json
		assert_eq "$(jq -c .synced "$out")" '[]'
	done
	# The others have it from a sync themselves now; and one that knows only
	# that is brought there, too.
	sed -i 's/,"left":.*/}/' r-h2/.deploy/journal
	run deploy sync --json
	assert_eq "$(jq -c .synced "$out")" '["h2"]'
	expect_status 4 deploy publish --host h2
	# What is made live on purpose is not bad any more, for the next sync.
	run deploy publish --override=order
	rm -rf r-h2
	run deploy sync
	grep -q '"left"' r-h2/.deploy/journal && fail "it is left"
	run next
	echo bad >site/index.html
	run deploy publish
	assert_alike
}

t_an_added_host() {
	some c c dash
	sed '/h3/d' deploy.yml >fewer.yml
	for n in 1 2 3; do
		run next -c fewer.yml
	done
	expect_status 7 deploy status
	assert_contains "$out" "cure       run: deploy sync"
	paste 0
	odd=h3 assert_alike
	run deploy rollback
	run deploy rollback
	odd=h3 assert_alike
	# Each release has been sent to who lacked it, and to nobody else.
	assert_eq "$(grep -c '^receive$' h1.verbs)" 3
	assert_eq "$(grep -c '^receive$' h3.verbs)" 3
}

# Who is right is not guessed, whoever are more.
t_hosts_that_went_different_ways() {
	local mine
	some c dash c
	run next
	run next
	run next --host h2
	mine=$(live h2)
	expect_status 7 deploy sync
	assert_contains "$err" "$mine on h2"
	assert_contains "$err" "run: deploy sync --from h1, or: deploy sync --from h2"
	assert_live "$mine" h2
	cp -a r-h1 was
	run deploy sync --from h2
	assert_live "$mine"
	# And the other way.
	rm -rf r-h1 r-h3
	cp -a was r-h1
	cp -a was r-h3
	run deploy sync --from h1
	assert_live "$(live h1)"
	[ "$(live h2)" != "$mine" ] || fail "not synced"
	expect_status 2 deploy sync --from h9
	rm -rf r-h3
	expect_status 2 deploy sync --from h3
	run deploy sync
	assert_alike
}

# The others go back to what it went back from: after a sync it does, too.
t_one_host_went_back_from_what_others_keep() {
	some c dash c
	run next
	run next
	run next
	for odd in h1 h2; do
		echo "edition 2" >site/index.html
		run deploy publish --host "$odd"
		run deploy rollback --host "$odd"
		expect_status 7 deploy sync
		run deploy sync --from h3 --json
		assert_eq "$(jq -c .synced "$out")" "[\"$odd\"]"
		assert_alike
		run deploy sync --json
		assert_eq "$(jq -c .synced "$out")" '[]'
	done
	run deploy rollback
	assert_eq "$(cat r-h1/current/index.html)" "edition 2"
	assert_alike
}

# It is sent what another one goes back to: then it is done, and not only the
# next time.
t_the_first_host_lacks_what_another_goes_back_to() {
	local lost
	some c dash
	run next
	lost=$(live h1)
	run next
	expect_status 7 next --skip h2
	run next
	rm -rf "r-h1/releases/$lost"
	run deploy sync
	[ -e "r-h1/releases/$lost" ] || fail "not sent"
	assert_alike
	run deploy sync --json
	assert_eq "$(jq -c '[.synced, .sent]' "$out")" '[[],[]]'
}

t_freezes() {
	local h
	need_cmd jq
	some c dash c
	run next
	run next
	# One that was left out of it is frozen as the others are.
	for h in h1 h2 h3; do
		expect_status 7 deploy freeze --skip "$h" -m 'a sale' --for 3d
		assert_contains "$err" "when it is back, run: deploy sync"
		run deploy sync
		jq -c '[.who, .why, .until]' r-*/.deploy/frozen | sort -u >frozen
		assert_eq "$(wc -l <frozen)" 1 "$h: $(<frozen)"
		assert_contains frozen 'a sale'
		expect_status 3 next
		run deploy sync
		assert_contains "$err" "unchanged: "
		run deploy status
		assert_not_contains "$out" "drift"
		run deploy thaw
	done
	# Some of those that are well: nobody knows what is meant.  The command
	# says what was said.
	run deploy freeze -m 'a sale' --for 3d
	expect_status 7 deploy thaw --skip h1
	expect_status 7 deploy sync
	assert_contains "$err" "run: deploy freeze --for 4320m -m 'a sale', or: deploy thaw"
	run deploy status
	assert_contains "$out" "to freeze all, run: deploy freeze --for 4320m -m 'a sale', or: deploy thaw"
	deploy doctor >"$out" || true
	assert_contains "$out" "to freeze all, run: deploy freeze --for 4320m -m 'a sale', or: deploy thaw"
	run deploy thaw
	run deploy sync
	# One that is behind, and frozen alone.
	run deploy freeze -m sale
	expect_status 7 deploy thaw --skip h3
	expect_status 7 next --skip h3
	# For that one alone, whichever hosts this was for.
	expect_status 3 deploy sync --host h1 --host h3
	cure
	assert_eq "$cure" "deploy thaw --host h3"
	expect_status 3 deploy sync
	assert_contains "$err" sale
	paste 0
	run deploy sync
	assert_alike
}

# Its directory is, by somebody's hand: what is live elsewhere is sent anew.
t_the_live_release_of_a_host_is_gone() {
	local h words
	some c dash c
	run next
	run next
	while read -r h words; do
		rm -rf "r-$h/releases/$(live "$h")"
		# Word splitting is meant.
		# shellcheck disable=SC2086
		run deploy $words
		assert_tree_eq "r-$h/current/" r-h3/current/
	done <<-'END'
	h1 sync
	h2 sync
	h2 publish --again
	h2 activate current
	h1 publish
	h2 publish
	END
	# On all of them: the same build is no news, and goes live all the same.
	for h in h1 h2 h3; do rm -rf "r-$h/releases/$(live "$h")"; done
	run deploy publish
	assert_contains "$err" "h2: the live release "
	assert_contains "$err" " is not there any more"
	assert_tree_eq r-h1/current/ site
	assert_tree_eq r-h2/current/ site
	assert_tree_eq r-h3/current/ site
	assert_live "$(live h3)"
}

# The clock of a host is ahead: there a freeze is over before it begins.
t_a_freeze_by_another_clock() {
	local h
	need_cmd faketime
	[ -z "${TEST_SANITIZE:-}" ] || skip "faketime hangs under a sanitizer"
	some c dash c
	run next
	for h in h1 h2; do
		fault "$h" <<-'END'
		exec faketime -f +10d "${real[@]}"
		END
		expect_status 7 deploy freeze --for 1d
		assert_contains "$err" "$h: the freeze of '$PWD/r-$h' is over already, by the clock there; let both machines set their clocks"
		run deploy freeze --for 20d
		heal
	done
}

t_a_host_that_does_not_answer() {
	some c dash c c
	run next
	expect_status 7 next --skip h3
	dies h4
	expect_status 8 deploy sync
	[ "$(live h3)" != "$(live h1)" ] || fail "changed"
	assert_contains "$err" "run: deploy sync --skip h4"
	paste 7
	assert_live "$(live h1)" h1 h2 h3
	heal
	run deploy sync
	assert_live "$(live h1)"
}

# It fails on one after the other was brought there.
t_half_of_it() {
	some c dash c
	run next
	run next
	run next
	rm -rf r-h2 r-h3
	fault h3 <<-'END'
	[ "$verb" != activate ] || { echo "deploy-host 1"; printf 'error\t1\tno\n'; exit 1; }
	END
	expect_status 7 deploy sync
	assert_contains "$err" h3
	assert_live "$(live h1)" h1 h2
	heal
	paste 0
	assert_alike
}

# There is nobody to be like.
t_one_host_and_none() {
	some c
	expect_status 1 deploy sync
	run deploy init
	expect_status 2 deploy sync
	assert_contains "$err" "nothing is live on any host, so there is nothing to sync; to make a release live, run: deploy activate"
	run next
	run deploy sync
	assert_contains "$err" unchanged
	run next --root "$PWD/here" site
	run deploy sync --root "$PWD/here"
	assert_eq "$(cat "$out")" "$(live_of here)"
	assert_contains "$err" unchanged
}

# The last sequence that counts is known everywhere afterwards, whoever had seen
# it: an older build overtakes none, also where only one host is asked.
t_the_sequence_comes_along() {
	local kind what h other
	for kind in "c dash" "dash c"; do
		for what in rolled_back replaced unchanged; do
			rm -rf r-h1 r-h2
			# shellcheck disable=SC2086 # words are meant
			some $kind
			run next --seq 1
			case $what in
			rolled_back)
				run next --seq 10
				expect_status 7 deploy rollback --skip h2
				run deploy sync
				;;
			replaced)
				run next --seq 10
				run deploy rollback
				for h in h1 h2; do
					rm -rf "r-$h"
					run deploy sync
				done
				;;
			unchanged)
				expect_status 7 deploy publish --seq 10 --skip h1
				run deploy sync
				;;
			esac
			run deploy sync
			assert_contains "$err" unchanged
			echo "older $what" >site/index.html
			for h in h1 h2; do
				other=h$((3 - ${h#h}))
				expect_status 4 deploy publish --seq 5 --skip "$other"
			done
		done
	done
}

# So do pins, whoever missed them.
t_a_pin_comes_to_who_missed_it() {
	local h first
	some c dash
	for h in h1 h2; do
		rm -rf r-h1 r-h2
		run next
		first=$(live h1)
		run next
		run next
		expect_status 7 deploy pin "$first" --skip "$h"
		run deploy sync
		run next --keep 1
		run next --keep 1
		[ -d "r-$h/releases/$first" ] || fail "$h has removed it"
	done
}

# Who was faster counts.
t_somebody_else_is_faster() {
	some c dash
	run next
	expect_status 7 next --skip h2
	fault h2 <<-'END'
	[ "$verb" != activate ] || rm -f -- "$self.fault"
	[ "$verb" != activate ] || deploy publish --host h2 -q >&2
	END
	echo other >site/index.html
	expect_status 4 deploy sync
	heal
	expect_status 7 deploy sync
}

# ------------------------------------------------------------ real sshds

# stopped SIGNAL STEP HOST WORD...: the client of that command gets the signal
# when the host has come to the step.  Sets $status; what it said is in `said`.
stopped() {
	local pid
	stop_at "$3" "$2"
	deploy "${@:4}" >"$out" 2>said &
	pid=$!
	wait_at "$3"
	kill "-$1" "$pid"
	pause 0.3
	go_on "$3"
	status=0
	wait "$pid" || status=$?
	echo "$4, SIG$1 at $2: $status: $(tail -n 1 said)" >&2
	is_over "$3"
}

# Do all serve the same?
are_same() {
	local h
	for h in "${hosts[@]}"; do
		[ "$(live "$h")" = "$(live h1)" ] || return 1
	done
}

# A rollback that is stopped has happened on all hosts or on none, or says 7;
# killed, it can say nothing, and sync makes good what is left.
rollback_is_stopped() {
	local signal step first
	fleet_start c dash c+rsync
	two
	run deploy rollback
	first=$(live h1)
	run deploy activate "$second" --override=order
	for signal in INT KILL; do
		for step in activate armed went flipped; do
			stopped "$signal" "$step" "$1" rollback
			if ! are_same; then
				[ "$signal:$status" = INT:7 ] ||
				    [ "$signal" = KILL ] || fail "mixed, and $status"
				run deploy sync --from h1
			elif [ "$signal" = INT ]; then
				[[ "$status" = [01] ]] || fail "status $status"
				[ "$status" = 1 ] || assert_live "$first"
				[ "$status" = 0 ] || assert_live "$second"
			fi
			assert_clean
			run deploy activate "$second" --override=order
			assert_live "$second"
		done
	done
	assert_well
}

t_a_rollback_is_stopped_on_a_c_host() { rollback_is_stopped h1; }
t_a_rollback_is_stopped_on_a_dash_host() { rollback_is_stopped h2; }

# So is a sync; the next one does the rest.
t_a_sync_is_stopped() {
	local signal step h
	fleet_start c dash c
	two
	for h in h1 h2; do
		for signal in INT KILL; do
			for step in receive pack received activate flipped; do
				rm -rf "r-$h"
				stopped "$signal" "$step" "$h" sync
				assert_live_but "$h" "$second"
				[ -z "$(live "$h")" ] || assert_live "$second" "$h"
				run deploy sync
				assert_live "$second"
				assert_clean
			done
		done
	done
	run deploy rollback
	are_same || fail "not the same"
	assert_well
}

t_hosts_over_ssh_are_made_anew() {
	local h
	fleet_start c dash busybox c+rsync
	two
	for h in "${hosts[@]}"; do
		rm -rf "r-$h"
		run deploy sync
		assert_serves_site
		assert_clean
	done
	do_refuse h4
	edit
	expect_status 8 deploy publish --timeout 3s
	paste 7
	undo_refuse h4
	rm -rf r-h4
	run deploy sync
	assert_serves_site
	run deploy rollback
	assert_live "$second"
	assert_well
}

# All of it within one second, which is as fine as the journals tell.
t_in_the_same_second() {
	some c dash
	three
	expect_status 7 deploy publish site --again --skip h2
	run deploy sync
	echo five >site/index.html
	run deploy publish
	expect_status 7 deploy rollback --skip h2
	sed -i 's/"time":"[^"]*"/"time":"2026-01-01T00:00:00Z"/' r-h?/.deploy/journal
	run deploy sync
	assert_live "$(live h1)"
}

run_tests
