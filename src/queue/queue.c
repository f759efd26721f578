#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/quote.h"
#include "base/release.h"
#include "base/text.h"
#include "base/utf8.h"
#include "queue/joblog.h"
#include "queue/queue_dir.h"
#include "queue/queue_sql.h"

enum {
	SETTLE_FACTOR = 10, /* requests put a job off so often */
	REF_MAX = 255,	    /* bytes */
};

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
		db = queue_pg_open(path, wait, e);
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

	if (dir == NULL && where != NULL)
		(void)joblog_no_place(e);
	free(dir);
	return logs;
}

/* ---- asking ------------------------------------------------------------ */

/* May the character be in a ref?  What git says, and only text. */
static bool
may_be_in_ref(const char *c)
{
	return utf8_len(c) > 0 && !utf8_is_control(c) &&
	    strchr(" ~^:?*[\\", *c) == NULL;
}

/* May `len` bytes be what stands between two '/' of a ref? */
static bool
is_ref_part(const char *part, size_t len)
{
	return len > 0 && part[0] != '.' &&
	    (len < 5 || memcmp(part + len - 5, ".lock", 5) != 0);
}

/* Is it a ref as git-check-ref-format(1) has it, of one part or more? */
static bool
is_ref(const char *ref)
{
	size_t len = strlen(ref);

	if (len == 0 || len > REF_MAX || ref[0] == '-' ||
	    ref[len - 1] == '.' || strcmp(ref, "@") == 0 ||
	    strstr(ref, "..") != NULL || strstr(ref, "@{") != NULL)
		return false;
	for (const char *c = ref; *c != '\0'; c += utf8_len(c))
		if (!may_be_in_ref(c))
			return false;
	for (;; ref += len + 1) {
		len = strcspn(ref, "/");
		if (!is_ref_part(ref, len))
			return false;
		if (ref[len] == '\0')
			return true;
	}
}

int
queue_check_ref(const char *ref, struct err *e)
{
	if (is_ref(ref))
		return 0;
	return err_set(e, ERR_USAGE,
	    "'%s' is no ref;; name a commit or a branch as git knows it, of 1 to %d bytes, see git-check-ref-format(1)",
	    ref, REF_MAX);
}

int
queue_check_item(const char *item, struct err *e)
{
	const char *c = item;

	/* A command that is given items takes it for an option. */
	if (*c == '-')
		return err_set(e, ERR_USAGE,
		    "'%s' is no item;; an item does not begin with '-'", item);
	while (*c != '\0' && utf8_len(c) > 0 && !utf8_is_control(c))
		c += utf8_len(c);
	if (*c == '\0' && c > item && c - item <= QUEUE_ITEM_MAX)
		return 0;
	return err_set(e, ERR_USAGE,
	    "'%s' is no item;; an item is a line of text of 1 to %d bytes",
	    item, QUEUE_ITEM_MAX);
}

/* `n` jobs of others wait: may one more?  0 or -1. */
static int
judge_room(const struct queue_request *r, int64_t n, struct err *e)
{
	if (n < r->max_waiting)
		return 0;
	return err_set(e, ERR_LOCKED,
	    "'%s' is not enqueued: %s already, as many as 'max_waiting' in deploy.yml allows;; ask again when some are done, see 'deploy jobs'",
	    r->site, TEXT_COUNT(n, "job waits", "jobs wait"));
}

/* Is the request one job more than may wait?  In its transaction.  0 or -1. */
static int
check_room(struct queue *q, const struct queue_request *r, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int64_t n;

	if (r->max_waiting <= 0)
		return 0;
	if (sql_one_int(q,
		"SELECT count(*) FROM deploy_jobs WHERE state = 'waiting'", &p,
		0, &n, e) != 0)
		return -1;
	return judge_room(r, n - 1, e);
}

int
queue_check_room(struct queue *q, const struct queue_request *r, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int64_t n;

	if (r->max_waiting <= 0)
		return 0;
	sql_text(&p, r->site);
	if (sql_one_int(q,
		"SELECT count(*) FROM deploy_jobs WHERE state = 'waiting' "
		"AND NOT EXISTS (SELECT 1 FROM deploy_jobs "
		"WHERE state = 'waiting' AND site = $1)",
		&p, 0, &n, e) != 0)
		return -1;
	return judge_room(r, n, e);
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
	int64_t now = clock_now(), settle = n->r->settle * 1000;
	struct sql_params p = { .n = 0 };
	bool fresh;

	sql_text(&p, n->r->site);
	sql_int(&p, n->r->priority);
	sql_text(&p, n->r->ref);
	sql_text(&p, n->reason);
	sql_text(&p, n->who);
	sql_int(&p, now);
	sql_int(&p, now + settle);
	sql_int(&p, settle * SETTLE_FACTOR);
	if (sql_one_job(q,
		"INSERT INTO deploy_jobs (site, state, priority, ref, "
		"reason, who, requests, created, due, refs) VALUES ($1, "
		"'waiting', $2, $3, $4, $5, 1, $6, $7, $3) "
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
		"RETURNING " JOB_COLUMNS,
		&p, n->job, e) < 0)
		return -1;
	fresh = n->job->requests == 1;
	if (fresh && check_room(q, n->r, e) != 0)
		return -1;
	if (sql_add_items(q, n->job->id, n->r->items, fresh, e) != 0)
		return -1;
	return fresh ? 0 :
		       sql_add_refs(q, n->job->id, n->job->refs, n->r->ref, e);
}

int
queue_enqueue(struct queue *q, const struct queue_request *r, struct job *job,
    struct err *e)
{
	char *reason = sql_clean(r->reason, QUEUE_TEXT_MAX);
	char *who = sql_clean(r->who, QUEUE_TEXT_MAX);
	struct enqueueing n = { r, reason, who, job };
	/* Who counts does not count beside another. */
	int ret = sql_transact(q, r->max_waiting > 0, do_enqueue, &n, e);

	free(reason);
	free(who);
	return ret;
}

/* ---- looking ----------------------------------------------------------- */

int
queue_get(struct queue *q, int64_t id, struct job *job, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int r;

	sql_int(&p, id);
	r = sql_one_job(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE id = $1", &p, job,
	    e);
	if (r == 0)
		err_set(e, ERR_USAGE,
		    "there is no job %lld;; see 'deploy jobs'", (long long)id);
	return r == 1 ? 0 : -1;
}

/* There is no job of the site; how to get one.  -1. */
static int
no_job_of(const char *site, struct err *e)
{
	struct buf words = BUF_INIT;

	if (*site == '-')
		buf_adds(&words, " --");
	quote_add(&words, site);
	err_set(e, ERR_USAGE,
	    "there is no job of '%s';; to make one, run: deploy enqueue%s",
	    site, words.data);
	buf_release(&words);
	return -1;
}

int
queue_find(struct queue *q, const char *site, struct job *job, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int r;

	sql_text(&p, site);
	r = sql_one_job(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE site = $1 ORDER BY "
	    "CASE state WHEN 'running' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 "
	    "END, id DESC LIMIT 1",
	    &p, job, e);
	if (r == 0)
		return no_job_of(site, e);
	return r == 1 ? 0 : -1;
}

int
queue_items(struct queue *q, int64_t id, struct strvec *out, struct err *e)
{
	return sql_read_items(q, id, out, e);
}

int
queue_find_tried(struct queue *q, const char *site, struct job *job,
    struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_text(&p, site);
	return sql_one_job(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE site = $1 "
	    "AND " SQL_TRIED " ORDER BY " SQL_TURN " DESC, id DESC LIMIT 1",
	    &p, job, e);
}

int
queue_count(struct queue *q, enum job_state state, int64_t *n, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_text(&p, job_state_name(state));
	return sql_one_int(q,
	    "SELECT count(*) FROM deploy_jobs WHERE state = $1", &p, 0, n, e);
}

int
queue_list(struct queue *q, int64_t ended, struct job_list *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct sql_params p = { .n = 0 };
	int r = sql_run(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs "
	    "WHERE state IN ('waiting', 'running') ORDER BY state, "
	    "CASE state WHEN 'running' THEN 0 ELSE priority END DESC, id",
	    &p, &rows, e);

	if (r == 0)
		job_list_read(&rows, out);
	queue_rows_release(&rows);
	if (r != 0)
		return -1;
	sql_int(&p, ended);
	r = sql_run(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs "
	    "WHERE state NOT IN ('waiting', 'running') "
	    "ORDER BY id DESC LIMIT $1",
	    &p, &rows, e);
	if (r == 0)
		job_list_read(&rows, out);
	queue_rows_release(&rows);
	return r;
}

int
queue_next(struct queue *q, const char *id, int64_t *ms, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int64_t now = clock_now(), due;

	sql_int(&p, now);
	sql_text(&p, id);
	*ms = -1;
	if (sql_one_int(q,
		"SELECT min(due) FROM deploy_jobs WHERE state = 'waiting' AND "
		"due > $1 AND site IN (SELECT site FROM deploy_worker_sites "
		"WHERE worker = $2)",
		&p, 0, &due, e) != 0)
		return -1;
	if (due > 0)
		*ms = due - now;
	return 0;
}

/* ---- changing jobs ----------------------------------------------------- */

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
	    "job %lld of '%s' is %s;; %s", (long long)j->id, j->site,
	    job_state_name(j->state), cure);
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
	if (j->state == JOB_FAILED &&
	    sql_find_waiting(q, j->site, &other, e) != 0)
		return -1;
	if (other != 0) {
		j->state = JOB_MERGED;
		return sql_write_job(q, j, e) != 0 ?
		    -1 :
		    sql_hand_over(q, j, other, true, e);
	}
	if (j->state == JOB_FAILED)
		j->tries = j->deaths = 0;
	j->state = JOB_WAITING;
	/* At once, whatever this machine takes for the time. */
	j->due = j->created;
	return sql_write_job(q, j, e);
}

static int
do_remove(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct sql_params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state == JOB_RUNNING)
		return refuse(&c->job, "'deploy jobs stop' ends it", e);
	sql_int(&p, c->id);
	if (sql_run(q, "DELETE FROM deploy_items WHERE job = $1", &p, NULL,
		e) != 0)
		return -1;
	return sql_run(q,
	    "DELETE FROM deploy_jobs WHERE id = $1 AND state <> 'running'", &p,
	    NULL, e);
}

static int
do_stop(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct sql_params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state != JOB_RUNNING)
		return refuse(&c->job, "it does not run", e);
	sql_int(&p, c->id);
	sql_text(&p, c->who);
	return sql_run(q,
	    "UPDATE deploy_jobs SET stopped_by = $2 WHERE id = $1 AND "
	    "state = 'running'",
	    &p, NULL, e);
}

static int
do_set_priority(struct queue *q, void *ctx, struct err *e)
{
	struct changing *c = ctx;
	struct sql_params p = { .n = 0 };

	if (queue_get(q, c->id, &c->job, e) != 0)
		return -1;
	if (c->job.state != JOB_WAITING)
		return refuse(&c->job, "only one that waits has a priority",
		    e);
	sql_int(&p, c->id);
	sql_int(&p, c->priority);
	return sql_run(q,
	    "UPDATE deploy_jobs SET priority = $2 WHERE id = $1 AND "
	    "state = 'waiting'",
	    &p, NULL, e);
}

/* Do one of those, in a transaction. */
static int
change(struct queue *q, struct changing *c,
    int (*work)(struct queue *q, void *ctx, struct err *e), struct err *e)
{
	int r = sql_transact(q, false, work, c, e);

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
	char *name = sql_clean(who, QUEUE_TEXT_MAX);
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

/* ---- forgetting -------------------------------------------------------- */

/* The number of jobs that stay, of each kind. */
struct pruning {
	int64_t keep;
};

static int
prune_those(struct queue *q, const char *which, int64_t keep, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct sql_params p = { .n = 0 };
	char sql[256];
	int r;

	sql_int(&p, keep);
	snprintf(sql, sizeof(sql),
	    "DELETE FROM deploy_jobs WHERE id IN (SELECT id FROM deploy_jobs "
	    "WHERE state IN (%s) ORDER BY id DESC "
	    "LIMIT 1000000 OFFSET $1) RETURNING id",
	    which);
	r = sql_run(q, sql, &p, &rows, e);
	for (size_t i = 0; r == 0 && i < queue_rows_count(&rows); i++) {
		struct sql_params id = { .n = 0 };

		sql_int(&id, queue_rows_int(&rows, i, 0));
		r = sql_run(q, "DELETE FROM deploy_items WHERE job = $1", &id,
		    NULL, e);
	}
	queue_rows_release(&rows);
	return r;
}

static int
do_prune(struct queue *q, void *ctx, struct err *e)
{
	const struct pruning *p = ctx;

	if (prune_those(q, "'done', 'merged'", p->keep, e) != 0)
		return -1;
	return prune_those(q, "'failed'", p->keep, e);
}

int
queue_prune(struct queue *q, int64_t keep, struct err *e)
{
	struct pruning p = { .keep = keep };

	return sql_transact(q, false, do_prune, &p, e);
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
