#include "queue/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "queue/queue_sql.h"

/* ---- for a worker ------------------------------------------------------ */

/*
 * Has a row of a worker lapsed?  Its parameters are $1, before which it has, and
 * $2, after which it was seen in a time that is still to come: the clock was set
 * back since.
 */
#define LAPSED(w) "(" w ".gone = 1 OR " w ".seen < $1 OR " w ".seen > $2)"

/*
 * Forget who is gone, but for sites that nobody has known since: that is the
 * answer to "who did it before?".
 */
static int
forget(struct queue *q, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_int(&p, clock_now() - REGISTRY_LAPSE_MS);
	sql_int(&p, clock_now() + REGISTRY_LAPSE_MS);
	if (sql_run(q,
		"DELETE FROM deploy_worker_sites WHERE EXISTS (SELECT 1 FROM "
		"deploy_workers o, deploy_workers w, deploy_worker_sites s "
		"WHERE o.id = deploy_worker_sites.worker AND " LAPSED(
		    "o") " AND "
			 "s.site = deploy_worker_sites.site AND w.id = s.worker AND "
			 "(w.seen > o.seen OR (o.seen > $2 AND w.seen <= $2)))",
		&p, NULL, e) != 0)
		return -1;
	return sql_run(q,
	    "DELETE FROM deploy_workers WHERE " LAPSED(
		"deploy_workers") " AND "
				  "id NOT IN (SELECT worker FROM deploy_worker_sites)",
	    &p, NULL, e);
}

static int
do_enter(struct queue *q, void *ctx, struct err *e)
{
	const struct registry_entry *r = ctx;
	struct sql_params p = { .n = 0 }, id = { .n = 0 };

	sql_text(&p, r->id);
	sql_text(&p, r->name);
	sql_text(&p, r->host);
	sql_int(&p, r->since);
	sql_int(&p, clock_now());
	if (sql_run(q,
		"INSERT INTO deploy_workers (id, name, host, since, seen, gone) "
		"VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (id) DO UPDATE "
		"SET seen = excluded.seen, gone = 0",
		&p, NULL, e) != 0)
		return -1;
	sql_text(&id, r->id);
	if (sql_run(q, "DELETE FROM deploy_worker_sites WHERE worker = $1",
		&id, NULL, e) != 0)
		return -1;
	for (size_t i = 0; i < r->sites->n; i++) {
		struct sql_params s = { .n = 0 };

		sql_text(&s, r->id);
		sql_text(&s, r->sites->v[i]);
		if (sql_run(q,
			"INSERT INTO deploy_worker_sites (worker, site) "
			"VALUES ($1, $2)",
			&s, NULL, e) != 0)
			return -1;
	}
	return forget(q, e);
}

int
registry_enter(struct queue *q, const struct registry_entry *r, struct err *e)
{
	struct registry_entry entry = *r;

	return sql_transact(q, false, do_enter, &entry, e);
}

/*
 * Nobody has to be woken for that.  While it counted as gone, others may have
 * forgotten some of its sites.
 */
int
registry_beat(struct queue *q, const char *id, size_t sites, struct err *e)
{
	struct sql_params p = { .n = 0 };
	int64_t known;

	sql_text(&p, id);
	sql_int(&p, clock_now());
	if (sql_one_int(q,
		"UPDATE deploy_workers SET seen = $2 WHERE id = $1 AND "
		"gone = 0 RETURNING (SELECT count(*) FROM "
		"deploy_worker_sites WHERE worker = $1)",
		&p, -1, &known, e) != 0)
		return -1;
	return known == (int64_t)sites;
}

int
registry_leave(struct queue *q, const char *id, struct err *e)
{
	struct sql_params p = { .n = 0 };

	sql_text(&p, id);
	sql_int(&p, clock_now());
	return sql_run(q,
	    "UPDATE deploy_workers SET seen = $2, gone = 1 WHERE id = $1", &p,
	    NULL, e);
}

/* ---- for who asks ------------------------------------------------------ */

void
worker_list_release(struct worker_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].host);
		strvec_release(&l->v[i].sites);
	}
	free(l->v);
	*l = (struct worker_list)WORKER_LIST_INIT;
}

/* A row for each site of each worker, those of one worker together. */
static void
read_rows(const struct queue_rows *rows, struct worker_list *out)
{
	int64_t now = clock_now();
	const char *before = "";

	for (size_t i = 0; i < queue_rows_count(rows); i++) {
		const char *id = queue_rows_text(rows, i, 0);
		const char *site = queue_rows_text(rows, i, 6);
		struct worker_seen *w;

		if (strcmp(before, id) != 0) {
			out->v =
			    xreallocarray(out->v, out->n + 1, sizeof(*out->v));
			w = &out->v[out->n++];
			*w = (struct worker_seen){
				.name = xstrdup(queue_rows_text(rows, i, 1)),
				.host = xstrdup(queue_rows_text(rows, i, 2)),
				.since = queue_rows_int(rows, i, 3),
				.seen = queue_rows_int(rows, i, 4),
				.sites = STRVEC_INIT,
			};
			w->live = queue_rows_int(rows, i, 5) == 0 &&
			    w->seen >= now - REGISTRY_LAPSE_MS &&
			    w->seen <= now + REGISTRY_LAPSE_MS;
			before = id;
		}
		if (site != NULL)
			strvec_add(&out->v[out->n - 1].sites, site);
	}
}

static int
compare(const void *a, const void *b)
{
	const struct worker_seen *x = a, *y = b;

	if (x->live != y->live)
		return x->live ? -1 : 1;
	return x->seen > y->seen ? -1 : x->seen < y->seen;
}

int
registry_list(struct queue *q, struct worker_list *out, struct err *e)
{
	struct queue_rows rows = QUEUE_ROWS_INIT;
	struct sql_params none = { .n = 0 };
	int r = sql_run(q,
	    "SELECT w.id, w.name, w.host, w.since, w.seen, w.gone, s.site "
	    "FROM deploy_workers w LEFT JOIN deploy_worker_sites s "
	    "ON s.worker = w.id ORDER BY w.id, s.site",
	    &none, &rows, e);

	if (r == 0)
		read_rows(&rows, out);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), compare);
	queue_rows_release(&rows);
	return r;
}

size_t
worker_list_live(const struct worker_list *l, const char *site)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].live && strvec_has(&l->v[i].sites, site);
	return n;
}

const struct worker_seen *
worker_list_last(const struct worker_list *l, const char *site)
{
	/* As they are sorted, the first one. */
	for (size_t i = 0; i < l->n; i++)
		if (strvec_has(&l->v[i].sites, site))
			return &l->v[i];
	return NULL;
}
