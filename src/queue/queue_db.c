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
