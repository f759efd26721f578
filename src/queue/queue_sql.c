#include "queue/queue_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "queue/queue.h"

enum {
	ATTEMPTS = 20,	/* of a transaction that others cross */
	REFS_MAX = 100, /* of a job; older ones are forgotten */
};

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
	sql_int(&p, j->turn);
	return sql_run(q,
	    "UPDATE deploy_jobs SET state = $2, due = $3, tries = $4, "
	    "deaths = $5, status = $6, message = $7, tail = $8, ended = $9, "
	    "turn = $10, token = NULL, stopped_by = NULL WHERE id = $1",
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

/* ---- items and refs ---------------------------------------------------- */

static int
count_items(struct queue *q, int64_t id, int64_t *n, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_int(&p, id);
	return sql_one_int(q,
	    "SELECT count(*) FROM deploy_items WHERE job = $1", &p, 0, n, e);
}

/* Everything: nothing of it has to be named. */
static int
drop_items(struct queue *q, int64_t id, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_int(&p, id);
	return sql_run(q, "DELETE FROM deploy_items WHERE job = $1", &p, NULL,
	    e);
}

/* All with one statement: there may be many, and each way to a server is long. */
static int
insert_items(struct queue *q, int64_t id, const struct strvec *items,
    struct err *e)
{
	json_t *list = json_new_array();
	struct buf text = BUF_INIT;
	struct sql_params p = { .n = 0 };
	char sql[256];
	int r;

	for (size_t i = 0; i < items->n; i++)
		json_push_string(list, items->v[i]);
	json_write(list, &text);
	json_free(list);
	sql_int(&p, id);
	sql_text(&p, buf_str(&text));
	snprintf(sql, sizeof(sql),
	    "INSERT INTO deploy_items (job, item) SELECT DISTINCT "
	    "CAST($1 AS BIGINT), item FROM (%s) AS items WHERE true "
	    "ON CONFLICT (job, item) DO NOTHING",
	    q->db->ops->strings);
	r = sql_run(q, sql, &p, NULL, e);
	buf_release(&text);
	return r;
}

int
sql_add_items(struct queue *q, int64_t id, const struct strvec *items,
    bool fresh, struct err *e)
{
	int64_t before = 0, after = 0;

	if (!fresh && count_items(q, id, &before, e) != 0)
		return -1;
	if (!fresh && before == 0)
		return 0;
	if (items == NULL || items->n == 0)
		return fresh ? 0 : drop_items(q, id, e);
	if (insert_items(q, id, items, e) != 0)
		return -1;
	if (count_items(q, id, &after, e) != 0)
		return -1;
	return after > QUEUE_ITEMS_MAX ? drop_items(q, id, e) : 0;
}

/* Add the lines of a text, each once: where it comes last. */
static void
add_lines(struct strvec *to, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");
		char *line = xstrndup(text, len);

		for (size_t i = 0; i < to->n; i++) {
			if (strcmp(to->v[i], line) != 0)
				continue;
			free(to->v[i]);
			memmove(&to->v[i], &to->v[i + 1],
			    (to->n - i) * sizeof(*to->v));
			to->n--;
			break;
		}
		strvec_add(to, line);
		free(line);
		text += len + (text[len] == '\n');
	}
}

int
sql_add_refs(struct queue *q, int64_t id, const char *refs, const char *more,
    struct err *e)
{
	struct strvec all = STRVEC_INIT;
	struct buf text = BUF_INIT;
	struct sql_params p = { .n = 0 };
	int r;

	if (more == NULL)
		return 0;
	add_lines(&all, refs);
	add_lines(&all, more);
	for (size_t i = all.n > REFS_MAX ? all.n - REFS_MAX : 0; i < all.n;
	     i++)
		buf_addf(&text, "%s%s", text.len > 0 ? "\n" : "", all.v[i]);
	sql_int(&p, id);
	sql_text(&p, buf_str(&text));
	r = sql_run(q, "UPDATE deploy_jobs SET refs = $2 WHERE id = $1", &p,
	    NULL, e);
	strvec_release(&all);
	buf_release(&text);
	return r;
}

int
sql_read_items(struct queue *q, int64_t id, struct strvec *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct sql_params p = { .n = 0 };
	int r;

	sql_int(&p, id);
	r = sql_run(q, "SELECT item FROM deploy_items WHERE job = $1", &p,
	    &rows, e);
	for (size_t i = 0; i < queue_rows_count(&rows); i++)
		strvec_add(out, queue_rows_text(&rows, i, 0));
	/* Not as the database sorts, whose locale is anybody's. */
	strvec_sort(out);
	queue_rows_release(&rows);
	return r;
}

/* What `j` was to do is to be done by the job `id`, too. */
static int
hand_over_work(struct queue *q, const struct job *j, int64_t id, struct err *e)
{
	struct strvec items = STRVEC_INIT;
	struct job other = JOB_INIT;
	struct sql_params p = { .n = 0 };
	int r = sql_read_items(q, j->id, &items, e);

	if (r == 0)
		r = sql_add_items(q, id, &items, false, e);
	sql_int(&p, id);
	if (r == 0 &&
	    sql_one_job(q,
		"SELECT " JOB_COLUMNS " FROM deploy_jobs WHERE id = $1", &p,
		&other, e) < 0)
		r = -1;
	/* The other one is the newer one. */
	if (r == 0 && j->refs != NULL)
		r = sql_add_refs(q, id, j->refs,
		    other.refs != NULL ? other.refs : "", e);
	strvec_release(&items);
	job_release(&other);
	return r;
}

int
sql_hand_over(struct queue *q, const struct job *j, int64_t id, bool merged,
    struct err *e)
{
	struct sql_params p = { .n = 0 }, m = { .n = 0 };

	sql_int(&p, id);
	sql_int(&p, j->priority);
	sql_int(&p, merged ? j->requests : 0);
	if (hand_over_work(q, j, id, e) != 0 ||
	    sql_run(q,
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
