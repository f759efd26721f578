#include "content/delta.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/varint.h"

void
delta_release(struct delta *d)
{
	free(d->v);
	*d = (struct delta)DELTA_INIT;
}

/* A chunk of the old text. */
struct old_chunk {
	uint8_t hash[CHUNK_HASH];
	uint32_t place;
};

/* All of them by their hashes: who lies about these makes nothing slow. */
struct index {
	struct old_chunk *v;
	size_t n;
	const uint8_t (*hashes)[CHUNK_HASH];
};

/* Of equal ones, the first. */
static int
compare_old(const void *x, const void *y)
{
	const struct old_chunk *a = x, *b = y;
	int c = memcmp(a->hash, b->hash, CHUNK_HASH);

	return c != 0 ? c : a->place < b->place ? -1 : a->place > b->place;
}

static void
index_make(struct index *x, const uint8_t (*old)[CHUNK_HASH], size_t n)
{
	*x = (struct index){ xcalloc(n, sizeof(*x->v)), n, old };
	for (size_t i = 0; i < n; i++) {
		memcpy(x->v[i].hash, old[i], CHUNK_HASH);
		x->v[i].place = (uint32_t)i;
	}
	qsort(x->v, n, sizeof(*x->v), compare_old);
}

/* The place of the hash; n: it is nowhere.  `next` is best. */
static size_t
find(const struct index *x, const uint8_t *hash, size_t next)
{
	size_t low = 0, high = x->n;

	if (next < x->n && memcmp(x->hashes[next], hash, CHUNK_HASH) == 0)
		return next;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(x->v[mid].hash, hash, CHUNK_HASH) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && memcmp(x->v[low].hash, hash, CHUNK_HASH) == 0 ?
	    x->v[low].place :
	    x->n;
}

/* One more step, if the last one has a run already. */
static struct delta_step *
step(struct delta *d)
{
	if (d->n > 0 && d->v[d->n - 1].count == 0)
		return &d->v[d->n - 1];
	/* Room for a power of two. */
	if ((d->n & (d->n - 1)) == 0)
		d->v = xreallocarray(d->v, d->n > 0 ? 2 * d->n : 1,
		    sizeof(*d->v));
	d->v[d->n] = (struct delta_step){ 0 };
	return &d->v[d->n++];
}

static void
add_run(struct delta *d, size_t place, size_t next, uint32_t len)
{
	struct delta_step *s = d->n > 0 ? &d->v[d->n - 1] : NULL;

	if (s == NULL || s->count == 0 || place != next) {
		s = step(d);
		s->first = (uint32_t)place;
	}
	s->count++;
	s->bytes += len;
	d->copied += len;
}

void
delta_make(struct delta *d, const uint8_t (*old)[CHUNK_HASH], size_t n,
    const struct chunks *new)
{
	struct index x;
	size_t next = 0;

	delta_release(d);
	index_make(&x, old, n);
	for (size_t i = 0; i < new->n; i++) {
		size_t place = find(&x, new->hashes[i], next);

		if (place == n) {
			step(d)->own += new->lengths[i];
			continue;
		}
		add_run(d, place, next, new->lengths[i]);
		next = place + 1;
	}
	free(x.v);
}

void
delta_print_own(const struct delta *d, size_t i, struct buf *out)
{
	varint_add(out, d->v[i].own);
}

void
delta_print_run(const struct delta *d, size_t i, struct buf *out)
{
	const struct delta_step *s = &d->v[i], *last = i > 0 ? s - 1 : NULL;
	int64_t next =
	    last != NULL ? (int64_t)last->first + (int64_t)last->count : 0;

	if (s->count == 0)
		return;
	varint_add(out, s->count);
	varint_add_signed(out, s->first - next);
}

int64_t
delta_own(const struct delta *d)
{
	int64_t own = 0;

	for (size_t i = 0; i < d->n; i++)
		own += d->v[i].own;
	return own;
}

int64_t
delta_size(const struct delta *d)
{
	struct buf b = BUF_INIT;
	int64_t size = 0;

	for (size_t i = 0; i < d->n; i++) {
		delta_print_own(d, i, &b);
		delta_print_run(d, i, &b);
		size += (int64_t)b.len + d->v[i].own;
		buf_reset(&b);
	}
	buf_release(&b);
	return size;
}
