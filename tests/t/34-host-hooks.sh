#!/bin/bash
# Hooks of a root, .deploy/hooks/: here, on hosts with deploy, and on hosts
# with the sh verbs.
# parts: 4
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

hosts=(h1 h2 h3)

# hook ROOT NAME: standard input is what it does.
hook() {
	mkdir -p "$1/.deploy/hooks"
	{
		echo '#!/bin/sh'
		cat
	} >"$1/.deploy/hooks/$2"
	chmod 755 "$1/.deploy/hooks/$2"
}

# One that writes down what it is told, whether its input is empty and the
# lock free; a word more.
noting() {
	cat <<-END
	read -r line && echo "input: \$line" >>$PWD/ran
	flock -n -x .deploy/lock true || echo locked >>$PWD/ran
	[ "\$PWD" = "\$DEPLOY_ROOT" ] || echo "in \$PWD" >>$PWD/ran
	echo "\$DEPLOY_HOOK \$DEPLOY_ROOT \$DEPLOY_RELEASE,\$DEPLOY_PREVIOUS $*" >>$PWD/ran
	echo said
	END
}

# ran LINE...: the hooks that ran since, in any order.
ran() {
	touch ran
	assert_eq "$(sort ran)" "$([ $# -eq 0 ] || printf '%s\n' "$@" | sort)"
	rm ran
}

# publish TEXT [ARG...]: a build with that text to the root r, here.
publish() {
	site "$1"
	run deploy publish site --root r "${@:2}"
	cat "$out"
}

# ------------------------------------------------------------- this machine

t_here() {
	local a b c r=$PWD/r
	run deploy init --root r
	noting one | hook r post-activate
	a=$(publish 1)
	ran "post-activate $r $a, one"
	assert_eq "$(cat "$out")" "$a" "standard output"
	assert_contains "$err" said
	run deploy publish site --root r
	run deploy activate --root r
	site 2
	run deploy publish site --root r -n
	ran
	b=$(publish 2)
	ran "post-activate $r $b,$a one"
	# Without one of its own a rollback has the same hook.
	run deploy rollback --root r
	ran "post-activate $r $a,$b one"
	noting two | hook r post-rollback
	run deploy activate --root r --override=order "$b"
	ran "post-activate $r $b,$a one"
	run deploy rollback --root r
	ran "post-rollback $r $a,$b two"
	c=$(publish 3 -q)
	ran "post-activate $r $c,$a one"
	[ ! -s "$err" ] || fail "$(cat "$err")"
}

t_here_failing() {
	local a
	run deploy init --root r
	echo 'echo no use; exit 3' | hook r post-activate
	site 1
	expect_status 9 deploy publish site --root r --json
	a=$(json "$out" .current)
	assert_eq "$(live_of r)" "$a"
	assert_contains "$err" "no use"
	assert_contains "$err" \
	    "the post-activate command failed with status 3: no use"
	site 2
	run deploy stage site --root r
	expect_status 9 deploy activate --root r
	expect_status 9 deploy rollback --root r
	assert_eq "$(live_of r)" "$a"
}

t_here_may_call_deploy() {
	run deploy init --root r
	hook r post-activate <<-END
	deploy pin current --root . --lock-wait 0 && deploy list --root . >$PWD/listed
	END
	publish 1 >id
	assert_contains listed pinned
}

# The lock is free meanwhile: what others do then counts.
t_here_another_run_comes_between() {
	local a b
	run deploy init --root r
	a=$(publish 1)
	b=$(publish 2)
	hook r post-activate <<-END
	[ \$DEPLOY_RELEASE != $b ] || deploy activate $a --root .
	END
	run deploy rollback --root r
	expect_status 9 deploy activate "$b" --override=order --root r
	assert_contains "$err" "another run made $a live while the hook ran"
	assert_eq "$(live_of r)" "$a"
}

t_here_time_and_signals() {
	local pid status=0
	run deploy init --root "$PWD/r"
	cat >deploy.yml <<-END
	sites:
	  - {name: t, root: $PWD/r, source: site, hooks: {timeout: 1s}}
	END
	echo "sleep 62.$$" | hook r post-activate
	site 1
	expect_status 9 deploy publish
	assert_contains "$err" \
	    "the post-activate command was ended after 1 s (timeout)"
	[ -e r/current/index.html ] || fail "not live"
	site 2
	deploy publish site --root r >"$out" 2>"$err" &
	pid=$!
	wait_for 10 pgrep -f "sleep 62.$$"
	kill -TERM "$pid"
	wait "$pid" || status=$?
	assert_eq "$status" 9
	! pgrep -f "sleep 62.$$" || fail "it runs still"
	assert_eq "$(cat r/current/index.html)" 2
}

# A cache that the hook brings up to date: before the check, and when that
# sends the release back.
t_here_before_the_check() {
	local a
	run deploy init --root "$PWD/r"
	mkdir served
	start_nginx served
	hook r post-activate <<-END
	[ -e $PWD/lazy ] || cp current/index.html $PWD/served/
	END
	hook r post-rollback <<-END
	cp current/index.html $PWD/served/
	echo back >$PWD/served/back
	END
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    root: $PWD/r
	    source: site
	    check: {url: "$url/", tries: 1}
	END
	site 1
	run deploy publish
	a=$(cat "$out")
	touch lazy
	site 2
	expect_status 6 deploy publish
	assert_eq "$(live_of r)" "$a"
	assert_eq "$(cat served/index.html served/back)" "1
back"
}

# -------------------------------------------------------------- the verbs

# flip ID FROM [ARG...]
flip() {
	run host activate "$R" --id="$1" --expect="$2" \
	    --line="{\"from\":null,\"to\":\"$1\"}" "${@:3}"
	assert_eq "$(tail -n 1 "$out")" ok
	assert_eq "$(live_of "$R")" "$1"
}

# Two releases in $R, $A and $B; nothing is live.
begin() {
	kind=$1
	need_cmd "${kind/#c/sh}"
	[ "$kind" != busybox ] || busybox_path
	R=$PWD/r
	site 1
	run deploy stage site --root r
	A=$(cat "$out")
	site 2
	run deploy stage site --root r
	B=$(cat "$out")
}

verbs_run_it() {
	noting one | hook r post-activate
	flip "$A" ''
	ran "post-activate $R $A, one"
	assert_eq "$(value hook)" post-activate
	assert_eq "$(value hook-failed)" ''
	assert_contains "$err" said
	assert_not_contains "$out" said
	flip "$A" "$A"
	run host activate "$R" --id="$B" --expect="$A" --line=x --check
	ran
	noting two | hook r post-rollback
	flip "$B" "$A"
	ran "post-activate $R $B,$A one"
	flip "$A" "$B" --rollback
	ran "post-rollback $R $A,$B two"
	flip "$B" "$A" --sync
	ran "post-activate $R $B,$A one"
	flip "$A" "$B" --revert
	ran "post-rollback $R $A,$B two"
}

verbs_say_that_it_failed() {
	echo 'echo alas >&2; exit 3' | hook r post-activate
	flip "$A" ''
	assert_eq "$(value hook-failed)" \
	    "the post-activate command failed with status 3: alas"
	assert_contains "$err" alas
	# busybox's timeout ends the hook itself, nothing else of it.
	if [ "$kind" = busybox ]; then
		echo "exec sleep 63.$$"
	else
		echo "sleep 63.$$"
	fi | hook r post-activate
	flip "$B" "$A" --hook-timeout=1
	[[ $(value hook-failed) = *"was ended after 1 s"* ]] ||
	    fail "$(value hook-failed)"
	! pgrep -f "sleep 63.$$" || fail "it runs still"
	expect_status 2 host activate "$R" --id="$A" --hook-timeout=soon
}

# Make the other release live.
flip_other() {
	local other=$A
	[ "$(live_of r)" != "$A" ] || other=$B
	flip "$other" "$(live_of r)"
}

# refuses WORDS: the hook, and says why.
refuses() {
	flip_other
	[[ $(value hook-failed) = *"was not run: "*"$1"* ]] ||
	    fail "$(value hook-failed), not: $1"
	[ ! -e ran ] || fail "it ran"
}

verbs_refuse_it() {
	local f=r/.deploy/hooks/post-activate
	flip "$A" ''
	noting | hook r post-activate
	chmod 644 $f
	refuses "cannot be executed; run: chmod +x '$R/.deploy/hooks/post-activate'"
	chmod 775 $f
	refuses "can be written by others; run: chmod go-w"
	chmod 757 $f
	refuses "can be written by others"
	chmod 755 $f
	chmod 775 r/.deploy/hooks
	refuses "hooks' can be written by others"
	chmod 755 r/.deploy/hooks
	mv $f real
	ln -s "$PWD/real" $f
	refuses "is not a regular file"
	rm $f
	mkdir $f
	refuses "is not a regular file"
	rmdir $f
	mv real $f
	if [ "$(id -u)" -eq 0 ]; then
		chown 65534 $f
		refuses "belongs to neither the owner of the root nor root"
		refuses "; if nobody planted it, run as root: chown 0 '"
		chown 0 $f
		chown 65534 r/.deploy/hooks
		refuses "belongs to neither"
		chown 0 r/.deploy/hooks
	fi
	flip_other
	[ -e ran ] || fail "it is in order and did not run"
}

declare_for_each_kind() {
	local f kind
	for f in verbs_run_it verbs_say_that_it_failed verbs_refuse_it; do
		for kind in c dash bash busybox; do
			eval "t_${f}_$kind() { begin $kind; $f; }"
		done
	done
}
declare_for_each_kind

# Who owns the root may have hooks there, whoever runs deploy.
t_owners() {
	local r=$PWD/r
	user_dir r
	mksite site 1
	as_user deploy publish site --root r >id 2>"$err"
	hook r post-activate <<-END
	id -u >$PWD/r/shared/ran
	END
	mkdir r/shared
	chown 65534:65534 r/shared
	# Of root; then of the owner of the root.
	echo 2 >site/index.html
	run as_user deploy publish site --root r
	assert_eq "$(cat r/shared/ran)" 65534
	rm r/shared/ran
	chown -R 65534:65534 r/.deploy/hooks
	echo 3 >site/index.html
	run as_user deploy publish site --root r
	assert_eq "$(cat r/shared/ran)" 65534
	chown 1234 r/.deploy/hooks/post-activate
	echo 4 >site/index.html
	expect_status 9 as_user deploy publish site --root r
	assert_contains "$err" "'$r/.deploy/hooks/post-activate' belongs to neither"
	assert_contains r/current/index.html 4
}

# ---------------------------------------------------------------- the fleet

# Three hosts, of each kind one; what is added to deploy.yml.
fleet() {
	local h
	busybox_path
	program h1 c
	program h2 dash
	program h3 busybox
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n%b    hosts:\n' "${1:-}"
		for h in "${hosts[@]}"; do
			printf '      - {address: %s, transport: local, root: %s, deploy: %s%s}\n' \
			    "$h" "$PWD/r-$h" "$PWD/$h" "${2:-}"
		done
	} >deploy.yml
	run deploy init
}

# each_hook NAME: on every host, the same, from standard input.
each_hook() {
	local h
	cat >hook-text
	for h in "${hosts[@]}"; do
		hook "r-$h" "$1" <hook-text
	done
}

# all LINE: it for each host, with its root for %.
all() {
	local h lines=()
	for h in "${hosts[@]}"; do
		lines+=("${1//%/$PWD/r-$h}")
	done
	ran "${lines[@]}"
}

t_hosts() {
	local a b
	fleet
	noting | each_hook post-activate
	site 1
	run deploy publish
	a=$(cat "$out")
	all "post-activate % $a, "
	assert_not_contains "$err" said
	site 2
	run deploy publish
	b=$(cat "$out")
	all "post-activate % $b,$a "
	noting back | each_hook post-rollback
	run deploy rollback
	all "post-rollback % $a,$b back"
	run deploy publish -n --override=order
	ran
}

t_hosts_one_fails() {
	fleet
	for h in h1 h2; do
		site "$h"
		echo 'echo first; echo "last words" >&2; exit 3' |
		    hook "r-$h" post-activate
		expect_status 9 deploy publish --json
		assert_live "$(json "$out" .current)"
		assert_contains "$err" \
		    "$h: the post-activate command failed with status 3: last words"
		rm "r-$h/.deploy/hooks/post-activate"
	done
	echo 'exit 4' | each_hook post-activate
	site all
	expect_status 9 deploy publish
	for h in "${hosts[@]}"; do
		assert_eq "$(grep -c "$h: the post-activate command failed" "$err")" 1
	done
	chmod g+w r-h1/.deploy/hooks/post-activate
	echo : | hook r-h2 post-activate
	echo : | hook r-h3 post-activate
	expect_status 9 deploy rollback
	assert_contains "$err" "h1: the post-activate hook was not run: "
}

# What a host may be silent is not how long its hook may take.
t_hosts_slow_hooks() {
	fleet '    timeout: 4s\n'
	echo 'sleep 6' | each_hook post-activate
	site 1
	run deploy publish --json
	assert_live "$(json "$out" .current)"
	# Nor does it count as time between the flips.
	skew=$(json "$out" .skew_us)
	((skew < 5500000)) || fail "skew $skew us"
}

t_hosts_hang() {
	fleet '    hooks: {timeout: 1s}\n'
	echo "exec sleep 64.$$" | each_hook post-activate
	site 1
	expect_status 9 deploy publish
	[ -e r-h1/current/index.html ] || fail "not live"
	assert_eq "$(grep -c 'command was ended after 1 s' "$err")" 3
	! pgrep -f "sleep 64.$$" || fail "it runs still"
}

# One cannot flip: those that did go back, and their hooks hear of it.
t_hosts_reverted() {
	local a
	fleet
	site 1
	run deploy publish
	a=$(cat "$out")
	noting | each_hook post-activate
	noting back | each_hook post-rollback
	cat >h3.fault <<-'END'
	if [ "$verb" = activate ]; then
		printf 'deploy-host 1\narmed\t\n'
		read -r word
		sleep 1
		printf 'error\t1\tno such luck\n'
		exit 1
	fi
	END
	site 2
	expect_status 6 deploy publish
	assert_live "$a"
	assert_eq "$(grep -c '^post-rollback .* back$' ran)" 2
	assert_not_contains ran locked
}

# The check sends them back, and finds what the hooks did.
t_hosts_before_the_check() {
	local a
	mkdir served
	start_nginx served
	fleet "    check: {url: \"$url/\", tries: 1}\n" \
	    ", connect: \"${url#http://}\""
	hook r-h2 post-activate <<-END
	[ -e $PWD/lazy ] || cp -p current/index.html $PWD/served/
	END
	hook r-h2 post-rollback <<-END
	cp -p current/index.html $PWD/served/
	exit 5
	END
	site 1
	run deploy publish
	a=$(cat "$out")
	touch lazy
	site 2
	expect_status 6 deploy publish
	assert_live "$a"
	assert_eq "$(cat served/index.html)" 1
	assert_contains "$err" "h2: the post-rollback command failed with status 5"
	rm lazy
	sed -i 's/    hosts:/    strategy: rolling\n&/' deploy.yml
	sed -i 's/exit 5/:/' r-h2/.deploy/hooks/post-rollback
	# h1 is first, and its web server has the old page still.
	echo "cp -p current/index.html $PWD/served/" | hook r-h1 post-activate
	run deploy publish
	assert_eq "$(cat served/index.html)" 2
}

# What a hook leaves running keeps its standard error open, and is not waited
# for.
t_hosts_over_ssh() {
	local h began
	need_cmd ssh ssh-keygen pgrep setsid
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	hosts=(c sh)
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    root: $PWD/r
	    source: site
	    hosts:
	      - {address: 127.0.0.1, port: $sshd_port, root: $PWD/r-c, identity: $PWD/sshd/id, deploy: $DEPLOY}
	      - {address: localhost, port: $sshd_port, root: $PWD/r-sh, identity: $PWD/sshd/id, deploy: none, host_key: "$(ssh-keygen -lf sshd/host_key.pub | cut -d ' ' -f 2)"}
	END
	run deploy init
	noting | each_hook post-activate
	site 1
	run deploy publish
	all "post-activate % $(cat "$out"), "
	each_hook post-activate <<-END
	setsid sleep 300 &
	echo \$! >>$PWD/pids
	echo "last words" >&2
	exit 3
	END
	defer eval "kill \$(cat $PWD/pids)"
	site 2
	began=$SECONDS
	expect_status 9 deploy publish
	((SECONDS - began < 150)) || fail "took $((SECONDS - began)) s"
	for h in 127.0.0.1 localhost; do
		assert_contains "$err" \
		    "$h: the post-activate command failed with status 3: last words"
	done
}

run_tests
