#include "content/extras.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/dcz.h"

/*
 * Call for each directory above `path`, outermost first; `fn` returns false
 * to stop.  Returns false when it was stopped.
 */
static bool
each_parent(const char *path,
    bool (*fn)(struct manifest *m, const char *dir, enum entry_mark mark),
    struct manifest *m, enum entry_mark mark)
{
	for (const char *p = strchr(path, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		char *dir = xstrndup(path, (size_t)(p - path));
		bool go_on = fn(m, dir, mark);

		free(dir);
		if (!go_on)
			return false;
	}
	return true;
}

/* A directory may be made here, or is there. */
static bool
can_be_directory(struct manifest *m, const char *dir, enum entry_mark mark)
{
	const struct entry *en = manifest_find(m, dir);

	(void)mark;
	return en == NULL || en->type == ENTRY_DIR;
}

/* Add the directory unless it is there.  The manifest stays sorted. */
static bool
add_directory(struct manifest *m, const char *dir, enum entry_mark mark)
{
	struct err never = ERR_INIT;
	struct entry *en;

	if (manifest_find(m, dir) != NULL)
		return true;
	en = manifest_add(m, dir, ENTRY_DIR);
	en->mark = (uint8_t)mark;
	return manifest_sort(m, &never) == 0;
}

/* Has the sorted manifest anything inside the directory entry `en`? */
static bool
is_empty_directory(const struct manifest *m, const struct entry *en)
{
	const struct entry *next = en + 1;

	return en->type == ENTRY_DIR &&
	    (next == m->v + m->n || !path_is_within(next->path, en->path));
}

static int
add_shared(struct manifest *m, const char *path, struct err *e)
{
	struct entry *en = manifest_find(m, path);
	char *target;

	if ((en != NULL && !is_empty_directory(m, en)) ||
	    !each_parent(path, can_be_directory, m, ENTRY_SHARED))
		return err_set(e, ERR_USAGE,
		    "the build has '%s', which is a shared path;; exclude it, or take it from 'shared'",
		    path);
	if (en == NULL) {
		each_parent(path, add_directory, m, ENTRY_SHARED);
		en = manifest_add(m, path, ENTRY_LINK);
	}
	target = manifest_shared_target(path);
	en->type = ENTRY_LINK;
	en->mark = ENTRY_SHARED;
	en->mode = 0777;
	manifest_set_link(m, en, target);
	free(target);
	return manifest_sort(m, e);
}

int
extras_add_shared(struct manifest *m, const struct rules *rules, struct err *e)
{
	for (size_t i = 0; i < rules->shared.n; i++)
		if (add_shared(m, rules->shared.v[i], e) != 0)
			return -1;
	return 0;
}

/* A file that may be carried, and where it is from. */
struct candidate {
	struct entry en;
	size_t release;
	bool barred;
};

struct candidates {
	struct candidate *v;
	size_t n;
	size_t cap;
};

static void
add_candidate(struct candidates *c, const struct entry *en, int64_t last,
    size_t release)
{
	if (c->n == c->cap) {
		c->cap = c->cap > 0 ? c->cap * 2 : 64;
		c->v = xreallocarray(c->v, c->cap, sizeof(*c->v));
	}
	c->v[c->n] = (struct candidate){ *en, release, false };
	c->v[c->n].en.last = last;
	c->n++;
}

/* By path; of the same path the one that was live last comes first. */
static int
compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = path_compare(x->en.path, y->en.path);

	if (c != 0)
		return c;
	if (x->en.last != y->en.last)
		return x->en.last > y->en.last ? -1 : 1;
	/* Within a second: the newer release. */
	return x->release > y->release ? -1 : x->release < y->release;
}

/* Collect what the rules allow of one release. */
static void
collect(struct candidates *c, const struct rules *rules,
    const struct extras_carry *carry, size_t release)
{
	const struct extras_earlier *from = &carry->earlier[release];
	int64_t now = carry->now / 1000;

	for (size_t i = 0; i < from->m.n; i++) {
		const struct entry *en = &from->m.v[i];
		int64_t last = en->mark == ENTRY_CARRIED ? en->last :
		    from->until == INT64_MAX		 ? now :
							   from->until / 1000;

		/* Nor for ever, whatever a manifest says. */
		if (last > now)
			last = now;
		if (en->type != ENTRY_DIR && en->mark != ENTRY_SHARED &&
		    now - last <= rules->carry_for &&
		    path_match_any(&rules->carry, en->path))
			add_candidate(c, en, last, release);
	}
}

/* Is the path free in `m`, and may there be directories above it? */
static bool
is_free(struct manifest *m, const char *path)
{
	return manifest_find(m, path) == NULL &&
	    each_parent(path, can_be_directory, m, ENTRY_CARRIED);
}

/* Add a candidate to the manifest, which must be sorted again afterwards. */
static void
add_carried(struct manifest *m, const struct candidate *c,
    struct extras_from *from)
{
	struct entry *en = manifest_add(m, c->en.path, c->en.type);
	const char *path = en->path;

	*en = c->en;
	en->path = path;
	en->mark = ENTRY_CARRIED;
	if (en->type == ENTRY_LINK)
		manifest_set_link(m, en, c->en.link);
	if (from->n == from->cap) {
		from->cap = from->cap > 0 ? from->cap * 2 : 64;
		from->v = xreallocarray(from->v, from->cap, sizeof(*from->v));
	}
	from->v[from->n++] = c->release;
}

/* Links are in the manifest; files must be there still.  1, 0 or -1. */
static int
is_usable(const struct extras_carry *carry, const struct candidate *c,
    struct err *e)
{
	return carry->usable == NULL || c->en.type != ENTRY_FILE ?
	    1 :
	    carry->usable(carry->ctx, &carry->earlier[c->release].id, &c->en,
		e);
}

/* The candidate that is kept for a path, of the sorted first `n`; or NULL. */
static const struct candidate *
find_kept(const struct candidates *c, size_t n, const char *path)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = path_compare(c->v[mid].en.path, path);

		if (order == 0)
			return &c->v[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* A link may lead to anything. */
static bool
is_same_file(const struct entry *a, const struct entry *b)
{
	return a != NULL && a->type == ENTRY_FILE && entry_is_same(a, b);
}

/* Bar those at the path whose release had another form there than `form`. */
static void
bar(struct candidates *c, const struct extras_carry *carry, const char *path,
    const struct entry *form)
{
	const struct candidate *any = find_kept(c, c->n, path);
	size_t i = any != NULL ? (size_t)(any - c->v) : c->n;

	while (i > 0 && i < c->n && strcmp(c->v[i - 1].en.path, path) == 0)
		i--;
	for (; i < c->n && strcmp(c->v[i].en.path, path) == 0; i++) {
		const struct manifest *m = &carry->earlier[c->v[i].release].m;

		c->v[i].barred = c->v[i].en.type != ENTRY_FILE ||
		    !is_same_file(manifest_find(m, form->path), form);
	}
}

/*
 * What would come to stand beside a form that the build has, and that is of
 * another file: web servers would give that in its place.  Where the content
 * of the build is not known yet, it is no release's.
 */
static void
bar_beside_forms(struct candidates *c, const struct extras_carry *carry,
    const struct manifest *m)
{
	for (size_t i = 0; i < m->n && c->n > 0; i++) {
		size_t len =
		    m->v[i].type != ENTRY_DIR ? form_of_path(m->v[i].path) : 0;
		char *plain = len > 0 ? xstrndup(m->v[i].path, len) : NULL;

		if (plain != NULL)
			bar(c, carry, plain, &m->v[i]);
		free(plain);
	}
}

/*
 * Would a compressed file come to stand beside another file than the one that
 * its release had there?  Web servers would give it in the place of that.
 * What stands beside a file of the build is the build's business; the content
 * of that is not known yet.
 */
static bool
stands_for_another(const struct manifest *m, const struct extras_carry *carry,
    const struct candidate *c, const struct candidates *all, size_t kept)
{
	size_t len = form_of_path(c->en.path);
	const struct candidate *other;
	const struct entry *own;
	char *plain;
	bool built;

	if (len == 0)
		return false;
	plain = xstrndup(c->en.path, len);
	built = manifest_find(m, plain) != NULL;
	other = find_kept(all, kept, plain);
	own = manifest_find(&carry->earlier[c->release].m, plain);
	free(plain);
	return built ||
	    (other != NULL &&
		(c->en.type != ENTRY_FILE || !is_same_file(own, &other->en)));
}

/* Of the sorted candidates, carry those whose place is free. */
static int
carry_all(struct manifest *m, struct candidates *c,
    const struct extras_carry *carry, struct extras_from *from, struct err *e)
{
	size_t kept = 0;

	if (c->n > 1)
		qsort(c->v, c->n, sizeof(*c->v), compare_candidates);
	bar_beside_forms(c, carry, m);
	/*
	 * First the choice, while the manifest is sorted; then the adding.
	 * What is the same path as the one before, or below it where another
	 * release had a directory, loses.
	 */
	for (size_t i = 0; i < c->n; i++) {
		int usable;

		if (c->v[i].barred ||
		    (kept > 0 &&
			path_is_within(c->v[i].en.path,
			    c->v[kept - 1].en.path)) ||
		    !is_free(m, c->v[i].en.path) ||
		    stands_for_another(m, carry, &c->v[i], c, kept))
			continue;
		usable = is_usable(carry, &c->v[i], e);
		if (usable < 0)
			return -1;
		if (usable == 1)
			c->v[kept++] = c->v[i];
	}
	for (size_t i = 0; i < kept; i++)
		each_parent(c->v[i].en.path, add_directory, m, ENTRY_CARRIED);
	for (size_t i = 0; i < kept; i++)
		add_carried(m, &c->v[i], from);
	return manifest_sort(m, e);
}

int
extras_add_carried(struct manifest *m, const struct rules *rules,
    const struct extras_carry *c, struct extras_from *from, struct err *e)
{
	struct candidates all = { NULL, 0, 0 };
	int r;

	for (size_t i = 0; i < c->n; i++)
		collect(&all, rules, c, i);
	r = carry_all(m, &all, c, from, e);
	free(all.v);
	return r;
}
