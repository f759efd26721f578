# shellcheck shell=bash
# An sshd of our own on a port of this machine, as the user who runs the
# tests.
#
# sshd_start DIR [LINE...]: keys, files and log go to DIR; the lines are added
# in front of sshd_config(5).  Sets sshd_pid and sshd_port; in DIR are then
#
#	host_key, host_rsa	its own keys (.pub)
#	id			a key that it accepts (.pub)
#	authorized_keys
#	known_hosts		what a client has to know
#	log			what it says
#
# DIR is also the home directory of its sessions, so that what the user's own
# shell has in its start-up files is no part of the test.
#
# Stop it with sshd_stop.

sshd_start() {
	local dir=$1 tries
	shift
	# Even an absolute path does not help without this, as root.
	[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
	mkdir -p -- "$dir"
	chmod 700 -- "$dir"
	[ -e "$dir/host_key" ] || _sshd_keys "$dir"
	for ((tries = 0; tries < 20; tries++)); do
		sshd_port=$((20000 + RANDOM % 12000))
		rm -f -- "$dir/sshd.pid"
		_sshd_config "$dir" "$@" >"$dir/sshd_config"
		"$(PATH=$PATH:/usr/sbin:/sbin command -v sshd)" -D \
		    -f "$dir/sshd_config" -E "$dir/log" </dev/null &
		sshd_pid=$!
		_sshd_known_hosts "$dir"
		! _sshd_listens "$dir" || return 0
		wait "$sshd_pid" || true
	done
	cat "$dir/log" >&2
	return 1
}

# With all its sessions.
sshd_stop() {
	local pids
	pids=$(sshd_sessions)
	# Word splitting is meant.
	# shellcheck disable=SC2086
	kill -KILL "$sshd_pid" $pids 2>/dev/null || true
	wait "$sshd_pid" 2>/dev/null || true
}

# The processes that serve a connection.
sshd_sessions() {
	local parent=${1:-$sshd_pid} pid
	for pid in $(pgrep -P "$parent" -x sshd); do
		echo "$pid"
		sshd_sessions "$pid"
	done
}

# Making keys takes time: all tests of a script share them.
_sshd_keys() {
	local keys=$TEST_DIR/sshd-keys
	if [ ! -e "$keys" ]; then
		mkdir -- "$keys"
		ssh-keygen -q -t ed25519 -N '' -C host -f "$keys/host_key"
		ssh-keygen -q -t rsa -b 2048 -N '' -C host -f "$keys/host_rsa"
		ssh-keygen -q -t ed25519 -N '' -C id -f "$keys/id"
	fi
	cp -p -- "$keys"/* "$1"
	cp -- "$1/id.pub" "$1/authorized_keys"
}

_sshd_config() {
	local dir=$1
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
	cat <<-EOF
	Port $sshd_port
	ListenAddress 127.0.0.1
	HostKey $dir/host_key
	HostKey $dir/host_rsa
	PidFile $dir/sshd.pid
	AuthorizedKeysFile $dir/authorized_keys
	StrictModes no
	UsePAM no
	UseDNS no
	PasswordAuthentication no
	KbdInteractiveAuthentication no
	PermitRootLogin yes
	LogLevel VERBOSE
	SetEnv HOME=$dir
	EOF
}

_sshd_known_hosts() {
	printf '[127.0.0.1]:%s %s\n' "$sshd_port" \
	    "$(cut -d ' ' -f 1,2 "$1/host_key.pub")" >"$1/known_hosts"
}

# Does the one in this directory take connections, within 10 seconds?  It says so
# in its PidFile; another one may have the port.
_sshd_listens() {
	local i
	for ((i = 0; i < 200; i++)); do
		kill -0 "$sshd_pid" 2>/dev/null || return 1
		[ "$(cat -- "$1/sshd.pid" 2>/dev/null)" != "$sshd_pid" ] || return 0
		sleep 0.05
	done
	return 1
}
