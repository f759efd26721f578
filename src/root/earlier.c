#include "root/earlier.h"

#include <stdlib.h>

#include "base/alloc.h"

int
earlier_read(struct earlier *out, const struct view *v,
    int (*read)(void *ctx, const struct release_id *id, struct manifest *m,
	struct err *e),
    void *ctx, struct err *e)
{
	int r = 0;

	out->v = xcalloc(v->ids.n, sizeof(*out->v));
	for (size_t i = 0; r == 0 && i < v->ids.n; i++) {
		const struct release_id *id = &v->ids.v[i];
		struct extras_earlier *one = &out->v[out->n];

		*one = (struct extras_earlier){ *id,
			history_until(&v->history, id), MANIFEST_INIT };
		if (one->until < 0)
			continue;
		out->n++;
		r = read(ctx, id, &one->m, e);
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
