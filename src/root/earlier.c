#include "root/earlier.h"

#include <stdlib.h>

#include "base/alloc.h"

/* The place of the release among the `n` that are there, or `n`. */
static size_t
find(const struct earlier *x, const struct release_id *id)
{
	size_t i = 0;

	while (i < x->n && !release_id_eq(&x->v[i].id, id))
		i++;
	return i;
}

struct extras_earlier *
earlier_add(struct earlier *x, const struct release_id *id, int64_t until)
{
	size_t at = x->n;

	if (x->n == x->cap) {
		x->cap = x->cap > 0 ? x->cap * 2 : 16;
		x->v = xreallocarray(x->v, x->cap, sizeof(*x->v));
	}
	for (; at > 0 && release_id_cmp(&x->v[at - 1].id, id) > 0; at--)
		x->v[at] = x->v[at - 1];
	x->v[at] = (struct extras_earlier){ *id, until, MANIFEST_INIT };
	x->n++;
	return &x->v[at];
}

int
earlier_read(struct earlier *out, const struct view *v,
    int (*read)(void *ctx, const struct release_id *id, struct manifest *m,
	struct err *e),
    void *ctx, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->ids.n; i++) {
		const struct release_id *id = &v->ids.v[i];
		int64_t until = history_until(&v->history, id);
		size_t at = find(out, id);

		if (until < 0)
			continue;
		if (at == out->n)
			r = read(ctx, id, &earlier_add(out, id, until)->m, e);
		else if (out->v[at].until < until)
			out->v[at].until = until;
	}
	return r;
}

void
earlier_release(struct earlier *x)
{
	for (size_t i = 0; i < x->n; i++)
		manifest_release(&x->v[i].m);
	free(x->v);
	*x = (struct earlier)EARLIER_INIT;
}
