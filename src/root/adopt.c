#include "root/adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "os/lock.h"
#include "root/activate.h"
#include "root/stage.h"
#include "root/store.h"

/* Is there a real directory?  1, 0 for a link, -1 for anything else. */
static int
is_directory(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return err_sys(e, "there is nothing to adopt: '%s'", path);
	if (S_ISLNK(st.st_mode))
		return 0;
	if (S_ISDIR(st.st_mode))
		return 1;
	return err_set(e, ERR_USAGE, "'%s' is no directory", path);
}

/*
 * What is shared outlives releases: it belongs into shared/ before the
 * directory goes.  Such paths are left out of the release.
 */
static int
leave_out_shared(const struct adopt_options *o, const char *path,
    struct strvec *exclude, struct err *e)
{
	const struct strvec *shared = &o->rules->shared;
	int r = 0;

	for (size_t i = 0; r == 0 && i < shared->n; i++) {
		char *here = xasprintf("%s/%s", path, shared->v[i]);
		char *there = xasprintf("%s/shared/%s", o->root, shared->v[i]);
		struct stat st;

		if (lstat(here, &st) == 0 && !S_ISLNK(st.st_mode) &&
		    access(there, F_OK) != 0)
			r = err_set(e, ERR_USAGE,
			    "'%s' is a shared path;; copy it before: mkdir -p '%.*s' && cp -a '%s' '%s'",
			    here, (int)(path_base(there) - there), there, here,
			    there);
		strvec_addf(exclude, "/%s", shared->v[i]);
		free(here);
		free(there);
	}
	return r;
}

/*
 * Make a release of what is there; one that an adoption has made which died
 * later is taken again.  `live`: it must be that one, and nothing is made.
 */
static int
make_release(const struct adopt_options *o, const struct store *s,
    const char *path, bool live, struct adopted *out, struct err *e)
{
	bool taken = o->id != NULL && dir_has(&s->releases, o->id->text);
	struct rules rules;
	struct stage_options so = { .source = path,
		.rules = &rules,
		.caller = o->caller,
		.message = "adopted",
		.seq = -1,
		.lock_wait = o->lock_wait,
		.overrides = OVERRIDE_ALL,
		.id = taken ? NULL : o->id,
		.mtime = o->mtime };
	struct stage st = STAGE_INIT;
	int r;

	rules_borrow(&rules, o->rules);
	rules.carry = (struct strvec)STRVEC_INIT;
	r = leave_out_shared(o, path, &rules.exclude, e);
	if (r == 0)
		r = stage_open(&st, &so, s->root.path, e);
	if (r == 0)
		r = live ? stage_preview(&st, s, e) : stage_run(&st, s, e);
	if (r == 0 && live && st.outcome != STAGE_UNCHANGED)
		r = err_set(e, ERR_USAGE,
		    "'%s' has a live release, %s;; what is in '%s' would take its place: deploy stage '%s' first, and compare",
		    o->root, st.live.text, path, path);
	if (r == 0) {
		out->id = st.id;
		out->files = st.plan.totals.files;
		out->excluded = st.excluded;
	}
	stage_release(&st);
	strvec_release(&rules.exclude);
	return r;
}

static int
make_live(const struct adopt_options *o, const struct store *s,
    const struct release_id *id, struct err *e)
{
	const struct activate_options ao = { .id = id,
		.action = JOURNAL_ACTIVATE,
		.caller = o->caller,
		.message = "adopted",
		.journal_size = -1,
		.overrides = OVERRIDE_FLIP };
	struct activation done = ACTIVATION_INIT;
	struct lock lock = LOCK_INIT;
	char *note = caller_lock_note(o->caller, "adopt");
	int r =
	    lock_take(&lock, &s->state, LOCK_EXCLUSIVE, o->lock_wait, note, e);

	if (r == 0)
		r = activate_prepare(&done, s, &ao, e);
	if (r == 0)
		r = activate_go(&done, e);
	activate_end(&done);
	lock_drop(&lock);
	free(note);
	return r;
}

/* Write the directory that `path` is in to disk. */
static int
sync_above(const char *path, struct err *e)
{
	char *above = xstrndup(path, (size_t)(path_base(path) - path));
	struct dir parent = DIR_INIT;
	int r = dir_open_path(&parent, above, e);

	if (r == 0)
		r = dir_sync(&parent, e);
	dir_close(&parent);
	free(above);
	return r;
}

/* Is there a link `path` to `target`? */
static bool
leads_to(const char *path, const char *target)
{
	char to[PATH_LEN_MAX + 1];
	ssize_t n = readlink(path, to, sizeof(to));

	return n > 0 && (size_t)n == strlen(target) &&
	    memcmp(to, target, (size_t)n) == 0;
}

/*
 * Put a link to the root's `current` in the place of the directory, which has
 * its final name from the same call on.  A crash before it leaves that name
 * to the link, which the next run takes.
 */
static int
exchange(const char *path, const char *root, const char *kept, struct err *e)
{
	char *target = xasprintf("%s/current", root);
	int r = 0;

	if (symlink(target, kept) != 0 &&
	    !(errno == EEXIST && leads_to(kept, target))) {
		r = err_sys(e, "cannot make a link '%s'", kept);
	} else if (renameat2(AT_FDCWD, kept, AT_FDCWD, path,
		       RENAME_EXCHANGE) != 0) {
		r = err_sys(e, "cannot exchange '%s' and a link", path);
		unlink(kept);
	} else if (sync_above(path, e) != 0) {
		err_prefix(e,
		    "'%s' is adopted, but not known to survive a power cut: ",
		    path);
		e->code = ERR_CLEANUP;
		r = -1;
	}
	free(target);
	return r;
}

/* A link is there already: made by a run that may have died since. */
static int
adopted_already(const struct adopt_options *o, const char *path, struct err *e)
{
	struct store s = STORE_INIT;
	struct err none = ERR_INIT;
	int r = sync_above(path, e);

	if (r == 0 && store_open(&s, o->root, &none) == 0)
		r = store_sync(&s, e);
	store_close(&s);
	return r;
}

/* Nothing is begun that could not be ended. */
static int
check_place(const char *path, const char *root, const char *kept,
    struct err *e)
{
	char *above = xstrndup(path, (size_t)(path_base(path) - path));
	char *target = xasprintf("%s/current", root);
	int r = 0;

	if (strcmp(path, root) == 0)
		r = err_set(e, ERR_USAGE,
		    "'%s' cannot be the root and what is served;; give the site another root: its 'current' takes the place of '%s'",
		    root, path);
	else if (access(above, W_OK) != 0)
		r = err_sys(e,
		    "cannot replace '%s': no right to write into '%s'", path,
		    above);
	else if (faccessat(AT_FDCWD, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !leads_to(kept, target))
		r = err_set(e, ERR_USAGE,
		    "'%s' is there already; that is where the directory would be kept",
		    kept);
	free(target);
	free(above);
	return r;
}

/* The directory is somewhere else: it becomes a link to `current`. */
static int
adopt_elsewhere(const struct adopt_options *o, const char *path,
    struct adopted *out, struct err *e)
{
	struct store s = STORE_INIT;
	char *kept = xasprintf("%s.before-deploy", path);
	struct release_id current = { "" };
	bool live;
	int r = check_place(path, o->root, kept, e);

	if (r == 0)
		r = store_create(&s, o->root, e);
	if (r == 0)
		r = store_current(&s, &current, e);
	live = !release_id_is_none(&current);
	if (r == 0)
		r = make_release(o, &s, path, live, out, e);
	if (r == 0)
		r = make_live(o, &s, &out->id, e);
	if (r == 0)
		r = exchange(path, o->root, kept, e);
	store_close(&s);
	out->kept = kept;
	return r;
}

/* It is the root's `current`: the flip itself exchanges. */
static int
adopt_current(const struct adopt_options *o, const char *path,
    struct adopted *out, struct err *e)
{
	struct store s = STORE_INIT;
	int r = store_adopt(&s, o->root, e);

	if (r == 0)
		r = make_release(o, &s, path, false, out, e);
	if (r == 0)
		r = make_live(o, &s, &out->id, e);
	if (r == 0)
		out->kept =
		    xasprintf("%s/adopted-%s", s.state.path, out->id.text);
	store_close(&s);
	return r;
}

int
adopt(const struct adopt_options *o, struct adopted *out, struct err *e)
{
	char *current = xasprintf("%s/current", o->root);
	const char *path = o->path != NULL ? o->path : current;
	int r = is_directory(path, e);

	*out = (struct adopted)ADOPTED_INIT;
	if (r == 0)
		r = adopted_already(o, path, e);
	else if (r == 1)
		r = strcmp(path, current) == 0 ?
		    adopt_current(o, path, out, e) :
		    adopt_elsewhere(o, path, out, e);
	free(current);
	return r;
}
