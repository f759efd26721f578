#include "queue/queue_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/release.h"
#include "base/text.h"
#include "base/utf8.h"
#include "queue/queue_sql.h"

enum {
	CANDIDATES = 100,	     /* looked at for one claim */
	DELAY_MAX = 86400,	     /* seconds before the next try */
	DEATHS_FREE = 2,	     /* of workers, before it is put off */
	DEATH_DELAY_MAX = 60 * 1000, /* ms; then */
};

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

/* 1 with the claim, 0 when somebody has it, 2 when nobody gets it, or -1. */
static int
claim_site(struct queue *q, const struct queue_worker *w, const char *site,
    struct queue_claim *claim, struct err *e)
{
	int r = q->db->ops->claim(q->db, site, claim, e);

	claim->ops = r == 1 ? q->db->ops : NULL;
	if (r == 2) {
		w->barred(w->ctx, site, e);
		*e = (struct err)ERR_INIT;
	}
	return r;
}

/* With the claim of the site in hand: is it still to be done? */
static int
do_take(struct queue *q, void *ctx, struct err *e)
{
	struct taking *t = ctx;
	struct sql_params none = { .n = 0 }, p = { .n = 0 };
	char sql[1024];
	int64_t running = 0;
	int r;

	t->taken = false;
	if (t->w->max_jobs > 0 &&
	    sql_one_int(q,
		"SELECT count(*) FROM deploy_jobs WHERE state = 'running'",
		&none, 0, &running, e) != 0)
		return -1;
	if (t->w->max_jobs > 0 && running >= t->w->max_jobs)
		return 0;
	sql_int(&p, t->id);
	sql_int(&p, clock_now());
	sql_text(&p, t->w->name);
	sql_text(&p, t->w->host);
	sql_text(&p, t->token);
	sql_text(&p, t->site);
	snprintf(sql, sizeof(sql),
	    "UPDATE deploy_jobs SET state = 'running', started = $2, "
	    "worker = $3, host = $4, token = $5, stopped_by = NULL "
	    "WHERE id = (SELECT id FROM deploy_jobs WHERE id = $1 AND "
	    "state = 'waiting' AND " SQL_IS_DUE(
		"$2") "%s) AND NOT EXISTS (SELECT 1 "
		      "FROM deploy_jobs WHERE site = $6 AND state = 'running') "
		      "RETURNING " JOB_COLUMNS,
	    q->db->ops->skip_locked);
	r = sql_one_job(q, sql, &p, t->job, e);
	t->taken = r == 1;
	return r < 0 ? -1 : 0;
}

/* Claim one candidate.  1, 0, -1. */
static int
take(struct queue *q, struct taking *t, struct queue_claim *claim, bool *busy,
    struct err *e)
{
	int r = claim_site(q, t->w, t->site, claim, e);

	*busy |= r == 0;
	if (r != 1)
		return r < 0 ? -1 : 0;
	r = sql_transact(q, t->w->max_jobs > 0, do_take, t, e);
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
	struct sql_params p = { .n = 0 };
	struct release_id token;
	int r;

	*busy = false;
	sql_int(&p, clock_now());
	sql_int(&p, CANDIDATES);
	sql_text(&p, w->id);
	r = sql_run(q,
	    "SELECT id, site FROM deploy_jobs WHERE state = 'waiting' AND " SQL_IS_DUE(
		"$1") " AND site IN (SELECT site FROM deploy_worker_sites "
		      "WHERE worker = $3) AND site NOT IN (SELECT site FROM deploy_jobs "
		      "WHERE state = 'running') ORDER BY priority DESC, id LIMIT $2",
	    &p, &rows, e);
	release_id_new(&token, &release_id_none);
	for (size_t i = 0; r == 0 && i < queue_rows_count(&rows); i++) {
		struct taking t = { .w = w,
			.id = queue_rows_int(&rows, i, 0),
			.site = queue_rows_text(&rows, i, 1),
			.token = token.text,
			.job = job };

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
	bool held; /* it was still the one that was claimed */
};

/* Read the job again, if it is still the one that was claimed.  1, 0, -1. */
static int
hold_claimed(struct queue *q, struct job *j, struct err *e)
{
	struct sql_params p = { .n = 0 };
	char *token = xstrdup(j->token);
	int r;

	sql_int(&p, j->id);
	sql_text(&p, token);
	r = sql_one_job(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE id = $1 AND "
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
	j->message = sql_clean(r->message, 2 * QUEUE_TEXT_MAX);
	j->status = r->status;
	j->ended = clock_now();
	if (!r->good)
		j->tries++;
}

/*
 * The end of a try, or what counts as one: give it its turn, after those of the
 * site before it, and learn whether the last of these failed.
 */
static int
find_turn(struct queue *q, struct job *j, struct err *e)
{
	struct job last = JOB_INIT;
	int r = queue_find_tried(q, j->site, &last, e);

	if (r < 0)
		return -1;
	/* The last one may be this one: it was no good, or it would be done. */
	j->was_bad = r == 1 && last.state != JOB_DONE;
	if (last.turn < last.ended)
		last.turn = last.ended;
	j->turn = j->ended > last.turn ? j->ended : last.turn + 1;
	job_release(&last);
	return 0;
}

static int
do_finish(struct queue *q, void *ctx, struct err *e)
{
	struct ending *n = ctx;
	const struct queue_result *r = n->result;
	struct job *j = n->job;
	int64_t other = 0;
	int held = hold_claimed(q, j, e);

	n->held = held > 0;
	if (held <= 0)
		return held;
	note_result(j, r);
	if (find_turn(q, j, e) != 0)
		return -1;
	if (!r->good && sql_find_waiting(q, j->site, &other, e) != 0)
		return -1;
	if (r->good) {
		j->state = JOB_DONE;
	} else if (r->last || other != 0 || j->tries >= QUEUE_TRIES) {
		j->state = JOB_FAILED;
	} else {
		j->state = JOB_WAITING;
		j->due = j->ended + delay_ms(r->retry, j->tries);
	}
	if (sql_write_job(q, j, e) != 0)
		return -1;
	/* The request that came meanwhile is the next try. */
	return other != 0 && !r->last ? sql_hand_over(q, j, other, false, e) :
					0;
}

int
queue_finish(struct queue *q, struct job *job, const struct queue_result *r,
    struct err *e)
{
	struct ending n = { .job = job, .result = r };

	return sql_transact(q, false, do_finish, &n, e) != 0 ? -1 : n.held;
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
		j->due = clock_now() + delay;
}

static int
do_put_back(struct queue *q, void *ctx, struct err *e)
{
	struct ending *n = ctx;
	struct job *j = n->job;
	int64_t other;
	int held = hold_claimed(q, j, e);

	n->held = held > 0;
	if (held <= 0)
		return held;
	if (n->died)
		note_death(j);
	if (sql_find_waiting(q, j->site, &other, e) != 0)
		return -1;
	j->state = other != 0 ? JOB_MERGED : JOB_WAITING;
	if (j->deaths >= QUEUE_DEATHS) {
		j->state = JOB_FAILED;
		free(j->message);
		j->message = xasprintf("its worker died %s",
		    TEXT_COUNT(j->deaths, "time", "times"));
		j->status = ERR_FAILED;
	}
	if (j->state != JOB_WAITING)
		j->ended = clock_now();
	if (j->state == JOB_FAILED && find_turn(q, j, e) != 0)
		return -1;
	if (sql_write_job(q, j, e) != 0)
		return -1;
	return other != 0 ? sql_hand_over(q, j, other, true, e) : 0;
}

int
queue_return(struct queue *q, struct job *job, struct err *e)
{
	struct ending n = { .job = job };

	return sql_transact(q, false, do_put_back, &n, e) != 0 ? -1 : n.held;
}

/* Put one back if its claim can be had.  0: it has a worker; 1, 2, -1. */
static int
recover_one(struct queue *q, const struct queue_worker *w, struct job *j,
    void (*left)(const struct job *job), struct err *e)
{
	struct queue_claim claim = QUEUE_CLAIM_INIT;
	struct ending n = { .job = j, .died = true };
	int r = claim_site(q, w, j->site, &claim, e);

	if (r != 1)
		return r;
	if (j->host != NULL && strcmp(j->host, w->host) == 0)
		left(j);
	r = sql_transact(q, false, do_put_back, &n, e);
	queue_unclaim(q, &claim);
	return r != 0 ? -1 : 1;
}

int
queue_recover(struct queue *q, const struct queue_worker *w,
    void (*left)(const struct job *job), bool *others, struct err *e)
{
	struct job_list running = JOB_LIST_INIT;
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct sql_params none = { .n = 0 };
	int r = sql_run(q,
	    "SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE state = 'running' "
	    "AND token IS NOT NULL ORDER BY id",
	    &none, &rows, e);

	*others = false;
	job_list_read(&rows, &running);
	queue_rows_release(&rows);
	for (size_t i = 0; r == 0 && i < running.n; i++) {
		if (w->has(w->ctx, &running.v[i]))
			continue;
		r = recover_one(q, w, &running.v[i], left, e);
		*others |= r == 0;
		r = r < 0 ? -1 : 0;
	}
	job_list_release(&running);
	return r;
}
