#!/bin/bash
# The jail (jail.h) around what strangers send, with planted bugs: the library
# escape.so makes the program write a file elsewhere than it meant to.  Each
# bug is first seen to work where there is no jail.
# parts: 2
. "$(dirname "$0")/../lib.sh"

landlock() {
	deploy host probe "$PWD/any" | finds -x $'has\tlandlock' ||
	    skip "this kernel has no Landlock"
	[ -z "${TEST_SANITIZE:-}" ] || skip "a library cannot stand before it"
}

# escape NAME TO CMD...: CMD, with the bug that the file NAME is made as TO.
escape() {
	local name=$1 to=$2
	shift 2
	env LD_PRELOAD="$PRELOAD/escape.so" ESCAPE_NAME="$name" \
	    ESCAPE_TO="$to" "$@"
}

# escapes NAME TO CMD...: the bug works.  contained: it does not.
escapes() {
	rm -f "$2"
	escape "$@" >"$out" 2>"$err" || true
	[ -e "$2" ] || fail "the bug does not work: $(cat "$err")"
	rm -f "$2"
}

contained() {
	expect_status 1 escape "$@"
	[ ! -e "$2" ] || fail "written: $2"
	assert_contains "$err" "Permission denied"
}

begin() {
	R=$PWD/root
	run deploy init --root "$R"
	mkdir -p site "$R/.deploy/hooks"
	echo page >site/index.html
	echo bug >site/escape.html
	run deploy publish site --root "$R"
	live=$(basename "$(readlink "$R/current")")
	echo more | tee -a site/index.html >>site/escape.html
}

# Of a root: what nothing that is unpacked may reach.
forbidden() {
	printf '%s\n' "$PWD/outside" "$HOME/.profile" "$R/new" "$R/.deploy/new" \
	    "$R/.deploy/hooks/post-activate" "$R/.deploy/meta/new.json" \
	    "$R/.deploy/manifests/new" "$R/releases/$live/new" \
	    "$R/releases/new"
}

t_archive() {
	local to
	landlock
	begin
	tar -C site -cf site.tar .
	while read -r to; do
		escapes escape.html "$to" deploy stage site --root "$R"
		contained escape.html "$to" deploy stage site.tar --root "$R"
	done < <(forbidden)
	run deploy publish site.tar --root "$R"
	assert_tree_eq "$R/current/" site
	(cd site && zip -qr ../site.zip .) || skip "needs zip"
	contained escape.html "$PWD/outside" deploy stage --again site.zip \
	    --root "$R"
}

# Of a host that is this machine, through the verbs.
t_pack() {
	local to
	landlock
	begin
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    root: $R
	    source: site
	    hosts: [{address: h, transport: local, deploy: $DEPLOY}]
	END
	while read -r to; do
		escape escape.html "$to" deploy stage >"$out" 2>"$err" &&
		    fail "staged with $to: $(cat "$err")"
		[ ! -e "$to" ] || fail "written: $to"
		assert_contains "$err" "Permission denied"
	done < <(forbidden)
	run deploy publish
	assert_tree_eq "$R/current/" site
}

# forced CMD...: `deploy host` as the line in authorized_keys has it.
forced() {
	SSH_ORIGINAL_COMMAND="deploy host $*" "${before[@]}" deploy host \
	    --root "$R" --allow activate,pin,prune,init,receive
}

# A limited key: all that a request does lies in the root.
t_forced_command() {
	local first second to
	landlock
	begin
	first=$live
	run deploy publish site --root "$R"
	second=$(cat "$out")
	before=(env LD_PRELOAD="$PRELOAD/escape.so" ESCAPE_NAME=lock.note)
	for to in "$PWD/outside" "$HOME/.profile" "${TMPDIR:-/tmp}/escape"; do
		before+=(ESCAPE_TO="$to")
		escapes lock.note "$to" deploy host activate "$R" "--id=$first"
		forced activate "$R" "--id=$live" >"$out" 2>"$err" || true
		[ ! -e "$to" ] || fail "written: $to"
		run deploy activate "$second" --root "$R"
	done
}

t_forced_command_works() {
	local first
	begin
	before=(env)
	first=$live
	run deploy publish site --root "$R"
	run forced info "$R" --full
	assert_eq "$(tail -n 1 "$out")" ok
	run forced probe "$R"
	assert_contains "$out" "tool	sh"
	assert_contains "$out" "user	$(id -u)	$(id -un)"
	run forced activate "$R" "--id=$first"
	assert_contains "$out" "live	$first"
	run forced prune "$R" --keep=1
	assert_eq "$(tail -n 1 "$out")" ok
	R=$PWD/another
	run forced init "$R"
	assert_eq "$(tail -n 1 "$out")" ok
	[ -e "$R/.deploy/format" ] || fail "not prepared"
}

# A hook runs outside: it may write, run, gain rights, and has no limits.
t_hooks_of_a_limited_key() {
	local first
	begin
	before=(env)
	first=$live
	run deploy publish site --root "$R"
	cat >"$R/.deploy/hooks/post-activate" <<-END
	#!/bin/sh
	echo "\$DEPLOY_HOOK \$DEPLOY_RELEASE \$DEPLOY_PREVIOUS" >$PWD/ran
	grep NoNewPrivs /proc/self/status >>$PWD/ran
	ulimit -v >>$PWD/ran
	read -r line || echo "no input" >>$PWD/ran
	cat /etc/hostname >/dev/null && echo reads >>$PWD/ran
	echo said
	exit \${STATUS:-0}
	END
	chmod 755 "$R/.deploy/hooks/post-activate"
	live=$(basename "$(readlink "$R/current")")
	run forced activate "$R" "--id=$first"
	assert_contains "$out" "hook	post-activate"
	assert_not_contains "$out" hook-failed
	assert_not_contains "$out" said
	assert_contains "$err" said
	assert_eq "$(cat ran)" "post-activate $first $live
NoNewPrivs:	0
unlimited
no input
reads"
	run env STATUS=3 bash -c "$(declare -f forced); R=$R; before=(env)
	    forced activate $R --id=$live"
	assert_contains "$out" "hook-failed	the post-activate command failed with status 3"
	assert_eq "$(tail -n 1 "$out")" ok
	chmod g+w "$R/.deploy/hooks/post-activate"
	run forced activate "$R" "--id=$first"
	assert_contains "$out" "hook-failed	the post-activate hook was not run"
}

# They end when the request is ended.
t_hooks_end_with_the_request() {
	local first second pid job status=0
	begin
	before=(env)
	first=$live
	run deploy publish site --root "$R"
	second=$(cat "$out")
	for s in TERM KILL; do
		printf '#!/bin/sh\nsleep 71.%s\n' $$ \
		    >"$R/.deploy/hooks/post-activate"
		chmod 755 "$R/.deploy/hooks/post-activate"
		(
			export SSH_ORIGINAL_COMMAND="deploy host activate $R --id=$first"
			exec deploy host --root "$R"
		) >"$out" 2>"$err" &
		job=$!
		wait_for 20 pgrep -f "^sleep 71.$$"
		kill "-$s" "$job"
		wait "$job" || status=$?
		wait_for 20 bash -c "! pgrep -f '^sleep 71.$$'"
		rm "$R/.deploy/hooks/post-activate"
		run deploy activate "$second" --root "$R"
	done
}

t_limits() {
	local pid now
	[ -z "${TEST_SANITIZE:-}" ] || skip "a sanitizer needs the space"
	now=$(date -u +%Y%m%dT%H%M%S)
	begin
	mkfifo input
	(
		ulimit -S -c 1
		export SSH_ORIGINAL_COMMAND="deploy host receive $R --id=$now.999Z-d1cab69e-2bac-4877-9283-4128af38cee1"
		exec deploy host --root "$R"
	) <input >"$out" 2>"$err" &
	pid=$!
	exec 7>input
	wait_for 20 grep -q '^ready' "$out"
	grep -E '^Max (core|address)' "/proc/$pid/limits" >limits
	assert_contains limits "Max core file size        0 "
	assert_contains limits "Max address space         2147483648 "
	assert_contains "/proc/$pid/status" "NoNewPrivs:	1"
	exec 7>&-
	wait "$pid" || true
}

# The flags that the program is built with, as far as they can be seen.
t_the_program_is_hardened() {
	need_cmd readelf
	[ -z "${TEST_SANITIZE:-}" ] || skip "not with a sanitizer"
	readelf -hldW "$DEPLOY" >elf 2>/dev/null
	assert_contains elf "DYN "
	assert_contains elf GNU_RELRO
	assert_contains elf NOW
	! grep 'GNU_STACK.*RWE' elf || fail "the stack can be run"
	readelf -sW --dyn-syms "$DEPLOY" >symbols
	assert_contains symbols __stack_chk_fail
	assert_contains symbols _chk@
}

run_tests
