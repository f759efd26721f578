#include "content/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "content/links.h"

enum { WORK_MAX = 1000000 }; /* paths and links that are looked at */

/* What a path leads to in one of the manifests: a file, a directory, or
 * nothing. */
struct end {
	const struct entry *file;
	const char *dir; /* "": the top */
};

/* A pair of directories that visitors have at `prefix`, one in each. */
struct place {
	char *prefix; /* "" or "latest/" */
	const char *dirs[2];
	size_t above; /* the place that its link is in; of the top: itself */
};

struct paths {
	const char **v; /* by path */
	size_t n;
};

struct reach {
	const struct manifest *m[2];
	struct paths links[2];
	struct paths changed; /* at their own paths */
	void (*add)(void *ctx, const char *path, const char *at);
	void *ctx;
	struct place *v; /* a queue: those through the fewest links first */
	size_t n, cap;
	size_t work;
};

/* ---- lists of paths ------------------------------------------------------ */

static bool
is_inside(const char *path, const char *dir)
{
	return *dir == '\0' || path_is_within(path, dir);
}

/* The first that is not before `path`. */
static size_t
find_first(const struct paths *p, const char *path)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (path_compare(p->v[mid], path) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
has_path(const struct paths *p, const char *path)
{
	size_t i = find_first(p, path);

	return i < p->n && strcmp(p->v[i], path) == 0;
}

static void
list_links(const struct manifest *m, struct paths *out)
{
	out->v = xcalloc(m->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].type == ENTRY_LINK && m->v[i].mark != ENTRY_SHARED)
			out->v[out->n++] = m->v[i].path;
}

static void
list_changed(const struct diff *d, struct paths *out)
{
	out->v = xcalloc(d->n + 1, sizeof(*out->v));
	for (size_t i = 0; i < d->n; i++)
		out->v[out->n++] = d->v[i].path;
}

/* ---- where links lead ---------------------------------------------------- */

static struct end
follow(const struct manifest *m, const char *path)
{
	struct end end = { NULL, NULL };
	struct buf where = BUF_INIT;
	const struct entry *en = NULL;

	if (links_reach(m, path, &where)) {
		en = manifest_find(m, buf_str(&where));
		if (where.len == 0)
			end.dir = "";
		else if (en != NULL && en->type == ENTRY_DIR)
			end.dir = en->path;
		else if (en != NULL && en->type == ENTRY_FILE)
			end.file = en;
	}
	buf_release(&where);
	return end;
}

static bool
is_same_dir(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Is the pair of directories one that a link above it leads to, too? */
static bool
goes_round(const struct reach *x, size_t above, const char *const dirs[2])
{
	for (; above != 0; above = x->v[above].above)
		if (is_same_dir(x->v[above].dirs[0], dirs[0]) &&
		    is_same_dir(x->v[above].dirs[1], dirs[1]))
			return true;
	return false;
}

static void
add_place(struct reach *x, char *prefix, const char *const dirs[2],
    size_t above)
{
	if (x->n == x->cap) {
		x->cap = x->cap > 0 ? x->cap * 2 : 64;
		x->v = xreallocarray(x->v, x->cap, sizeof(*x->v));
	}
	x->v[x->n++] = (struct place){ prefix, { dirs[0], dirs[1] }, above };
}

/* Does what visitors get differ, as one file and the other? */
static bool
differs(const struct reach *x, const struct entry *a, const struct entry *b)
{
	if (a == NULL || b == NULL)
		return a != b;
	/* What changed there is known, and may be less than all bytes. */
	if (strcmp(a->path, b->path) == 0)
		return has_path(&x->changed, a->path);
	return a->size != b->size ||
	    memcmp(a->digest, b->digest, HASH_LEN) != 0;
}

/* ---- a place ------------------------------------------------------------- */

/* The path below the place `i`, which is `at` in a manifest. */
static void
tell(struct reach *x, size_t i, const char *rest, const char *at)
{
	char *path = xasprintf("%s%s", x->v[i].prefix, rest);

	x->add(x->ctx, path, at);
	free(path);
}

/* A path where there is a link in at least one of both. */
static void
look_at_link(struct reach *x, size_t i, const char *rest, const char *at)
{
	struct end ends[2] = { { NULL, NULL }, { NULL, NULL } };
	const char *dirs[2];

	for (int k = 0; k < 2; k++) {
		const char *dir = x->v[i].dirs[k];
		char *path;

		if (dir == NULL)
			continue;
		path = xasprintf("%s%s%s", dir, *dir != '\0' ? "/" : "", rest);
		ends[k] = follow(x->m[k], path);
		free(path);
	}
	if (differs(x, ends[0].file, ends[1].file))
		tell(x, i, rest, at);
	dirs[0] = ends[0].dir;
	dirs[1] = ends[1].dir;
	if ((dirs[0] != NULL || dirs[1] != NULL) && !goes_round(x, i, dirs))
		add_place(x, xasprintf("%s%s/", x->v[i].prefix, rest), dirs,
		    i);
}

/* Behind "dir/". */
static const char *
rest_of(const char *path, const char *dir)
{
	return path + (*dir != '\0' ? strlen(dir) + 1 : 0);
}

static bool
may_go_on(struct reach *x)
{
	return ++x->work <= WORK_MAX;
}

/* It is the same directory in both: what changed in it is known. */
static void
look_at_same(struct reach *x, size_t i)
{
	const char *dir = x->v[i].dirs[0];
	size_t c = find_first(&x->changed, dir);

	for (; i > 0 && c < x->changed.n && is_inside(x->changed.v[c], dir) &&
	     may_go_on(x);
	     c++)
		if (strcmp(x->changed.v[c], dir) != 0)
			tell(x, i, rest_of(x->changed.v[c], dir),
			    x->changed.v[c]);
	for (int k = 0; k < 2; k++) {
		const struct paths *l = &x->links[k];

		for (size_t j = find_first(l, dir);
		     j < l->n && is_inside(l->v[j], dir) && may_go_on(x); j++)
			if (k == 0 || !has_path(&x->links[0], l->v[j]))
				look_at_link(x, i, rest_of(l->v[j], dir),
				    l->v[j]);
	}
}

/* The entries of a directory of a manifest. */
struct range {
	const struct entry *v, *end;
	const char *dir;
};

static struct range
range_of(const struct manifest *m, const char *dir)
{
	struct range r = { NULL, NULL, dir };

	if (dir == NULL)
		return r;
	r.v = *dir == '\0' ? m->v : manifest_find(m, dir) + 1;
	r.end = m->v + m->n;
	return r;
}

/* What is below the directory in it next; NULL: nothing. */
static const char *
next_of(const struct range *r)
{
	return r->v != r->end && is_inside(r->v->path, r->dir) ?
	    rest_of(r->v->path, r->dir) :
	    NULL;
}

static bool
is(const struct entry *en, enum entry_type type)
{
	return en != NULL && en->type == type;
}

/* What the two directories have at a path; NULL: nothing. */
static void
look_at_both(struct reach *x, size_t i, const char *rest,
    const struct entry *a, const struct entry *b)
{
	const char *at = a != NULL ? a->path : b->path;

	if (is(a, ENTRY_LINK) || is(b, ENTRY_LINK))
		look_at_link(x, i, rest, at);
	else if (differs(x, is(a, ENTRY_FILE) ? a : NULL,
		     is(b, ENTRY_FILE) ? b : NULL))
		tell(x, i, rest, at);
}

/* Two different ones, or one that is new or gone: path by path. */
static void
look_at_different(struct reach *x, size_t i)
{
	struct range a = range_of(x->m[0], x->v[i].dirs[0]);
	struct range b = range_of(x->m[1], x->v[i].dirs[1]);

	while (may_go_on(x)) {
		const char *p = next_of(&a), *q = next_of(&b);
		int c = p == NULL ? 1 : q == NULL ? -1 : path_compare(p, q);

		if (p == NULL && q == NULL)
			return;
		look_at_both(x, i, c <= 0 ? p : q, c <= 0 ? a.v : NULL,
		    c >= 0 ? b.v : NULL);
		a.v += c <= 0;
		b.v += c >= 0;
	}
}

bool
reach_changes(const struct manifest *a, const struct manifest *b,
    const struct diff *d,
    void (*add)(void *ctx, const char *path, const char *at), void *ctx)
{
	static const char *const top[2] = { "", "" };
	struct reach x = { .m = { a, b }, .add = add, .ctx = ctx };

	list_links(a, &x.links[0]);
	list_links(b, &x.links[1]);
	list_changed(d, &x.changed);
	add_place(&x, xstrdup(""), top, 0);
	for (size_t i = 0; i < x.n && x.work <= WORK_MAX; i++) {
		if (is_same_dir(x.v[i].dirs[0], x.v[i].dirs[1]))
			look_at_same(&x, i);
		else
			look_at_different(&x, i);
	}
	for (size_t i = 0; i < x.n; i++)
		free(x.v[i].prefix);
	free(x.v);
	free(x.links[0].v);
	free(x.links[1].v);
	free(x.changed.v);
	return x.work <= WORK_MAX;
}
