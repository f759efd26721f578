/*
 * The queue in PostgreSQL, for workers on several machines.
 *
 * A claim is an advisory lock of a session of its own, so it ends with that:
 * when the socket is closed by the last process that has it, when the machine
 * is gone for a minute (TCP keepalives), when the server goes down.  We notice
 * the loss of a session sooner than the server does, because our keepalives
 * are more frequent.  LISTEN and NOTIFY wake the others at the commit.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/secret.h"
#include "queue/pq.h"
#include "queue/queue_db.h"

#define CHANNEL "deploy_queue"

enum {
	WAIT_MAX = 1000000,
	STATEMENT_MS = 15000, /* of a statement, besides what it waits */
	ANSWER_MS = 5000,     /* more, for the server to tell that */
	POLL_MS = 500,
};

struct pg_queue {
	struct queue_db db;
	char *url;
	char *name; /* for messages: without a password */
	PGconn *conn;
	PGconn *spare; /* a session that has claimed nothing; NULL: none */
	int64_t wait;  /* seconds, for a locked table */
	bool listening;
	bool silent; /* it did not answer the last question */
};

static const struct queue_db_ops ops;
static const struct pq *pq; /* since the first one was opened */

/* ---- errors ------------------------------------------------------------ */

/* The first line of what the server or libpq says. */
static char *
first_line(const char *text)
{
	return xstrndup(text, strcspn(text, "\n"));
}

static int
fault_connection(const struct pg_queue *q, const PGconn *conn, struct err *e)
{
	char *why = first_line(pq->PQerrorMessage(conn));

	err_set(e, ERR_FAILED, "the queue %s: %s", q->name,
	    q->silent	     ? "the server does not answer" :
		*why != '\0' ? why :
			       "the connection is lost");
	free(why);
	return -1;
}

/* Is it about others that did something at the same time? */
static bool
is_conflict(const char *state)
{
	return state != NULL &&
	    (strcmp(state, "23505") == 0 ||    /* unique_violation */
		strcmp(state, "40001") == 0 || /* serialization_failure */
		strcmp(state, "40P01") == 0);  /* deadlock_detected */
}

/* A failed statement.  -1. */
static int
fault(struct pg_queue *q, const PGresult *res, struct err *e)
{
	const char *state = pq->PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text =
	    pq->PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	enum err_code code = ERR_FAILED;

	if (state == NULL || text == NULL)
		return fault_connection(q, q->conn, e);
	q->db.again = is_conflict(state);
	if (strcmp(state, "53100") == 0) /* disk_full */
		code = ERR_GUARD;
	else if (strncmp(state, "XX", 2) == 0) /* internal, corrupt */
		code = ERR_INTEGRITY;
	else if (strcmp(state, "57014") == 0) /* statement_timeout */
		code = ERR_LOCKED;
	else if (strcmp(state, "55P03") == 0) /* lock_timeout */
		return err_set(e, ERR_LOCKED,
		    "the queue %s is locked by another program; gave up after %lld s (--lock-wait)",
		    q->name, (long long)q->wait);
	return err_set(e, code, "the queue %s: %s", q->name, text);
}

/* ---- connecting -------------------------------------------------------- */

/* Are we to end?  A worker holds signals back while it works. */
static bool
is_to_end(void)
{
	sigset_t pending;

	if (intr_came())
		return true;
	return sigpending(&pending) == 0 &&
	    (sigismember(&pending, SIGTERM) == 1 ||
		sigismember(&pending, SIGINT) == 1 ||
		sigismember(&pending, SIGHUP) == 1);
}

/* "host/database", as messages may say it. */
static char *
display_name(PGconn *conn)
{
	const char *host = pq->PQhost(conn), *name = pq->PQdb(conn);

	return xasprintf("postgresql://%s/%s", host != NULL ? host : "",
	    name != NULL ? name : "");
}

/*
 * Wait until an answer is there.  A server that hangs, or whose disk does, ends
 * no statement, and its kernel keeps the connection alive.
 */
static bool
await(PGconn *conn, int64_t ms)
{
	int64_t end = clock_ms() + ms;
	bool hurry = false;

	while (pq->PQisBusy(conn)) {
		struct pollfd fd = { .fd = pq->PQsocket(conn),
			.events = POLLIN };

		if (!hurry && is_to_end()) {
			hurry = true;
			if (end > clock_ms() + ANSWER_MS)
				end = clock_ms() + ANSWER_MS;
		}
		if (clock_ms() >= end)
			return false;
		if (poll(&fd, 1, POLL_MS) > 0 && pq->PQconsumeInput(conn) != 1)
			return true; /* what is wrong is the answer */
	}
	return true;
}

/*
 * As PQexec(), or with parameters PQexecParams(), but bounded.  NULL: the
 * session is of no use any more, and then q->silent says whether it is for the
 * want of an answer.
 */
static PGresult *
ask(struct pg_queue *q, PGconn *conn, const char *sql,
    const char *const *params, size_t n)
{
	int64_t ms = q->wait * 1000 + STATEMENT_MS + ANSWER_MS;
	PGresult *res = NULL, *next;
	int sent = n == 0 ? pq->PQsendQuery(conn, sql) :
			    pq->PQsendQueryParams(conn, sql, (int)n, NULL,
				params, NULL, NULL, 0);

	q->silent = false;
	while (sent == 1) {
		if (!await(conn, ms)) {
			q->silent = true;
			(void)shutdown(pq->PQsocket(conn), SHUT_RDWR);
			(void)pq->PQconsumeInput(conn);
			pq->PQclear(res);
			return NULL;
		}
		next = pq->PQgetResult(conn);
		if (next == NULL)
			break;
		pq->PQclear(res);
		res = next;
	}
	return res;
}

/* Run what has no parameters on any session; what it fails with is `e`. */
static int
tell(struct pg_queue *q, PGconn *conn, const char *sql, struct err *e)
{
	PGresult *res = ask(q, conn, sql, NULL, 0);
	ExecStatusType status = pq->PQresultStatus(res);
	bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
	int r = 0;

	q->db.again = false;
	if (!good && pq->PQstatus(conn) != CONNECTION_OK)
		r = fault_connection(q, conn, e);
	else if (!good)
		r = fault(q, res, e);
	pq->PQclear(res);
	return r;
}

static void
ignore_notice(void *ctx, const PGresult *res)
{
	(void)ctx;
	(void)res;
}

/* A session; NULL with the error. */
static PGconn *
start_session(struct pg_queue *q, struct err *e)
{
	/* What the URL says goes before what stands above it. */
	const char *const keys[] = { "password", "connect_timeout",
		"keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "application_name", "client_encoding",
		"dbname", NULL };
	const char *const values[] = { secret_get(SECRET_PG_PASSWORD),
		is_to_end() ? "2" : "5", "5", "5", "2", "15000", "deploy",
		"UTF8", q->url, NULL };
	PGconn *conn = pq->PQconnectdbParams(keys, values, 1);
	char sql[400];

	if (pq->PQstatus(conn) != CONNECTION_OK) {
		fault_connection(q, conn, e);
		pq->PQfinish(conn);
		return NULL;
	}
	(void)pq->PQsetNoticeReceiver(conn, ignore_notice, NULL);
	/* The server's end of the same; and nothing here takes long, but to
	 * wait, for which 0 would be for ever. */
	snprintf(sql, sizeof(sql),
	    "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = "
	    "10; SET tcp_keepalives_count = 3; SET tcp_user_timeout = "
	    "60000; SET statement_timeout = %lld; SET lock_timeout = "
	    "%lld; SET idle_in_transaction_session_timeout = 30000",
	    (long long)q->wait * 1000 + STATEMENT_MS,
	    (long long)(q->wait > 0 ? q->wait * 1000 : 1));
	if (tell(q, conn, sql, e) != 0) {
		pq->PQfinish(conn);
		return NULL;
	}
	/* Only since version 14. */
	pq->PQclear(ask(q, conn, "SET idle_session_timeout = 0", NULL, 0));
	return conn;
}

/* ---- statements -------------------------------------------------------- */

static int
exec(struct queue_db *db, const char *sql, const char *const *params, size_t n,
    struct queue_rows *rows, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;
	PGresult *res = ask(q, q->conn, sql, params, n);
	ExecStatusType status = pq->PQresultStatus(res);
	int width = pq->PQnfields(res), r = 0;

	q->db.again = false;
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		r = fault(q, res, e);
	if (rows != NULL && width > 0)
		rows->width = (size_t)width;
	for (int i = 0; r == 0 && rows != NULL && i < pq->PQntuples(res); i++)
		for (int k = 0; k < width; k++)
			queue_rows_add(rows,
			    pq->PQgetisnull(res, i, k) ?
				NULL :
				pq->PQgetvalue(res, i, k));
	pq->PQclear(res);
	return r;
}

static int
begin(struct queue_db *db, bool alone, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;

	return tell(q, q->conn,
	    alone ? "BEGIN; SELECT pg_advisory_xact_lock(hashtext("
		    "'deploy'), hashtext(current_schema()))" :
		    "BEGIN",
	    e);
}

static int
commit(struct queue_db *db, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;

	return tell(q, q->conn, "COMMIT", e);
}

static void
rollback(struct queue_db *db)
{
	struct pg_queue *q = (struct pg_queue *)db;
	bool again = q->db.again;
	struct err ignored = ERR_INIT;

	if (pq->PQtransactionStatus(q->conn) != PQTRANS_IDLE)
		(void)tell(q, q->conn, "ROLLBACK", &ignored);
	q->db.again = again;
}

/* ---- claims ------------------------------------------------------------ */

/* Two queues in one database are in two schemas. */
#define KEY "hashtextextended(current_schema() || '/' || $1, 1685089401)"

/* Try to lock `site` in a session.  1, 0, -1. */
static int
try_lock(struct pg_queue *q, PGconn *conn, const char *site, struct err *e)
{
	PGresult *res =
	    ask(q, conn, "SELECT pg_try_advisory_lock(" KEY ")", &site, 1);
	int r = -1;

	if (pq->PQresultStatus(res) == PGRES_TUPLES_OK)
		r = strcmp(pq->PQgetvalue(res, 0, 0), "t") == 0;
	else
		fault_connection(q, conn, e);
	pq->PQclear(res);
	return r;
}

static int
claim(struct queue_db *db, const char *site, struct queue_claim *c,
    struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;
	int r;

	if (q->spare == NULL && (q->spare = start_session(q, e)) == NULL)
		return -1;
	r = try_lock(q, q->spare, site, e);
	if (r < 0) {
		pq->PQfinish(q->spare);
		q->spare = NULL;
	} else if (r == 1) {
		c->session = q->spare;
		c->fd = pq->PQsocket(q->spare);
		q->spare = NULL;
	}
	return r;
}

static void
unclaim(struct queue_claim *c)
{
	struct pg_queue any = { .wait = 0 };

	/* With an answer: whoever is woken next finds it unlocked. */
	if (c->session != NULL) {
		pq->PQclear(ask(&any, c->session,
		    "SELECT pg_advisory_unlock_all()", NULL, 0));
		pq->PQfinish(c->session);
	}
}

static bool
lost(struct queue_claim *c)
{
	return pq->PQconsumeInput(c->session) != 1 ||
	    pq->PQstatus(c->session) != CONNECTION_OK;
}

/* ---- waking up --------------------------------------------------------- */

static int
wake(struct queue_db *db, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;

	return tell(q, q->conn, "NOTIFY " CHANNEL, e);
}

static int
listen_to(struct queue_db *db, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;

	if (!q->listening && tell(q, q->conn, "LISTEN " CHANNEL, e) != 0)
		return -1;
	q->listening = true;
	return pq->PQsocket(q->conn);
}

static int
heed(struct queue_db *db, struct err *e)
{
	struct pg_queue *q = (struct pg_queue *)db;
	PGnotify *n;
	int any = 0;

	if (pq->PQconsumeInput(q->conn) != 1 ||
	    pq->PQstatus(q->conn) != CONNECTION_OK)
		return fault_connection(q, q->conn, e);
	while ((n = pq->PQnotifies(q->conn)) != NULL) {
		pq->PQfreemem(n);
		any = 1;
	}
	return any;
}

/* ---- opening ----------------------------------------------------------- */

static void
close_queue(struct queue_db *db)
{
	struct pg_queue *q = (struct pg_queue *)db;

	pq->PQfinish(q->conn);
	pq->PQfinish(q->spare);
	free(q->url);
	free(q->name);
	free(q);
}

/* Of version 1; queue_db_upgrade() goes on. */
static const char schema[] =
    "CREATE TABLE deploy_jobs ("
    "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "site TEXT NOT NULL, state TEXT NOT NULL, priority BIGINT NOT NULL, "
    "ref TEXT, reason TEXT, who TEXT, requests BIGINT NOT NULL, "
    "created BIGINT NOT NULL, due BIGINT NOT NULL, started BIGINT, "
    "ended BIGINT, tries BIGINT NOT NULL DEFAULT 0, "
    "deaths BIGINT NOT NULL DEFAULT 0, status BIGINT, message TEXT, "
    "tail TEXT, worker TEXT, host TEXT, token TEXT, stopped_by TEXT, "
    "merged_into BIGINT); "
    "CREATE UNIQUE INDEX deploy_jobs_waiting ON deploy_jobs (site) "
    "WHERE state = 'waiting'; "
    "CREATE UNIQUE INDEX deploy_jobs_running ON deploy_jobs (site) "
    "WHERE state = 'running'; "
    "CREATE INDEX deploy_jobs_state ON deploy_jobs (state, id); "
    "CREATE TABLE deploy_queue (version BIGINT NOT NULL); "
    "INSERT INTO deploy_queue VALUES (1)";

/* The version of the tables; 0 when there are none. */
static int
read_version(struct pg_queue *q, int64_t *version, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = exec(&q->db,
	    "SELECT count(*) FROM pg_tables WHERE schemaname = "
	    "current_schema() AND tablename = 'deploy_queue'",
	    NULL, 0, &rows, e);
	bool there = r == 0 && queue_rows_int(&rows, 0, 0) > 0;

	*version = 0;
	queue_rows_release(&rows);
	if (!there)
		return r;
	r = exec(&q->db, "SELECT max(version) FROM deploy_queue", NULL, 0,
	    &rows, e);
	if (r == 0)
		*version = queue_rows_int(&rows, 0, 0);
	queue_rows_release(&rows);
	return r;
}

/* Make the tables, or bring older ones up to date; in a transaction. */
static int
bring_up_to_date(struct pg_queue *q, int64_t *version, struct err *e)
{
	char sql[64];

	if (read_version(q, version, e) != 0)
		return -1;
	/* Somebody else may have been faster, with a newer one. */
	if (*version >= QUEUE_VERSION)
		return 0;
	if (*version == 0 && tell(q, q->conn, schema, e) != 0)
		return -1;
	if (queue_db_upgrade(&q->db, *version == 0 ? 1 : *version, e) != 0)
		return -1;
	*version = QUEUE_VERSION;
	snprintf(sql, sizeof(sql), "UPDATE deploy_queue SET version = %d",
	    QUEUE_VERSION);
	return tell(q, q->conn, sql, e);
}

static int
make_tables(struct pg_queue *q, int64_t *version, struct err *e)
{
	if (begin(&q->db, true, e) == 0 &&
	    bring_up_to_date(q, version, e) == 0 && commit(&q->db, e) == 0)
		return 0;
	rollback(&q->db);
	return -1;
}

static int
check_version(struct pg_queue *q, struct err *e)
{
	int64_t version;

	if (read_version(q, &version, e) != 0 ||
	    (version < QUEUE_VERSION && make_tables(q, &version, e) != 0))
		return -1;
	if (version > QUEUE_VERSION)
		return err_set(e, ERR_USAGE,
		    "the queue %s was made by a newer deploy (version %lld, this one knows %d);; update this one",
		    q->name, (long long)version, QUEUE_VERSION);
	return 0;
}

/*
 * Does libpq take it as it is meant?  One '@' ends the user and the password,
 * or what it takes for the host is a part of that.
 */
static bool
is_sound(const char *url)
{
	const char *from = strstr(url, "://") + 3;
	const char *end = from + strcspn(from, "?");
	const char *at = memchr(from, '@', (size_t)(end - from));
	PQconninfoOption *options = pq->PQconninfoParse(url, NULL);

	pq->PQconninfoFree(options);
	return options != NULL &&
	    (at == NULL ||
		(memchr(from, '/', (size_t)(at - from)) == NULL &&
		    memchr(at + 1, '@', (size_t)(end - at - 1)) == NULL));
}

/* What libpq says of a URL may be a part of its password. */
static int
check_url(const char *url, struct err *e)
{
	if (is_sound(url))
		return 0;
	return err_set(e, ERR_USAGE,
	    "'queue' in deploy.yml is no URL for PostgreSQL;; percent-encode what is in its password ('@' is %%40, '%%' is %%25, '/' is %%2F), or put that into ~/.pgpass; parameters are those of libpq");
}

struct queue_db *
queue_pg_open(const char *url, int64_t wait, struct err *e)
{
	struct pg_queue *q;

	pq = pq_load(e);
	if (pq == NULL || check_url(url, e) != 0)
		return NULL;
	/* Jobs and what is told of them shall not have the queue's password. */
	secret_take(SECRET_PG_PASSWORD);
	q = xcalloc(1, sizeof(*q));
	q->db.ops = &ops;
	q->db.wakes_at_commit = true;
	q->url = xstrdup(url);
	q->wait = wait < WAIT_MAX ? wait : WAIT_MAX;
	q->name = xstrdup("in PostgreSQL");
	q->conn = start_session(q, e);
	if (q->conn != NULL) {
		free(q->name);
		q->name = display_name(q->conn);
		if (check_version(q, e) == 0)
			return &q->db;
	}
	close_queue(&q->db);
	return NULL;
}

static const struct queue_db_ops ops = {
	.skip_locked = " FOR UPDATE SKIP LOCKED",
	.strings = "SELECT json_array_elements_text(CAST($2 AS JSON)) AS item",
	.exec = exec,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.claim = claim,
	.unclaim = unclaim,
	.lost = lost,
	.wake = wake,
	.listen = listen_to,
	.heed = heed,
	.close = close_queue,
};
