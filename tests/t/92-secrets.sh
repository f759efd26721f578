#!/bin/bash
# A secret of the environment reaches no child: every program that is started
# here, for a site or on a host, looks at its own environment, at everybody's
# in /proc, and at all command lines.  The key works all the same.
# parts: 2
# shellcheck disable=SC2154 # $job: set by what is called
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/sshd.sh
. "$TREE/tests/sshd.sh"
# shellcheck source=tests/queue.sh
. "$TREE/tests/queue.sh"

phrase=p4ssphrase-$$-x

# setup: an sshd, a key with a passphrase that is nowhere but in $key, what
# gives it away in the file `needles`, and the program `spy`.
setup() {
	need_cmd ssh ssh-keygen pgrep jq rsync
	sshd_start "$PWD/sshd" || fail "sshd does not start"
	defer sshd_stop
	ssh-keygen -q -t ed25519 -a 1 -N "$phrase" -C secret -f key
	cat key.pub >sshd/authorized_keys
	key=$(cat key)
	rm key sshd/id
	sed -n '2,4p' <<<"$key" >needles
	echo "$phrase" >>needles
	make_spy
	wrap ssh rsync
	export DEPLOY_KNOWN_HOSTS
	DEPLOY_KNOWN_HOSTS=$(cat sshd/known_hosts)
	site one
}

# spy NAME: writes to found what it should not have found, and its name and
# environment to seen.NAME.
make_spy() {
	cat >spy <<-END
	#!/bin/bash
	here=$PWD
	env >"\$here/seen.\$1"
	env -0 | grep -czFf "\$here/needles" >/dev/null && echo "\$1: its own" >>"\$here/found"
	grep -alsFf "\$here/needles" /proc/[0-9]*/{environ,cmdline} |
	    sed "s/^/\$1: /" >>"\$here/everywhere"
	[ ! -s "\$here/everywhere" ] || cat "\$here/everywhere" >>"\$here/found"
	exit 0
	END
	chmod +x spy
}

# with_key CMD...: CMD as a CI system with secrets would start it.
with_key() {
	(
		export DEPLOY_SSH_KEY=$key DEPLOY_SSH_KEY_PASSPHRASE=$phrase
		export DEPLOY_HOOK_SECRET=$phrase OTHER=kept
		export DEPLOY_HOOK_SECRET_example_org=$phrase DEPLOY_NOTIFY_SECRET=$phrase
		exec "$@"
	)
}

site() {
	mkdir -p out
	echo "$1" >out/index.html
}

# Programs of that name in PATH: the spy, then the real one.  ssh(1) would
# look for its configuration in the home that passwd(5) has.
wrap() {
	local p
	mkdir -p bin
	for p; do
		printf '#!/bin/bash\n%q/spy %s\nexec %q %s "$@"\n' "$PWD" "$p" \
		    "$(command -v "$p")" \
		    "$([ "$p" != ssh ] || echo "-F $PWD/ssh_config")" >"bin/$p"
		chmod +x "bin/$p"
	done
	PATH=$PWD/bin:$PATH
}

# config [LINE...]: a site on a host that is reached through a ProxyCommand,
# with build, update and every hook.
config() {
	local h
	cat >ssh_config <<-END
	Match exec "$PWD/spy match"
	    Compression no
	Host *
	    ProxyCommand $PWD/through %h %p
	END
	through
	{
		cat <<-END
		sites:
		  - name: t
		    root: $PWD/root
		    source: out
		    update: "$PWD/spy update"
		    build: {command: "$PWD/spy build"}
		    hooks:
		END
		for h in pre_stage post_stage pre_activate post_activate \
		    post_rollback failed; do
			echo "      $h: $PWD/spy $h"
		done
		cat <<-END
		    hosts:
		      - {address: 127.0.0.1, port: $sshd_port, deploy: $DEPLOY, transport: ${1:-ssh}}
		END
		printf '%s\n' "${@:2}"
	} >deploy.yml
}

# A ProxyCommand that needs no netcat.
through() {
	printf '#!/bin/bash\n%q/spy proxy\n' "$PWD" >through
	cat >>through <<-'END'
	exec 3<>"/dev/tcp/$1/$2"
	cat <&3 &
	cat >&3
	wait
	END
	chmod +x through
}

# The hook of the root, on the host.
root_hook() {
	mkdir -p root/.deploy/hooks
	printf '#!/bin/sh\nexec %q root_hook\n' "$PWD/spy" \
	    >root/.deploy/hooks/post-activate
	chmod 755 root/.deploy/hooks/post-activate
}

# nothing_found NAME...: these were started, and none of them, nor any output,
# had a secret.
nothing_found() {
	local n
	for n; do
		[ -e "seen.$n" ] || fail "$n was not started"
	done
	[ ! -e found ] || fail "found by $(cat found)"
	for n in "$out" "$err" worker.log; do
		[ ! -e "$n" ] || ! grep -qFf needles "$n" || fail "$n has it"
	done
	! grep -rqFf needles root/.deploy "$HOME" "$TMPDIR" || fail "on disk"
}

# The spy would see it.
t_the_test_can_fail() {
	setup
	with_key ./spy self
	[ -e found ] || fail "nothing found"
	assert_contains found "self: its own"
	assert_contains found "/environ"
}

t_every_child_of_a_publish() {
	setup
	config
	run with_key deploy -v init
	root_hook
	run with_key deploy -v publish --update
	nothing_found ssh match proxy update build pre_stage post_stage \
	    pre_activate post_activate root_hook
	assert_eq "$(cat root/current/index.html)" one
	# What is no secret is there.
	assert_contains seen.build OTHER=kept
	assert_contains seen.build DEPLOY_KNOWN_HOSTS=
	assert_contains seen.post_activate OTHER=kept
	assert_contains seen.proxy OTHER=kept
	assert_not_contains seen.proxy DEPLOY_
	assert_not_contains seen.ssh DEPLOY_
	site two
	run with_key deploy publish
	run with_key deploy -v rollback
	nothing_found post_rollback
	assert_eq "$(cat root/current/index.html)" one
	sed -i "s,$PWD/spy build,exit 1," deploy.yml
	expect_status 1 with_key deploy -v publish
	nothing_found failed
}

t_rsync_and_its_remote_shell() {
	setup
	config rsync
	run with_key deploy -v init
	root_hook
	run with_key deploy -v publish
	nothing_found ssh rsync proxy build post_activate root_hook
	assert_tree_eq root/current/ out
	assert_not_contains seen.rsync DEPLOY_
	assert_not_contains seen.rsync OTHER
	assert_contains seen.rsync PATH=
}

# ssh(1) to the jump host knows nothing of the key, and has one of its own.
t_jump_host() {
	setup
	config
	ssh-keygen -q -t ed25519 -N '' -f jump
	cat jump.pub >>sshd/authorized_keys
	cat >ssh_config <<-END
	Host jump
	    HostName 127.0.0.1
	    Port $sshd_port
	    IdentityFile $PWD/jump
	    UserKnownHostsFile $PWD/sshd/known_hosts
	    IdentitiesOnly yes
	Host 127.0.0.1
	    ProxyJump jump
	END
	run with_key deploy -v init
	nothing_found ssh
}

t_a_root_here() {
	setup
	config
	sed -i '/hosts:/,$d' deploy.yml
	run with_key deploy init
	root_hook
	run with_key deploy -v publish
	nothing_found build post_activate root_hook
	assert_contains seen.root_hook OTHER=kept
}

# The worker hands the key to the process of a job, and to nothing else.
t_worker() {
	setup
	config ssh "queue: $PWD/queue" "worker: {notify: $PWD/spy notify}"
	run with_key deploy init
	rm -f seen.*
	run with_key deploy enqueue t
	run with_key deploy -v worker --once
	nothing_found ssh proxy update build post_activate notify
	assert_eq "$(cat root/current/index.html)" one
	assert_contains seen.notify OTHER=kept
	assert_contains seen.build DEPLOY_JOB=
	for f in build notify proxy; do
		assert_not_contains "seen.$f" DEPLOY_SECRETS
		assert_not_contains "seen.$f" DEPLOY_SSH
	done
	run deploy jobs log 1
	nothing_found
}

# Where PostgreSQL asks for a password: it is the queue's, not a build's.
t_password_of_the_queue() {
	STORAGE=postgresql
	pg_start || skip "needs PostgreSQL"
	defer pg_stop QUIT
	need_cmd jq
	echo "$phrase" >needles
	make_spy
	sed -i '1i host all worker 127.0.0.1/32 scram-sha-256' \
	    "$TEST_DIR/pg/data/pg_hba.conf"
	pg_sql postgres "CREATE ROLE worker LOGIN PASSWORD '$phrase'"
	pg_sql postgres "CREATE DATABASE queue OWNER worker"
	pg_sql postgres "SELECT pg_reload_conf()"
	mkdir out
	echo page >out/index.html
	cat >deploy.yml <<-END
	sites:
	  - name: t
	    root: $PWD/root
	    source: out
	    build: {command: "$PWD/spy build"}
	queue: "postgresql://worker@127.0.0.1:$pg_port/queue"
	worker: {notify: "$PWD/spy notify"}
	END
	expect_status 1 deploy enqueue t
	PGPASSWORD=$phrase run deploy enqueue t
	run deploy init
	(
		export PGPASSWORD=$phrase
		exec deploy -v worker --once
	) >"$out" 2>"$err"
	nothing_found build notify
	assert_not_contains seen.build PGPASSWORD
	# Of somebody who does not ask the queue it is the build's.
	PGPASSWORD=$phrase run deploy publish
	assert_contains seen.build "PGPASSWORD=$phrase"
}

# stopped_in_build CMD...: CMD runs, and its build waits; $pid is the process
# of deploy, $job the one to wait for.
stopped_in_build() {
	rm -f began
	"$@" 2>"$err" &
	job=$!
	wait_for 20 test -e began
	pid=$(cat began)
}

holding() {
	cat >deploy.yml <<-END
	sites:
	  - {name: t, root: $PWD/root, source: out, build: {command: "echo \$PPID >b; mv b began; sleep 20"}}
	END
}

core_limit() {
	awk '/^Max core/ { print $5 }' "/proc/$1/limits"
}

# Others of the same user look neither into its environment nor its memory.
t_nobody_looks_in() {
	local f
	setup
	user_dir www
	cd www
	holding
	as_user mkdir out
	cat >look <<-END
	for f in environ mem maps; do
		! cat /proc/\$1/\$f >/dev/null 2>&1 || exit 1
	done
	END
	stopped_in_build with_key setpriv --reuid 65534 --regid 65534 \
	    --clear-groups -- deploy publish
	as_user sh ./look "$pid" || fail "it can be read"
	assert_eq "$(stat -c %u "/proc/$pid/environ")" 0
	assert_eq "$(core_limit "$pid")" 0
	kill "$pid"
	wait "$job" || true
	# Without a secret it is a process like any other; a sanitizer wants no
	# cores.
	[ -z "${TEST_SANITIZE:-}" ] || return 0
	ulimit -S -c 4096
	stopped_in_build setpriv --reuid 65534 --regid 65534 \
	    --clear-groups -- deploy publish
	assert_eq "$(stat -c %u "/proc/$pid/environ")" 65534
	assert_eq "$(core_limit "$pid")" 4194304
	kill "$pid"
	wait "$job" || true
}

t_no_core() {
	local status=0
	[ "$(cat /proc/sys/kernel/core_pattern)" = core ] ||
	    skip "cores do not come here"
	[ -z "${TEST_SANITIZE:-}" ] || skip "a sanitizer wants no cores"
	ulimit -c unlimited
	setup
	holding
	stopped_in_build with_key deploy publish
	kill -SEGV "$pid"
	wait "$job" || status=$?
	assert_eq "$status" 139
	[ -z "$(find . -name 'core*')" ] || fail "there is a core"
	stopped_in_build deploy publish
	kill -SEGV "$pid"
	wait "$job" || true
	[ -n "$(find . -name 'core*')" ] || skip "no core without secrets either"
}

# What hands the key over is believed of a socket only.
t_handed_over_from_elsewhere() {
	local n
	setup
	config
	printf 'DEPLOY_SSH_KEY=%s\0' "$key" >file
	for n in 0 1 2 9 77 x -1 "" 99999999999999999999; do
		expect_status 8 env "DEPLOY_SECRETS=$n" deploy status 9<file
	done
	sed -i '/ProxyCommand/d' ssh_config
	run env DEPLOY_SECRETS=9 DEPLOY_SSH_KEY="$key" \
	    DEPLOY_SSH_KEY_PASSPHRASE="$phrase" deploy init 9<file
}

run_tests
