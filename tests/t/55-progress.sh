#!/bin/bash
# How far a run is: what hosts have taken, on a line that never stands still,
# fits the terminal and leaves nothing behind.
# parts: 3
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fleet.sh
. "$TREE/tests/fleet.sh"

# A line each twentieth of a second: short runs draw many.
export DEPLOY_TEST_PROGRESS=50

# on_terminal COMMAND: its talk, with whatever moves the cursor, in `seen`.
on_terminal() {
	need_cmd script
	TERM=xterm command script -qec "$1" typescript </dev/null >/dev/null
	sed '1d; /^Script done/d' typescript >seen
}

# Set `frames` to the lines of a phase as they were drawn, one after the other.
frames() {
	tr '\r' '\n' <seen | sed -n "s/^.\[K$1 /$1 /p" >frames
	[ -s frames ] || fail "no line says $1: $(cat -v seen)"
}

# What was drawn is never less than before, and never more than all of it.
assert_grows() {
	awk '
	BEGIN { factor["B"] = 1; factor["kB"] = 1e3; factor["MB"] = 1e6 }
	match($0, /[0-9]+\/[0-9]+ files?, [0-9.]+( [kM]?B)?\/[0-9.]+ [kM]?B/) {
		n = split(substr($0, RSTART, RLENGTH), w, /[ ,\/]+/)
		files = w[1] + 0; all = w[2] + 0
		bytes = w[4] * factor[n == 6 ? w[6] : w[5]]
		of = w[n - 1] * factor[w[n]]
		if (files > all || bytes > of || files < had || bytes < got) {
			print "not: " $0
			exit 1
		}
		had = files; got = bytes; lines++
	}
	END { if (lines < 5) { print lines " lines"; exit 1 } }' frames >&2 ||
	    fail "it does not grow: $(cat frames)"
}

# A site that does not compress, of 3.3 MB.
large() {
	local i
	mkdir -p site/b
	for i in 1 2 3 4 5; do
		head -c 600000 /dev/urandom >"site/b/$i.bin"
	done
}

# All hosts together, to the last byte of what the answer says.
t_sending_counts_what_hosts_have_taken() {
	local all
	fleet_start c+slow dash+slow c+slow+rsync
	large
	on_terminal "deploy publish"
	frames "sending to 3 hosts"
	assert_grows
	grep -q '[0-9.]* MB/s, [0-9]* s left' frames ||
	    fail "no rate: $(cat frames)"
	all=$(sed -n 's/.*sent to 3 of 3 hosts: \([0-9]* files\), \([0-9.]* MB\), as.*/\1, \2/p' seen)
	assert_eq "$all" "24 files, 9.9 MB"
	tail -n 1 frames | finds '\[########\] 24/24 files, 9.9/9.9 MB' ||
	    fail "the last is not that: $(cat frames)"
}

# begin COMMAND: on a terminal, beside the test; its process is in `pid`.
begin() {
	need_cmd script
	echo "echo \$\$ >pid; exec $1" >run.sh
	TERM=xterm command script -fqec "sh run.sh" typescript </dev/null \
	    >/dev/null &
	beside=$!
	wait_for 20 test -s pid
}

# Whatever the last line was, it is taken away before the next.
assert_taken_away() {
	sed '1d; /^Script done/d' typescript >seen
	grep -q $'\r\033\[K'"deploy: $1" seen ||
	    fail "the line stays: $(cat -v seen)"
	! sed "s/.*$(printf '\r')//" seen | finds "sending" ||
	    fail "something is left: $(cat -v seen)"
}

# A host that takes nothing is told so, and the line does not stand still.
t_the_line_moves_when_nothing_else_does() {
	fleet_start c+slow dash
	large
	touch h1/cut
	begin "deploy publish"
	rm h1/cut
	wait_for 60 grep -q "sending to 2 hosts.*MB/s" typescript
	touch h1/cut
	wait_for 60 grep -q "waiting 2 s" typescript
	wait_for 60 grep -q "waiting 3 s" typescript
	rm h1/cut
	wait "$beside"
	assert_taken_away "staged"
	assert_serves_site
}

t_an_interrupt_leaves_nothing() {
	local sig
	fleet_start c+slow dash+slow
	large
	for sig in INT TERM; do
		rm -f pid typescript
		begin "deploy publish"
		wait_for 60 grep -q "sending to 2 hosts.*MB/s" typescript
		kill "-$sig" "$(<pid)"
		wait "$beside" && fail "status 0"
		assert_taken_away ".*error: .*interrupted by SIG$sig"
	done
}

# Where nobody looks, each line is a whole one.
t_plain_lines_elsewhere() {
	fleet_start c+slow
	large
	run deploy publish
	assert_not_contains "$err" $'\r'
	assert_not_contains "$err" $'\033'
	grep '^deploy: sending ' "$err" >frames || fail "$(cat "$err")"
	assert_grows
	edit
	run deploy publish -q
	assert_eq "$(cat "$err")" ""
	edit
	run env DEPLOY_TEST_PROGRESS= deploy publish
	assert_not_contains "$err" "deploy: sending"
}

# An archive from a pipe: what was read of it, and then of how much.
t_an_archive_counts_what_was_read() {
	mkdir site
	head -c 900000 /dev/urandom >site/index.html
	head -c 900000 /dev/urandom >site/b
	tar -cf a.tar -C site .
	mkfifo pipe
	begin "deploy stage --root $PWD/root - <pipe"
	{
		head -c 1000000
		wait_for 60 grep -qE "unpacking [0-9.]+ [kM]B" typescript
		cat
	} <a.tar >pipe
	wait "$beside"
	sed '1d; /^Script done/d' typescript >seen
	frames unpacking
	tail -n 1 frames | finds -E '\] 2 files, 1.8/1.8 MB' ||
	    fail "the last is not all: $(cat frames)"
}

# pane COMMAND...: of tmux, with a server of our own.
pane() {
	tmux -S "$PWD/t.sock" -f /dev/null "$@"
}

is_drawn() {
	pane capture-pane -p | finds "sending to 2 h"
}

ended_pane() {
	pane capture-pane -p | finds '^END'
}

# No line is wrapped, at any width, nor when it changes.
t_the_line_fits_the_terminal() {
	local width
	need_cmd tmux
	fleet_start c+slow dash+slow
	defer pane kill-server
	cat >run.sh <<-END
	deploy publish
	echo END
	sleep 1000
	END
	for width in 120 40; do
		large
		pane new-session -d -x "$width" -y 20 "sh run.sh 2>&1"
		wait_for 60 is_drawn
		# Each row that speaks of it is its beginning.
		pane capture-pane -p >plain
		assert_eq "$(grep -c sending plain)" 1 "$(cat plain)"
		! grep -qE '^[^sd].*(left|MB|files)' plain || fail "$(cat plain)"
		pane resize-window -x $((width / 2)) -y 20
		wait_for 120 ended_pane
		pane capture-pane -p >plain
		assert_not_contains plain "sending to"
		assert_not_contains plain "left"
		pane kill-server
	done
}

run_tests
