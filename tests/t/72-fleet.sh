#!/bin/bash
# The commands over four hosts of mixed kinds, all on this machine: h1 has
# deploy, h2 the sh verbs in dash, h3 in busybox, h4 deploy again.  One of
# them fails at each step; what visitors see stays whole and the same.
# parts: 6
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"

hosts=(h1 h2 h3 h4)

# Four hosts in deploy.yml and a build in site.
four() {
	local h
	busybox_path
	program h1 c
	program h2 dash
	program h3 busybox
	program h4 c
	mkdir -p site/a
	echo one >site/index.html
	seq 5000 >site/a/numbers
	head -c 200000 /dev/urandom | base64 >site/a/big
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    lock_wait: 2s\n%b    hosts:\n' "${1:-}"
		for h in "${hosts[@]}"; do
			printf '      - {address: %s, transport: local, root: %s, deploy: %s}\n' \
			    "$h" "$PWD/r-$h" "$PWD/$h"
		done
	} >deploy.yml
}

# Two releases are live and previous everywhere: $first, $second.  They are
# published once, by the first test that asks; the others get copies.
two() {
	local made=$TEST_DIR/two
	four
	if [ -e "$made" ]; then
		rm -r site
		cp -a "$made"/{site,r-h?} .
		read -r first second <"$made/ids"
	else
		make_two
		mkdir "$made"
		cp -a site r-h? "$made"
		echo "$first $second" >"$made/ids"
	fi
	assert_live "$second"
}

make_two() {
	run deploy publish
	first=$(cat "$out")
	echo two >site/index.html
	run deploy publish -m second
	second=$(cat "$out")
	assert_clean
}

# ------------------------------------------------------------ what works

t_the_commands() {
	need_cmd jq
	four
	run deploy init
	run deploy stage
	first=$(cat "$out")
	assert_live ""
	run deploy stage
	assert_eq "$(cat "$out")" "$first" "the same content is the same release"
	run deploy list
	assert_contains "$out" staged
	run deploy activate latest
	assert_eq "$(cat "$out")" "$first"
	assert_serves_site
	echo two >site/index.html
	ln -s index.html site/link
	mkdir -p "site/ö x"
	echo 1 >'site/ö x/back\slash'
	run deploy publish -m "it's \"two\" \\ é" --commit abc --seq 7
	second=$(cat "$out")
	assert_serves_site
	run deploy publish
	assert_eq "$(cat "$out")" "$second"
	run deploy status
	run deploy status --json
	assert_eq "$(jq -r '.hosts[].current' "$out" | sort -u)" "$second"
	assert_eq "$(jq -r '.hosts[].previous' "$out" | sort -u)" "$first"
	assert_eq "$(jq -r '.hosts[].frozen' "$out" | sort -u)" false
	run deploy log --json
	assert_eq "$(jq -r '.journal | length' "$out")" 2
	assert_eq "$(jq -r '.journal[0].message' "$out")" "it's \"two\" \\ é"
	assert_eq "$(jq -r '.journal[0].seq' "$out")" 7
	run deploy diff "$first" "$second"
	assert_contains "$out" "M index.html"
	assert_contains "$out" "A link"
	echo three >site/index.html
	run deploy diff
	assert_contains "$out" "M index.html"
	run deploy verify
	run deploy rollback
	assert_eq "$(cat "$out")" "$first"
	assert_live "$first"
	run deploy pin "$second"
	run deploy list --json
	assert_eq "$(jq -r ".releases[] | select(.id == \"$second\") | .pinned" "$out")" true
	run deploy unpin "$second"
	run deploy freeze -m fair
	expect_status 3 deploy publish
	assert_contains "$err" "fair"
	assert_live "$first"
	run deploy status --json
	assert_eq "$(jq -r '.hosts[].frozen' "$out" | sort -u)" true
	run deploy thaw
	run deploy activate latest
	assert_serves_site
	run deploy prune --keep 1
	assert_clean
}

t_journals_and_metas_are_alike() {
	local h
	two
	run deploy rollback -m oops
	for h in "${hosts[@]}"; do
		command jq -cS 'del(.time)' "r-$h/.deploy/journal" >"j-$h"
		assert_file_eq "j-$h" j-h1
		diff -r "r-$h/.deploy/meta" r-h1/.deploy/meta >&2
		diff -r "r-$h/.deploy/manifests" r-h1/.deploy/manifests >&2
	done
}

t_prune_keeps_the_same_everywhere() {
	local i h
	four
	for i in 1 2 3 4 5; do
		echo "$i" >site/index.html
		run deploy publish --keep 9
	done
	run deploy rollback
	run deploy prune --keep 2 -n
	assert_eq "$(ls r-h2/releases | wc -l)" 5
	run deploy prune --keep 2
	for h in "${hosts[@]}"; do
		assert_eq "$(ls "r-$h/releases")" "$(ls r-h1/releases)" "$h"
	done
	assert_eq "$(ls r-h1/releases | wc -l)" 3
	assert_clean
}

t_older_builds_are_refused() {
	two
	echo three >site/index.html
	run deploy publish --seq 9
	third=$(cat "$out")
	echo four >site/index.html
	expect_status 4 deploy publish --seq 8
	assert_live "$third"
	expect_status 4 deploy activate latest --expect "$first"
	run deploy activate latest --override=order
}

t_deploy_none_and_no_deploy() {
	four
	sed -i "s|deploy: $PWD/h[234]|deploy: none|" deploy.yml
	run deploy publish
	assert_serves_site
	echo two >site/index.html
	run env DEPLOY_TEST_SH="busybox sh" deploy publish
	assert_serves_site
	run deploy status --json
	assert_eq "$(jq -r '.hosts[].version' "$out" | grep -c '^sh$')" 3
}

# The `read` of bash gives up after TMOUT seconds, here while h2 is slow.
t_a_time_out_of_the_shell() {
	four
	sed -i "s|deploy: $PWD/h[234]|deploy: none|" deploy.yml
	cat >shell <<-END
	#!/bin/sh
	! mkdir $PWD/once 2>/dev/null || sleep 3
	TMOUT=1 exec bash --posix "\$@"
	END
	chmod +x shell
	export DEPLOY_TEST_SH=$PWD/shell
	run deploy publish
	assert_serves_site
}

t_hosts_with_other_bases() {
	two
	# h4 has another past, h3 none at all.
	rm -rf r-h3 r-h4
	cp -a site other
	echo other >other/index.html
	run deploy publish other --root "$PWD/r-h4"
	echo three >site/index.html
	run deploy publish
	assert_serves_site
	assert_clean
	run deploy verify
}

t_a_new_host_catches_up() {
	two
	rm -rf r-h3
	run deploy publish
	assert_eq "$(cat "$out")" "$second"
	assert_serves_site
	rm -rf r-h2
	run deploy stage
	assert_eq "$(cat "$out")" "$second"
	[ -d "r-h2/releases/$second" ] || fail "not staged on the new host"
	run deploy activate latest
	assert_serves_site
}

t_carried_files() {
	local h
	four '    carry: {paths: ["a/**"], for: 1d}\n'
	run deploy publish
	mv site/a/big site/a/big2
	echo 2 >site/a/numbers
	run deploy publish
	for h in "${hosts[@]}"; do
		cmp "r-$h/current/a/big" "r-$h/current/a/big2"
		assert_eq "$(cat "r-$h/current/a/numbers")" 2
	done
	# A host without the release that the carried file is from.
	rm -rf r-h3 r-h4
	echo three >site/index.html
	run deploy publish
	for h in "${hosts[@]}"; do
		cmp "r-$h/current/a/big" "r-h1/current/a/big2"
	done
	assert_live "$(live h1)"
	run deploy verify
}

t_unchanged_files_do_not_travel() {
	local h
	two
	find site -exec touch -h {} +
	echo three >site/index.html
	run deploy publish
	for h in "${hosts[@]}"; do
		[ "r-$h/releases/$second/a/big" -ef "r-$h/current/a/big" ] ||
		    fail "$h: the unchanged file is not linked"
	done
}

# --------------------------------------------------------------- failures

# One host fails while a release is staged: nothing is live, the status is
# $2, and the next run heals.  The fault is on standard input.
stage_fails() {
	local victim=$1 status=$2
	fault "$victim"
	echo three >site/index.html
	expect_status "$status" deploy publish
	assert_contains "$err" "$victim"
	assert_live "$second"
	heal
	run deploy publish
	assert_serves_site
	assert_clean
}

t_info_fails() {
	two
	stage_fails h2 8 <<<'[ "$verb" != info ] || exit 255'
}

t_receive_fails_at_once() {
	two
	stage_fails h1 1 <<<'[ "$verb" != receive ] || exit 255'
}

t_killed_while_receiving() {
	local h
	for h in h1 h2 h3; do
		mkdir "$h.d"
		cd "$h.d"
		two
		head -c 2000000 /dev/urandom >site/a/more
		stage_fails "$h" 1 <<-'END'
		if [ "$verb" = receive ]; then
			{ head -c 100000; sleep 3; } | "${real[@]}" &
			sleep 1
			kill -KILL $! $$
		fi
		END
		cd ..
	done
}

t_disk_full() {
	need_root
	local h
	for h in h1 h2; do
		mkdir "$h.d"
		cd "$h.d"
		mkdir "r-$h"
		mount -t tmpfs -o size=2m,mode=755 none "r-$h" 2>/dev/null ||
		    skip "no tmpfs"
		defer umount "$PWD/r-$h"
		two
		head -c 4000000 /dev/urandom >site/a/more
		expect_status 10 deploy publish
		assert_contains "$err" "$h"
		assert_live "$second"
		assert_eq "$(ls "r-$h/.deploy/incoming")" ""
		rm site/a/more
		echo three >site/index.html
		run deploy publish
		assert_serves_site
		assert_clean
		cd ..
	done
}

t_read_only_root() {
	need_root
	two
	mount --bind r-h2 r-h2 && mount -o remount,bind,ro r-h2 ||
	    skip "no bind mounts"
	defer umount "$PWD/r-h2"
	echo three >site/index.html
	expect_status 1 deploy publish
	assert_contains "$err" h2
	assert_live "$second"
	mount -o remount,bind,rw r-h2
	run deploy publish
	assert_serves_site
}

t_one_host_frozen() {
	two
	deploy freeze --root "$PWD/r-h3" -m "$(printf 'why "x"')"
	echo three >site/index.html
	expect_status 3 deploy publish
	assert_contains "$err" h3
	assert_live "$second"
	assert_clean
	deploy thaw --root "$PWD/r-h3"
	run deploy publish
	assert_serves_site
}

t_one_host_locked() {
	two
	exec 8>>r-h4/.deploy/lock
	flock -x 8
	echo three >site/index.html
	expect_status 3 deploy publish --lock-wait 1
	assert_contains "$err" h4
	assert_live "$second"
	flock -u 8
	run deploy stage
	flock -s 8
	expect_status 3 deploy activate latest --lock-wait 1
	assert_live "$second"
	exec 8>&-
	assert_clean
	run deploy activate latest
	assert_serves_site
}

# One host fails while all are activated, by the fault on standard input; the
# status is one of $2, and nobody may serve something else than the others.
activation_fails() {
	local victim=$1 status=$2 got=0
	echo three >site/index.html
	run deploy stage
	third=$(cat "$out")
	fault "$victim"
	deploy activate latest >"$out" 2>"$err" || got=$?
	[[ " $status " = *" $got "* ]] ||
	    fail "status $got, expected $status: $(cat "$err")"
	assert_contains "$err" "$victim"
	assert_live "$second"
	heal
	assert_clean "$victim"
	run deploy activate latest
	assert_serves_site
	assert_clean
}

# Each kind of host, in a directory of its own.
each_victim() {
	local h body
	body=$(cat)
	for h in h1 h2 h3; do
		mkdir "$h.d"
		cd "$h.d"
		two
		"$1" "$h" "${@:2}" <<<"$body"
		cd ..
	done
}

t_activate_fails_at_once() {
	each_victim activation_fails 1 <<<'[ "$verb" != activate ] || exit 255'
}

t_killed_while_armed() {
	each_victim killed_while_armed "1 6" <<-'END'
	if [ "$verb" = activate ] && [ ! -e "$self.log" ]; then
		: >"$self.log"
		"${real[@]}" <&0 > >(tee "$self.log") &
		until grep -q ^armed "$self.log"; do sleep 0.02; done
		kill -KILL $!
		touch "$self.killed"
		kill -KILL $$
	fi
	END
}

# Nobody is told to go before that: h4 arms itself only then.
killed_while_armed() {
	fault h4 <<-'END'
	if [ "$verb" = activate ]; then
		until ls "${self%h4}"h?.killed >/dev/null 2>&1; do
			sleep 0.02
		done
	fi
	END
	activation_fails "$@"
}

# The word arrives at a host that dies before it can do anything.
t_killed_by_go() {
	each_victim activation_fails 6 <<-'END'
	if [ "$verb" = activate ]; then
		rm -f "$self.in"
		mkfifo "$self.in"
		"${real[@]}" <"$self.in" &
		exec 7>"$self.in"
		while read -r word && [ "$word" != go ]; do
			echo "$word" >&7
		done
		kill -KILL $! $$
	fi
	END
}

# It flips, and its answer is lost: asked again, and put back.
t_flips_and_is_lost() {
	each_victim activation_fails 6 <<-'END'
	if [ "$verb" = activate ] && [ ! -e "$self.lost" ]; then
		"${real[@]}" <&0 | sed '/^armed/q'
		touch "$self.lost"
		kill -KILL $$
	fi
	END
}

# The same, and then it cannot be asked: the status and the message say so.
t_lost_for_good() {
	two
	echo three >site/index.html
	run deploy stage
	third=$(cat "$out")
	fault h2 <<-'END'
	if [ -e "$self.lost" ]; then
		exit 255
	elif [ "$verb" = activate ]; then
		touch "$self.lost"
		exec "${real[@]}" <&0 | sed '/^armed/q'
		kill -KILL $$
	fi
	END
	expect_status 7 deploy activate latest
	assert_contains "$err" "h2"
	assert_eq "$(live h1)" "$second"
	assert_eq "$(live h3)" "$second"
	assert_eq "$(live h4)" "$second"
	heal
	expect_status 7 deploy status
	run deploy activate latest
	assert_serves_site
}

# The word arrives at a host that stands still.
t_stopped_while_armed() {
	local pid
	two
	echo three >site/index.html
	run deploy stage
	fault h2 <<-'END'
	if [ "$verb" = activate ]; then
		rm -f "$self.in"
		mkfifo "$self.in"
		setsid "${real[@]}" <"$self.in" &
		exec 7>"$self.in"
		read -r word
		kill -STOP $!
		pkill -STOP -P $!
		echo $! >"$self.pid"
		echo "$word" >&7
		exec 1>&-
		sleep 60
	fi
	END
	expect_status 7 deploy activate latest
	assert_contains "$err" h2
	assert_live "$second"
	heal
	pid=$(cat h2.pid)
	pkill -CONT -P "$pid" || true
	kill -CONT "$pid" || true
	sleep 1
	assert_live "$second"
	run deploy activate latest
	assert_serves_site
}

t_prune_fails() {
	two
	fault h2 <<<'[ "$verb" != prune ] || exit 255'
	echo three >site/index.html
	expect_status 9 deploy publish
	assert_contains "$err" h2
	assert_serves_site
	heal
	run deploy prune
}

t_the_first_activation_fails() {
	four
	run deploy stage
	fault h2 <<<'[ "$verb" != activate ] || exit 255'
	expect_status 1 deploy activate latest
	assert_live ""
	heal
	run deploy activate latest
	assert_serves_site
}

t_hosts_that_differ() {
	two
	deploy rollback --root "$PWD/r-h2"
	expect_status 7 deploy status
	# Nothing lies under what h2 serves: it has no say.
	run deploy rollback
	assert_live "$first"
}

t_an_older_deploy_does_not_know_the_verb() {
	two
	fault h1 <<-'END'
	if [ "$verb" = activate ]; then
		echo "deploy-host 1"
		echo "error	2	the deploy on this host does not know it"
		exit 2
	fi
	END
	echo three >site/index.html
	expect_status 2 deploy publish
	assert_contains "$err" h1
	assert_live "$second"
}

t_two_clients_at_once() {
	local i n=0 pids=()
	two
	for i in 1 2 3; do
		cp -a site "site$i"
		echo "client $i" >"site$i/index.html"
		deploy publish "site$i" --lock-wait 20 >"out$i" 2>"err$i" &
		pids+=($!)
	done
	for i in 1 2 3; do
		if wait "${pids[i - 1]}"; then
			n=$((n + 1))
		fi
	done
	((n > 0)) || fail "nobody won: $(cat err1 err2 err3)"
	assert_live "$(live h1)"
	run deploy verify
	run deploy status
	assert_clean
}

# Stopped by SIGINT after each of many delays: all old, or all new.
t_interrupted() {
	local i pid status
	two
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo "interrupted $i" >site/index.html
		deploy publish >"$out" 2>"$err" &
		pid=$!
		sleep "0.$((i * 9 / 10))$((i * 9 % 10))"
		kill -INT "$pid" 2>/dev/null || true
		status=0
		wait "$pid" || status=$?
		[[ " 0 1 6 9 " = *" $status "* ]] ||
		    fail "status $status: $(cat "$err")"
		assert_live "$(live h1)"
	done
	# New content: one that is live already has nothing to sweep for.
	echo "not interrupted" >site/index.html
	run deploy publish
	assert_serves_site
	assert_clean
}

# SIGINT just when all are armed and told to go.
t_interrupted_at_go() {
	two
	echo three >site/index.html
	run deploy stage
	fault h3 <<-'END'
	if [ "$verb" = activate ]; then
		rm -f "$self.in"
		mkfifo "$self.in"
		"${real[@]}" <"$self.in" &
		exec 7>"$self.in"
		read -r word
		kill -INT "$(cat "${self%h3}pid")"
		sleep 0.5
		echo "$word" >&7
		wait
		exit
	fi
	END
	bash -c 'echo $$ >pid; exec deploy activate' >"$out" 2>"$err" ||
	    fail "$(cat "$err")"
	assert_serves_site
	assert_clean
}

run_tests
