# shellcheck shell=bash
# What every test script in tests/t/ stands on.  A script reads
#
#	#!/bin/bash
#	. "$(dirname "$0")/../lib.sh"
#
#	t_what_it_shows_in_words() {
#		mksite site 10
#		expect_status 0 deploy stage site --root "$PWD/root"
#		assert_contains "$err" "staged"
#	}
#
#	run_tests
#
# run_tests runs each t_ function in the order of the file, in a subshell with
# errexit, nounset and pipefail, in a fresh empty directory, and prints TAP.
# Nothing of the caller's environment reaches it but PATH, TERM and TMPDIR.
# A process costs 6 ms on some machines: what all tests do does without one.
#
# A test finds: `deploy` in PATH and $DEPLOY, the program under test; $TREE,
# the source tree; $PRELOAD, the directory of the libraries built from
# tests/faults/; $VERBS, tests/verbs.c; $HOME and $TMPDIR, its own, outside
# the current directory.
# It waits for conditions, not for time, and what bounds a wait is generous: the
# machine may be eight times slower, and busy.
#
# Mind that errexit does not hold inside `if`, `&&`, `||` and `!`, in bash
# and therefore here: use expect_status for what must fail.

# ---------------------------------------------------------------- helpers

# fail MESSAGE: end the test as failed.
fail() {
	echo "FAIL: $*" >&2
	trap - ERR
	exit 1
}

# skip REASON: end the test as skipped.
skip() {
	echo "$*" >"$_base/skip"
	trap - ERR
	exit 77
}

# need_root, need_cmd CMD...: skip the test without them.
need_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

need_cmd() {
	local c
	for c; do
		command -v "$c" >/dev/null || skip "needs $c"
	done
}

# wide: are all combinations wanted that are not needed for a promise?  So it
# is in make test-all.
wide() {
	[ -n "${TEST_ALL:-}" ]
}

# all_or N ALL: sets n: N, or ALL where all is wanted.
all_or() {
	n=$1
	! wide || n=$2
}

# defer CMD...: run CMD when the test ends, however it ends; last one first.
defer() {
	_deferred+=("$(printf '%q ' "$@")")
}

# expect_status N CMD...: run CMD and fail unless it ends with status N, or
# when a signal ends it (126 and up never count).  Its output is in the files
# $out and $err afterwards.  CMD may be a function, without errexit then.
expect_status() {
	local want=$1 got=0
	shift
	"$@" >"$out" 2>"$err" || got=$?
	_no_sanitizer_report
	if ((got >= 126 || got != want)); then
		_show_output
		fail "status $got, expected $want: $*"
	fi
}

# run CMD...: CMD must succeed.
run() {
	expect_status 0 "$@"
}

# assert_eq GOT WANT [WHAT]
assert_eq() {
	[ "$1" = "$2" ] ||
	    fail "${3:-strings differ}"$'\n'"  got:  '$1'"$'\n'"  want: '$2'"
}

# assert_contains FILE TEXT: FILE contains TEXT, taken literally; ids of releases
# in it stand for their short form, too, which is what people see.
assert_contains() {
	_contains "$@" ||
	    fail "no '$2' in $1:"$'\n'"$(head -c 4000 "$1")"
}

assert_not_contains() {
	[ -e "$1" ] || fail "$1 does not exist"
	! _contains "$@" ||
	    fail "'$2' in $1:"$'\n'"$(head -c 4000 "$1")"
}

# short TEXT: with the short form of the ids of releases in it.
short() {
	local text=$1 id='[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
	while [[ $text =~ $id ]]; do
		text=${text/"${BASH_REMATCH[0]}"/"${BASH_REMATCH[0]%%Z*}"}
	done
	printf '%s\n' "$text"
}

# Without a process, as long as the shell is not slower.
_contains() {
	local pieces piece seen
	seen=$2
	[[ $2 != *Z-* ]] || seen=$(short "$2")
	mapfile -d '' pieces <"$1"
	if ((${#pieces[@]} > 20)) || ((${#pieces[0]} > 20000)); then
		grep -qF -e "$2" -e "$seen" -- "$1"
		return
	fi
	for piece in "${pieces[@]}"; do
		[[ $piece != *"$2"* && $piece != *"$seen"* ]] || return 0
	done
	return 1
}

# CMD | finds [OPTION...] PATTERN: grep -q, but it reads all: who writes must not
# meet a closed pipe, as that fails here.
finds() {
	local n
	n=$(grep -c "$@")
}

# assert_file_eq A B: the same bytes.
assert_file_eq() {
	cmp -- "$1" "$2" >&2 || fail "$1 and $2 differ"
}

# assert_tree_eq A B: the same names, types, modes and bytes; mtimes are free.
assert_tree_eq() {
	local modes
	diff -r --no-dereference -- "$1" "$2" >&2 || fail "$1 and $2 differ"
	modes=$(find "$1" "$2" ! -type l -printf '%y %m %P\n' | LC_ALL=C sort |
	    uniq -u)
	[ -z "$modes" ] || fail "modes: $1 and $2 differ:"$'\n'"$modes"
}

# assert_empty DIR: nothing is in it.
assert_empty() {
	local f
	[ -d "$1" ] || fail "no directory $1"
	for f in "$1"/* "$1"/.[!.]* "$1"/..?*; do
		[ ! -e "$f" ] && [ ! -L "$f" ] || fail "in $1 is ${f##*/}"
	done
}

# gojq does what jq(1) does and takes a tenth of the time to start; only the
# order of keys it does not know (for documents that go on, there is
# `command jq`), and what a blank is in a URL.
if command -v gojq >/dev/null; then
	jq() {
		case $* in
		*keys_unsorted* | *@uri*) command jq "$@" ;;
		*) gojq "$@" ;;
		esac
	}
fi

# json FILE EXPRESSION: what jq says, as raw text.
json() {
	jq -r "$2" "$1"
}

# wait_for SECONDS CMD...: until CMD succeeds.  SECONDS are enough for it where
# nothing else runs; the test fails after eight times as long.
wait_for() {
	local end=$((SECONDS + 8 * $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "waited in vain for: $*"
		pause 0.05
	done
}

# ended PID: has this process ended?
ended() {
	! kill -0 "$1" 2>/dev/null
}

# pause SECONDS: sleep without a process: nothing is ever read there.
pause() {
	read -rt "$1" _ <>"$TEST_DIR/never" || true
}

# as_user CMD...: CMD as nobody's user and group.  Give it a directory first:
# user_dir DIR makes one that it owns.
as_user() {
	need_root
	need_cmd setpriv
	chown 65534:65534 "$HOME" "$TMPDIR"
	setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
}

user_dir() {
	need_root
	mkdir -p -- "$1"
	chown 65534:65534 -- "$1"
}

# mksite DIR N [SEED]: a site of N pages in directories of 100, with
# index.html, css/site.css and img/logo.png.  The same arguments give the same
# bytes; another SEED changes every file and no name.
mksite() {
	local dir=$1 n=$2 seed=${3:-1}
	mkdir -p -- "$dir/css" "$dir/img"
	printf 'body { color: #%06x; }\n' $((seed * 4099 % 16777216)) \
	    >"$dir/css/site.css"
	{
		printf '\211PNG\r\n\032\n\0'
		seq "$seed" $((seed + 4000)) | gzip -nc
	} >"$dir/img/logo.png"
	(cd -- "$dir" && _mkpages "$n" "$seed")
}

# awk, because a hundred thousand pages are wanted within seconds.
_mkpages() {
	local d
	for ((d = 0; d * 100 < $1; d++)); do
		printf 'p/%03d\0' "$d"
	done | xargs -0r mkdir -p
	LC_ALL=C awk -v n="$1" -v seed="$2" '
	function page(path, title,   i) {
		printf "<!DOCTYPE html>\n<title>%s</title>\n", title >path
		for (i = 0; i < 8 + (title * 7) % 25; i++)
			printf "<p>Line %d of page %s, edition %s.</p>\n", \
			    i, title, seed >path
		printf "<footer>edition %s</footer>\n", seed >path
		close(path)
	}
	BEGIN {
		page("index.html", "0 start")
		for (k = 1; k <= n; k++)
			page(sprintf("p/%03d/page-%05d.html", \
			    (k - 1) / 100, k), k)
	}'
}

# start_nginx DOCROOT: sets $url; stopped when the test ends.
start_nginx() {
	need_cmd nginx curl
	case $1 in
	/*) nginx_start "$_base/nginx" "$1" ;;
	*) nginx_start "$_base/nginx" "$PWD/$1" ;;
	esac || fail "nginx does not start"
	defer kill "$nginx_pid"
}

# ------------------------------------------------------------- run_tests

# Run the tests of this script; ONLY=t_name or a pattern runs some of them,
# and TEST_PART=K/N the K-th of each N.  Of tests whose names differ in nothing
# but the shell of a host, one is run, in turns, and all where all is wanted.
run_tests() {
	local _chosen=() tests=() t i=0 n=0 failed=0 part=${TEST_PART:-1/1}
	# Errexit is for the tests; here a failure is counted.  No test may be
	# run inside a condition: that would switch its errexit off.
	set +e
	# When time is up: let the running test clean up first.
	trap 'exit 143' TERM
	_refuse_blind_spots
	while read -r t; do
		# A pattern is meant.
		# shellcheck disable=SC2053
		[[ $t = ${ONLY:-*} ]] || continue
		_chosen+=("$t")
	done < <(_tests_in_order)
	[ -n "${ONLY:-}" ] || wide || _take_turns
	for t in ${_chosen[@]+"${_chosen[@]}"}; do
		i=$((i + 1))
		(((i - ${part%/*}) % ${part#*/} != 0)) || tests+=("$t")
	done
	[ -e "$TEST_DIR/never" ] || mkfifo "$TEST_DIR/never"
	echo "1..${#tests[@]}"
	for t in ${tests[@]+"${tests[@]}"}; do
		n=$((n + 1))
		_run_test "$t" "$n"
		((failed |= $?))
	done
	return "$failed"
}

# Leave in `_chosen` one test of each kind: of the first the one for its first shell,
# of the next the one for its second, and so on.
_take_turns() {
	local t kind order=() members turn=-1
	local -A of=()
	for t in "${_chosen[@]}"; do
		kind=$t
		[[ ! _${t}_ =~ ^(.*)_(sh|dash|bash|busybox)_(.*)$ ]] ||
		    kind=${BASH_REMATCH[1]}_+_${BASH_REMATCH[3]}
		[ -n "${of[$kind]:-}" ] || order+=("$kind")
		of[$kind]+=" $t"
	done
	_chosen=()
	for kind in ${order[@]+"${order[@]}"}; do
		read -ra members <<<"${of[$kind]}"
		((turn += ${#members[@]} > 1))
		_chosen+=("${members[turn % ${#members[@]}]}")
	done
}

# Two mistakes would let tests pass unseen: the same name twice, and a caller
# that runs us inside a condition.
_refuse_blind_spots() {
	local twice probe
	twice=$(grep -o '^t_[a-zA-Z0-9_]*()' "$0" | sort | uniq -d)
	if [ -n "$twice" ]; then
		echo "Bail out! two functions $twice in $0"
		exit 2
	fi
	# shellcheck disable=SC2317
	probe=$(set -e; false; echo off)
	if [ -n "$probe" ]; then
		echo "Bail out! errexit does not hold: call run_tests plainly"
		exit 2
	fi
}

# The t_ functions, in the order in which they were declared.
_tests_in_order() {
	shopt -s extdebug
	compgen -A function t_ | while read -r t; do declare -F "$t"; done |
	    sort -s -n -k 2,2 | cut -d ' ' -f 1
}

# Run test $1 as number $2, and print what came of it.
_run_test() {
	local name=${1#t_} number=$2 status used
	_base=$TEST_DIR/$number
	out=$_base/out err=$_base/err
	[ ! -e "$_base" ] || _drop "$_base"
	mkdir "$_base" "$_base"/{work,home,tmp,run,san}
	[ -z "${TEST_SANITIZE:-}" ] || chmod 1777 "$_base/san"
	_used
	used=$ms
	(_test_body "$1") >"$_base/log" 2>&1 </dev/null
	status=$?
	_used
	_report "$number - ${name//_/ }" "$status"
	status=$?
	echo "# took $((ms - used)) ms"
	return "$status"
}

# Set ms: the processor time of all children that have ended.
_used() {
	local line m
	times >"$_base/times"
	{ read -r _ && read -r line; } <"$_base/times"
	[[ $line =~ ^(.*)m(.*)\.(.*)s\ (.*)m(.*)\.(.*)s$ ]]
	m=("${BASH_REMATCH[@]}")
	ms=$(((m[1] + m[4]) * 60000 + (10#${m[2]} + 10#${m[5]}) * 1000 + 10#${m[3]} + 10#${m[6]}))
}

# The inside of one test's subshell.
_test_body() {
	set -eEuo pipefail
	shopt -s inherit_errexit
	_deferred=() _last_job=${!:-}
	trap '_where $? "$LINENO" "$BASH_COMMAND"' ERR
	trap _end_of_test EXIT
	trap 'exit 143' TERM
	export HOME=$_base/home TMPDIR=$_base/tmp
	export XDG_CONFIG_HOME=$HOME/.config XDG_STATE_HOME=$HOME/.state
	export XDG_CACHE_HOME=$HOME/.cache XDG_DATA_HOME=$HOME/.local
	export XDG_RUNTIME_DIR=$_base/run
	_sanitizer_options
	cd "$_base/work"
	"$1"
	_no_sanitizer_report
}

# Say which command ended the test, and where.
_where() {
	trap - ERR
	echo "${FUNCNAME[1]}, line $2: status $1: $3" >&2
}

# Undo what the test deferred; end what it left running.
_end_of_test() {
	local status=$? i left
	set +eu
	trap - ERR
	for ((i = ${#_deferred[@]} - 1; i >= 0; i--)); do
		eval "${_deferred[i]}"
	done
	if [ "${!:-}" != "$_last_job" ]; then
		left=$(jobs -p)
		# Word splitting is meant.
		# shellcheck disable=SC2086
		[ -z "$left" ] || kill $left 2>/dev/null
		wait
	fi
	exit "$status"
}

# One TAP line, after the log when there is something to say.
_report() {
	local what=$1 status=$2
	if [ "$status" -eq 77 ] && [ -e "$_base/skip" ]; then
		echo "ok $what # SKIP $(cat "$_base/skip")"
	elif [ "$status" -eq 0 ]; then
		echo "ok $what"
	else
		sed 's/^/# /' "$_base/log"
		[ -z "${KEEP:-}" ] || echo "# kept: $_base"
		echo "not ok $what"
		return 1
	fi
}

# Remove a directory of ours, unless KEEP is set.
_drop() {
	[ -z "${KEEP:-}" ] || return 0
	rm -rf --one-file-system -- "$1" 2>/dev/null && return
	chmod -R u+rwX -- "$1" 2>/dev/null
	rm -rf --one-file-system -- "$1"
}

_show_output() {
	local f
	for f in "$out" "$err"; do
		[ ! -s "$f" ] || head -c 4000 "$f" | sed "s/^/${f##*/}: /" >&2
	done
}

# Sanitizers write to files, because a test may never look at the standard
# error of a process that it started.
_sanitizer_options() {
	local all="log_path=$_base/san/r:exitcode=99"
	export ASAN_OPTIONS=$all:detect_leaks=1:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=$all:print_stacktrace=1
	export TSAN_OPTIONS=$all:halt_on_error=0
}

_no_sanitizer_report() {
	local f
	for f in "$_base"/san/*; do
		[ ! -e "$f" ] || fail "a sanitizer reports"$'\n'"$(cat "$f")"
	done
}

# -------------------------------------------------------------- the start

TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Keep what a test may know; a CI's variables would change what deploy does.
_clean_environment() {
	local v
	while read -r v; do
		case $v in
		PATH | TERM | TMPDIR | USER | LOGNAME) ;;
		TREE | DEPLOY | PRELOAD | VERBS | KEEP | ONLY | TEST_*) ;;
		*) unset "$v" 2>/dev/null || true ;;
		esac
	done < <(compgen -e)
	export LC_ALL=C.UTF-8 TZ=UTC
}

_clean_environment
umask 022
DEPLOY=$(realpath "${DEPLOY:-$TREE/bin/deploy}")
PRELOAD=${PRELOAD:-$TREE/.build/preload}
VERBS=${VERBS:-$TREE/.build/verbs}
if [ -z "${TEST_DIR:-}" ]; then
	TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/deploy-test.XXXXXX")
	trap '_drop "$TEST_DIR"' EXIT
	# Open to as_user, closed to writing.
	chmod 755 "$TEST_DIR"
fi
[ "${DEPLOY##*/}" != deploy ] || PATH=${DEPLOY%/*}:$PATH
export TREE DEPLOY PRELOAD VERBS PATH TEST_DIR

# shellcheck source=tests/nginx.sh
. "$TREE/tests/nginx.sh"
