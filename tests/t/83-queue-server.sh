#!/bin/bash
# The queue in PostgreSQL, when the server or the way to it fails.
# parts: 3
# shellcheck disable=SC2154 # $job, $worker, $queue: set by what is called
STORAGE=postgresql
. "$(dirname "$0")/../lib.sh"
. "$TREE/tests/queue.sh"

# A way to the server that can be cut: $relay_port leads there; cut ends it.
relay() {
	need_cmd python3
	cat >relay.py <<-'EOF'
	import select, socket, sys
	port = int(sys.argv[1])
	s = socket.create_server(("127.0.0.1", 0))
	print(s.getsockname()[1], flush=True)
	pairs = {}
	while True:
	    for r in select.select([s, *pairs], [], [])[0]:
	        if r is s:
	            a, b = s.accept()[0], socket.create_connection(("127.0.0.1", port))
	            pairs[a], pairs[b] = b, a
	            continue
	        try:
	            data = r.recv(65536)
	        except OSError:
	            data = b""
	        if data:
	            pairs[r].sendall(data)
	            continue
	        o = pairs.pop(r)
	        pairs.pop(o, None)
	        r.close()
	        o.close()
	EOF
	python3 relay.py "$pg_port" >relay.port &
	relay=$!
	wait_for 10 test -s relay.port
	relay_port=$(cat relay.port)
}

t_nobody_there() {
	sites a
	sed -i 's,^queue:.*,queue: "postgresql://deploy:geheim@127.0.0.1:1/none",' \
	    deploy.yml
	expect_status 1 deploy enqueue a
	assert_contains "$err" "onnection refused"
	assert_not_contains "$err" geheim
	expect_status 1 deploy worker --once
	expect_status 1 deploy jobs
	# No such database.
	sed -i "s,^queue:.*,queue: 'postgresql://deploy@127.0.0.1:$pg_port/none'," \
	    deploy.yml
	expect_status 1 deploy enqueue a
	assert_contains "$err" "does not exist"
	sed -i "s,^queue:.*,queue: 'postgresql://%zz'," deploy.yml
	expect_status 2 deploy enqueue a
}

# What is wrong with an address is said without its password.
t_exit_2_no_address() {
	local url

	sites a
	for url in 'me:geheim%xyz@127.0.0.1/q' 'me:geheim/x@127.0.0.1/q' \
	    'me:a@geheim@127.0.0.1:1/q' 'me:geheim@[::1/q' \
	    'me:12/geheim@127.0.0.1/q' '/q?password=geheim%zz' \
	    'me:geheim@127.0.0.1/q?unknown=x'; do
		sed -i "s|^queue:.*|queue: 'postgresql://${url//&/\\&}'|" deploy.yml
		expect_status 2 deploy enqueue a
		assert_contains "$err" "is no URL for PostgreSQL"
		assert_contains "$err" "percent-encode"
		assert_not_contains "$err" geheim
	done
	# '#' ends nothing in it, and the parameters may have what they like.
	for url in 'me:geheim#x@127.0.0.1:1/q' '/q?host=127.0.0.1&port=1&user=a@b' \
	    'me:a%40geheim@127.0.0.1:1/q'; do
		sed -i "s|^queue:.*|queue: 'postgresql://${url//&/\\&}'|" deploy.yml
		expect_status 1 deploy enqueue a
		assert_contains "$err" "onnection refused"
		assert_not_contains "$err" geheim
	done
}

t_exit_3_locked() {
	local start=$SECONDS

	sites a
	enqueue a --ref v1
	coproc SQL { psql -X -q -A -t -h 127.0.0.1 -p "$pg_port" -U deploy -d "$database"; }
	echo "BEGIN; LOCK TABLE deploy_jobs; SELECT 'locked';" >&"${SQL[1]}"
	read -r line <&"${SQL[0]}"
	assert_eq "$line" locked
	for wait in 0 1; do
		expect_status 3 deploy enqueue a --ref v2 --lock-wait "$wait"
		assert_contains "$err" "is locked by another program"
		assert_contains "$err" "after $wait s (--lock-wait)"
	done
	((SECONDS - start < 9)) || fail "waited for $((SECONDS - start)) s"
	# Who waits long enough gets in.
	deploy enqueue a --ref v3 --lock-wait 60 2>/dev/null &
	sleep 0.5
	echo "COMMIT;" >&"${SQL[1]}"
	wait "$!"
	assert_eq "$(field a .ref)" v3
}

# A queue elsewhere needs no home; the logs do, and are done without.
t_no_home() {
	local bare=(env -u HOME -u XDG_STATE_HOME)

	sites a
	build :
	run "${bare[@]}" deploy enqueue a
	run "${bare[@]}" deploy worker --once
	assert_contains "$err" "no place for the logs"
	assert_contains "$err" "set 'worker.logs'"
	assert_eq "$(state a)" "done"
	run "${bare[@]}" deploy jobs log a
	assert_contains "$out" "is live"
	assert_contains "$err" "set 'worker.logs'"
}

t_exit_2_from_the_future() {
	sites a
	enqueue a
	sql 'UPDATE deploy_queue SET version = 99'
	expect_status 2 deploy enqueue a
	assert_contains "$err" "newer deploy"
	expect_status 2 deploy worker --once
}

t_two_queues_in_two_schemas() {
	local one two
	sites a
	build "$held"
	pg_sql "$database" 'CREATE SCHEMA one; CREATE SCHEMA two'
	one="$queue?options=-csearch_path%3Done"
	two="$queue?options=-csearch_path%3Dtwo"
	sed "s,^queue:.*,queue: \"$one\"," deploy.yml >one.yml
	sed "s,^queue:.*,queue: \"$two\"," deploy.yml >two.yml
	run deploy enqueue a -c one.yml
	run deploy jobs -c two.yml
	[ ! -s "$out" ] || fail "it is in the other one"
	# The claim of one is none of the other's.
	deploy worker --once -c one.yml 2>one.log &
	wait_for 20 test -e began-a
	rm began-a
	rmdir busy-a
	run deploy enqueue a -c two.yml
	deploy worker --once -c two.yml 2>two.log &
	wait_for 20 test -e began-a
	touch go-a
	wait
}

t_many_first_ones() {
	local i pids=()
	sites a b c d
	for i in a b c d a b c d; do
		deploy enqueue "$i" >/dev/null 2>"err$i$RANDOM" &
		pids+=("$!")
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "$(cat err*)"
	done
	assert_eq "$(sql 'SELECT count(*), sum(requests) FROM deploy_jobs')" \
	    "4|8"
}

# The server restarts while the worker sleeps.
t_the_server_restarts() {
	sites a
	build :
	worker
	enqueue a --ref v1
	wait_for 20 is_state "$job" "done"
	pg_stop
	wait_for 20 grep -q "trying again" worker.log
	expect_status 1 deploy enqueue a --ref v2
	pg_start
	enqueue a --ref v3
	wait_for 30 is_state "$job" "done"
	assert_eq "$(cat built)" $'a v1\na v3'
	kill -0 "$worker" || fail "the worker is gone"
	assert_contains worker.log "can be used again"
}

# It goes away in the midst of a job: the claim is gone, so the job is ended
# and done again.
t_it_goes_while_a_job_runs() {
	sites a
	build "sleep 4911.$$ & $held"
	worker
	enqueue a --ref v1
	wait_for 20 test -e began-a
	pg_stop QUIT
	wait_for 30 grep -q "the claim with it" worker.log
	wait_for 30 runs_not "^sleep 4911.$$\$"
	rmdir busy-a
	touch go-a
	pg_start
	wait_for 60 is_state "$job" "done"
	assert_uncrossed
	assert_eq "$(field "$job" .tries)" 0
	assert_eq "$(cat www/a/current/index.html)" "a v1"
}

# The end of a job falls into that time: it is not forgotten.
t_the_way_is_cut() {
	relay
	sites a
	build "$held"
	enqueue a --ref v1
	sed "s,:$pg_port/,:$relay_port/," deploy.yml >far.yml
	deploy worker -c far.yml 2>worker.log &
	worker=$!
	defer end_worker "$worker"
	wait_for 20 test -e began-a
	kill "$relay"
	wait_for 30 grep -q "the claim with it" worker.log
	# Another worker has it now, and this one knows.
	rmdir busy-a
	touch go-a
	once
	assert_eq "$(state "$job")" "done"
	assert_uncrossed
}

# The session lives as long as the process of the job, not as the worker: here
# for the five seconds that a build has to heed SIGTERM.
t_the_claim_outlives_a_killed_worker() {
	sites a
	build "trap '' TERM; rmdir busy-a; $held"
	worker
	enqueue a
	wait_for 20 test -e began-a
	kill -KILL "$worker"
	wait "$worker" || true
	run deploy worker --once
	assert_eq "$(state "$job")" running
	wait_for 20 claim_is_free
	touch go-a
	once
	assert_eq "$(state "$job")" "done"
}

claim_is_free() {
	[ "$(sql "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")" \
	    -eq 0 ]
}

# A link to another machine, by a network namespace: $far runs what follows
# over there.
link() {
	need_root
	need_cmd ip
	far_name=deploy-$BASHPID
	ip netns add "$far_name" 2>/dev/null || skip "needs network namespaces"
	defer ip netns del "$far_name"
	ip link add "d$BASHPID" type veth peer name far netns "$far_name" ||
	    skip "needs pairs of virtual interfaces"
	defer ip link del "d$BASHPID"
	ip addr add 10.213.27.1/30 dev "d$BASHPID"
	ip link set "d$BASHPID" up
	far=(ip netns exec "$far_name")
	"${far[@]}" ip addr add 10.213.27.2/30 dev far
	"${far[@]}" ip link set far up
}

# Nobody says that the link is gone: the worker finds out first and ends its
# job, then the server gives the claim to another one.
t_the_network_is_gone() {
	link
	echo "host all all 10.213.27.0/30 trust" >>"$TEST_DIR/pg/data/pg_hba.conf"
	pg_stop
	pg_listen=127.0.0.1,10.213.27.1 pg_start
	sites a
	build "trap 'rmdir busy-a; exit 1' TERM; $held"
	enqueue a --ref v1
	sed "s,127.0.0.1:$pg_port/,10.213.27.1:$pg_port/," deploy.yml >far.yml
	"${far[@]}" "$DEPLOY" worker -c far.yml 2>far.log &
	defer end_worker "$!"
	wait_for 20 test -e began-a
	rm began-a
	worker
	ip link set "d$BASHPID" down
	wait_for 180 test -e began-a
	touch go-a
	wait_for 30 is_state "$job" "done"
	assert_contains far.log "the claim with it"
	assert_uncrossed
	assert_eq "$(wc -l <built)" 2
	ip link set "d$BASHPID" up
	wait_for 60 grep -q "can be used again" far.log
}

t_without_libpq() {
	need_cmd unshare mount
	need_root
	sites a
	run bash -c 'unshare -m true'
	expect_status 1 unshare -m bash -c '
		for f in /usr/lib/*/libpq.so.5; do
			mount --bind /dev/null "$f"
		done
		deploy enqueue a'
	assert_contains "$err" "install libpq5"
	# Everything else goes on.
	run unshare -m bash -c '
		for f in /usr/lib/*/libpq.so.5; do
			mount --bind /dev/null "$f"
		done
		deploy version'
}

run_tests
