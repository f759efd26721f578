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
#include "base/quote.h"
#include "os/lock.h"
#include "root/activate.h"
#include "root/adopt_check.h"
#include "root/adopt_links.h"
#include "root/stage.h"
#include "root/store_flip.h"

/* What is at the place that is to be adopted. */
enum found { DIRECTORY, LINK };

static int
look(const char *path, enum found *out, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return err_sys(e, "there is nothing to adopt: '%s'", path);
	*out = S_ISLNK(st.st_mode) ? LINK : DIRECTORY;
	return S_ISLNK(st.st_mode) || S_ISDIR(st.st_mode) ?
	    0 :
	    err_set(e, ERR_USAGE, "'%s' is not a directory", path);
}

/* The directory that is served there, without links; NULL: there is none. */
static char *
real_directory(const char *path, struct err *e)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (real == NULL) {
		err_sys(e, "there is nothing to adopt: '%s' leads nowhere",
		    path);
	} else if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode)) {
		err_set(e, ERR_USAGE,
		    "'%s' leads to '%s', which is not a directory", path,
		    real);
		free(real);
		real = NULL;
	}
	return real;
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
	rules.shared = (struct strvec)STRVEC_INIT;
	for (size_t i = 0; i < o->rules->shared.n; i++)
		strvec_add(&rules.shared, o->rules->shared.v[i]);
	r = adopt_links(o->root, path, &rules, &out->shared, e);
	if (r == 0)
		r = stage_open(&st, &so, s->root.path, e);
	if (r == 0)
		r = live ? stage_preview(&st, s, e) : stage_run(&st, s, e);
	if (r == 0 && live && st.outcome != STAGE_UNCHANGED)
		r = err_set(e, ERR_USAGE,
		    "'%s' has a live release, %s;; what is in '%s' would take its place: deploy stage %s first, and compare",
		    o->root, st.live.text, path, QUOTED(path));
	if (r == 0) {
		out->id = st.id;
		out->files = st.plan.totals.files;
		out->excluded = st.excluded;
	}
	stage_release(&st);
	strvec_release(&rules.exclude);
	strvec_release(&rules.shared);
	return r;
}

/* `before` was live, or none; another adoption may have been faster. */
static int
make_live(const struct adopt_options *o, const struct store *s,
    const struct release_id *id, const struct release_id *before,
    struct err *e)
{
	const struct activate_options ao = { .id = id,
		.expect = before,
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
 * Are both names of one and the same link, or does `path`, a link, lead to the
 * link `to` at once?
 */
static bool
is_led_to(const char *path, const char *to)
{
	char target[PATH_LEN_MAX + 1], *next;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	struct stat a, b;
	bool is;

	while (n > 1 && target[n - 1] == '/')
		n--;
	if (n <= 0 || lstat(to, &b) != 0)
		return false;
	target[n] = '\0';
	next = xasprintf("%.*s%s",
	    target[0] == '/' ? 0 : (int)(path_base(path) - path), path,
	    target);
	is = lstat(next, &a) == 0 && S_ISLNK(a.st_mode) &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
	free(next);
	return is;
}

/* The link in the place of what is there, in one call. */
static int
put_link(const char *path, enum found found, const char *kept, struct err *e)
{
	if (found == LINK)
		return rename(kept, path) == 0 ?
		    0 :
		    err_sys(e, "cannot replace the link '%s'", path);
	if (renameat2(AT_FDCWD, kept, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return 0;
	err_sys(e, "cannot exchange '%s' and a link", path);
	return store_tell_exchange(e);
}

/*
 * Put a link to the root's `current` in the place of what is there, by the real
 * path of the root: the one that was given may lead through that place.  A
 * directory has its final name from the same call on; a crash before it leaves
 * that name to the link, which the next run takes.
 */
static int
exchange(const char *path, enum found found, const char *root,
    const char *kept, struct err *e)
{
	char *real = realpath(root, NULL);
	char *target = xasprintf("%s/current", real != NULL ? real : "");
	int r = 0;

	if (real == NULL) {
		r = err_sys(e, "cannot find '%s'", root);
	} else if (symlink(target, kept) != 0 &&
	    !(errno == EEXIST && leads_to(kept, target))) {
		r = err_sys(e, "cannot make a link '%s'", kept);
	} else if (put_link(path, found, kept, e) != 0) {
		unlink(kept);
		r = -1;
	} else if (sync_above(path, e) != 0) {
		err_prefix(e,
		    "'%s' is adopted, but not known to survive a power cut: ",
		    path);
		e->code = ERR_CLEANUP;
		r = -1;
	}
	free(target);
	free(real);
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

/* Are both there, and one and the same? */
static bool
is_same(const char *path, const char *root)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(root, &b) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Where a directory that is not in the root is kept; the caller frees it. */
static char *
kept_name(const char *path)
{
	return xasprintf("%s.before-deploy", path);
}

/* Nothing is begun that could not be ended. */
static int
check_place(const char *path, const char *root, struct err *e)
{
	char *kept = kept_name(path);
	char *above = xstrndup(path, (size_t)(path_base(path) - path));
	char *real = realpath(root, NULL);
	char *target = xasprintf("%s/current", real != NULL ? real : root);
	const char *name = path_base(path);
	int r = 0;

	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		r = err_set(e, ERR_USAGE,
		    "'%s' does not end in a name, and a link could not take its place;; name the directory by its own path",
		    path);
	else if (is_same(path, root))
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
	free(kept);
	free(target);
	free(real);
	free(above);
	return r;
}

/* It is somewhere else, `served` in truth: it becomes a link to `current`. */
static int
adopt_elsewhere(const struct adopt_options *o, const char *path,
    enum found found, const char *served, struct adopted *out, struct err *e)
{
	struct store s = STORE_INIT;
	char *kept = kept_name(path);
	struct release_id current = { "" };
	bool live;
	int r = store_create(&s, o->root, e);

	if (r == 0)
		r = store_current(&s, &current, e);
	live = !release_id_is_none(&current);
	if (r == 0)
		r = make_release(o, &s, served, live, out, e);
	if (r == 0)
		r = make_live(o, &s, &out->id, &current, e);
	if (r == 0)
		r = exchange(path, found, o->root, kept, e);
	store_close(&s);
	if (found == DIRECTORY) {
		out->kept = kept;
	} else {
		free(kept);
		out->kept = xstrdup(served);
	}
	return r;
}

/* It is the root's `current`: the flip itself exchanges. */
static int
adopt_current(const struct adopt_options *o, enum found found,
    const char *served, struct adopted *out, struct err *e)
{
	struct store s = STORE_INIT;
	int r = store_adopt(&s, o->root, e);

	if (r == 0)
		r = make_release(o, &s, served, false, out, e);
	if (r == 0)
		r = make_live(o, &s, &out->id, &release_id_none, e);
	if (r == 0)
		out->kept = found == LINK ?
		    xstrdup(served) :
		    xasprintf("%s/adopted-%s", s.state.path, out->id.text);
	store_close(&s);
	return r;
}

/* Does the root's `current`, a link, name a release of ours? */
static bool
is_ours(const char *root)
{
	struct store s = STORE_INIT;
	struct err ignored = ERR_INIT;
	struct release_id id = release_id_none;

	s.adopting = true;
	if (dir_open_path(&s.root, root, &ignored) == 0)
		err_ignore(store_current(&s, &id, &ignored));
	store_close(&s);
	return !release_id_is_none(&id);
}

/* Is `path` another spelling of the root's `current`, or a link to it? */
static bool
is_current(const char *path, const char *root, const char *current)
{
	char *above = xstrndup(path, (size_t)(path_base(path) - path));
	bool is =
	    strcmp(path_base(path), "current") == 0 && is_same(above, root);

	free(above);
	return is || is_led_to(path, current);
}

/* What is at the place is no link of ours: take it over. */
static int
take_over(const struct adopt_options *o, const char *path, bool current,
    enum found found, struct adopted *out, struct err *e)
{
	char *served = real_directory(path, e);
	int r = served != NULL ? 0 : -1;

	out->was_link = found == LINK;
	if (r == 0 && !current)
		r = check_place(path, o->root, e);
	if (r == 0)
		r = adopt_check(o, path, found == LINK, served, e);
	if (r == 0 && !o->check)
		r = current ? adopt_current(o, found, served, out, e) :
			      adopt_elsewhere(o, path, found, served, out, e);
	free(served);
	return r;
}

void
adopted_release(struct adopted *a)
{
	free(a->kept);
	a->kept = NULL;
	strvec_release(&a->shared);
}

int
adopt(const struct adopt_options *o, struct adopted *out, struct err *e)
{
	char *current = xasprintf("%s/current", o->root);
	bool in_root =
	    o->path == NULL || is_current(o->path, o->root, current);
	const char *path = in_root ? current : o->path;
	enum found found = DIRECTORY;
	int r = look(path, &found, e);

	*out = (struct adopted)ADOPTED_INIT;
	if (r == 0 && in_root && found == LINK && is_ours(o->root))
		r = o->check ?
		    0 :
		    adopted_already(o, o->path != NULL ? o->path : current, e);
	else if (r == 0)
		r = take_over(o, path, in_root, found, out, e);
	free(current);
	return r;
}
