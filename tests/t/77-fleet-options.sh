#!/bin/bash
# Several hosts: sequences, --host, catching up, carried files, what status,
# list and --json say.  The hosts are roots on this machine: h1 has deploy,
# h2 the sh verbs in dash, h3 in busybox.
# shellcheck disable=SC2046,SC2120
# parts: 8
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/hosts.sh
. "$TREE/tests/hosts.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"

hosts=(h1 h2 h3)

# three [LINES]: the hosts in deploy.yml, with the lines in the site, and a
# build in site.
three() {
	local h
	need_cmd jq
	busybox_path
	program h1 c
	program h2 dash
	program h3 busybox
	mkdir -p site/a
	echo one >site/index.html
	seq 2000 >site/a/numbers
	head -c 50000 /dev/urandom >site/a/noise
	{
		printf 'sites:\n  - name: t\n    root: %s\n' "$PWD/r"
		printf '    source: site\n    lock_wait: 2s\n%b    hosts:\n' "${1:-}"
		for h in "${hosts[@]}"; do
			printf '      - {address: user@%s.example, transport: local, root: %s, deploy: %s}\n' \
			    "$h" "$PWD/r-$h" "$PWD/$h"
		done
	} >deploy.yml
}

# What the meta of a release has under a key, on one host.
meta() {
	jq -r ".$3" "r-$1/.deploy/meta/$2.json"
}

# The metas of all hosts are the same.
assert_metas_alike() {
	local h
	for h in "${hosts[@]}"; do
		diff -r "r-$h/.deploy/meta" r-h1/.deploy/meta >&2 ||
		    fail "$h has other metas than h1"
	done
}

# How often a host was asked for the verb since forget_verbs.
asked() {
	grep -cx "$2" "$1.verbs" || true
}

forget_verbs() {
	rm -f -- *.verbs
}

# ------------------------------------------------------------- sequences

# The live content built again by a newer job: its number counts everywhere.
t_an_unchanged_build_raises_the_sequence() {
	local h id
	three
	run deploy publish --seq 5 --commit five -m "say \"seq\":9, \\ & co"
	id=$(cat "$out")
	run deploy publish --seq 8 --commit 'e"i,g\h&t'
	assert_eq "$(cat "$out")" "$id"
	for h in "${hosts[@]}"; do
		assert_eq "$(meta "$h" "$id" seq)" 8 "$h"
		assert_eq "$(meta "$h" "$id" message)" 'say "seq":9, \ & co'
	done
	assert_eq "$(meta h1 "$id" commit)" 'e"i,g\h&t'
	assert_eq "$(meta h2 "$id" commit)" eight
	assert_eq "$(meta h3 "$id" commit)" eight
	run deploy publish --seq 9 --commit nine
	assert_metas_alike
	# An older build, and one as old, do not take it down again.
	run deploy publish --seq 3 --commit three
	run deploy publish --seq 9 --commit nine-again
	for h in "${hosts[@]}"; do
		assert_eq "$(meta "$h" "$id" seq)" 9 "$h"
		assert_eq "$(meta "$h" "$id" commit)" nine
	done
	# Nor can an older one go live.
	echo two >site/index.html
	expect_status 4 deploy publish --seq 7
	assert_contains "$err" "sequence 7 is older than 9"
	assert_live "$id"
	run deploy publish --seq 10
}

# Each kind of host refuses by itself, too: the client may have looked before
# the number was noted.
t_each_host_refuses_an_older_build() {
	local h first second
	three
	run deploy publish --seq 5
	first=$(cat "$out")
	echo two >site/index.html
	run deploy stage --seq 7
	second=$(cat "$out")
	for h in "${hosts[@]}"; do
		"./$h" host note "$PWD/r-$h" --id="$first" --seq=8 >"$out"
		assert_eq "$(tail -n 1 "$out")" ok
		expect_status 4 "./$h" host activate "$PWD/r-$h" \
		    --id="$second" --expect="$first" --line='{}'
		assert_contains "$out" "sequence 7 is older than 8"
		assert_contains "$out" "--override=order"
		expect_status 4 "./$h" host activate "$PWD/r-$h" \
		    --id="$second" --check --override=freeze
		run "./$h" host activate "$PWD/r-$h" --id="$second" --check --override=order
	done
	assert_live "$first"
	# Over the wire, each alone.
	run deploy freeze
	expect_status 3 deploy activate "$second" -n
	expect_status 3 deploy activate "$second" -n --override=order
	expect_status 4 deploy activate "$second" -n --override=freeze
	run deploy activate "$second" -n --override=freeze,order
	assert_live "$first"
	run deploy activate "$second" --override=order,freeze
	assert_live "$second"
}

t_a_staged_build_raises_its_sequence() {
	local h id
	three
	run deploy stage --seq 5
	id=$(cat "$out")
	run deploy stage --seq 6
	assert_eq "$(cat "$out")" "$id"
	assert_eq "$(meta h2 "$id" seq)" 6
	# A host that is new gets the same as the others have.
	rm -rf r-h3
	run deploy stage --seq 4 -m other
	assert_metas_alike
	rm -rf r-h1
	run deploy stage --seq 7 --commit seven
	assert_metas_alike
	assert_eq "$(meta h1 "$id" seq)" 7
	run deploy activate latest
	assert_eq "$(jq -r .seq r-h3/.deploy/journal)" 7
}

t_a_sequence_is_noted_only_when_it_is_news() {
	three
	run deploy publish --seq 5
	forget_verbs
	run deploy publish --seq 5
	run deploy publish --seq 4
	run deploy publish
	run deploy publish -n --seq 6
	assert_eq "$(asked h1 note) $(asked h2 note)" "0 0"
	run deploy publish --seq 6
	assert_eq "$(asked h1 note) $(asked h2 note)" "1 1"
}

t_a_sequence_that_cannot_be_noted_is_told() {
	three
	run deploy publish --seq 5
	echo '[ "$verb" != note ] || exit 1' >h2.fault
	expect_status 1 deploy publish --seq 6
	assert_contains "$err" "h2.example"
	rm h2.fault
	run deploy publish --seq 6
	assert_metas_alike
}

t_two_notes_at_once_keep_the_higher() {
	local i h id pids
	three
	run deploy publish --seq 1
	id=$(cat "$out")
	for h in "${hosts[@]}"; do
		pids=()
		for i in 9 4 7 3 8 5; do
			"./$h" host note "$PWD/r-$h" --id="$id" --seq="$i" \
			    >/dev/null &
			pids+=($!)
		done
		wait "${pids[@]}"
		assert_eq "$(meta "$h" "$id" seq)" 9 "$h"
	done
}

t_wrong_notes() {
	local h id
	three
	run deploy publish --seq 1
	id=$(cat "$out")
	for h in "${hosts[@]}"; do
		expect_status 2 "./$h" host note "$PWD/r-$h" --id="$id"
		expect_status 2 "./$h" host note "$PWD/r-$h" --id="$id" --seq=x
		expect_status 2 "./$h" host note "$PWD/r-$h" --id=x --seq=2
		expect_status 1 "./$h" host note "$PWD/r-$h" --seq=2 \
		    --id=20260101T000000.001Z-00000000-0000-4000-8000-000000000001
		assert_eq "$(meta "$h" "$id" seq)" 1 "$h"
	done
}

t_a_key_that_may_receive_may_note() {
	local id
	three
	run deploy publish --seq 1
	id=$(cat "$out")
	SSH_ORIGINAL_COMMAND="deploy host note $PWD/r-h1 --id=$id --seq=2" \
	    run deploy host --root "$PWD/r-h1" --allow receive,activate
	# Not of what is live: that keeps older builds from going live.
	SSH_ORIGINAL_COMMAND="deploy host note $PWD/r-h1 --id=$id --seq=4" \
	    run deploy host --root "$PWD/r-h1" --allow receive
	assert_contains "$out" "warning"
	SSH_ORIGINAL_COMMAND="deploy host note $PWD/r-h1 --id=$id --seq=3" \
	    expect_status 8 deploy host --root "$PWD/r-h1" --allow activate
	assert_eq "$(meta h1 "$id" seq)" 2
}

# ----------------------------------------------------------------- --host

t_host_narrows() {
	local first second
	three
	run deploy publish
	first=$(cat "$out")
	echo two >site/index.html
	forget_verbs
	run deploy publish --host h2.example
	second=$(cat "$out")
	assert_live "$second" h2
	assert_live "$first" h1 h3
	[ ! -e h1.verbs ] || fail "h1 was asked"
	expect_status 7 deploy status
	run deploy status --host=h1.example --host user@h3.example --json
	assert_eq "$(jq -r '.hosts[].host' "$out" | tr '\n' ' ')" \
	    "user@h1.example user@h3.example "
	# As if they had been forgotten.
	run deploy publish
	assert_eq "$(cat "$out")" "$second"
	assert_live "$second"
	run deploy rollback --host user@h1.example "$first"
	assert_live "$first" h1
	assert_live "$second" h2 h3
	run deploy pin --host h3.example "$first"
	assert_eq "$(meta h3 "$first" pinned) $(meta h2 "$first" pinned)" \
	    "true false"
}

# It is the hosts' group: this machine need not have it.
t_the_group_is_looked_up_on_the_hosts() {
	three '    group: no-such-group\n'
	expect_status 2 deploy stage
	assert_contains "$err" "user@h1.example: there is no group 'no-such-group' on this host"
}

t_an_unknown_host_is_an_error() {
	three
	expect_status 2 deploy publish --host h2.exmaple
	assert_contains "$err" "no host 'h2.exmaple'; did you mean 'h2.example'?"
	expect_status 2 deploy publish --host h1.example --host elsewhere
	assert_contains "$err" "there is user@h1.example, user@h2.example"
	expect_status 2 deploy status --host ""
	for h in "${hosts[@]}"; do
		[ ! -e "$h.verbs" ] || fail "$h was asked"
	done
	expect_status 2 deploy status --host x -s t -c <(
		echo 'sites: [{name: t, root: /srv/x}]')
	assert_contains "$err" "has no hosts"
}

t_hosts_of_the_same_name_have_ports() {
	cat >deploy.yml <<-EOF
	sites:
	  - name: t
	    root: $PWD/r
	    hosts:
	      - {address: a, port: 1001, transport: local, root: $PWD/r1}
	      - {address: a, port: 1002, transport: local, root: $PWD/r2}
	EOF
	run deploy init --host a:1002
	[ -d r2/releases ] || fail "not prepared"
	[ ! -e r1 ] || fail "prepared"
	run deploy init --host a
	[ -d r1/releases ] || fail "not prepared"
	expect_status 2 deploy init --host a:1003
	# They are told apart wherever one of them is named.
	mksite site 3
	sed -i 's|^    root:|    source: site\n&|' deploy.yml
	run deploy publish
	run deploy status --json
	assert_eq "$(jq -r '.hosts[].host' "$out" | tr '\n' ' ')" "a:1001 a:1002 "
	expect_status 7 deploy publish --again --skip a:1002
	assert_contains "$err" "a:1002"
	[ "$(readlink r1/current)" != "$(readlink r2/current)" ] ||
	    fail "not left out"
	rm r1/.deploy/format
	expect_status 7 deploy status
	assert_contains "$out" "a:1001 lacks"
}

# One root under two names, which would wait for itself.
t_a_root_that_is_there_twice() {
	local kind names
	mksite site 3
	program c1 c plain
	program s1 dash plain
	mkdir sub
	ln -s . link
	two() {
		cat >deploy.yml <<-EOF
		sites:
		  - name: t
		    source: site
		    root: $PWD/r
		    hosts:
		      - {address: one, transport: local, root: $PWD/$1, deploy: $PWD/${kind}1}
		      - {address: two, transport: local, root: $PWD/$2, deploy: $PWD/c1}
		EOF
	}
	for kind in c s; do
		for names in r-$kind:link/r-$kind "sub/r-$kind:link/sub//r-$kind"; do
			two "${names%%:*}" "${names#*:}"
			# Before it is there, and after.
			expect_status 2 deploy publish
			assert_contains "$err" "'one' and 'two' are one root"
			[ ! -e "${names%%:*}" ] || fail "made"
			run deploy publish --host one
			expect_status 2 deploy publish --again
			assert_contains "$err" "take one of them out"
			expect_status 2 deploy status
			expect_status 1 deploy doctor
			assert_contains "$out" "'one' and 'two' are one root"
		done
		# Two that are none of that.
		two "$kind-x" "sub/$kind-x"
		run deploy publish
	done
}

t_hosts_without_a_configuration() {
	local h
	need_cmd ssh ssh-keygen pgrep
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	DEPLOY_SSH_KEY=$(cat sshd/id)
	mksite public 5
	h=$(id -un)@127.0.0.1:$sshd_port
	run deploy publish public --root "$PWD/root" --host "$h"
	assert_tree_eq root/current/ public
	run deploy status --json --root "$PWD/root" --host "127.0.0.1:$sshd_port"
	assert_eq "$(jq -r '.hosts[0].current' "$out")" \
	    "$(basename "$(readlink root/current)")"
	expect_status 2 deploy status --root root --host "$h"
	assert_contains "$err" "absolute"
	expect_status 2 deploy status --root "$PWD/root" --host "$h" --host "$h"
	assert_contains "$err" "twice"
	for h in "" @x x@ -oProxyCommand=x x:0 x:70000 x:1x; do
		expect_status 2 deploy status --root "$PWD/root" "--host=$h"
	done
}

# Hosts of all kinds that are reached through one jump host, or two, with nothing
# but the two variables; the first way without ssh(1).
t_hosts_behind_jump_hosts() {
	local h keys pids=() ports=() way
	need_cmd ssh ssh-keygen pgrep rsync
	[ ! -e ~/.ssh/config ] || skip "there is a .ssh/config at home, which ssh(1) reads"
	busybox_path
	unset SSH_AUTH_SOCK
	for h in gate1 gate2 h1 h2 h3; do
		sshd_start "$PWD/$h" || fail "sshd does not start"
		pids+=("$sshd_pid")
		ports+=("$sshd_port")
		cat "$h/known_hosts" >>known
	done
	defer kill_all "${pids[@]}"
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY
	DEPLOY_KNOWN_HOSTS=$(<known)
	DEPLOY_SSH_KEY=$(cat h1/id)
	mksite site 5
	mkdir bin
	ln -s "$(command -v rsync)" bin/
	for way in "127.0.0.1:${ports[0]}" \
	    "127.0.0.1:${ports[0]},$(id -un)@127.0.0.1:${ports[1]}"; do
		keys="jump: '$way', root: $PWD/r"
		cat >deploy.yml <<-END
		sites:
		  - name: t
		    root: $PWD/r
		    source: site
		    hosts:
		      - {address: 127.0.0.1, port: ${ports[2]}, $keys-h1, deploy: $DEPLOY}
		      - {address: 127.0.0.1, port: ${ports[3]}, $keys-h2, deploy: none}
		      - {address: 127.0.0.1, port: ${ports[4]}, $keys-h3, transport: rsync}
		END
		echo "$way" >site/index.html
		PATH=$PWD/bin run "$DEPLOY" publish
		for h in "${hosts[@]}"; do
			assert_tree_eq "r-$h/current/" site
		done
	done
	PATH=$PWD/bin run "$DEPLOY" rollback
	PATH=$PWD/bin run "$DEPLOY" doctor
	# What is wrong with the jump host is told of each, and nothing changed.
	h=$(readlink r-h1/current)
	: >gate2/authorized_keys
	expect_status 8 deploy publish --again
	assert_contains "$err" "authentication at jump host 127.0.0.1"
	assert_eq "$(readlink r-h1/current)" "$h"
}

kill_all() {
	for sshd_pid; do
		sshd_stop
	done
}

t_hosts_complete() {
	three
	run deploy completion hosts
	assert_eq "$(cut -f 1 "$out" | tr '\n' ' ')" \
	    "user@h1.example user@h2.example user@h3.example "
}

# ------------------------------------------------- what differs, in numbers

t_drift_between_hosts() {
	local first second
	three
	run deploy publish
	first=$(cat "$out")
	echo two >site/index.html
	run deploy publish
	second=$(cat "$out")
	run deploy status
	assert_not_contains "$out" drift
	run deploy status --json
	assert_eq "$(jq -c .drift "$out")" "[]"
	run deploy list
	assert_not_contains "$out" "only on"
	deploy rollback --root "$PWD/r-h2"
	echo three >site/index.html
	run deploy stage --host h3.example
	third=$(cat "$out")
	run deploy freeze --host h1.example
	expect_status 7 deploy status
	assert_contains "$out" "drift      live: $second on user@h1.example, user@h3.example; $first on user@h2.example"
	assert_contains "$out" "drift      previous: $first on user@h1.example, user@h3.example; nothing on user@h2.example"
	assert_contains "$out" "drift      user@h1.example lacks $third"
	assert_contains "$out" "drift      user@h2.example lacks $third"
	assert_not_contains "$out" "user@h3.example lacks"
	assert_contains "$out" "drift      frozen: yes on user@h1.example; no on user@h2.example, user@h3.example"
	expect_status 7 deploy status --json
	assert_eq "$(jq '.drift | length' "$out")" 5
	run deploy list
	assert_contains "$out" "  only on user@h3.example"
	assert_contains "$out" "  live only on user@h1.example, user@h3.example"
	run deploy list --json
	assert_eq "$(jq -c ".releases[] | select(.id == \"$third\") | .hosts" \
	    "$out")" '["user@h3.example"]'
	# A host that does not answer is no drift, but it fails.
	echo 'exit 1' >h2.fault
	expect_status 8 deploy status
	assert_contains "$out" "user@h2.example"
	assert_not_contains "$out" "drift      live"
}

# What the manual shows, in documents with hosts.
t_json_with_hosts() {
	three
	run deploy publish --json
	assert_eq "$(jq '.sent_bytes > 0 and .received_bytes > 0' "$out")" true
	assert_eq "$(jq '.skew_us >= 0' "$out")" true
	run deploy publish --json
	assert_eq "$(jq -c '[.outcome, .skew_us]' "$out")" '["unchanged",null]'
	echo two >site/index.html
	run deploy stage --json
	assert_eq "$(jq -c '[.outcome, .skew_us]' "$out")" '["new",null]'
	run deploy activate latest --json
	assert_eq "$(jq '.skew_us >= 0' "$out")" true
	run deploy rollback --json
	assert_eq "$(jq '.skew_us >= 0' "$out")" true
	run deploy activate latest --override=order
	assert_contains "$err" "all hosts flipped within"
	run deploy rollback -n --json
	assert_eq "$(jq '.skew_us' "$out")" null
}

# ------------------------------------------- carried files, catching up

# All serve the same as h1, verified.
assert_serve_alike() {
	local h
	for h in "${hosts[@]}"; do
		assert_eq "$(live "$h")" "$(live h1)" "$h"
		assert_tree_eq "r-$h/current/" r-h1/current/
		assert_file_eq "r-$h/.deploy/meta/$(live h1).json" \
		    "r-h1/.deploy/meta/$(live h1).json"
	done
	run deploy verify
}

carry='    carry: {paths: ["a/**"], for: 1d}\n'

t_carried_files_from_another_host() {
	local h
	three "$carry"
	run deploy publish
	cp site/a/noise noise
	rm site/a/noise
	echo two >site/index.html
	run deploy publish
	# Neither build nor base has it where nothing is: from the others.
	for h in "${hosts[@]}"; do
		rm -rf "r-$h"
		echo "$h" >site/index.html
		run deploy publish
		cmp noise "r-$h/current/a/noise"
		assert_serve_alike
	done
}

t_carried_files_after_a_prune() {
	local h
	three "$carry"
	run deploy publish --keep 1
	cp site/a/noise noise
	rm site/a/noise
	for i in 1 2 3 4; do
		echo "$i" >site/index.html
		run deploy publish --keep 1
	done
	assert_eq "$(ls r-h2/releases | wc -l)" 2
	for h in "${hosts[@]}"; do
		cmp noise "r-$h/current/a/noise"
	done
	assert_serve_alike
}

t_a_damaged_carried_file_comes_from_the_next_host() {
	local id
	three "$carry"
	run deploy publish
	cp site/a/noise noise
	rm site/a/noise
	echo two >site/index.html
	run deploy publish
	id=$(cat "$out")
	rm -rf r-h3
	printf X | dd of=r-h1/current/a/noise conv=notrunc 2>/dev/null
	run deploy sync
	assert_contains "$err" "user@h1.example: 'a/noise' on the host is not what"
	assert_contains "$err" "trying another host"
	cmp noise "r-h3/releases/$id/a/noise"
}

# They stay away, and that is said; the rest goes live.
t_carried_files_that_are_nowhere_whole() {
	local h
	three "$carry"
	run deploy publish
	rm site/a/noise
	for h in "${hosts[@]}"; do
		printf X | dd of="r-$h/current/a/noise" conv=notrunc 2>/dev/null
	done
	rm -rf r-h3
	echo two >site/index.html
	run deploy publish
	assert_contains "$err" "warning: 'a/noise' is missing or damaged on the hosts, and is not carried on"
	assert_live "$(cat "$out")"
	for h in "${hosts[@]}"; do
		[ ! -e "r-$h/current/a/noise" ] || fail "$h has it"
	done
}

# A host that is new gets what the others serve, without the build, and without
# what a CI says of another.
t_a_new_host_catches_up() {
	local h first second
	three
	run deploy publish -m one --seq 3 --commit abc
	first=$(cat "$out")
	echo two >site/index.html
	mkdir "site/ö x"
	echo 1 >'site/ö x/back\slash'
	ln -s index.html site/link
	run deploy publish
	second=$(cat "$out")
	run deploy pin "$first"
	rm -rf site
	for h in "${hosts[@]}"; do
		rm -rf "r-$h"
		run deploy sync -n
		assert_contains "$err" "would send $second to 1 of 3 hosts"
		[ ! -e "r-$h/releases/$second" ] || fail "sent"
		GITHUB_ACTIONS=1 GITHUB_RUN_NUMBER=77 run deploy sync
		assert_eq "$(cat "$out")" "$second"
		assert_live "$second"
		assert_serve_alike
		assert_metas_alike
		run deploy verify "$first"
		run deploy sync
		assert_contains "$err" unchanged
	done
}

t_a_release_without_files_of_its_own_catches_up_by_rsync() {
	need_cmd rsync ssh ssh-keygen pgrep
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	DEPLOY_SSH_KEY=$(cat sshd/id)
	three
	sed -i "/h3.example/s|address: [^,]*, transport: local|address: 127.0.0.1, port: $sshd_port, transport: rsync|" \
	    deploy.yml
	run deploy publish

	echo two >site/index.html
	run deploy publish
	rm -rf r-h3 site
	run deploy sync
	assert_serve_alike
}

# Hosts that have the release already are not sent it again.
t_a_stage_that_is_repeated_goes_on() {
	local id
	three
	run deploy publish
	echo two >site/index.html
	echo '[ "$verb" != receive ] || exit 1' >h2.fault
	expect_status 1 deploy publish
	id=$(ls r-h1/releases | tail -n 1)
	[ -d "r-h3/releases/$id" ] || fail "h3 has not kept it"
	expect_status 1 deploy stage
	forget_verbs
	rm h2.fault
	run deploy stage
	assert_eq "$(cat "$out")" "$id"
	assert_contains "$err" "sent to 1 of 3 hosts"
	assert_eq "$(asked h1 receive) $(asked h2 receive) $(asked h3 receive)" \
	    "0 1 0"
	run deploy activate latest
	assert_serve_alike
}

# Somebody else is faster, between the question and the flip.
t_a_publish_looks_again_when_it_was_overtaken() {
	local first second third
	three
	run deploy publish
	first=$(cat "$out")
	echo two >site/index.html
	run deploy publish
	second=$(cat "$out")
	cat >h1.fault <<-END
	if [ "\$verb" = activate ] && [ ! -e $PWD/once ]; then
		touch $PWD/once
		$DEPLOY rollback "$first" --root $PWD/r-h1 >&2
	fi
	END
	echo three >site/index.html
	expect_status 4 deploy publish --expect "$second"
	assert_live "$first" h1
	assert_live "$second" h2 h3
	run deploy rollback "$second"
	rm once
	run deploy publish
	assert_live "$(cat "$out")"
	assert_eq "$(jq -r .from r-h1/.deploy/journal | tail -n 1)" "$first"
	assert_eq "$(jq -r .from r-h2/.deploy/journal | tail -n 1)" "$second"
	run deploy verify
}

# A host is not asked for more than it takes.
t_a_publish_asks_once() {
	three
	run deploy publish
	echo two >site/index.html
	forget_verbs
	run deploy publish
	assert_eq "$(tr '\n' ' ' <h1.verbs)" "info receive activate prune "
	# The sh verbs have to be told what to prune.
	assert_eq "$(tr '\n' ' ' <h2.verbs)" "info receive activate info prune "
}

# --------------------------------------------------------------- unchanged

# What an unchanged publish sends and receives does not grow with the past.
t_an_unchanged_publish_costs_little() {
	local i sent received
	need_cmd ssh ssh-keygen pgrep
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	export DEPLOY_KNOWN_HOSTS DEPLOY_SSH_KEY
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	DEPLOY_SSH_KEY=$(cat sshd/id)
	mksite public 300
	cat >deploy.yml <<-EOF
	sites:
	  - name: t
	    root: $PWD/r
	    source: public
	    keep: 20
	    hosts:
	      - {address: 127.0.0.1, port: $sshd_port, root: $PWD/r1, deploy: $DEPLOY}
	      - {address: 127.0.0.1, port: $sshd_port, root: $PWD/r2, deploy: $DEPLOY}
	EOF
	for i in 1 2 3 4 5 6 7 8; do
		echo "$i" >>public/index.html
		run deploy publish -m "$(printf 'long message %050d' "$i")"
	done
	find public -exec touch {} +
	run deploy publish --seq 3 --json
	assert_eq "$(jq -r .outcome "$out")" unchanged
	sent=$(jq .sent_bytes "$out") received=$(jq .received_bytes "$out")
	((sent > 1000 && sent < 2 * 4096)) || fail "sent $sent"
	((received > 1000 && received < 2 * 4096)) || fail "received $received"
}

t_the_build_is_read_while_hosts_are_asked() {
	three
	# What is wrong with the build is told, whatever the hosts say.
	rm site/index.html
	echo 'exit 1' >h2.fault
	expect_status 10 deploy publish
	assert_contains "$err" "index.html"
	expect_status 2 deploy publish nosuch
}

# The cure of each host that failed has the options of the command, not only that
# of the last one that is told.
t_each_host_has_a_whole_cure() {
	need_root
	three
	mkdir r-h1 r-h2 r-h3
	printf '  - {name: other, root: %s/other, source: site}\n' "$PWD" >>deploy.yml
	expect_status 1 as_user deploy -s t publish
	grep -o "'deploy doctor[^']*'" "$err" >cures
	(($(wc -l <cures) >= 2)) || fail "$(cat "$err")"
	assert_eq "$(sort -u cures)" "'deploy doctor -s t'"
}

run_tests
