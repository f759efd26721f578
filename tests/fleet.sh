# shellcheck shell=bash
# Four hosts behind real sshds, for tests in which one of them fails.
#
# fleet_start KIND...: hosts h1, h2, ... of these kinds, and deploy.yml:
#
#	c		deploy is in the PATH
#	dash		it is not: the sh verbs, in dash
#	busybox		the same, with nothing but busybox (and flock)
#	KIND+rsync	files come by rsync
#	KIND+proxy	behind tests/proxy.c: `do_cut` and `undo_cut` work
#	KIND+far	the same, 300 ms away
#	KIND+slow	the same, over a link of 3 MB/s
#	-		there is no such host in this fleet
#
# fleet_beside VICTIM [+proxy]: the fleet in which that host is to fail: h1 has
# deploy, h2 dash, h3 busybox, h4 rsync.  Beside the victim, and behind it in the
# list, is one that is well; with TEST_ALL (make test-all) it is all four.
#
# A host hN is the address 127.0.0.1N with an sshd of its own; its root is
# r-hN, and hN/ has its sshd's files.  In front of the verbs stands
# tests/host-shell, which can stop at one step of one verb:
#
#	stop_at hN STEP		from now on, once
#	wait_at hN		until it is there; it waits
#	go_on hN		it goes on
#
# The steps are, in their order:
#
#	info		the first request
#	receive		before a pack is read
#	files		before rsync(1) runs there
#	pack		some of it was read
#	received	the release is complete, the client does not know it
#	activate	before the lock is taken
#	armed		armed, and the client knows; the last host is not yet
#	went		"go" has come, and was not heard yet
#	flipped		the release is live, the client does not know it
#	prune		before old releases are removed
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

fleet_start() {
	local kind n=0
	need_cmd ssh ssh-keygen pgrep pkill flock
	proxy=${TEST_OBJ:-.build}/proxy
	[ "${proxy#/}" != "$proxy" ] || proxy=$TREE/$proxy
	hosts=()
	mkdir -p site/a
	echo one >site/index.html
	seq 5000 >site/a/numbers
	head -c 200000 /dev/urandom | base64 >site/a/big
	printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r" >deploy.yml
	printf '    source: site\n    lock_wait: 20s\n    hosts:\n' >>deploy.yml
	for kind; do
		n=$((n + 1))
		[ "$kind" != - ] || continue
		hosts+=("h$n")
		_host_start "h$n" "127.0.0.1$n" "$kind"
	done
	DEPLOY_KNOWN_HOSTS=$(cat h?/known)
	export DEPLOY_KNOWN_HOSTS
	unset SSH_AUTH_SOCK
}

fleet_beside() {
	local k=(c dash busybox c+rsync)
	if ! wide; then
		case $1 in
		h1) k=(c dash - -) ;;
		h2) k=(- dash - c) ;;
		h3) k=(- - busybox c) ;;
		h4) k=(- - - c+rsync c) ;;
		esac
	fi
	k[${1#h} - 1]+=${2:-}
	fleet_start "${k[@]}"
}

# Two releases are live and previous everywhere; $second is the live one, and
# `old` a copy of it.
two() {
	run deploy publish
	edit
	run timed_publish -m second
	remember
	second=$(live "${hosts[0]}")
	assert_live "$second"
}

# Publish, and set $silence: how long a host may be silent, in seconds, before
# this machine, as busy as it is now, can be sure that it does not answer.
timed_publish() {
	local t=${EPOCHREALTIME/./}
	deploy publish "$@" || return
	silence=$((2 + 3 * (${EPOCHREALTIME/./} - t) / 1000000))
}

# Change the site: every time something else.
edit() {
	edition=$((${edition:-0} + 1))
	echo "edition $edition" >site/index.html
	head -c 100000 /dev/urandom | base64 >site/a/big
}

remember() {
	rm -rf old
	cp -a site old
}

# ------------------------------------------------------------------ a host

_host_start() {
	local h=$1 address=$2 kind=${3%%+*} port transport=ssh link=()
	if [[ $3 = *+rsync* ]]; then
		need_cmd rsync
		transport=rsync
	fi
	mkdir "$h"
	_host_path "$h" "$kind"
	sshd_start "$PWD/$h" "ListenAddress $address" \
	    "ForceCommand $TREE/tests/host-shell $PWD/$h" "MaxStartups 100" ||
	    fail "sshd does not start"
	echo "$sshd_pid" >"$h/pid"
	port=$sshd_port
	[[ $3 != *+far* ]] || link=(--delay 300)
	[[ $3 != *+slow* ]] || link=(--rate 24000)
	if [[ $3 = *+proxy* || ${#link[@]} -gt 0 ]]; then
		"$proxy" "${link[@]}" --cut "$PWD/$h/cut" --listen "$address" "$port" \
		    >"$h/port" &
		defer kill "$!"
		wait_for 10 test -s "$h/port"
		port=$(cat "$h/port")
	fi
	defer _host_end "$PWD/$h"
	printf '[%s]:%s %s\n' "$address" "$port" \
	    "$(cut -d ' ' -f 1,2 "$h/host_key.pub")" >"$h/known"
	{
		printf '      - {address: %s, port: %s, ' "$address" "$port"
		printf 'user: %s, identity: %s, root: %s, transport: %s}\n' \
		    "$(id -un)" "$PWD/$h/id" "$PWD/r-$h" "$transport"
	} >>deploy.yml
}

# With all that it started, also what stands still.
_host_end() {
	_signal_all KILL "$1"
}

# Set sessions: those of a host that are left, with all their processes.  That
# a number still means one of ours, its command line tells.
_sessions() {
	local sid words
	sessions=()
	[ -e "$1/sessions" ] || return 0
	while read -r sid; do
		[ -e "/proc/$sid" ] || continue
		{ mapfile -d '' words <"/proc/$sid/cmdline"; } 2>/dev/null ||
		    continue
		[[ "${words[*]}" != *"$PWD"* ]] || sessions+=("$sid")
	done <"$1/sessions"
}

# What the host can run.
_host_path() {
	local h=$1 path
	mkdir "$h/bin"
	case $2 in
	c)
		ln -s "$DEPLOY" "$h/bin/deploy"
		path=$PWD/$h/bin:/usr/sbin:/usr/bin:/sbin:/bin
		;;
	dash)
		need_cmd dash
		ln -s "$(command -v dash)" "$h/bin/sh"
		path=$PWD/$h/bin:/usr/sbin:/usr/bin:/sbin:/bin
		;;
	busybox)
		need_cmd busybox
		busybox --install -s "$PWD/$h/bin"
		ln -sf "$(command -v flock)" "$h/bin/flock"
		path=$PWD/$h/bin
		;;
	esac
	echo "$path" >"$h/path"
}

stop_at() {
	rm -f "$1"/{at,go-on,stopped,step} h*/behind
	[ "$2" != armed ] || echo "$PWD/$1" >"${hosts[-1]}/behind"
	echo "$2" >"$1/stop"
}

wait_at() {
	wait_for "${2:-60}" test -e "$1/at"
}

go_on() {
	touch "$1/go-on"
}

# ------------------------------------------------- what can happen to a host

# Its verb is killed.
do_kill_verb() { _signal_verbs KILL "$1"; }
undo_kill_verb() { :; }

# sshd's end of the connection is killed; the verb may not know.
do_kill_session() {
	local pids
	pids=$(sshd_sessions "$(cat "$1/pid")")
	# Word splitting is meant.
	# shellcheck disable=SC2086
	kill -KILL $pids
}
undo_kill_session() { :; }

# The machine stands still, with all that is on it.
do_freeze() { _signal_all STOP "$1"; }
undo_freeze() { _signal_all CONT "$1"; }

# Only the verb does.
do_stick() { _signal_verbs STOP "$1"; }
undo_stick() { _signal_verbs CONT "$1"; }

# Nothing comes through, and nobody says so.
do_cut() { touch "$1/cut"; }
undo_cut() { rm -f "$1/cut"; }

# No sshd, and nothing of its sessions.
do_refuse() { _signal_all KILL "$1"; }
undo_refuse() { sshd_again "$1"; }

# The host has another key.
do_host_key() {
	_signal_all KILL "$1"
	mv "$1/host_key" "$1/host_key.own"
	ssh-keygen -q -t ed25519 -N '' -f "$1/host_key" </dev/null
	rm "$1/host_key.pub"
	sshd_again "$1"
}
undo_host_key() {
	_signal_all KILL "$1"
	mv "$1/host_key.own" "$1/host_key"
	sshd_again "$1"
}

# The host does not want our key any more.
do_wrong_key() {
	do_kill_session "$1" 2>/dev/null || true
	mv "$1/authorized_keys" "$1/authorized_keys.own"
	ssh-keygen -q -t ed25519 -N '' -f "$1/other"
	mv "$1/other.pub" "$1/authorized_keys"
	rm "$1/other"
}
undo_wrong_key() { mv "$1/authorized_keys.own" "$1/authorized_keys"; }

_signal_verbs() {
	local IFS=, sessions
	_sessions "$2"
	((${#sessions[@]} == 0)) || pkill "-$1" -s "${sessions[*]}" || true
}

_signal_all() {
	local pid pids
	read -r pid <"$2/pid"
	pids="$pid $(sshd_sessions "$pid")"
	# Word splitting is meant.
	# shellcheck disable=SC2086
	kill "-$1" $pids 2>/dev/null || true
	_signal_verbs "$1" "$2"
}

# The sshd of the host, as it was.
sshd_again() {
	local i
	wait "$(cat "$1/pid")" 2>/dev/null || true
	sshd_port=$(sed -n 's/^Port //p' "$1/sshd_config")
	for ((i = 0; i < 50; i++)); do
		rm -f -- "$1/sshd.pid"
		"$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -D \
		    -f "$PWD/$1/sshd_config" -E "$PWD/$1/log" </dev/null &
		sshd_pid=$!
		echo "$sshd_pid" >"$1/pid"
		! _sshd_listens "$1" || return 0
		wait "$sshd_pid" || true
	done
	fail "sshd does not start again"
}

# ---------------------------------------------------------- what is served

# Each serves a whole release: `old` or `site`.
assert_whole() {
	local h
	for h in "${hosts[@]}"; do
		diff -r old "r-$h/current/" >/dev/null ||
		    diff -r site "r-$h/current/" >&2 ||
		    fail "$h serves half a release: $(live "$h")"
	done
}

# All but this host serve the release $2.
assert_live_but() {
	local h
	for h in "${hosts[@]}"; do
		[ "$h" = "$1" ] || assert_live "$2" "$h"
	done
}

# The next run makes everything good.
assert_heals() {
	run timed_publish
	remember
	assert_serves_site
	assert_clean
	second=$(live "${hosts[0]}")
}

# At the end: all that was done is well.
assert_well() {
	run deploy verify
	run deploy status
}

# publish_while STEP VICTIM ACTION "STATUS...": publish another edition; when
# the victim has come to the step, ACTION happens to it (do_ACTION, above);
# with the step `start` it has happened already.  The publish ends by itself,
# with one of the statuses, which is $status then, and what it said in `said`.
publish_while() {
	local step=$1 victim=$2 action=$3 want=$4 pid
	edit
	if [ "$step" = start ]; then
		"do_$action" "$victim"
	else
		stop_at "$victim" "$step"
	fi
	# A bound, not a measure: what hangs would hang for ever.
	# shellcheck disable=SC2154 # lib.sh sets it
	timeout 900 deploy publish --timeout "${silence}s" --lock-wait 2s \
	    >"$out" 2>said &
	pid=$!
	if [ "$step" != start ]; then
		wait_for 60 is_there_or_gone "$victim" "$pid"
		[ -e "$victim/at" ] || fail "it ended before $step: $(cat said)"
		"do_$action" "$victim"
		go_on "$victim"
	fi
	status=0
	wait "$pid" || status=$?
	echo "$action at $step: $status: $(grep -m 1 error: said || tail -n 1 said)" >&2
	[[ " $want " = *" $status "* ]] || fail "not $want: $(cat said)"
	((status == 0)) || assert_contains said "127.0.0.1${victim#h}"
}

is_there_or_gone() {
	[ -e "$1/at" ] || ! kill -0 "$2" 2>/dev/null
}

# every_step VICTIM ACTION FIRST LATE: to that host, at each step of a publish,
# or those in $steps.  The status is FIRST when its state was asked for, 1
# (or 0) before anybody was told to go, 9 after all, and LATE in between; each time
# the next run heals.
every_step() {
	local step want
	fleet_beside "$1" "$([ "$2" != cut ] || echo +proxy)"
	two
	for step in ${steps:-info receive pack received activate armed \
	    went flipped prune}; do
		case $step in
		info) want=$3 ;;
		# Noticed while all wait for the last one, or at the word.
		armed) want="1 $4" ;;
		went | flipped) want=$4 ;;
		prune) want=9 ;;
		*) want=1 ;;
		esac
		# One that has not said a word yet is started again; without the
		# connection it cannot be.
		[ "$2:$step" != kill_verb:activate ] || want="0 1"
		# The sh verbs have not said one before the request is there.
		[ "$2:$step" != kill_verb:info ] || want="1 8"
		[[ $2:$step != @(kill_session|refuse):activate ]] || want="1 8"
		fails_at "$step" "$1" "$2" "$want"
	done
	assert_well
}

# fails_at STEP VICTIM ACTION "STATUS...": nobody serves something new then, or
# only the victim does, and the status says so; or all do, and it is 9.
fails_at() {
	publish_while "$@"
	assert_whole
	case $status in
	7) assert_live_but "$2" "$second" ;;
	0 | 9) assert_serves_site ;;
	*) assert_live "$second" ;;
	esac
	"undo_$3" "$2"
	is_over "$2"
	# What had not heard "go" in time does not flip when it wakes up.
	case $3:$1 in
	freeze:armed | freeze:went | stick:armed | stick:went | cut:armed)
		assert_live "$second"
		;;
	esac
	assert_heals
}

# Nothing that was started on the host is left: a verb that had stopped before
# it took the lock goes on, and takes it, when its client has ended already.
is_over() {
	wait_for 30 is_left_alone "$1"
}

is_left_alone() {
	local sessions
	_sessions "$1"
	((${#sessions[@]} == 0)) && is_unlocked "r-$1"
}
