#!/bin/bash
# What rollback means, the same on a root here, on hosts with deploy, on hosts
# with the sh verbs in dash and busybox, and on some of each: what it goes to,
# what is refused afterwards, what has failed, and what goes live meanwhile.
# parts: 6
# shellcheck disable=SC2154 # $out, $err: of lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

# way WAY: here, c, dash, busybox or mixed; the roots are r-NAME.
way() {
	local h
	need_cmd jq
	way=$1
	mkdir site
	case $way in
	here) hosts=(here) ;;
	mixed) hosts=(h1 h2 h3) ;;
	*) hosts=(h1) ;;
	esac
	printf 'sites:\n  - name: t\n    root: %s\n    source: site\n' \
	    "$PWD/r-here" >deploy.yml
	echo '    check: {url: "http://127.0.0.1:9/", tries: 1, timeout: 1s}' \
	    >>deploy.yml
	[ "$way" != here ] || return 0
	echo '    hosts:' >>deploy.yml
	case $way in
	mixed) program h1 c && program h2 dash && program h3 busybox ;;
	*) program h1 "$way" ;;
	esac
	for h in "${hosts[@]}"; do
		printf '      - {address: %s, transport: local, root: %s, deploy: %s}\n' \
		    "$h" "$PWD/r-$h" "$PWD/$h" >>deploy.yml
	done
}

# What is in the release with that id: a letter.
content() {
	local root=r-${hosts[0]} text
	[ "$1" != null ] || { echo - && return; }
	text=$(<"$root/releases/$1/index.html")
	echo "${text#<p>}"
}

# The newest release with that content.
id_of() {
	local dir found=''
	for dir in "r-${hosts[0]}"/releases/*; do
		[ "$(content "${dir##*/}")" != "$1" ] || found=${dir##*/}
	done
	[ -n "$found" ] || fail "no release has '$1'"
	echo "$found"
}

# step WORD: X publishes X; X! with a check that fails; X= refused; Xo all the
# same; @X, @X= activates the newest release with X; <, <X roll back; <- there
# is nothing to go back to.
step() {
	local x=${1:0:1}
	case $1 in
	'<') run deploy rollback --no-check ;;
	'<-') expect_status 1 deploy rollback --no-check ;;
	'<'?) run deploy rollback --no-check "$(id_of "${1:1}")" ;;
	@?=)
		expect_status 4 deploy activate --no-check "$(id_of "${1:1:1}")"
		assert_contains "$err" " was rolled back from at "
		;;
	@?o) run deploy activate --no-check --override=order "$(id_of "${1:1:1}")" ;;
	@?) run deploy activate --no-check "$(id_of "${1:1}")" ;;
	*)
		echo "<p>$x" >site/index.html
		case $1 in
		?'!') expect_status 6 deploy publish --keep 9 ;;
		?o'!') expect_status 6 deploy publish --keep 9 --override=order ;;
		?=)
			expect_status 4 deploy publish --no-check --keep 9
			assert_contains "$err" " was rolled back from at "
			assert_contains "$err" "--override=order"
			;;
		?o) run deploy publish --no-check --keep 9 --override=order ;;
		*) run deploy publish --no-check --keep 9 ;;
		esac
		;;
	esac
}

# Steps; the live content; the previous one; the releases, newest first, each
# with Live, Previous, Was live, Failed, or Staged; those that a prune which
# keeps one removes.  What is younger than a day and never was live stays.
histories=(
	'A B              |B A|BL AP|'
	'A B C            |C B|CL BP AW|A'
	'A B <            |A -|BW AL|'
	'A B C < < <-     |A -|CW BW AL|'
	'A B! <-          |A -|BF AL|'
	'A B C!           |B A|CF BL AP|'
	'A B C! <         |A -|CF BW AL|'
	'A B C! D         |D B|DL CF BP AW|A'
	'A B C! C! C D    |D C|DL CP BW AW|A B'
	'A B C! C C <     |B A|CW BL AP|'
	'A B C! C <       |B A|CW BL AP|'
	'A B C < D! <     |A -|DF CW BW AL|'
	'A B C! @C <      |B A|CW BL AP|'
	'A B < B= @B=     |A -|BW AL|'
	'A B < Bo         |B A|BL BW AP|B'
	'A B < @Bo C      |C B|CL BP AW|A'
	'A B < C B= <     |A -|CW BW AL|B'
	'A B < <B A= <-   |B -|BL AW|'
	'A B C! < B= Bo!  |A -|BF CF BW AL|'
	'A B < Bo! B=     |A -|BF BW AL|'
	'A B < Bo B C     |C B|CL BP BW AW|A B'
	'A A B < A        |A -|BW AL|'
	'A B A < <-       |B -|AW BL AW|A'
	'A B C <A C= B    |B A|BL CW BW AP|B C'
	'A B C D <B < D=  |A -|DW CW BW AL|C'
)

states() {
	jq -r '(.current // "null") as $c | (.previous // "null") as $p |
	    .releases[] | .id + " " + if .id == $c then "L" elif .id == $p then
	    "P" elif .failed then "F" elif .was_live then "W" else "S" end' "$out"
}

# holds STEPS WANTED: in a place of its own.
holds() {
	local word id state line='' live previous
	rm -rf r-*
	for word in $1; do
		step "$word"
	done
	run deploy list --json
	live=$(jq -r '.current // "null"' "$out")
	previous=$(jq -r '.previous // "null"' "$out")
	while read -r id state; do
		line+="${line:+ }$(content "$id")$state"
	done < <(states)
	line="$(content "$live") $(content "$previous")|$line|"
	assert_live "$live"
	run deploy prune --keep 1 -n
	cut -d' ' -f1 "$out" | sort -u >pruned
	line+=$(while read -r id; do content "$id"; done <pruned | sort | tr '\n' ' ')
	assert_eq "${line% }" "$2" "$way: $1"
}

# all_of_them WAY N K: every N-th from number K on; all where all is wanted.
all_of_them() {
	local i
	way "$1"
	for i in "${!histories[@]}"; do
		wide || ((i % $2 == $3)) || continue
		holds "${histories[i]%%|*}" "${histories[i]#*|}"
	done
}

t_histories_here() { all_of_them here 1 0; }
t_histories_c() { all_of_them c 3 0; }
t_histories_dash() { all_of_them dash 3 1; }
t_histories_busybox() { all_of_them busybox 3 2; }
t_histories_mixed() { all_of_them mixed 6 2; }
t_histories_mixed_more() { all_of_them mixed 6 5; }

# -------------------------------------------------- what goes live meanwhile

# hold X: on every host another run, which is about to make $y live, with the
# content X, has the lock; `let_go` makes it go on.
hold() {
	echo "<p>$1" >site/index.html
	run deploy stage
	hold_for "$(<"$out")"
}

# hold_for ID: the same, with a release that is there.
hold_for() {
	local h fd
	y=$1 b=$(live "${hosts[0]}")
	words=()
	for h in "${hosts[@]}"; do
		mkfifo "in-$h"
		deploy host activate "$PWD/r-$h" --id="$y" --expect="$b" \
		    --armed=300000 <"in-$h" >"armed-$h" 2>&1 &
		exec {fd}>"in-$h"
		words+=("$fd")
		wait_for 30 grep -q ^armed "armed-$h"
	done
}

let_go() {
	local fd
	for fd in "${words[@]}"; do
		echo "$1" >&"$fd"
		exec {fd}>&-
	done
}

# waits ARG...: a rollback, until it waits for the first lock.
waits() {
	rm -f -- *.verbs
	deploy rollback --no-check --lock-wait 300 "$@" >answer 2>errors &
	pid=$!
	wait_for 60 has_waiter
}

has_waiter() {
	if [ "$way" = here ]; then
		grep -q 'waiting for the lock' errors
	else
		grep -qx activate h1.verbs
	fi
}

ends() {
	local status=0
	wait "$pid" || status=$?
	assert_eq "$status" "$1" "status; $(<errors)"
}

# refused_for ID: it was not done because that went live meanwhile; the command
# that it names goes back to $a.
refused_for() {
	local command
	ends 4
	assert_contains errors "while this waited, $1 went live; nothing was rolled back; to go back from it, run: deploy rollback"
	[ ! -s answer ] || fail "an answer"
	assert_live "$1"
	command=$(sed -n 's/.*, run: \(deploy rollback .*\)/\1/p' errors)
	run bash -c "$command --no-check"
	assert_live "$a"
}

meanwhile() {
	local a b y words pid
	way "$1"
	step A
	a=$(live "${hosts[0]}")
	step B
	hold Y
	waits "${@:2}"
	let_go go
	refused_for "$y"
	# The run that had the lock gave up: nothing has changed.
	rm in-* armed-*
	step Bo
	hold Z
	waits -m oops
	let_go stop
	ends 0
	assert_live "$a"
	assert_eq "$(<answer)" "$a"
}

# Another run has done it: this one has not, and says so.
done_meanwhile() {
	local a b y words pid
	way "$1"
	step A
	a=$(live "${hosts[0]}")
	step B
	hold_for "$a"
	waits --json -m mine
	let_go go
	ends 0
	assert_live "$a"
	assert_eq "$(json answer .changed)" false
	assert_contains errors "unchanged: "
	run deploy log
	assert_not_contains "$out" mine
}

t_done_meanwhile_here() { done_meanwhile here; }
t_done_meanwhile_c() { done_meanwhile c; }
t_done_meanwhile_dash() { done_meanwhile dash; }
t_done_meanwhile_mixed() { done_meanwhile mixed; }
t_meanwhile_here() { meanwhile here; }
t_meanwhile_c() { meanwhile c; }
t_meanwhile_dash() { meanwhile dash; }
t_meanwhile_busybox() { meanwhile busybox; }
t_meanwhile_mixed() { meanwhile mixed; }
t_meanwhile_to_a_release() {
	local a b y words pid
	way here
	step A
	a=$(live here)
	step B
	hold Y
	waits "$a" --expect "$b"
	let_go go
	refused_for "$y"
}

run_tests
