#include "content/diff.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/path.h"

void
diff_release(struct diff *d)
{
	free(d->v);
	*d = (struct diff)DIFF_INIT;
}

static void
add(struct diff *d, enum diff_kind kind, const struct entry *old,
    const struct entry *new)
{
	if (d->n == d->cap) {
		d->cap = d->cap > 0 ? d->cap * 2 : 64;
		d->v = xreallocarray(d->v, d->cap, sizeof(*d->v));
	}
	d->v[d->n++] = (struct diff_line){
		.kind = kind,
		.path = old != NULL ? old->path : new->path,
		.old_size = old != NULL ? old->size : 0,
		.new_size = new != NULL ? new->size : 0,
	};
	d->count[kind]++;
}

/* Is the entry a directory that holds something? */
static bool
is_shown_by_content(const struct manifest *m, size_t i)
{
	return m->v[i].type == ENTRY_DIR && i + 1 < m->n &&
	    path_is_within(m->v[i + 1].path, m->v[i].path);
}

/* Where the next path stands: < 0 only in a, > 0 only in b, 0 in both. */
static int
next_side(const struct manifest *a, size_t i, const struct manifest *b,
    size_t k)
{
	if (i == a->n)
		return 1;
	if (k == b->n)
		return -1;
	return path_compare(a->v[i].path, b->v[k].path);
}

void
diff_manifests(struct diff *d, const struct manifest *a,
    const struct manifest *b)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		int side = next_side(a, i, b, k);

		if (side < 0) {
			if (!is_shown_by_content(a, i))
				add(d, DIFF_REMOVED, &a->v[i], NULL);
		} else if (side > 0) {
			if (!is_shown_by_content(b, k))
				add(d, DIFF_ADDED, NULL, &b->v[k]);
		} else if (!entry_is_same(&a->v[i], &b->v[k]) &&
		    (a->v[i].type != ENTRY_DIR || b->v[k].type != ENTRY_DIR)) {
			add(d, DIFF_CHANGED, &a->v[i], &b->v[k]);
		}
		i += side <= 0;
		k += side >= 0;
	}
}

/* One line of what two comparisons say of a path. */
static struct diff_line
both(const struct diff_line *a, const struct diff_line *b)
{
	struct diff_line l = *a;

	if (a->kind != b->kind)
		l.kind = DIFF_CHANGED;
	return l;
}

void
diff_drop(struct diff *d, const struct manifest *b, const bool *same)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct entry *en = manifest_find(b, d->v[i].path);

		if (d->v[i].kind == DIFF_CHANGED && en != NULL &&
		    same[en - b->v])
			d->count[DIFF_CHANGED]--;
		else
			d->v[n++] = d->v[i];
	}
	d->n = n;
}

void
diff_unite(struct diff *d, const struct diff *more)
{
	struct diff all = DIFF_INIT;
	size_t i = 0, k = 0;

	all.cap = d->n + more->n;
	all.v = xcalloc(all.cap, sizeof(*all.v));
	while (i < d->n || k < more->n) {
		int c = i == d->n ? 1 :
		    k == more->n  ? -1 :
				    path_compare(d->v[i].path, more->v[k].path);
		struct diff_line *l = &all.v[all.n++];

		if (c == 0)
			*l = both(&d->v[i++], &more->v[k++]);
		else
			*l = c < 0 ? d->v[i++] : more->v[k++];
		all.count[l->kind]++;
	}
	diff_release(d);
	*d = all;
}
