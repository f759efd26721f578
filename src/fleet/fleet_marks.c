#include "fleet/fleet_marks.h"

#include <stdlib.h>

#include "base/alloc.h"

struct mark {
	int64_t size;
	struct pack_tally has;
};

void
marks_init(struct marks *m)
{
	*m = (struct marks){ .v = NULL };
	pthread_mutex_init(&m->lock, NULL);
}

void
marks_release(struct marks *m)
{
	pthread_mutex_destroy(&m->lock);
	free(m->v);
}

void
marks_add(struct marks *m, int64_t size, const struct pack_tally *has)
{
	pthread_mutex_lock(&m->lock);
	if (m->n == m->room) {
		m->room = m->room > 0 ? 2 * m->room : 64;
		m->v = xreallocarray(m->v, m->room, sizeof(*m->v));
	}
	m->v[m->n++] = (struct mark){ size, *has };
	pthread_mutex_unlock(&m->lock);
}

/* Under the lock: how many marks are at `size` or before. */
static size_t
count_before(const struct marks *m, int64_t size)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->v[middle].size <= size)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Between two marks bytes grow evenly; a file is whole or not there. */
static struct pack_tally
between(const struct mark *a, const struct mark *b, int64_t size)
{
	double part = (double)(size - a->size) / (double)(b->size - a->size);

	return (struct pack_tally){ a->has.files,
		a->has.bytes +
		    (int64_t)(part * (double)(b->has.bytes - a->has.bytes)) };
}

struct pack_tally
marks_find(struct marks *m, int64_t size)
{
	struct mark before = { 0, { 0, 0 } };
	size_t n;

	pthread_mutex_lock(&m->lock);
	n = count_before(m, size);
	if (n > 0)
		before = m->v[n - 1];
	if (n < m->n && size > before.size)
		before.has = between(&before, &m->v[n], size);
	pthread_mutex_unlock(&m->lock);
	return before.has;
}
