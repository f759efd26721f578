#include "queue/queue_db.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/number.h"

void
queue_rows_add(struct queue_rows *rows, const char *cell)
{
	size_t n = rows->n;

	/* Full whenever the number of cells is a power of two. */
	if ((n & (n - 1)) == 0)
		rows->cells = xreallocarray(rows->cells, n == 0 ? 1 : 2 * n,
		    sizeof(*rows->cells));
	rows->cells[rows->n++] = xstrdup_opt(cell);
}

void
queue_rows_release(struct queue_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->cells[i]);
	free(rows->cells);
	*rows = (struct queue_rows)QUEUE_ROWS_INIT;
}

size_t
queue_rows_count(const struct queue_rows *rows)
{
	return rows->n / rows->width;
}

const char *
queue_rows_text(const struct queue_rows *rows, size_t row, size_t column)
{
	return rows->cells[row * rows->width + column];
}

int64_t
queue_rows_int(const struct queue_rows *rows, size_t row, size_t column)
{
	return number_or(queue_rows_text(rows, row, column), INT64_MIN,
	    INT64_MAX, 0);
}

/* The steps, in SQL that both databases know: those of [0] lead to 2. */
static const char *const steps[QUEUE_VERSION - 1][4] = {
	{
	    /* Which workers there are or were, and what they know. */
	    "CREATE TABLE deploy_workers (id TEXT PRIMARY KEY, "
	    "name TEXT NOT NULL, host TEXT NOT NULL, since BIGINT NOT NULL, "
	    "seen BIGINT NOT NULL, gone BIGINT NOT NULL)",
	    "CREATE TABLE deploy_worker_sites (worker TEXT NOT NULL, "
	    "site TEXT NOT NULL, PRIMARY KEY (worker, site))",
	},
	{
	    /* What of a site is to be built. */
	    "ALTER TABLE deploy_jobs ADD COLUMN refs TEXT",
	    "CREATE TABLE deploy_items (job BIGINT NOT NULL, "
	    "item TEXT NOT NULL, PRIMARY KEY (job, item))",
	},
	{
	    /* Which of a site's tries ended last; see SQL_TURN. */
	    "ALTER TABLE deploy_jobs ADD COLUMN turn BIGINT",
	},
};

int
queue_db_upgrade(struct queue_db *db, int64_t version, struct err *e)
{
	for (; version < QUEUE_VERSION; version++)
		for (const char *const *sql = steps[version - 1]; *sql != NULL;
		     sql++)
			if (db->ops->exec(db, *sql, NULL, 0, NULL, e) != 0)
				return -1;
	return 0;
}
