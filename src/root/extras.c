#include "root/extras.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/place.h"

void
extras_release(struct extras *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->files[i].path);
	free(x->files);
	*x = (struct extras)EXTRAS_INIT;
}

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
add_shared(struct manifest *m, const char *path, int64_t mtime, struct err *e)
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
	en->mtime = mtime;
	manifest_set_link(m, en, target);
	free(target);
	return manifest_sort(m, e);
}

int
extras_add_shared(struct manifest *m, const struct strvec *paths,
    int64_t mtime, struct err *e)
{
	for (size_t i = 0; i < paths->n; i++)
		if (add_shared(m, paths->v[i], mtime, e) != 0)
			return -1;
	return 0;
}

/* A file that may be carried, and where it is from. */
struct candidate {
	struct entry en;
	size_t release;
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
	c->v[c->n] = (struct candidate){ *en, release };
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

/* Collect what the rule allows of one release, live until `until` (ms). */
static void
collect(struct candidates *c, const struct manifest *from, size_t release,
    int64_t until, const struct extras_carry_rule *rule)
{
	int64_t now = rule->now / 1000;

	for (size_t i = 0; i < from->n; i++) {
		const struct entry *en = &from->v[i];
		int64_t last = en->mark == ENTRY_CARRIED ? en->last :
		    until == INT64_MAX			 ? now :
							   until / 1000;

		/* Nor for ever, whatever a manifest says. */
		if (last > now)
			last = now;
		if (en->type != ENTRY_DIR && en->mark != ENTRY_SHARED &&
		    now - last <= rule->seconds &&
		    path_match_any(rule->patterns, en->path))
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
carry(struct extras *x, struct manifest *m, const struct release_ids *ids,
    const struct candidate *c)
{
	struct entry *en = manifest_add(m, c->en.path, c->en.type);
	const char *path = en->path;

	*en = c->en;
	en->path = path;
	en->mark = ENTRY_CARRIED;
	if (en->type == ENTRY_LINK)
		manifest_set_link(m, en, c->en.link);
	if (x->n == x->cap) {
		x->cap = x->cap > 0 ? x->cap * 2 : 64;
		x->files = xreallocarray(x->files, x->cap, sizeof(*x->files));
	}
	x->files[x->n] = (struct extras_file){ .path = xstrdup(path) };
	x->files[x->n++].release = ids->v[c->release];
}

/* Links are in the manifest; files must be there still.  1, 0 or -1. */
static int
is_usable(const struct extras_carry_rule *rule, const struct release_ids *ids,
    const struct candidate *c, struct err *e)
{
	return rule->usable == NULL || c->en.type != ENTRY_FILE ?
	    1 :
	    rule->usable(rule->ctx, &ids->v[c->release], &c->en, e);
}

/* Of the sorted candidates, carry those whose place is free. */
static int
carry_all(struct extras *x, struct manifest *m, const struct release_ids *ids,
    struct candidates *c, const struct extras_carry_rule *rule, struct err *e)
{
	size_t kept = 0;

	if (c->n > 1)
		qsort(c->v, c->n, sizeof(*c->v), compare_candidates);
	/*
	 * First the choice, while the manifest is sorted; then the adding.
	 * What is the same path as the one before, or below it where another
	 * release had a directory, loses.
	 */
	for (size_t i = 0; i < c->n; i++) {
		int usable;

		if ((kept > 0 &&
			path_is_within(c->v[i].en.path,
			    c->v[kept - 1].en.path)) ||
		    !is_free(m, c->v[i].en.path))
			continue;
		usable = is_usable(rule, ids, &c->v[i], e);
		if (usable < 0)
			return -1;
		if (usable == 1)
			c->v[kept++] = c->v[i];
	}
	for (size_t i = 0; i < kept; i++)
		each_parent(c->v[i].en.path, add_directory, m, ENTRY_CARRIED);
	for (size_t i = 0; i < kept; i++)
		carry(x, m, ids, &c->v[i]);
	return manifest_sort(m, e);
}

int
extras_add_carried(struct extras *x, struct manifest *m,
    const struct release_ids *ids, const struct history *h,
    const struct extras_carry_rule *rule, struct err *e)
{
	struct candidates c = { NULL, 0, 0 };
	struct manifest *from = xcalloc(ids->n, sizeof(*from));
	int r = 0;

	for (size_t i = 0; r == 0 && i < ids->n; i++) {
		int64_t until = history_until(h, &ids->v[i]);

		if (until < 0)
			continue;
		r = rule->read(rule->ctx, &ids->v[i], &from[i], e);
		if (r == 0)
			collect(&c, &from[i], i, until, rule);
	}
	if (r == 0)
		r = carry_all(x, m, ids, &c, rule, e);
	for (size_t i = 0; i < ids->n; i++)
		manifest_release(&from[i]);
	free(from);
	free(c.v);
	return r;
}

const struct release_id *
extras_release_of(const struct extras *x, const char *path)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->files[i].path, path) == 0)
			return &x->files[i].release;
	return NULL;
}

/* The directory `name` in `d`, which is made if need be, into `out`. */
static int
enter_shared(const struct dir *d, const char *name, struct dir *out,
    struct err *e)
{
	if (mkdirat(d->fd, name, 0755) != 0 && errno != EEXIST)
		return err_sys(e, "cannot make the directory '%s/%s'", d->path,
		    name);
	if (dir_open(out, d, name, e) == 0)
		return 0;
	if (e->sys == ENOTDIR || e->sys == ELOOP)
		err_set(e, ERR_FAILED,
		    "'%s/%s' is no directory, or a symbolic link: nothing is made behind it;; make there by hand what is shared",
		    d->path, name);
	return -1;
}

int
extras_make_shared(const struct store *s, const struct entry *en,
    struct err *e)
{
	char *path = xasprintf("shared/%s", en->path);
	struct dir at = DIR_INIT;
	int r = dir_open(&at, &s->root, ".", e);

	/* What the owner has put there, of whatever type, is his business. */
	if (r == 0 && faccessat(s->root.fd, path, F_OK, 0) != 0)
		for (char *p = path; r == 0 && p != NULL;) {
			const char *name = strsep(&p, "/");
			struct dir next = DIR_INIT;

			/* The last may be a link to what is not there yet. */
			if (p == NULL &&
			    faccessat(at.fd, name, F_OK,
				AT_SYMLINK_NOFOLLOW) == 0)
				break;
			r = enter_shared(&at, name, &next, e);
			dir_close(&at);
			at = next;
		}
	dir_close(&at);
	free(path);
	return r;
}

static int
place_shared(const struct entry *en, const struct store *s,
    const struct dir *target, struct err *e)
{
	if (extras_make_shared(s, en, e) != 0)
		return -1;
	/* An unpacked archive may have the empty directory that gives way. */
	(void)unlinkat(target->fd, en->path, AT_REMOVEDIR);
	return place_symlink(target, en, e);
}

/* A carried file or link, out of the release it is from. */
static int
place_carried(const struct extras_file *f, const struct entry *en,
    const struct store *s, const struct dir *target, gid_t gid, struct err *e)
{
	struct dir from = DIR_INIT;
	int r;

	if (en->type == ENTRY_LINK)
		return place_symlink(target, en, e);
	if (dir_open(&from, &s->releases, f->release.text, e) != 0)
		return -1;
	r = place_bring(&from, en->path, en, target, gid, e);
	dir_close(&from);
	return r;
}

int
extras_place(const struct extras *x, const struct manifest *m,
    const struct store *s, const struct dir *target, gid_t gid, struct err *e)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].mark == ENTRY_SHARED &&
		    m->v[i].type == ENTRY_LINK &&
		    place_shared(&m->v[i], s, target, e) != 0)
			return -1;
	for (size_t i = 0; i < x->n; i++)
		if (place_carried(&x->files[i],
			manifest_find(m, x->files[i].path), s, target, gid,
			e) != 0)
			return err_prefix(e,
			    "carrying '%s': ", x->files[i].path);
	return 0;
}
