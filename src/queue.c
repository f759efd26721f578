#include "queue.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"
#include "queue_dir.h"
#include "release.h"
#include "utf8.h"

struct queue {
	struct queue_db *db;
};

/* In the order of the struct; read_job() reads them. */
#define COLUMNS \
	"id, site, state, priority, ref, reason, who, requests, created, " \
	"due, started, ended, tries, deaths, status, message, tail, worker, " \
	"host, token, stopped_by, merged_into"

enum {
	ATTEMPTS = 20,		     /* of a transaction that others cross */
	CANDIDATES = 100,	     /* looked at for one claim */
	SETTLE_FACTOR = 10,	     /* requests put a job off so often */
	DELAY_MAX = 86400,	     /* seconds before the next try */
	DEATHS_FREE = 2,	     /* of workers, before it is put off */
	DEATH_DELAY_MAX = 60 * 1000, /* ms; then */
};

static const char *const states[] = { "waiting", "running", "done", "failed",
	"merged" };

const char *
job_state_name(enum job_state state)
{
	return states[state];
}

static bool
is_url(const char *where)
{
	return where != NULL && strstr(where, "://") != NULL;
}

struct queue *
queue_open(const char *where, bool make, int64_t wait, struct err *e)
{
	char *path = where == NULL ? queue_dir_default(e) : xstrdup(where);
	struct queue_db *db = NULL;
	struct queue *q = NULL;

	if (is_url(path))
		db = queue_pg_open(path, e);
	else if (path != NULL)
		db = queue_sqlite_open(path, make, wait, e);
	if (db != NULL) {
		q = xcalloc(1, sizeof(*q));
		q->db = db;
	}
	free(path);
	return q;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	q->db->ops->close(q->db);
	free(q);
}

char *
queue_logs(const char *where, struct err *e)
{
	char *dir = where == NULL || is_url(where) ? queue_dir_default(e) :
						     xstrdup(where);
	char *logs = dir != NULL ? xasprintf("%s/logs", dir) : NULL;

	free(dir);
	return logs;
}

/* ---- jobs -------------------------------------------------------------- */

void
job_release(struct job *j)
{
	free(j->site);
	free(j->ref);
	free(j->reason);
	free(j->who);
	free(j->message);
	free(j->tail);
	free(j->worker);
	free(j->host);
	free(j->token);
	free(j->stopped_by);
	*j = (struct job)JOB_INIT;
}

void
job_list_release(struct job_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		job_release(&l->v[i]);
	free(l->v);
	*l = (struct job_list)JOB_LIST_INIT;
}

static enum job_state
state_of(const char *name)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (name != NULL && strcmp(states[i], name) == 0)
			return (enum job_state)i;
	/* Not to be touched. */
	return JOB_MERGED;
}

/* Fill an empty `j` from a row of COLUMNS. */
static void
read_job(const struct queue_rows *rows, size_t row, struct job *j)
{
	const char *const *t =
	    (const char *const *)&rows->cells[row * rows->width];

	*j = (struct job){
		.id = queue_rows_int(rows, row, 0),
		.site = xstrdup(t[1] != NULL ? t[1] : ""),
		.state = state_of(t[2]),
		.priority = queue_rows_int(rows, row, 3),
		.ref = xstrdup_opt(t[4]),
		.reason = xstrdup_opt(t[5]),
		.who = xstrdup_opt(t[6]),
		.requests = queue_rows_int(rows, row, 7),
		.created = queue_rows_int(rows, row, 8),
		.due = queue_rows_int(rows, row, 9),
		.started = queue_rows_int(rows, row, 10),
		.ended = queue_rows_int(rows, row, 11),
		.tries = queue_rows_int(rows, row, 12),
		.deaths = queue_rows_int(rows, row, 13),
		.status = queue_rows_int(rows, row, 14),
		.message = xstrdup_opt(t[15]),
		.tail = xstrdup_opt(t[16]),
		.worker = xstrdup_opt(t[17]),
		.host = xstrdup_opt(t[18]),
		.token = xstrdup_opt(t[19]),
		.stopped_by = xstrdup_opt(t[20]),
		.merged_into = queue_rows_int(rows, row, 21),
	};
}

static void
read_jobs(const struct queue_rows *rows, struct job_list *out)
{
	size_t n = queue_rows_count(rows);

	out->v = xreallocarray(out->v, out->n + n + 1, sizeof(*out->v));
	for (size_t i = 0; i < n; i++)
		read_job(rows, i, &out->v[out->n++]);
}

/* ---- statements -------------------------------------------------------- */

/* The parameters $1, $2, ... of a statement. */
struct params {
	const char *v[12];
	char numbers[12][24];
	size_t n;
};

static void
add_text(struct params *p, const char *text)
{
	p->v[p->n++] = text;
}

static void
add_int(struct params *p, int64_t number)
{
	char *text = p->numbers[p->n];

	snprintf(text, sizeof(p->numbers[0]), "%lld", (long long)number);
	p->v[p->n++] = text;
}

static int
run_sql(struct queue *q, const char *sql, const struct params *p,
    struct queue_rows *rows, struct err *e)
{
	return q->db->ops->exec(q->db, sql, p->v, p->n, rows, e);
}

/* A statement that gives one job (COLUMNS) or none.  1, 0, -1. */
static int
one_job(struct queue *q, const char *sql, const struct params *p,
    struct job *j, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = run_sql(q, sql, p, &rows, e);

	if (r == 0 && rows.n > 0) {
		job_release(j);
		read_job(&rows, 0, j);
		r = 1;
	}
	queue_rows_release(&rows);
	return r;
}

/* A statement that gives one number; `otherwise` when there is none. */
static int
one_int(struct queue *q, const char *sql, const struct params *p,
    int64_t otherwise, int64_t *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = run_sql(q, sql, p, &rows, e);

	*out = otherwise;
	if (r == 0 && rows.n > 0 && queue_rows_text(&rows, 0, 0) != NULL)
		*out = queue_rows_int(&rows, 0, 0);
	queue_rows_release(&rows);
	return r;
}

/* One try of transact(). */
static int
attempt(struct queue *q, bool alone,
    int (*work)(struct queue *q, void *ctx, struct err *e), void *ctx,
    struct err *e)
{
	const struct queue_db_ops *ops = q->db->ops;

	if (ops->begin(q->db, alone, e) == 0 && work(q, ctx, e) == 0 &&
	    (!q->db->wakes_at_commit || ops->wake(q->db, e) == 0) &&
	    ops->commit(q->db, e) == 0)
		return 0;
	ops->rollback(q->db);
	return -1;
}

/*
 * Do `work` in a transaction, again when another one came in between, and
 * wake those who listen.
 */
static int
transact(struct queue *q, bool alone,
    int (*work)(struct queue *q, void *ctx, struct err *e), void *ctx,
    struct err *e)
{
	struct err ignored = ERR_INIT;
	int r, left = ATTEMPTS;

	do {
		q->db->again = false;
		r = attempt(q, alone, work, ctx, e);
	} while (r != 0 && q->db->again && --left > 0);
	/* Those who are not woken look by themselves, later. */
	if (r == 0 && !q->db->wakes_at_commit)
		(void)q->db->ops->wake(q->db, &ignored);
	return r;
}

/* ---- asking ------------------------------------------------------------ */

int
queue_check_ref(const char *ref, struct err *e)
{
	static const char others[] = "._/+:@^~=-";
	size_t len = strlen(ref);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)ref[i]) &&
		    strchr(others, ref[i]) == NULL)
			len = 0;
	if (len > 0 && len <= 255 && ref[0] != '-')
		return 0;
	return err_set(e, ERR_USAGE,
	    "'%s' is no ref: it has 1 to 255 letters, digits and %s, and no "
	    "'-' at the beginning",
	    ref, others);
}

/* What people write, cut and without what a table cannot show. */
static char *
clean(const char *text, size_t max)
{
	struct buf out = BUF_INIT;
	size_t len;

	if (text == NULL)
		return NULL;
	len = strlen(text);
	/* Not in the midst of a character. */
	if (len > max)
		for (len = max;
		     len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	utf8_add(&out, text, len);
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '\n' || out.data[i] == '\t')
			out.data[i] = ' ';
	return buf_detach(&out);
}

/* A request on its way into the queue. */
struct enqueueing {
	const struct queue_request *r;
	const char *reason, *who;
	struct job *job;
};

/*
 * A job that waits for its next try begins anew; one that waits for further
 * requests is put off, but not for ever.
 */
static int
do_enqueue(struct queue *q, void *ctx, struct err *e)
{
	const struct enqueueing *n = ctx;
	int64_t now = release_now(), settle = n->r->settle * 1000;
	struct params p = { .n = 0 };

	add_text(&p, n->r->site);
	add_int(&p, n->r->priority);
	add_text(&p, n->r->ref);
	add_text(&p, n->reason);
	add_text(&p, n->who);
	add_int(&p, now);
	add_int(&p, now + settle);
	add_int(&p, settle * SETTLE_FACTOR);
	return one_job(q,
		   "INSERT INTO deploy_jobs (site, state, priority, ref, "
		   "reason, who, requests, created, due) VALUES ($1, "
		   "'waiting', $2, $3, $4, $5, 1, $6, $7) "
		   "ON CONFLICT (site) WHERE state = 'waiting' DO UPDATE SET "
		   "priority = CASE WHEN excluded.priority > "
		   "deploy_jobs.priority THEN excluded.priority ELSE "
		   "deploy_jobs.priority END, "
		   "ref = excluded.ref, reason = excluded.reason, "
		   "who = excluded.who, requests = deploy_jobs.requests + 1, "
		   "due = CASE WHEN deploy_jobs.tries = 0 AND "
		   "deploy_jobs.created + CAST($8 AS BIGINT) < excluded.due "
		   "THEN deploy_jobs.created + CAST($8 AS BIGINT) "
		   "ELSE excluded.due END, "
		   "created = CASE WHEN deploy_jobs.tries = 0 THEN "
		   "deploy_jobs.created ELSE excluded.created END, "
		   "tries = 0, deaths = 0 "
		   "RETURNING " COLUMNS,
		   &p, n->job, e) < 0 ?
	    -1 :
	    0;
}

int
queue_enqueue(struct queue *q, const struct queue_request *r, struct job *job,
    struct err *e)
{
	char *reason = clean(r->reason, QUEUE_TEXT_MAX);
	char *who = clean(r->who, QUEUE_TEXT_MAX);
	struct enqueueing n = { r, reason, who, job };
	int ret = transact(q, false, do_enqueue, &n, e);

	free(reason);
	free(who);
	return ret;
}

/* ---- looking ----------------------------------------------------------- */

int
queue_get(struct queue *q, int64_t id, struct job *job, struct err *e)
{
	struct params p = { .n = 0 };
	int r;

	add_int(&p, id);
	r = one_job(q, "SELECT " COLUMNS " FROM deploy_jobs WHERE id = $1", &p,
	    job, e);
	if (r == 0)
		err_set(e, ERR_USAGE,
		    "there is no job %lld; see 'deploy jobs'", (long long)id);
	return r == 1 ? 0 : -1;
}

int
queue_find(struct queue *q, const char *site, struct job *job, struct err *e)
{
	struct params p = { .n = 0 };
	int r;

	add_text(&p, site);
	r = one_job(q,
	    "SELECT " COLUMNS " FROM deploy_jobs WHERE site = $1 ORDER BY "
	    "CASE state WHEN 'running' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 "
	    "END, ended DESC, id DESC LIMIT 1",
	    &p, job, e);
	if (r == 0)
		err_set(e, ERR_USAGE, "there is no job of '%s'", site);
	return r == 1 ? 0 : -1;
}

int
queue_list(struct queue *q, int64_t ended, struct job_list *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct params p = { .n = 0 };
	int r = run_sql(q,
	    "SELECT " COLUMNS " FROM deploy_jobs "
	    "WHERE state IN ('waiting', 'running') ORDER BY state, "
	    "CASE state WHEN 'running' THEN 0 ELSE priority END DESC, id",
	    &p, &rows, e);

	if (r == 0)
		read_jobs(&rows, out);
	queue_rows_release(&rows);
	if (r != 0)
		return -1;
	add_int(&p, ended);
	r = run_sql(q,
	    "SELECT " COLUMNS " FROM deploy_jobs "
	    "WHERE state NOT IN ('waiting', 'running') "
	    "ORDER BY ended DESC, id DESC LIMIT $1",
	    &p, &rows, e);
	if (r == 0)
		read_jobs(&rows, out);
	queue_rows_release(&rows);
	return r;
}

int
queue_next(struct queue *q, int64_t *ms, struct err *e)
{
	struct params p = { .n = 0 };
	int64_t now = release_now(), due;

	add_int(&p, now);
	*ms = -1;
	if (one_int(q,
		"SELECT min(due) FROM deploy_jobs WHERE state = 'waiting' AND "
		"due > $1",
		&p, 0, &due, e) != 0)
		return -1;
	if (due > 0)
		*ms = due - now;
	return 0;
}

/* ---- changing jobs ----------------------------------------------------- */

/* Write what of a job changes, but for what asks for it. */
static int
write_job(struct queue *q, const struct job *j, struct err *e)
{
	struct params p = { .n = 0 };

	add_int(&p, j->id);
	add_text(&p, states[j->state]);
	add_int(&p, j->due);
	add_int(&p, j->tries);
	add_int(&p, j->deaths);
	add_int(&p, j->status);
	add_text(&p, j->message);
	add_text(&p, j->tail);
	add_int(&p, j->ended);
	return run_sql(q,
	    "UPDATE deploy_jobs SET state = $2, due = $3, tries = $4, "
	    "deaths = $5, status = $6, message = $7, tail = $8, ended = $9, "
	    "token = NULL, stopped_by = NULL WHERE id = $1",
	    &p, NULL, e);
}

/* The number of the job of a site that waits; 0 when there is none. */
static int
find_waiting(struct queue *q, const char *site, int64_t *id, struct err *e)
{
	struct params p = { .n = 0 };

	add_text(&p, site);
	return one_int(q,
	    "SELECT id FROM deploy_jobs WHERE site = $1 AND state = 'waiting'",
	    &p, 0, id, e);
}

/* Let the waiting job `id` do what `j` was to do. */
static int
hand_over(struct queue *q, const struct job *j, int64_t id, bool merged,
    struct err *e)
{
	struct params p = { .n = 0 }, m = { .n = 0 };

	add_int(&p, id);
	add_int(&p, j->priority);
	add_int(&p, merged ? j->requests : 0);
	if (run_sql(q,
		"UPDATE deploy_jobs SET priority = CASE WHEN priority < $2 "
		"THEN CAST($2 AS BIGINT) ELSE priority END, requests = "
		"requests + CAST($3 AS BIGINT) WHERE id = $1",
		&p, NULL, e) != 0)
		return -1;
	add_int(&m, j->id);
	add_int(&m, id);
	return run_sql(q,
	    "UPDATE deploy_jobs SET merged_into = $2 WHERE id = $1", &m, NULL,
	    e);
}

/* The job that a change is about. */
struct changing {
	int64_t id;
	int64_t priority;
	const char *who;
	struct job job;
};

/* A job of that state cannot be changed so; the cure. */
static int
refuse(const struct job *j, const char *cure, struct err *e)
{
	return err_set(e, j->state == JOB_RUNNING ? ERR_LOCKED : ERR_USAGE,
	    "job %lld of '%s' is %s; %s", (long long)j->id, j->site,
	    states[j->state], cure);
}

static int
do_retry(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct job *j = &c->job;
	int64_t other = 0;

	if (queue_get(q, c->id, j, e) != 0)
		return -1;
	if (j->state != JOB_FAILED && j->state != JOB_WAITING)
		return refuse(j,
		    j->state == JOB_RUNNING ? "wait for its end" :
					      "enqueue the site instead",
		    e);
	if (j->state == JOB_FAILED && find_waiting(q, j->site, &other, e) != 0)
		return -1;
	if (other != 0) {
		j->state = JOB_MERGED;
		return write_job(q, j, e) != 0 ?
		    -1 :
		    hand_over(q, j, other, true, e);
	}
	if (j->state == JOB_FAILED)
		j->tries = j->deaths = 0;
	j->state = JOB_WAITING;
	j->due = release_now();
	return write_job(q, j, e);
}

static int
do_remove(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state == JOB_RUNNING)
		return refuse(&c->job, "--force ends it", e);
	add_int(&p, c->id);
	return run_sql(q,
	    "DELETE FROM deploy_jobs WHERE id = $1 AND state <> 'running'", &p,
	    NULL, e);
}

static int
do_stop(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state != JOB_RUNNING)
		return refuse(&c->job, "it does not run", e);
	add_int(&p, c->id);
	add_text(&p, c->who);
	return run_sql(q,
	    "UPDATE deploy_jobs SET stopped_by = $2 WHERE id = $1 AND "
	    "state = 'running'",
	    &p, NULL, e);
}

static int
do_set_priority(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state != JOB_WAITING)
		return refuse(&c->job, "only one that waits has a priority",
		    e);
	add_int(&p, c->id);
	add_int(&p, c->priority);
	return run_sql(q,
	    "UPDATE deploy_jobs SET priority = $2 WHERE id = $1 AND "
	    "state = 'waiting'",
	    &p, NULL, e);
}

/* Do one of those, in a transaction. */
static int
change(struct queue *q, struct changing *c,
    int (*work)(struct queue *q, void *ctx, struct err *e), struct err *e)
{
	int r = transact(q, false, work, c, e);

	job_release(&c->job);
	return r;
}

int
queue_retry(struct queue *q, int64_t id, struct err *e)
{
	struct changing c = { .id = id };

	return change(q, &c, do_retry, e);
}

int
queue_remove(struct queue *q, int64_t id, struct err *e)
{
	struct changing c = { .id = id };

	return change(q, &c, do_remove, e);
}

int
queue_stop(struct queue *q, int64_t id, const char *who, struct err *e)
{
	char *name = clean(who, QUEUE_TEXT_MAX);
	struct changing c = { .id = id, .who = name };
	int r = change(q, &c, do_stop, e);

	free(name);
	return r;
}

int
queue_set_priority(struct queue *q, int64_t id, int64_t priority,
    struct err *e)
{
	struct changing c = { .id = id, .priority = priority };

	return change(q, &c, do_set_priority, e);
}

/* ---- claiming ---------------------------------------------------------- */

/* A claim on its way: the candidate, and the job when it was taken. */
struct taking {
	const struct queue_worker *w;
	int64_t id;
	const char *site;
	const char *token;
	struct job *job;
	bool taken;
};

/* 1 with the claim, 0 when somebody has it, or -1. */
static int
claim_site(struct queue *q, const char *site, struct queue_claim *claim,
    struct err *e)
{
	int r = q->db->ops->claim(q->db, site, claim, e);

	claim->ops = r == 1 ? q->db->ops : NULL;
	return r;
}

/* With the claim of the site in hand: is it still to be done? */
static int
do_take(struct queue *q, void *ctx, struct err *e)
{
	struct taking *t = ctx;
	struct params none = { .n = 0 }, p = { .n = 0 };
	char sql[512];
	int64_t running = 0;
	int r;

	t->taken = false;
	if (t->w->max_jobs > 0 &&
	    one_int(q,
		"SELECT count(*) FROM deploy_jobs WHERE state = 'running'",
		&none, 0, &running, e) != 0)
		return -1;
	if (t->w->max_jobs > 0 && running >= t->w->max_jobs)
		return 0;
	add_int(&p, t->id);
	add_int(&p, release_now());
	add_text(&p, t->w->name);
	add_text(&p, t->w->host);
	add_text(&p, t->token);
	add_text(&p, t->site);
	snprintf(sql, sizeof(sql),
	    "UPDATE deploy_jobs SET state = 'running', started = $2, "
	    "worker = $3, host = $4, token = $5, stopped_by = NULL "
	    "WHERE id = (SELECT id FROM deploy_jobs WHERE id = $1 AND "
	    "state = 'waiting' AND due <= $2%s) AND NOT EXISTS (SELECT 1 "
	    "FROM deploy_jobs WHERE site = $6 AND state = 'running') "
	    "RETURNING " COLUMNS,
	    q->db->ops->skip_locked);
	r = one_job(q, sql, &p, t->job, e);
	t->taken = r == 1;
	return r < 0 ? -1 : 0;
}

/* Claim one candidate.  1, 0, -1. */
static int
take(struct queue *q, struct taking *t, struct queue_claim *claim, bool *busy,
    struct err *e)
{
	int r = claim_site(q, t->site, claim, e);

	*busy |= r == 0;
	if (r != 1)
		return r;
	r = transact(q, t->w->max_jobs > 0, do_take, t, e);
	if (r == 0 && t->taken)
		return 1;
	queue_unclaim(NULL, claim);
	return r;
}

int
queue_claim(struct queue *q, const struct queue_worker *w, struct job *job,
    struct queue_claim *claim, bool *busy, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct params p = { .n = 0 };
	struct release_id token;
	int r;

	*busy = false;
	add_int(&p, release_now());
	add_int(&p, CANDIDATES);
	r = run_sql(q,
	    "SELECT id, site FROM deploy_jobs WHERE state = 'waiting' AND "
	    "due <= $1 AND site NOT IN (SELECT site FROM deploy_jobs "
	    "WHERE state = 'running') ORDER BY priority DESC, id LIMIT $2",
	    &p, &rows, e);
	release_id_new(&token, "");
	for (size_t i = 0; r == 0 && i < queue_rows_count(&rows); i++) {
		struct taking t = { .w = w,
			.id = queue_rows_int(&rows, i, 0),
			.site = queue_rows_text(&rows, i, 1),
			.token = token.s,
			.job = job };

		if (w->site == NULL || strcmp(w->site, t.site) == 0)
			r = take(q, &t, claim, busy, e);
	}
	queue_rows_release(&rows);
	return r;
}

bool
queue_claim_is_lost(struct queue_claim *claim)
{
	return claim->session != NULL && claim->ops->lost(claim);
}

void
queue_unclaim(struct queue *q, struct queue_claim *claim)
{
	struct err ignored = ERR_INIT;

	if (claim->ops == NULL)
		return;
	claim->ops->unclaim(claim);
	*claim = (struct queue_claim)QUEUE_CLAIM_INIT;
	if (q != NULL)
		(void)q->db->ops->wake(q->db, &ignored);
}

/* ---- the end of a try -------------------------------------------------- */

/* A try that ended, or did not. */
struct ending {
	struct job *job;
	const struct queue_result *result;
	bool died; /* its worker did */
};

/* Read the job again, if it is still the one that was claimed.  1, 0, -1. */
static int
hold_claimed(struct queue *q, struct job *j, struct err *e)
{
	struct params p = { .n = 0 };
	char *token = xstrdup(j->token);
	int r;

	add_int(&p, j->id);
	add_text(&p, token);
	r = one_job(q,
	    "SELECT " COLUMNS " FROM deploy_jobs WHERE id = $1 AND "
	    "token = $2 AND state = 'running'",
	    &p, j, e);
	free(token);
	return r;
}

/* When the next try is due: each time after twice the time. */
static int64_t
delay_ms(int64_t first, int64_t tries)
{
	int64_t delay = first;

	for (int64_t i = 1; i < tries && delay < DELAY_MAX; i++)
		delay *= 2;
	return (delay < DELAY_MAX ? delay : DELAY_MAX) * 1000;
}

/* Take over what the result says. */
static void
note_result(struct job *j, const struct queue_result *r)
{
	struct buf tail = BUF_INIT;

	utf8_add(&tail, r->tail != NULL ? r->tail : "", r->tail_len);
	free(j->tail);
	j->tail = buf_detach(&tail);
	free(j->message);
	j->message = clean(r->message, 2 * QUEUE_TEXT_MAX);
	j->status = r->status;
	j->ended = release_now();
	if (!r->good)
		j->tries++;
}

static int
do_finish(struct queue *q, void *ctx, struct err *e)
{
	const struct ending *n = ctx;
	const struct queue_result *r = n->result;
	struct job *j = n->job;
	int64_t other = 0;
	int held = hold_claimed(q, j, e);

	if (held <= 0)
		return held;
	note_result(j, r);
	if (!r->good && find_waiting(q, j->site, &other, e) != 0)
		return -1;
	if (r->good) {
		j->state = JOB_DONE;
	} else if (r->last || other != 0 || j->tries >= QUEUE_TRIES) {
		j->state = JOB_FAILED;
	} else {
		j->state = JOB_WAITING;
		j->due = j->ended + delay_ms(r->retry, j->tries);
	}
	if (write_job(q, j, e) != 0)
		return -1;
	/* The request that came meanwhile is the next try. */
	return other != 0 && !r->last ? hand_over(q, j, other, false, e) : 0;
}

int
queue_finish(struct queue *q, struct job *job, const struct queue_result *r,
    struct err *e)
{
	struct ending n = { .job = job, .result = r };

	return transact(q, false, do_finish, &n, e);
}

/* Nobody's fault: put off only when it happens again and again. */
static void
note_death(struct job *j)
{
	int64_t delay = 1000;

	j->deaths++;
	for (int64_t i = DEATHS_FREE; i < j->deaths; i++)
		delay =
		    delay * 2 < DEATH_DELAY_MAX ? delay * 2 : DEATH_DELAY_MAX;
	if (j->deaths > DEATHS_FREE)
		j->due = release_now() + delay;
}

static int
do_put_back(struct queue *q, void *ctx, struct err *e)
{
	const struct ending *n = ctx;
	struct job *j = n->job;
	int64_t other;
	int held = hold_claimed(q, j, e);

	if (held <= 0)
		return held;
	j->due = release_now();
	if (n->died)
		note_death(j);
	if (find_waiting(q, j->site, &other, e) != 0)
		return -1;
	j->state = other != 0 ? JOB_MERGED : JOB_WAITING;
	if (j->deaths >= QUEUE_DEATHS) {
		j->state = JOB_FAILED;
		free(j->message);
		j->message = xasprintf("its worker died %lld times",
		    (long long)j->deaths);
	}
	if (j->state != JOB_WAITING)
		j->ended = release_now();
	if (write_job(q, j, e) != 0)
		return -1;
	return other != 0 ? hand_over(q, j, other, true, e) : 0;
}

int
queue_return(struct queue *q, struct job *job, struct err *e)
{
	struct ending n = { .job = job };

	return transact(q, false, do_put_back, &n, e);
}

/* Put one back if its claim can be had.  1, 0 when it has a worker, -1. */
static int
recover_one(struct queue *q, struct job *j, const char *host,
    void (*left)(const struct job *job), struct err *e)
{
	struct queue_claim claim = QUEUE_CLAIM_INIT;
	struct ending n = { .job = j, .died = true };
	int r = claim_site(q, j->site, &claim, e);

	if (r != 1)
		return r;
	if (j->host != NULL && strcmp(j->host, host) == 0)
		left(j);
	r = transact(q, false, do_put_back, &n, e);
	queue_unclaim(q, &claim);
	return r != 0 ? -1 : 1;
}

int
queue_recover(struct queue *q, const struct queue_worker *w,
    void (*left)(const struct job *job), bool *others, struct err *e)
{
	struct job_list running = JOB_LIST_INIT;
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct params none = { .n = 0 };
	int r = run_sql(q,
	    "SELECT " COLUMNS " FROM deploy_jobs WHERE state = 'running' "
	    "AND token IS NOT NULL ORDER BY id",
	    &none, &rows, e);

	*others = false;
	read_jobs(&rows, &running);
	queue_rows_release(&rows);
	for (size_t i = 0; r == 0 && i < running.n; i++) {
		if (w->has(w->ctx, &running.v[i]))
			continue;
		r = recover_one(q, &running.v[i], w->host, left, e);
		*others |= r == 0;
		r = r < 0 ? -1 : 0;
	}
	job_list_release(&running);
	return r;
}

/* ---- forgetting -------------------------------------------------------- */

static int
prune_those(struct queue *q, const char *which, int64_t keep, struct err *e)
{
	struct params p = { .n = 0 };
	char sql[256];

	add_int(&p, keep);
	snprintf(sql, sizeof(sql),
	    "DELETE FROM deploy_jobs WHERE id IN (SELECT id FROM deploy_jobs "
	    "WHERE state IN (%s) ORDER BY ended DESC, id DESC "
	    "LIMIT 1000000 OFFSET $1)",
	    which);
	return run_sql(q, sql, &p, NULL, e);
}

int
queue_prune(struct queue *q, int64_t keep, struct err *e)
{
	if (prune_those(q, "'done', 'merged'", keep, e) != 0)
		return -1;
	return prune_those(q, "'failed'", keep, e);
}

/* ---- listening --------------------------------------------------------- */

int
queue_listen(struct queue *q, struct err *e)
{
	return q->db->ops->listen(q->db, e);
}

int
queue_heed(struct queue *q, struct err *e)
{
	return q->db->ops->heed(q->db, e);
}
