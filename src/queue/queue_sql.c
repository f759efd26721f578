#include "queue/queue_sql.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"

enum { ATTEMPTS = 20 }; /* of a transaction that others cross */

/* ---- statements -------------------------------------------------------- */

void
sql_text(struct sql_params *p, const char *text)
{
	p->v[p->n++] = text;
}

void
sql_int(struct sql_params *p, int64_t number)
{
	char *text = p->numbers[p->n];

	snprintf(text, sizeof(p->numbers[0]), "%lld", (long long)number);
	p->v[p->n++] = text;
}

int
sql_run(struct queue *q, const char *sql, const struct sql_params *p,
    struct queue_rows *rows, struct err *e)
{
	return q->db->ops->exec(q->db, sql, p->v, p->n, rows, e);
}

int
sql_one_job(struct queue *q, const char *sql, const struct sql_params *p,
    struct job *j, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = sql_run(q, sql, p, &rows, e);

	if (r == 0 && rows.n > 0) {
		job_release(j);
		job_read(&rows, 0, j);
		r = 1;
	}
	queue_rows_release(&rows);
	return r;
}

int
sql_one_int(struct queue *q, const char *sql, const struct sql_params *p,
    int64_t otherwise, int64_t *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	int r = sql_run(q, sql, p, &rows, e);

	*out = otherwise;
	if (r == 0 && rows.n > 0 && queue_rows_text(&rows, 0, 0) != NULL)
		*out = queue_rows_int(&rows, 0, 0);
	queue_rows_release(&rows);
	return r;
}

/* One try of sql_transact(). */
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

int
sql_transact(struct queue *q, bool alone,
    int (*work)(struct queue *q, void *ctx, struct err *e), void *ctx,
    struct err *e)
{
	struct err ignored = ERR_INIT;
	int r = -1, left = ATTEMPTS;

	do {
		q->db->again = false;
		r = attempt(q, alone, work, ctx, e);
	} while (r != 0 && q->db->again && --left > 0);
	/* Those who are not woken look by themselves, later. */
	if (r == 0 && !q->db->wakes_at_commit)
		(void)q->db->ops->wake(q->db, &ignored);
	return r;
}

/* ---- jobs -------------------------------------------------------------- */

int
sql_write_job(struct queue *q, const struct job *j, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_int(&p, j->id);
	sql_text(&p, job_state_name(j->state));
	sql_int(&p, j->due);
	sql_int(&p, j->tries);
	sql_int(&p, j->deaths);
	sql_int(&p, j->status);
	sql_text(&p, j->message);
	sql_text(&p, j->tail);
	sql_int(&p, j->ended);
	return sql_run(q,
	    "UPDATE deploy_jobs SET state = $2, due = $3, tries = $4, "
	    "deaths = $5, status = $6, message = $7, tail = $8, ended = $9, "
	    "token = NULL, stopped_by = NULL WHERE id = $1",
	    &p, NULL, e);
}

int
sql_find_waiting(struct queue *q, const char *site, int64_t *id, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_text(&p, site);
	return sql_one_int(q,
	    "SELECT id FROM deploy_jobs WHERE site = $1 AND state = 'waiting'",
	    &p, 0, id, e);
}

int
sql_hand_over(struct queue *q, const struct job *j, int64_t id, bool merged,
    struct err *e)
{
	struct sql_params p = { .n = 0 }, m = { .n = 0 };

	sql_int(&p, id);
	sql_int(&p, j->priority);
	sql_int(&p, merged ? j->requests : 0);
	if (sql_run(q,
		"UPDATE deploy_jobs SET priority = CASE WHEN priority < $2 "
		"THEN CAST($2 AS BIGINT) ELSE priority END, requests = "
		"requests + CAST($3 AS BIGINT) WHERE id = $1",
		&p, NULL, e) != 0)
		return -1;
	sql_int(&m, j->id);
	sql_int(&m, id);
	return sql_run(q,
	    "UPDATE deploy_jobs SET merged_into = $2 WHERE id = $1", &m, NULL,
	    e);
}

/* ---- text -------------------------------------------------------------- */

char *
sql_clean(const char *text, size_t max)
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
