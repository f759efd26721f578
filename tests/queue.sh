# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # for those who source this, and of lib.sh
# What the tests of the queue have in common: a configuration with sites, a
# queue in SQLite or, with STORAGE=postgresql, in a PostgreSQL server of our
# own; workers, and builds that can be held.

STORAGE=${STORAGE:-sqlite}

# ------------------------------------------------------------- PostgreSQL

PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin)

# As a user who is not root, whom PostgreSQL refuses.
_pg_user() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups -- "$@"
	else
		"$@"
	fi
}

# pg_start: a server in $TEST_DIR/pg, on a free port of the loopback
# interface (or of $pg_listen), and in $pg_sockets if set; sets $pg_port.  1 when there is no PostgreSQL.
pg_start() {
	local try i
	command -v initdb postgres psql >/dev/null || return 1
	mkdir -p "$TEST_DIR/pg"
	[ "$(id -u)" -ne 0 ] || chown 65534:65534 "$TEST_DIR/pg"
	if [ ! -e "$TEST_DIR/pg/data" ]; then
		(cd / && _pg_user initdb -D "$TEST_DIR/pg/data" -U deploy -N \
		    -A trust -E UTF8 --locale C.UTF-8) \
		    >"$TEST_DIR/pg.log" 2>&1 || return 1
	fi
	for ((try = 0; try < 20; try++)); do
		pg_port=${pg_port:-$((20000 + RANDOM % 12000))}
		(
			cd /
			exec >>"$TEST_DIR/pg.log" 2>&1 </dev/null
			_pg_user postgres -D "$TEST_DIR/pg/data" \
			    -p "$pg_port" \
			    -c listen_addresses="${pg_listen:-127.0.0.1}" \
			    -c unix_socket_directories="${pg_sockets:-}" -c fsync=off \
			    -c max_connections=200 &
			wait "$!"
		) &
		for ((i = 0; i < 400; i++)); do
			! pg_sql postgres 'SELECT 1' >/dev/null 2>&1 ||
			    return 0
			kill -0 "$!" 2>/dev/null || break
			sleep 0.05
		done
		pg_port=
	done
	cat "$TEST_DIR/pg.log" >&2
	return 1
}

# pg_stop [SIGNAL]: INT is a fast shutdown, QUIT as if the power had failed.
# The pid is in the file: a test may have started the server again.
pg_stop() {
	local i pid
	pid=$(head -n 1 "$TEST_DIR/pg/data/postmaster.pid" 2>/dev/null) ||
	    return 0
	kill "-${1:-INT}" "$pid" 2>/dev/null || true
	for ((i = 0; i < 400; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
}

# pg_sql DATABASE SQL
pg_sql() {
	psql -X -q -A -t -h 127.0.0.1 -p "$pg_port" -U deploy -d "$1" -c "$2"
}

if [ "$STORAGE" = postgresql ]; then
	pg_there=
	if pg_start; then
		pg_there=yes
	fi
	# shellcheck disable=SC2064 # the trap that is there now
	trap "pg_stop QUIT; $(trap -p EXIT | sed "s/^trap -- '//; s/' EXIT\$//")" \
	    EXIT
fi

# ----------------------------------------------------------- configuration

# storage: sets $queue to a queue of this test, that nobody has used.
storage() {
	if [ "$STORAGE" = postgresql ]; then
		[ -n "$pg_there" ] || skip "needs PostgreSQL"
		database=q$BASHPID
		pg_sql postgres "CREATE DATABASE $database"
		queue="postgresql://deploy@127.0.0.1:$pg_port/$database"
	else
		queue=$PWD/queue
	fi
}

# sql QUERY: of the queue's tables, "a|b" a row.
sql() {
	if [ "$STORAGE" = postgresql ]; then
		pg_sql "$database" "$1"
	else
		need_cmd sqlite3
		sqlite3 "$queue/queue.db" "$1"
	fi
}

# sites NAME... [-- KEY...]: a configuration with these sites, whose build runs
# ./build.sh, and what else is to stand at its top level.
sites() {
	local name names=()
	[ -n "${queue:-}" ] || storage
	while (($# > 0)) && [ "$1" != -- ]; do
		names+=("$1")
		shift
	done
	mkdir -p www logs
	{
		echo "sites:"
		for name in "${names[@]}"; do
			cat <<-EOF
			  - name: $name
			    source: out/$name
			    root: $PWD/www/$name
			    build: {command: ". ./build.sh", timeout: 60s}
			EOF
		done
		echo "queue: \"$queue\""
		(($# <= 1)) || printf '%s\n' "${@:2}"
	} >deploy.yml
}

# build COMMANDS: what every build does, besides writing its page.  A build
# that finds another one of the same site notes that in `crossed`.
build() {
	cat >build.sh <<-EOF
	mkdir "busy-\$DEPLOY_SITE" || echo "\$DEPLOY_SITE" >>crossed
	echo "\$DEPLOY_SITE \$DEPLOY_REF" >>built
	$1
	mkdir -p "\$DEPLOY_SOURCE"
	echo "\$DEPLOY_SITE \$DEPLOY_REF" >"\$DEPLOY_SOURCE/index.html"
	rmdir "busy-\$DEPLOY_SITE" 2>/dev/null || true
	EOF
}

# held: the commands of a build that waits until the file go-SITE is there.
# shellcheck disable=SC2016 # for the build
held='touch "began-$DEPLOY_SITE"; until [ -e "go-$DEPLOY_SITE" ]; do sleep 0.05; done'

# queue_of_version_1: as the first deploy with a queue made it, with jobs of
# the sites a (waits), b (failed) and c, which a worker of that version has.
queue_of_version_1() {
	local int=INTEGER id='INTEGER PRIMARY KEY AUTOINCREMENT'
	if [ "$STORAGE" = postgresql ]; then
		int=BIGINT
		id='BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY'
		sql 'CREATE TABLE deploy_queue (version BIGINT NOT NULL)'
		sql 'INSERT INTO deploy_queue VALUES (1)'
	else
		mkdir -m 700 queue
		sql 'PRAGMA journal_mode = WAL; PRAGMA user_version = 1;
		    PRAGMA application_id = 1685089401'
	fi
	sql "CREATE TABLE deploy_jobs (id $id, site TEXT NOT NULL,
	    state TEXT NOT NULL, priority $int NOT NULL, ref TEXT,
	    reason TEXT, who TEXT, requests $int NOT NULL,
	    created $int NOT NULL, due $int NOT NULL, started $int,
	    ended $int, tries $int NOT NULL DEFAULT 0,
	    deaths $int NOT NULL DEFAULT 0, status $int, message TEXT,
	    tail TEXT, worker TEXT, host TEXT, token TEXT, stopped_by TEXT,
	    merged_into $int);
	CREATE UNIQUE INDEX deploy_jobs_waiting ON deploy_jobs (site)
	    WHERE state = 'waiting';
	CREATE UNIQUE INDEX deploy_jobs_running ON deploy_jobs (site)
	    WHERE state = 'running';
	CREATE INDEX deploy_jobs_state ON deploy_jobs (state, id);
	INSERT INTO deploy_jobs (site, state, priority, ref, who, requests,
	    created, due, started, ended, tries, status, message, worker, host,
	    token) VALUES
	    ('a', 'waiting', 5, 'v1', 'ann', 3, 1790000000000, 1790000000000,
	    NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL),
	    ('b', 'failed', 0, NULL, 'ann', 1, 1790000000000, 1790000000000,
	    1790000001000, 1790000002000, 5, 1, 'it failed', 'w', 'h', NULL),
	    ('c', 'running', 0, 'v1', 'ann', 1, 1790000000000, 1790000000000,
	    1790000001000, NULL, 0, NULL, NULL, 'old', 'h', 'token')"
}

# claim SITE: have its claim, as the job of another worker has it.
claim() {
	if [ "$STORAGE" = postgresql ]; then
		psql -X -q -h 127.0.0.1 -p "$pg_port" -U deploy \
		    -d "$database" -c "SELECT pg_advisory_lock(
		    hashtextextended(current_schema() || '/$1', 1685089401))" \
		    -c 'SELECT pg_sleep(600)' >/dev/null 2>&1 &
		defer kill "$!"
		wait_for 20 is_claimed
	else
		mkdir -p queue/claims
		exec {claim_fd}>"queue/claims/$1"
		flock -n "$claim_fd"
	fi
}

is_claimed() {
	[ "$(sql "SELECT count(*) FROM pg_locks
	    WHERE locktype = 'advisory' AND granted")" -ge 1 ]
}

# ----------------------------------------------------------------- running

# enqueue SITE [OPTION...]: its job is in $job.
enqueue() {
	run deploy enqueue "$@"
	job=$(cat "$out")
}

# worker [OPTION...]: one in the background; $worker is its process, what it
# says is in worker.log.
worker() {
	deploy worker "$@" >>worker.out 2>>worker.log &
	worker=$!
	defer end_worker "$worker"
}

# A worker that does not end when it is told would hang the test.
end_worker() {
	local i
	kill "$1" 2>/dev/null || return 0
	for ((i = 0; i < 300; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.05
	done
	kill -KILL "$1"
}

# once [OPTION...]: do what there is to do.
once() {
	run deploy worker --once "$@"
}

# state JOB: what it is.
state() {
	deploy jobs show "$1" --json | jq -r '.jobs[0].state'
}

is_state() {
	[ "$(state "$1")" = "$2" ]
}

# Of a job, as jq has it: field JOB .tries
field() {
	deploy jobs show "$1" --json | jq -r ".jobs[0]$2"
}

# Does a process with that command line run?
runs() {
	pgrep -f -- "$1" >/dev/null
}

runs_not() {
	! runs "$1"
}

# No two builds of one site at once, no matter what happened.
assert_uncrossed() {
	[ ! -e crossed ] || fail "two builds at once: $(cat crossed)"
}
