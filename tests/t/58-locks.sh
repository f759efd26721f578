#!/bin/bash
# Who waits for whom: a stage hangs in its middle, or two commands run at once
# and one is killed, on hosts with deploy, with the sh verbs, and mixed.
# parts: 6
# shellcheck disable=SC2154 # the names: of hosts.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# on KIND...: hosts h1 and so on of these kinds, in deploy.yml, which serve A,
# served B before; C waits.
on() {
	local h
	hosts=()
	for kind; do
		h=h$((${#hosts[@]} + 1))
		hosts+=("$h")
		[ "$kind" != busybox ] || busybox_path
		program "$h" "$kind"
	done
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    keep: 9\n    hosts:\n'
		for h in "${hosts[@]}"; do
			printf '      - {address: %s, transport: local, root: %s, deploy: %s}\n' \
			    "$h" "$PWD/r-$h" "$PWD/$h"
		done
	} >deploy.yml
	mkdir site
	seq 20000 >site/numbers
	edition B
	edition A
	edition C stage
}

# edition NAME [stage]: publish, or stage, a build that has its name; the id is
# in the variable of that name.
edition() {
	echo "$1" >site/index.html
	run deploy "${2:-publish}" -q
	declare -g "$1=$(<"$out")"
}

# hang HOST...: what it receives from now on comes by halves: the second one
# when HOST.go is there.
hang() {
	local h
	for h; do
		rm -f "$h.go" "$h.hangs"
		fault "$h" <<-'END'
		[ "$verb" != receive ] || exec < <(
			head -c 600
			: >"$self.hangs"
			until [ -e "$self.go" ]; do sleep 0.05; done
			cat
		)
		END
	done
}

# hung HOST... [OPTION...]: start a stage of another build, and wait until it hangs there;
# $stage is its process.
hung() {
	local h options=()
	while [[ ${*: -1} = -* ]]; do
		options+=("${*: -1}")
		set -- "${@:1:$#-1}"
	done
	echo "hung" >site/index.html
	head -c 30000 /dev/urandom | base64 >site/new
	hang "$@"
	setsid deploy stage -q "${options[@]}" >hung.out 2>hung.err &
	stage=$!
	for h; do
		wait_for 20 is_hung "$h"
	done
	heal
}

is_hung() {
	[ -e "$1.hangs" ] && compgen -G "r-$1/.deploy/incoming/*.lock" >/dev/null
}

# It goes on, to its end: $hung is its release, everywhere.
go_on() {
	local h
	for h in "${hosts[@]}"; do : >"$h.go"; done
	wait "$stage" || fail "$(cat hung.err)"
	hung=$(<hung.out)
	for h in "${hosts[@]}"; do
		assert_tree_eq "r-$h/releases/$hung" site
	done
	run deploy verify "$hung"
}

# ------------------------------------------------------------- a stage hangs

# STATUS, command: none of them waits, each does its work.
beside_a_stage() {
	local status command n=0
	on "$@"
	hung "${hosts[@]}"
	mkdir other
	echo other >other/index.html
	while read -r status command; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # words are meant
		expect_status "$status" timeout 120 deploy $command --lock-wait=0
	done <<-ROWS
	0 status
	0 rollback
	0 activate $C --override=order
	0 rollback
	0 freeze -m why
	3 activate $A --override=order
	0 rollback $A
	0 thaw
	0 pin $B
	0 unpin $B
	0 stage other --override=build
	0 activate latest --override=order
	0 prune --keep 5
	0 activate $C --override=order
	0 publish other --override=build --again
	0 rollback
	ROWS
	[ "$n" -eq 16 ] || fail "$n rows"
	assert_live "$C"
	go_on
	run deploy activate "$hung"
	assert_live "$hung"
	assert_clean
}

t_beside_a_stage_on_c() { beside_a_stage c; }
t_beside_a_stage_on_dash() { beside_a_stage dash; }
t_beside_a_stage_on_busybox() { beside_a_stage busybox; }
t_beside_a_stage_on_all() { beside_a_stage c dash busybox; }

# It is told, with who and since when, and gone when it is over; the lock is
# not called free meanwhile.
t_status_shows_who_stages() {
	local kind
	on c dash busybox
	USER=ann hung "${hosts[@]}"
	run deploy status
	assert_eq "$(grep -c '^h[123]  *ok .* 2[^ ]* is staged by .*@.* (stage, process [0-9]*, since 2' "$out")" 3
	run deploy status --host h1
	assert_eq "$(grep -c '^staging  *2.* by .*@.* (stage, process [0-9]*, since 2' "$out")" 1
	! grep '^lock ' "$out" || fail "a free lock"
	run deploy status --json
	assert_eq "$(json "$out" '.hosts | map(.locked_by) | tostring')" \
	    '[null,null,null]'
	assert_eq "$(json "$out" '.hosts | map(.stages | length) | tostring')" \
	    '[1,1,1]'
	assert_eq "$(json "$out" '.hosts[].stages[] |
	    select(.since and (.who | test("@")) and (.release | test("^2")))
	    | .job')" $'null\nnull\nnull'
	run deploy doctor --json
	assert_eq "$(json "$out" '.checks[]? | select(.name == "leftovers").status')" \
	    "$(json "$out" '.checks[]? | select(.name == "leftovers") | "ok"')"
	go_on
	run deploy status
	! grep 'staged by' "$out" || fail "still staging"
	run deploy status --host h1
	assert_contains "$out" "lock       free"
}

# The base of a stage would go by now: it stays, and goes when that is over.
base_stays() {
	local h
	on "$@"
	hung "${hosts[@]}"
	run deploy activate "$C"
	run deploy activate "$B"
	run deploy prune --keep 1 --lock-wait=0
	assert_contains "$err" "release $A stays: the stage of "
	for h in "${hosts[@]}"; do
		[ -d "r-$h/releases/$A" ] || fail "the base is gone on $h"
	done
	run deploy prune --keep 1 -n
	assert_not_contains "$out" "$A"
	go_on
	for h in "${hosts[@]}"; do
		assert_eq "$(stat -c %i "r-$h/releases/$A/numbers")" \
		    "$(stat -c %i "r-$h/releases/$hung/numbers")" "a link"
	done
	run deploy prune --keep 1
	assert_contains "$out" "$A"
	for h in "${hosts[@]}"; do
		[ ! -d "r-$h/releases/$A" ] || fail "the base stays on $h"
	done
	assert_clean
}

t_base_stays_on_c() { base_stays c; }
t_base_stays_on_dash() { base_stays dash; }
t_base_stays_on_busybox() { base_stays busybox; }
t_base_stays_on_all() { base_stays c dash busybox; }

# A flip is under way when the stage has come to its end: it waits, shortly;
# or gives up in time, and leaves nothing.
end_waits_for_a_flip() {
	local status=0
	on "$1"
	hung h1
	hold_when_received
	sleep 0.5
	kill -0 "$stage" || fail "did not wait: $(cat hung.err)"
	[ ! -d "r-h1/releases/$id" ] || fail "it is in the list"
	exec 9<&-
	go_on
	hung h1 --lock-wait=1
	hold_when_received
	wait "$stage" || status=$?
	exec 9<&-
	assert_eq "$status" 3 "status"
	assert_contains hung.err "gave up after 1 s"
	[ ! -d "r-h1/releases/$id" ] || fail "it is in the list"
	assert_clean
	assert_records r-h1
}

# It is on disk but for its name; the lock is held from here.  Its id is $id.
hold_when_received() {
	id=$(cd r-h1/.deploy/incoming && echo ./*.lock)
	id=${id#./} id=${id%.lock}
	exec 9<r-h1/.deploy/lock
	flock 9
	: >h1.go
	wait_for 20 test -e "r-h1/.deploy/meta/$id.json"
}

t_end_waits_for_a_flip_on_c() { end_waits_for_a_flip c; }
t_end_waits_for_a_flip_on_dash() { end_waits_for_a_flip dash; }
t_end_waits_for_a_flip_on_busybox() { end_waits_for_a_flip busybox; }

# again_to HOST: publish the same; $again is that run, which has asked the host
# to take the release.
again_to() {
	fault "$1" <<-'END'
	[ "$verb" != receive ] || : >"$self.asked"
	END
	deploy publish >again.out 2>again.err &
	again=$!
	wait_for 20 test -e "$1.asked"
	kill -0 "$again"
}

# A, B, C, and what was staged then.
has_all() {
	[ "$(compgen -G "r-$1/.deploy/meta/*.json" | wc -l)" -eq 4 ]
}

# A client dies while the last of its pack is on its way to one host.  The next
# run takes the same id, and waits there for what the first has left.
same_build_again() {
	on "$@"
	local last=${hosts[-1]} again status=0
	hung "$last"
	# Who has it tells the next run which id it has.
	wait_for 20 has_all h1
	kill -KILL "$stage"
	wait "$stage" 2>/dev/null || true
	expect_status 3 deploy publish -q --lock-wait 1s
	assert_contains "$err" "is being staged by"
	again_to "$last"
	: >"$last.go"
	wait "$again" || status=$?
	assert_eq "$status" 0 "status ($(cat again.err))"
	assert_contains again.err "$last: another run has staged"
	assert_serves_site
	run deploy verify
}

t_same_build_again_on_c() { same_build_again c c; }
t_same_build_again_on_dash() { same_build_again c dash; }
t_same_build_again_on_busybox() { same_build_again dash busybox; }

# A host that does not see that its client is gone keeps what it stages.  The
# others have that: sync brings the host to what is live all the same, at once.
sync_beside_a_dead_stage() {
	on "$@"
	local last=${hosts[-1]}
	hung "$last"
	wait_for 20 has_all h1
	kill -KILL "$stage"
	wait "$stage" 2>/dev/null || true
	expect_status 7 deploy activate "$B" --skip "$last"
	run deploy sync --lock-wait=0
	assert_contains "$err" "$last: another run stages "
	assert_live "$B"
	: >"$last.go"
}

t_sync_beside_a_dead_stage_on_c() { sync_beside_a_dead_stage c c; }
t_sync_beside_a_dead_stage_on_dash() { sync_beside_a_dead_stage c dash; }
t_sync_beside_a_dead_stage_on_busybox() { sync_beside_a_dead_stage dash busybox; }

# The host has got that id from somebody, with another content.
t_same_id_with_another_content() {
	on c c
	local id again status=0
	hung h2
	wait_for 20 has_all h1
	kill -KILL "$stage"
	wait "$stage" 2>/dev/null || true
	again_to h2
	id=$(ls r-h2/.deploy/incoming | sed -n 's/\.lock$//p')
	cp "r-h2/.deploy/manifests/$A" "r-h2/.deploy/manifests/$id"
	cp -a "r-h2/releases/$A" "r-h2/releases/$id"
	pkill -KILL -f "receive.*--id=$id" || true
	wait "$again" || status=$?
	assert_eq "$status" 4
	assert_contains again.err "h2: there is a release"
	assert_live "$A"
}

# What the pack needs went before the stage began: said at once, nothing left.
t_base_that_is_gone() {
	local kind R id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001
	on c dash busybox
	R=$PWD/r-h1
	for kind in c dash busybox; do
		expect_status 1 host receive "$R" --id="$id" --uses="$A,$id" </dev/null
		assert_contains "$out" "$id, from which files are to be taken, is not there any more"
		assert_root_clean "$R"
	done
}

# Killed where it hangs, by SIGKILL: nobody waits for it, and its rest is swept
# by the next stage, or by prune.
killed_while_it_hangs() {
	local h=h1 pid sweep
	on "$1"
	for sweep in "stage site --again" "prune --keep 9"; do
		hung h1
		pid=$(sed -n '1s/.*"pid":\([0-9]*\).*/\1/p' r-h1/.deploy/incoming/*.lock)
		kill -KILL "$pid"
		: >h1.go
		wait "$stage" && fail "it was not killed"
		wait_for 20 is_nobodys
		run deploy status
		! grep '^staging' "$out" || fail "it is still staging"
		# shellcheck disable=SC2086 # words are meant
		run deploy $sweep --lock-wait=0
		assert_clean
		assert_records r-h1
	done
	assert_live "$A"
}

is_nobodys() {
	local f
	for f in r-h1/.deploy/incoming/*.lock; do
		flock -n 9 9<"$f" || return
	done
}

t_killed_while_it_hangs_on_c() { killed_while_it_hangs c; }
t_killed_while_it_hangs_on_dash() { killed_while_it_hangs dash; }
t_killed_while_it_hangs_on_busybox() { killed_while_it_hangs busybox; }

# -------------------------------------------------------------- two at once

# The newest build has the content that is live, and is still being read when an
# older one goes live: it is what stays live, and not only here.
t_an_older_build_while_the_newest_is_read() {
	local kind root pid
	mkfifo pipe
	for kind in here hosts; do
		if [ "$kind" = here ]; then
			small
			root=$PWD/here
			set -- --root "$root"
		else
			some c dash
			root=$PWD/r-h2
			set --
		fi
		rm -rf old
		cp -r site old
		echo old >old/index.html
		tar cf site.tar -C site .
		run deploy publish site --seq 1 "$@"
		deploy publish - --seq 3 "$@" <pipe >"$out" 2>"$err" &
		pid=$!
		exec 8>pipe
		head -c 600 site.tar >&8
		pause 0.5
		deploy publish old --seq 2 "$@" || true
		tail -c +601 site.tar >&8
		exec 8>&-
		wait "$pid" || fail "status $?: $(cat "$err")"
		diff -r site "$root/current/"
		assert_eq "$(cat "$out")" "$(live_of "$root")" "$kind"
	done
}

# What web servers make tags of is the time, in seconds, and the size: both are
# of one release, also when several are staged within a second.
t_stages_at_once_have_times_of_their_own() {
	local i k
	for k in 1 2 3 4; do
		mkdir "site$k"
		echo "page $k" >"site$k/index.html"
	done
	for i in 1 2 3; do
		for k in 1 2 3 4; do
			echo "$i" >"site$k/again"
			deploy stage -q "site$k" --root root >"id$k" &
		done
		wait
	done
	assert_eq "$(ls root/releases | wc -l)" 12
	for k in root/.deploy/meta/*.json; do
		jq .mtime "$k"
	done | sort >seconds
	assert_eq "$(uniq -d seconds)" ""
}

# What one of two does; each may end with one of the statuses behind it.
declare -A may=([stage]="0" [activate]="0 2 3 4" [rollback]="0 1 2 3 4"
    [prune]="0 4" [freeze]="0" [adopt]="0 1 2")

# begin_one WHAT: $! is its process.
begin_one() {
	local what=$1 n=$RANDOM
	case $what in
	stage)
		mkdir -p "s-$n"
		echo "$n" >"s-$n/index.html"
		set -- stage "s-$n" --override=build
		;;
	activate) set -- activate "$C" --override=order ;;
	prune) set -- prune --keep 1 ;;
	esac
	setsid deploy "$@" >"said-$n" 2>&1 &
	said[$!]=said-$n
	begun[$!]=$what
}

# ended PROCESS: it ended well, or refused, but waited for no lock in vain.
ended() {
	local status=0
	wait "$1" || status=$?
	# Not adopted yet.
	! grep -q "but a real directory; .*run 'deploy adopt" "${said[$1]}" ||
	    return 0
	[[ " ${may[${begun[$1]}]} " = *" $status "* ]] ||
	    fail "${begun[$1]}: $status: $(cat "${said[$1]}")"
	assert_not_contains "${said[$1]}" "locked by"
}

# ready WHAT...: the release C is there, nothing is frozen; for adopt, what is
# served is a real directory.
ready() {
	local h
	[ -d "r-h1/releases/$C" ] || edition C stage
	deploy thaw -q
	[[ " $* " = *" adopt "* ]] || return 0
	for h in "${hosts[@]}"; do
		rm -rf "r-$h"/.deploy/adopted-*
		cp -a "r-$h/current/." "r-$h/was"
		rm "r-$h/current"
		mv "r-$h/was" "r-$h/current"
	done
}

# Whatever happened: each host serves something whole, and the next run finds
# nothing in its way and leaves nothing behind.
assert_well() {
	local h
	for h in "${hosts[@]}"; do
		[ -s "r-$h/current/index.html" ] || fail "$h serves nothing"
	done
	[ -L r-h1/current ] || run deploy adopt
	run deploy thaw --lock-wait=0
	run deploy stage site --again --lock-wait=0
	run deploy prune --keep 2 --lock-wait=0
	assert_clean
	for h in "${hosts[@]}"; do
		assert_records "r-$h"
		assert_live_is "r-$h" "$(live "$h")"
	done
}

# pair X Y [KILLED]: both at once, and the first is killed.
pair() {
	local a
	declare -A said begun
	ready "$1" "$2"
	begin_one "$1"
	a=$!
	begin_one "$2"
	if [ -n "$3" ]; then
		sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
		kill -KILL -- "-$a" 2>/dev/null || true
		wait "$a" || true
	else
		ended "$a"
	fi
	ended "$!"
	echo "$1 and $2 ${3:+(killed)}" >&2
	assert_well
}

# pairs WHAT...: each of them beside each; then one of the two is killed.
pairs() {
	local y killed
	while (($# > 0)); do
		for y; do
			for killed in '' "${kill[@]}"; do
				pair "$1" "$y" "$killed"
			done
		done
		shift
	done
}

t_pairs_on_c() {
	local kill=(yes)
	on c
	pairs stage activate rollback prune freeze
}

t_pairs_with_adopt() {
	local x
	on c
	for x in stage activate rollback prune freeze adopt; do
		pair adopt "$x" ''
		pair adopt "$x" killed
	done
}

t_pairs_on_dash() {
	local kill=(yes)
	on dash
	pairs stage activate rollback prune freeze
}

t_pairs_on_busybox() {
	local kill=()
	! wide || kill=(yes)
	on busybox
	pairs stage activate rollback prune freeze
}

t_pairs_on_all() {
	local kill=() verbs=(stage rollback prune)
	! wide || kill=(yes) verbs=(stage activate rollback prune freeze)
	on c dash busybox
	pairs "${verbs[@]}"
}

# A host that is locked: whoever gives up says what was not done, in words.
t_what_was_not_done_is_said() {
	local want words command
	on c dash
	exec 8>>r-h1/.deploy/lock
	flock -x 8
	while IFS='|' read -r want words command; do
		# The words are meant to be split.
		# shellcheck disable=SC2086
		expect_status "$want" deploy $command --lock-wait 0 8>&-
		assert_contains "$err" "1 of 2 hosts failed; $words"
		assert_not_contains "$err" "h2: "
		# The other host has done it.
		((want == 3)) ||
		    assert_contains "$err" "; to finish, run: deploy $command --lock-wait 0"
	done <<-'END'
	7|not pinned everywhere|pin latest
	7|not unpinned everywhere|unpin latest
	7|not frozen everywhere|freeze
	7|not thawed everywhere|thaw
	3|not pruned everywhere|prune
	3|nothing was activated|activate latest
	END
	exec 8>&-
}

# A host that waits for the lock is not silent, in C and in sh.
t_a_wait_that_is_longer_than_a_timeout() {
	local h
	some c dash
	run deploy publish
	for h in h1 h2; do
		echo "$h" >site/index.html
		exec 8>>"r-$h/.deploy/lock"
		flock -x 8
		deploy publish --timeout=8s --lock-wait=600s >"$out" 2>"$err" 8>&- &
		# The timeout is over then.
		sleep 12
		[ -d "/proc/$!" ] || fail "gave up: $(cat "$err")"
		flock -u 8
		exec 8>&-
		wait $! || fail "$h: $(cat "$err")"
		assert_serves_site
	done
}

# Who may write nothing cannot keep others waiting: flock(2) asks for no right
# but to open.
t_nobody_else_holds_a_lock() {
	local kind file pid
	need_root
	chmod 755 .
	for kind in c dash; do
		rm -rf r-h1 site deploy.yml
		some "$kind"
		run deploy publish
		echo two >site/index.html
		run deploy publish
		for file in r-h1/.deploy/lock r-h1/.deploy/meta; do
			as_user sh -c "exec 9<$file && flock -x -n 9 && exec sleep 60" \
			    2>/dev/null &
			pid=$!
			pause 0.3
			run deploy rollback --lock-wait 0
			run deploy publish --lock-wait 0 --override=order --seq 5
			run deploy publish --lock-wait 0 --seq $((${#file} + 5))
			kill "$pid" 2>/dev/null || true
			wait "$pid" || true
		done
	done
}

run_tests
