#!/bin/bash
# The queue in a directory: what may be wrong with it, and who may use it.
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
# parts: 2
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"
. "$TREE/tests/container.sh"
. "$TREE/tests/docker.sh"

t_missing() {
	sites a
	build :
	rm -rf queue
	run deploy jobs
	run deploy worker -n
	[ ! -e queue ] || fail "made to look"
	expect_status 2 deploy jobs show 1
	enqueue a
	[ -e queue/queue.db ] || fail "not made"
	# With what is above it.
	sed -i 's,^queue:.*,queue: deeper/and/deeper,' deploy.yml
	enqueue a
	[ -e deeper/and/deeper/queue.db ] || fail "not made"
	: >empty
	sed -i 's,^queue:.*,queue: empty,' deploy.yml
	expect_status 1 deploy enqueue a
	expect_status 1 deploy worker --once
	expect_status 1 deploy jobs
}

t_an_empty_file_becomes_a_queue() {
	sites a
	build :
	mkdir queue
	: >queue/queue.db
	enqueue a
	once
	assert_eq "$(state "$job")" "done"
}

t_exit_5_damaged() {
	local damage
	sites a
	build :
	for damage in 'echo nonsense >queue/queue.db' \
	    'head -c 5000 /dev/urandom >queue/queue.db' \
	    'printf "SQLite format 3\0" >queue/queue.db' \
	    'dd if=/dev/urandom of=queue/queue.db bs=100 seek=40 count=200 conv=notrunc'
	do
		rm -rf queue
		enqueue a --ref v1
		eval "$damage" 2>/dev/null
		rm -f queue/queue.db-*
		echo "$damage"
		expect_status 5 deploy enqueue a --ref v2
		assert_contains "$err" "is damaged"
		assert_contains "$err" "move it away"
		expect_status 5 deploy jobs
		expect_status 5 deploy worker --once
		expect_status 5 deploy worker
		# The cure.
		mv queue/queue.db queue/damaged
		enqueue a --ref v2
		once
	done
	assert_eq "$(tail -n 1 built)" "a v2"
}

# The logs of a queue that was moved away are not those of the new jobs.
t_numbers_go_on() {
	sites a b -- "worker: {keep: 2}"
	build 'echo "by $DEPLOY_SITE"'
	for _ in 1 2 3; do
		enqueue b
		once
	done
	mv queue/queue.db damaged
	enqueue a
	assert_eq "$(field a .job)" 4
	once
	assert_eq "$(cd queue/logs && echo *.log)" '3.log 4.log'
	run deploy jobs log 4
	assert_contains "$out" 'by a'
	# None, and what is none.
	mv queue/queue.db damaged
	rm queue/logs/*.log
	touch queue/logs/99.logs queue/logs/x.log queue/logs/0.log
	enqueue a
	assert_eq "$(field a .job)" 1
}

# The files that have the name of a site in theirs can all be made.
t_the_longest_name() {
	local name
	name=$(printf 'n%.0s' {1..248})
	sites "$name"
	build :
	enqueue "$name"
	once
	assert_not_contains "$err" warning
	[ -e "queue/logs/result-$name" ] || fail "no result"
	sites "n$name"
	expect_status 2 deploy enqueue "n$name"
	assert_contains "$err" "is longer than 248 bytes"
}

# What was cut off is missed when it is looked for.
t_truncated() {
	sites a
	build :
	enqueue a
	truncate -s 4096 queue/queue.db
	expect_status 5 deploy enqueue a
	truncate -s 0 queue/queue.db
	enqueue a
	once
}

t_exit_2_from_the_future() {
	sites a
	build :
	enqueue a
	sql 'PRAGMA user_version = 99'
	expect_status 2 deploy enqueue a
	assert_contains "$err" "newer deploy"
	expect_status 2 deploy worker
	expect_status 2 deploy jobs
	assert_eq "$(sql 'SELECT requests FROM deploy_jobs')" 1
}

t_exit_2_of_somebody_else() {
	sites a
	mkdir queue
	sqlite3 queue/queue.db 'CREATE TABLE mine (x)'
	expect_status 2 deploy enqueue a
	assert_contains "$err" "no queue of deploy"
	assert_eq "$(sql .tables)" mine
	sql 'PRAGMA user_version = 1'
	expect_status 2 deploy enqueue a
}

# As a backup program or a shell may do it.
hold_lock() {
	coproc SQL { sqlite3 queue/queue.db; }
	echo "BEGIN IMMEDIATE; SELECT 'locked';" >&"${SQL[1]}"
	read -r line <&"${SQL[0]}"
	assert_eq "$line" locked
}

t_exit_3_locked() {
	local start
	sites a
	build :
	enqueue a --ref v1
	hold_lock
	start=$SECONDS
	expect_status 3 deploy enqueue a --ref v2 --lock-wait 1
	assert_contains "$err" "is locked by another program"
	((SECONDS - start < 30)) || fail "waited for $((SECONDS - start)) s"
	# Looking goes on.
	run deploy jobs
	assert_contains "$out" v1
	# Who waits long enough gets in.
	deploy enqueue a --ref v3 2>/dev/null &
	sleep 0.5
	echo "COMMIT;" >&"${SQL[1]}"
	wait "$!"
	assert_eq "$(field a .ref)" v3
}

t_a_worker_survives_a_lock() {
	sites a
	build :
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	enqueue a
	wait_for 10 is_state "$job" "done"
	hold_lock
	deploy enqueue a --ref late --lock-wait 60 >/dev/null 2>&1 &
	sleep 12
	echo "COMMIT;" >&"${SQL[1]}"
	wait_for 20 grep -q 'a late' built
	kill -0 "$worker" || fail "the worker is gone"
}

# The worker has it open when it goes.
t_taken_away() {
	sites a
	build :
	worker
	enqueue a --ref v1
	wait_for 10 is_state "$job" "done"
	rm queue/queue.db*
	enqueue a --ref v2
	wait_for 15 is_state "$job" "done"
	mv queue old
	enqueue a --ref v3
	wait_for 45 is_state "$job" "done"
	assert_eq "$(cat built)" $'a v1\na v2\na v3'
}

# A small file system of our own.
small_disk() {
	need_root
	mkdir -p queue
	unshare -m true 2>/dev/null || skip "needs mount namespaces"
	mount -t tmpfs -o "size=$1,mode=700${2:+,$2}" none queue
	defer umount -l "$PWD/queue"
}

t_exit_10_disk_full() {
	sites a b
	build :
	small_disk 400k
	enqueue a --ref v1
	head -c 10M /dev/zero >queue/filler 2>/dev/null || true
	expect_status 10 deploy enqueue b --ref v2
	assert_contains "$err" "has no space left; make room there"
	# What was acknowledged is there, and what was not is not.
	rm queue/filler
	run deploy jobs
	assert_contains "$out" v1
	assert_not_contains "$out" v2
	enqueue b --ref v2
	once
	assert_eq "$(sort built)" $'a v1\nb v2'
}

# What a log has no room for is not lost in silence, and the job is done.
t_a_log_that_is_cut_off() {
	need_root
	sites a -- "worker: {logs: $PWD/logs}"
	build 'head -c 300000 /dev/zero | tr "\0" x; :'
	mkdir -p logs
	unshare -m true 2>/dev/null || skip "needs mount namespaces"
	mount -t tmpfs -o size=64k,mode=700 none logs
	defer umount -l "$PWD/logs"
	enqueue a --ref v1
	run deploy worker --once
	assert_contains "$err" "job 1: a: the log is cut off: No space left on device"
	assert_eq "$(cat built)" "a v1"
}

# Who only looks can do so, also where a run has died in the middle; who wants to
# change something is told what is lacking.
look_without_room() {
	local what=$1
	run deploy jobs
	assert_contains "$out" "a  "
	run deploy jobs --json
	assert_eq "$(jq -c '[.jobs[] | .ref]' "$out")" '["v1","v0"]'
	run deploy jobs show a
	assert_contains "$out" v1
	run deploy jobs log 1
	assert_contains "$out" "is live"
	expect_status 10 deploy jobs remove 2
	assert_contains "$err" "has no $what left; make room there, of old logs ('$PWD/queue/logs')"
	expect_status 10 deploy enqueue b --ref v2
	assert_contains "$err" "has no $what left"
	expect_status 10 deploy worker --once
	assert_contains "$err" "has no $what left"
}

without_room() {
	sites a b
	build :
	small_disk "$2" "$3"
	enqueue a --ref v0
	once
	enqueue a --ref v1
	# What a run leaves that was killed.
	if [ -n "${4:-}" ]; then
		python3 - "$PWD/queue/queue.db" <<-'END'
		import os, sqlite3, sys
		db = sqlite3.connect(sys.argv[1])
		db.execute("UPDATE deploy_jobs SET priority = 1 WHERE ref = 'v1'")
		db.commit()
		os._exit(0)
		END
		[ -s queue/queue.db-wal ] || fail "there is no log"
		rm queue/queue.db-shm
	fi
	while : 2>/dev/null >"queue/$RANDOM$RANDOM"; do
		[ "$1" = inodes ] || break
	done
	[ "$1" = inodes ] || head -c 10M /dev/zero >queue/filler 2>/dev/null || true
	look_without_room "$1"
	rm -f queue/[0-9]* queue/filler
	enqueue b --ref v2
	once
	assert_eq "$(sort built)" $'a v0\na v1\nb v2'
}

t_jobs_on_a_full_disk() {
	without_room space 400k ''
}

t_jobs_on_a_full_disk_after_a_kill() {
	need_cmd python3
	without_room space 400k '' killed
}

t_jobs_on_a_disk_without_inodes() {
	without_room inodes 4m nr_inodes=20
}

t_a_worker_survives_a_full_disk() {
	sites a
	build 'echo output'
	small_disk 400k
	worker
	wait_for 10 grep -q "waiting for jobs" worker.log
	enqueue a --ref v1
	wait_for 10 is_state "$job" "done"
	enqueue a --ref v2
	head -c 10M /dev/zero >queue/filler 2>/dev/null || true
	sleep 4
	rm queue/filler
	wait_for 30 is_state "$job" "done"
	kill -0 "$worker" || fail "the worker is gone"
	assert_uncrossed
}

# Neither SQLite's log nor the claims hold over a network: told before anything is
# made there, by whoever comes.
t_a_queue_on_another_machine() {
	local name type c
	[ -z "${TEST_SANITIZE:-}" ] || skip "no library can be preloaded"
	sites a
	build :
	enqueue a
	for name in NFS=0x6969 SMB=0x517b SMB=0xff534d42 SMB=0xfe534d42 Ceph=0xc36400 AFS=0x5346414f; do
		type=${name#*=} name=${name%=*}
		rm -rf new
		for c in "enqueue a" jobs "jobs log a" "worker --once" "enqueue a -c other.yml"; do
			sed 's/^queue:.*//' deploy.yml >other.yml
			echo "queue: new/" >>other.yml
			# shellcheck disable=SC2086 # words are meant
			expect_status 2 env LD_PRELOAD="$PRELOAD/network.so" NETWORK_TYPE="$type" NETWORK_UNDER="$PWD/" \
			    "$DEPLOY" $c
			assert_contains "$err" "is on $name, where"
			assert_contains "$err" "postgresql://"
		done
		[ -z "$(ls -A new)" ] || fail "made: $(ls new)"
	done
	# What is here, and what merely could be.
	for type in 0xef53 0x65735546 0x01021997; do
		run env LD_PRELOAD="$PRELOAD/network.so" NETWORK_TYPE="$type" NETWORK_UNDER="$PWD/" "$DEPLOY" jobs
	done
}

# With a log that cannot be written the job goes on.
t_no_log() {
	sites a -- 'worker: {logs: nologs}'
	build :
	mkdir nologs
	enqueue a
	mkdir "nologs/$job.log"
	once
	assert_contains "$err" "goes on without"
	assert_eq "$(state "$job")" "done"
	run deploy jobs log a
	assert_contains "$err" "is not a regular file"
	assert_contains "$out" "is live"
}

# --------------------------------------------------------------- users

# Two users who have nothing in common but the group 4242.
as() {
	setpriv --reuid "$1" --regid "$1" --groups 4242 --inh-caps=-all \
	    --bounding-set=-all -- env HOME="$PWD" "${@:2}"
}

t_users_of_one_group() {
	need_root
	need_cmd setpriv
	sites a b
	build :
	chmod 755 . "$_base" "$_base/work"
	chown -R 4001:4001 .
	install -d -m 2770 -o 4001 -g 4242 queue
	# The web hook's user first, then the worker's, and again.
	run as 4002 deploy enqueue a --ref v1
	run as 4001 deploy worker --once
	assert_eq "$(cat built)" "a v1"
	run as 4002 deploy jobs log a
	assert_contains "$out" "is live"
	as 4001 deploy worker 2>worker.log &
	worker=$!
	defer end_worker "$worker"
	wait_for 10 grep -q "waiting for jobs" worker.log
	run as 4002 deploy enqueue a --wait --ref v3
	assert_eq "$(tail -n 1 built)" "a v3"
	# Others have no business there.
	expect_status 1 setpriv --reuid 4003 --regid 4003 --clear-groups -- \
	    env HOME="$PWD" deploy enqueue a
	assert_eq "$(find queue -perm /o+rwx ! -type l)" ""
	assert_eq "$(find queue ! -group 4242)" ""
}

t_the_worker_is_first() {
	need_root
	need_cmd setpriv
	sites a
	build :
	chmod 755 . "$_base" "$_base/work"
	chown -R 4001:4001 .
	install -d -m 2770 -o 4001 -g 4242 queue
	run as 4001 deploy worker --once
	run as 4002 deploy enqueue a --ref v1
	run as 4001 deploy worker --once
	assert_eq "$(cat built)" "a v1"
}

# What root makes there is for whom the directory belongs to, and a file that is
# not ours all the same stops one site, not all.
t_what_root_left() {
	local cure own=(setpriv --reuid 4001 --regid 4001 --clear-groups -- env "HOME=$PWD")

	need_root
	need_cmd setpriv
	sites a b
	build :
	chmod 755 . "$_base" "$_base/work"
	chown -R 4001:4001 .
	install -d -m 700 -o 4001 -g 4001 queue
	enqueue a
	expect_status 0 deploy worker --once
	assert_eq "$(find queue ! -user 4001 ! -name 'result-*')" ""
	chown -R 4001:4001 .
	chown 0:0 queue/claims/a
	for site in a b; do
		run "${own[@]}" deploy enqueue "$site"
	done
	expect_status 1 "${own[@]}" deploy worker --once
	assert_contains "$err" "no job of 'a' is done"
	cure=$(sed -n 's/.*belongs: sudo //p' "$err")
	assert_eq "$(field b .state)" "done"
	"${own[@]}" deploy worker 2>worker.log &
	worker=$!
	defer end_worker "$worker"
	wait_for 10 grep -q "no job of 'a'" worker.log
	run "${own[@]}" deploy enqueue --wait b
	assert_eq "$(grep -c "claims/a" worker.log)" 1
	assert_not_contains worker.log again
	eval "$cure"
	run "${own[@]}" deploy enqueue --wait a
}

t_everybodys_directory_is_refused() {
	sites a
	mkdir queue
	chmod 1777 queue
	expect_status 2 deploy enqueue a
	assert_contains "$err" "chmod o-w"
	expect_status 2 deploy worker --once
	[ ! -e queue/queue.db ] || fail "used all the same"
}

# Somebody of the group puts a link in our way.
t_links_are_not_followed() {
	sites a
	build :
	mkdir queue
	echo precious >victim
	ln -s "$PWD/victim" queue/queue.db
	expect_status 1 deploy enqueue a
	rm queue/queue.db
	ln -s "$PWD/victim" queue/wake
	run deploy enqueue a
	rm queue/wake
	mkdir queue/claims
	ln -s "$PWD/victim" queue/claims/a
	expect_status 1 deploy worker --once
	assert_contains "$err" "remove it: rm -r '$PWD/queue/claims/a'"
	rm queue/claims/a
	rm -rf queue/logs
	mkdir elsewhere
	ln -s "$PWD/elsewhere" queue/logs
	run deploy worker --once
	assert_eq "$(ls elsewhere)" ""
	assert_eq "$(cat victim)" precious
	# The directory itself may be reached by one.
	ln -s queue by-link
	sed -i 's,^queue:.*,queue: by-link,' deploy.yml
	enqueue a
}

# Containers that share a volume: other process ids, the same file.
t_in_a_container() {
	local inner
	need_root
	unshare -pf --mount-proc true 2>/dev/null ||
	    skip "needs process namespaces"
	sites a b
	build "$held"
	enqueue a
	unshare -pf --mount-proc --kill-child deploy worker 2>inner.log &
	inner=$!
	wait_for 20 test -e began-a
	worker
	sleep 1
	assert_eq "$(state a)" running
	# The container dies with all that is in it.
	kill -KILL "$inner"
	rmdir busy-a
	touch go-a
	wait_for 30 is_state a "done"
	assert_uncrossed
}

# container NAME UID COMMAND...: with processes, mounts and a host name of its own,
# as a user who is strict with others, and the volume as queue-of-NAME.
container() {
	unshare -m -p -f -u -i --mount-proc --kill-child bash -c '
		umask 077
		hostname "$1"
		mount --bind volume "queue-of-$1" &&
		exec setpriv --reuid "$2" --regid "$2" --groups 4242 --inh-caps=-all \
		    --bounding-set=-all -- env HOME="$PWD" "${@:3}" -c "$1.yml"' container "$@"
}

# kill_container NAME: with all that is in it, which container() has in the process
# $worker.
kill_container() {
	kill -KILL "$(first_inside "$worker")"
	wait "$worker" || true
}

# The same in Docker: the hook's container stays, and its commands are run
# in it; a worker has a container to itself.
in_docker() {
	local user=(--user "$2:$2" --workdir "$PWD" --env "HOME=$PWD")
	local strict=(sh -c 'umask 077; exec "$@"' sh "${@:3}" -c "$1.yml")
	local made=(--rm --name "$1" --hostname "$1" --group-add 4242 --cap-drop ALL
	    --network none --read-only --volume "$PWD:$PWD"
	    --volume "$PWD/volume:$PWD/queue-of-$1")
	if [ "$1" = worker ]; then
		docker run "${user[@]}" "${made[@]}" box:1 "${strict[@]}"
		return
	fi
	docker inspect "$1" >/dev/null 2>&1 ||
	    docker run --detach "${user[@]}" "${made[@]}" box:1 sleep inf >/dev/null
	docker exec "${user[@]}" "$1" "${strict[@]}"
}

kill_in_docker() {
	docker kill "$1" >/dev/null
	wait "$worker" || true
}

# A web hook and a worker in containers of their own, whose users have the group of
# the volume in common: whoever of them is first.
hook_and_worker() {
	local name container=${2:-container} kill_container=kill_${2:-container}
	need_root
	need_cmd setpriv sqlite3
	unshare -m -p -f -u -i --mount-proc true 2>/dev/null || skip "needs namespaces"
	sites a b
	build 'until [ -e go ]; do sleep 0.05; done'
	for name in hook worker; do
		mkdir "queue-of-$name"
		sed "s,^queue:.*,queue: $PWD/queue-of-$name," deploy.yml >"$name.yml"
	done
	chmod 755 . "$_base" "$_base/work"
	chown -R 4001:4001 .
	install -d -m 2770 -o 0 -g 4242 volume
	[ "$1" != worker ] || run "$container" worker 4001 deploy worker --once
	run "$container" hook 4002 deploy enqueue a --ref v1
	"$container" worker 4001 deploy worker 2>worker.log &
	worker=$!
	wait_for 20 test -e busy-a
	# While it works: all that there is belongs to the group, and to nobody else.
	assert_eq "$(find volume ! -group 4242)" "" "of another group"
	assert_eq "$(find volume -perm /o+rwx)" "" "for everybody"
	assert_eq "$(find volume ! -perm -g+rw)" "" "not for the group"
	[ -e volume/queue.db-shm ] || fail "$(ls volume)"
	run "$container" hook 4002 deploy jobs
	assert_contains "$out" "running"
	"$container" hook 4002 deploy enqueue b --wait --ref v2 >waited 2>&1 &
	wait_for 20 is_queued b
	# It is asked to end from the other container, and does.
	run "$container" hook 4002 deploy jobs stop a
	wait_for 20 is_in_volume a failed
	touch go
	wait "$!" || fail "$(cat waited)"
	run "$container" hook 4002 deploy jobs log b
	assert_contains "$out" "is live"
	# The worker's container dies in the midst of a job, and another one goes on.
	rm -rf go busy-a
	run "$container" hook 4002 deploy enqueue a --ref v3
	wait_for 20 test -e busy-a
	"$kill_container" worker
	rm -rf busy-a
	touch go
	# What was in it may live a moment longer, with the claim.
	wait_for 30 goes_on
	assert_eq "$(cat www/a/current/index.html) $(cat www/b/current/index.html)" "a v3 b v2"
	assert_eq "$(find volume ! -group 4242 -o -perm /o+rwx -o ! -perm -g+rw)" ""
}

goes_on() {
	"$container" worker 4001 deploy worker --once 2>/dev/null
	is_in_volume a "done"
}

is_in_volume() {
	[ "$(sqlite3 volume/queue.db "SELECT state FROM deploy_jobs WHERE site = '$1' ORDER BY id DESC LIMIT 1")" = "$2" ]
}

is_queued() {
	is_in_volume "$1" waiting
}

t_the_hooks_container_is_first() {
	hook_and_worker hook
}

t_the_workers_container_is_first() {
	hook_and_worker worker
}

t_in_docker() {
	docker_start
	docker_image box:1
	hook_and_worker hook in_docker
}

# -------------------------------------------------------------- system calls

# An enqueue that is killed at any moment has happened, or it has not.
t_enqueue_killed_anywhere() {
	local i n=0 takes
	need_cmd timeout
	sites a
	build :
	takes=${EPOCHREALTIME/./}
	enqueue a
	takes=$((${EPOCHREALTIME/./} - takes))
	for i in $(seq 1 60); do
		timeout -s KILL "$(printf '%d.%06d' 0 $((takes * (i % 40 + 1) / 30)))" \
		    deploy enqueue a --ref "v$i" >/dev/null 2>&1 || n=$((n + 1))
	done
	echo "$n of 60 were killed"
	run deploy jobs
	assert_eq "$(sql 'PRAGMA integrity_check')" ok
	enqueue a --ref last
	once
	assert_eq "$(cat www/a/current/index.html)" "a last"
}

run_tests
