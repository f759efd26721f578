#!/bin/bash
# The units of the manual under a real systemd(1): the first process of a
# namespace whose root is a copy of this machine's (an overlay that is gone
# afterwards).  They start, build, publish, end and come back as their own user,
# with all that they forbid themselves.
# parts: 2
# shellcheck source=tests/mounts.sh
. "$(dirname "$0")/../mounts.sh"
. "$(dirname "$0")/../lib.sh"

# The directory of a cgroup(7) of version 2 of our own, which systemd manages.
own_cgroup() {
	local top
	top=$(findmnt -t cgroup2 -n -o TARGET | head -n 1)
	[ -n "$top" ] || skip "needs cgroups of version 2"
	cgroup=$top/deploy-test-$$
	mkdir "$cgroup" 2>/dev/null || skip "needs a cgroup of its own"
	defer drop_cgroup "$cgroup"
}

# Its processes are dying with their first one.
drop_cgroup() {
	for _ in {1..50}; do
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -e "$1" ] || return 0
		sleep 0.1
	done
}

# What the first process does before it becomes systemd: a root with the units
# below $1, the program $2 and the script $3, whose output is $4.
make_root() {
	cat >make-root <<-'END'
	set -eu
	units=$1 program=$2 check=$3 said=$4
	mount --make-rprivate /
	mkdir disk
	mount -t tmpfs none disk
	mkdir disk/up disk/work disk/root
	mount -t overlay -o "lowerdir=/,upperdir=disk/up,workdir=disk/work" none disk/root
	root=$PWD/disk/root
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs -o mode=755 none "$root/dev"
	for d in null zero full random urandom tty; do
		: >"$root/dev/$d"
		mount --bind "/dev/$d" "$root/dev/$d"
	done
	mkdir "$root/dev/pts" "$root/dev/mqueue" "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	mount -t tmpfs none "$root/dev/shm"
	mount -t tmpfs -o mode=755 none "$root/run"
	mount -t tmpfs -o mode=1777 none "$root/tmp"
	: >"$root/said" >"$root/dev/console"
	mount --bind "$said" "$root/said"
	# Nothing that the machine has starts.
	rm -rf "$root"/usr/lib/systemd/system/*.wants "$root"/lib/systemd/system/*.wants \
	    "$root"/usr/lib/systemd/system-generators "$root/etc/systemd/system"
	mkdir -p "$root/etc/systemd/system" "$root/etc/deploy" "$root/srv/www" "$root/usr/local/bin"
	cp "$units"/* "$root/etc/systemd/system"
	cp "$program" "$root/usr/local/bin/deploy"
	cp "$check" "$root/check"
	: >"$root/etc/machine-id"
	sed -i '/^deploy:/d' "$root/etc/passwd" "$root/etc/group" "$root/etc/shadow"
	echo 'deploy:x:4777:4777::/var/lib/deploy:/bin/sh' >>"$root/etc/passwd"
	echo 'deploy:x:4777:' >>"$root/etc/group"
	echo 'deploy:*:19000:0:99999:7:::' >>"$root/etc/shadow"
	rm -rf "$root/var/lib/deploy"
	mkdir -p "$root/var/lib/deploy/src"
	echo one >"$root/var/lib/deploy/src/index.html"
	chown -R 4777:4777 "$root/srv/www" "$root/var/lib/deploy"
	echo DEPLOY_HOOK_SECRET_example_org=secret >"$root/etc/deploy/hooks.env"
	cat >"$root/etc/deploy/deploy.yml" <<-'YML'
	queue: /var/lib/deploy/queue
	sites:
	  - name: example.org
	    source: /var/lib/deploy/out
	    root: /srv/www/site
	    build: {command: "cp -r src/. out/ && id -un >out/user && sleep $(cat src/long || echo 0)", directory: /var/lib/deploy}
	YML
	mkdir "$root/var/lib/deploy/out" "$root/mnt/old"
	chown 4777:4777 "$root/var/lib/deploy/out"
	# The units forbid ptrace(2), which a search for leaks needs.
	[ -z "${TEST_SANITIZE:-}" ] || {
		mkdir -p "$root/etc/systemd/system.conf.d"
		printf '[Manager]\nDefaultEnvironment=ASAN_OPTIONS=detect_leaks=0\n' \
		    >"$root/etc/systemd/system.conf.d/sanitizer.conf"
	}
	cat >"$root/etc/systemd/system/check.service" <<-'UNIT'
	[Service]
	Type=oneshot
	ExecStart=/bin/bash /check
	UNIT
	cd "$root"
	pivot_root . mnt/old
	exec chroot . /bin/sh -c 'umount -l /mnt/old; mount --make-rshared /
	    exec env -i PATH=/usr/local/bin:/usr/bin:/bin container=other "$(command -v systemd || echo /usr/lib/systemd/systemd)" \
	    --system --unit=check.service --log-target=console --show-status=no'
	END
}

# under_systemd: standard input is run there by bash, as root; what it says is in
# `said`.
under_systemd() {
	need_root
	need_cmd systemd systemctl findmnt unshare pivot_root setpriv
	[ -n "${TEST_MOUNTS:-}" ] || skip "needs mount namespaces"
	own_cgroup
	mkdir units
	cp "$TREE"/man/examples/deploy-* units
	{
		cat <<-'END'
		exec >/said 2>&1
		trap 'echo "status $?"; systemctl --force --force exit 0' EXIT
		set -eu
		deploy() {
			setpriv --reuid 4777 --regid 4777 --clear-groups env HOME=/var/lib/deploy \
			    deploy "$@" -c /etc/deploy/deploy.yml
		}
		main() { systemctl show -P MainPID "$1"; }
		# await COMMAND...: until it succeeds.
		await() {
			for _ in $(seq 300); do
				! "$@" >/dev/null 2>&1 || return 0
				sleep 0.1
			done
			echo "never: $*"
			systemctl --no-pager status deploy-worker || true
			return 1
		}
		END
		cat
	} >check
	make_root
	: >said
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs" || exit 1
		exec timeout -s KILL 120 unshare -m -p -C -u -i -n --fork --kill-child \
		    bash make-root "$PWD/units" "$DEPLOY" "$PWD/check" "$PWD/said"
	) </dev/null >begin 2>&1 || true
	cat begin said >&2
	# Where that much cannot be had, nothing was said.
	[ -s said ] || skip "systemd cannot be run here: $(tail -n 1 begin)"
}

t_the_worker() {
	under_systemd <<-'END'
	systemctl start deploy-worker
	systemctl show -P StatusText deploy-worker
	deploy enqueue example.org --wait -q
	cat /srv/www/site/current/index.html /srv/www/site/current/user
	stat -c %U /srv/www/site/current/index.html
	# It is killed, and comes back; so is one that does not answer the watchdog.
	old=$(main deploy-worker)
	kill -KILL "$old"
	await eval '[ "$(main deploy-worker)" -gt "$old" ] && systemctl is-active deploy-worker'
	mkdir /etc/systemd/system/deploy-worker.service.d
	printf '[Service]\nWatchdogSec=1s\nRestartSec=100ms\n' >/etc/systemd/system/deploy-worker.service.d/soon.conf
	systemctl daemon-reload
	systemctl restart deploy-worker
	old=$(main deploy-worker)
	kill -STOP "$old"
	await eval '[ "$(main deploy-worker)" -gt "$old" ] && systemctl is-active deploy-worker'
	systemctl show -P Result deploy-worker
	# It ends in the middle of a job, which goes on with the next one.
	echo two >/var/lib/deploy/src/index.html
	echo 60 >/var/lib/deploy/src/long
	deploy enqueue example.org -q
	await grep -q two /var/lib/deploy/out/index.html
	systemctl stop deploy-worker
	systemctl is-failed deploy-worker || true
	pgrep -x sleep && echo "something is left"
	cat /srv/www/site/current/index.html
	rm /var/lib/deploy/src/long
	systemctl start deploy-worker-once
	systemctl show -P Result deploy-worker-once
	cat /srv/www/site/current/index.html
	END
	assert_eq "$(grep -v '^[0-9]*$' said)" "waiting for jobs
one
deploy
deploy
success
inactive
one
success
two
status 0"
}

# What the journal has can be found by what it is about.
t_the_journal() {
	need_cmd journalctl jq
	under_systemd <<-'END'
	systemctl start systemd-journald deploy-worker
	deploy enqueue example.org --wait -q
	systemctl stop deploy-worker
	printf '[Service]\nType=oneshot\nUser=deploy\nExecStart=/usr/local/bin/deploy publish --again -c /etc/deploy/deploy.yml\n' \
	    >/etc/systemd/system/once.service
	systemctl start once
	printf '  - name: far\n    root: /srv/www/far\n    source: /var/lib/deploy/out\n    hosts: [{address: deploy@127.0.0.1, port: 9}]\n' \
	    >>/etc/deploy/deploy.yml
	sed 's/publish .*/list -s far -c \/etc\/deploy\/deploy.yml/' \
	    /etc/systemd/system/once.service >/etc/systemd/system/far.service
	systemctl start far || true
	journalctl --sync
	journalctl --no-pager -o json SYSLOG_IDENTIFIER=deploy
	END
	grep '^{' said >entries
	jq -r 'select(.DEPLOY_JOB) |
	    "\(._SYSTEMD_UNIT) \(.PRIORITY) \(.DEPLOY_JOB) \(.MESSAGE | sub(" in .*"; ""))"' entries >of-jobs
	assert_eq "$(cat of-jobs)" "deploy-worker.service 6 1 job 1: example.org
deploy-worker.service 6 1 job 1: example.org: done"
	# The journal does not know the unit of a process that is gone when it looks.
	jq -r 'select(.MESSAGE | test("is live")) | .DEPLOY_RELEASE | length > 50' entries >live
	assert_eq "$(cat live)" true
	jq -r 'select(.DEPLOY_HOST) | "\(.PRIORITY) \(.DEPLOY_SITE) \(.DEPLOY_HOST)"' entries >of-hosts
	assert_eq "$(cat of-hosts)" "3 far deploy@127.0.0.1"
}

t_the_timer() {
	under_systemd <<-'END'
	sed -i 's/^OnCalendar=.*/OnCalendar=*:*:*/; s/^AccuracySec=.*/AccuracySec=100ms/' \
	    /etc/systemd/system/deploy-worker-once.timer
	systemctl daemon-reload
	systemctl start deploy-worker-once.timer
	deploy enqueue example.org -q >/dev/null
	await grep -q one /srv/www/site/current/index.html
	END
	assert_eq "$(cat said)" "status 0"
}

t_the_web_hook() {
	need_cmd webhook curl openssl
	under_systemd <<-'END'
	ip link set lo up
	HOME=/root /usr/local/bin/deploy init --hooks -q -c /etc/deploy/deploy.yml
	systemctl start deploy-webhook deploy-worker
	body='{"ref":"refs/heads/main","after":"0123456789012345678901234567890123456789","head_commit":{"message":"m"}}'
	sign=$(printf %s "$body" | openssl dgst -sha256 -hmac secret | sed 's/.* //')
	post() {
		curl -sf -m 5 -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
		    -H "X-Hub-Signature-256: sha256=$1" -d "$body" http://127.0.0.1:9000/hooks/example.org
	}
	await post "$sign"
	await grep -q one /srv/www/site/current/index.html
	! post "0${sign#?}" >/dev/null || echo "a wrong signature"
	systemctl is-active deploy-webhook
	END
	assert_eq "$(cat said)" "active
status 0"
}

run_tests
