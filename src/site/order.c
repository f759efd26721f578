#include "site/order.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/override.h"
#include "base/quote.h"
#include "os/caller.h"
#include "os/log.h"
#include "site/git.h"

#define END ((const char *)NULL) /* of the words of a command */

enum {
	NAME_MIN = 7,  /* digits of a commit's name that mean one */
	NAME_MAX = 64, /* SHA-256 */
};

/* ---- git --------------------------------------------------------------- */

/*
 * Ask git in `dir`, with words ended by NULL.  Its status, or -1; its answer,
 * a line, is put into `out`, or with a failure what it said.
 */
static int
ask(const char *dir, struct buf *out, struct err *e, ...)
{
	struct strvec args = STRVEC_INIT;
	struct buf said = BUF_INIT;
	const char *word;
	int status = 0, r;
	va_list ap;

	va_start(ap, e);
	while ((word = va_arg(ap, const char *)) != NULL)
		strvec_add(&args, word);
	va_end(ap);
	buf_reset(out);
	r = git_ask(dir, &args, out, &said, &status, e);
	if (r == 1)
		r = err_set(e, ERR_USAGE,
		    "the order by commits needs git;; install it, or give --seq a number");
	if (r == 0 && status != 0) {
		buf_reset(out);
		buf_adds(out, buf_str(&said));
	}
	if (out->len > 0)
		out->data[strcspn(out->data, "\n")] = '\0';
	strvec_release(&args);
	buf_release(&said);
	return r == 0 ? status : -1;
}

/* The whole name of a commit, or NULL: not in `dir`, as `out` says; or `e`. */
static char *
resolve(const char *dir, const char *name, struct buf *out, struct err *e)
{
	char *commit = xasprintf("%s^{commit}", name);
	int status = ask(dir, out, e, "rev-parse", "--verify",
	    "--end-of-options", commit, END);

	free(commit);
	return status == 0 ? xstrdup(out->data) : NULL;
}

/* Is `a` an ancestor of `b`, or it?  1, 0 or -1. */
static int
is_ancestor(const char *dir, const char *a, const char *b, struct err *e)
{
	struct buf said = BUF_INIT;
	int status =
	    ask(dir, &said, e, "merge-base", "--is-ancestor", a, b, END);

	if (status > 1)
		status = err_set(e, ERR_USAGE,
		    "git cannot compare commits in '%s': %s", dir, said.data);
	buf_release(&said);
	return status < 0 ? -1 : status == 0;
}

static bool
is_shallow(const char *dir)
{
	struct err ignored = ERR_INIT;
	struct buf out = BUF_INIT;
	bool yes = ask(dir, &out, &ignored, "rev-parse",
		       "--is-shallow-repository", END) == 0 &&
	    strcmp(out.data, "true") == 0;

	buf_release(&out);
	return yes;
}

/* Not all is in the clone that is needed to tell. */
static int
refuse_unknown(const struct site_run *s, const char *commit, const char *live,
    struct err *e)
{
	const char *dir = s->git_dir;

	err_set(e, ERR_USAGE,
	    "whether %.12s is older than %s, which is live, cannot be told in '%s', ",
	    commit, live, dir);
	/* One of ours has just fetched all that there is. */
	if (s->checkout.lock >= 0)
		return err_append(e,
		    "since the repository no longer has that commit;; if the new one is to go live, run: deploy publish --site %s --override=order",
		    QUOTED(s->site->name));
	if (is_shallow(dir))
		err_append(e,
		    "a shallow clone;; deepen it: git -C %s fetch --unshallow; or let the CI make a whole one",
		    QUOTED(dir));
	else
		err_append(e,
		    "which does not have that commit;; get it: git -C %s fetch --all",
		    QUOTED(dir));
	return err_append(e, "; or use --override=order");
}

/* ---- the build --------------------------------------------------------- */

/* Is the commit known in `dir`?  1: it is s->commit; 0: as `said` says; -1. */
static int
look_in(struct site_run *s, const char *dir, const char *name,
    struct buf *said, struct err *e)
{
	s->commit = resolve(dir, name, said, e);
	if (s->commit == NULL)
		return e->text[0] != '\0' ? -1 : 0;
	s->git_dir = xstrdup(dir);
	return 1;
}

/* Is the directory the top of a work tree? */
static bool
is_work_tree(const char *dir)
{
	char *git = xasprintf("%s/.git", dir);
	bool is = access(git, F_OK) == 0;

	free(git);
	return is;
}

/*
 * The directory that the source is, or is in; the caller frees it.  NULL where
 * the source brings a repository of its own: it is content, and what built it
 * is not to tell the order.
 */
static char *
source_place(const struct site_run *s)
{
	const char *source = s->wishes.source;
	struct stat st;
	char *path, *end;

	/* One that was made for this build is in no clone. */
	if (source == NULL || s->scratch.path != NULL ||
	    (path = realpath(source, NULL)) == NULL)
		return NULL;
	end = strrchr(path, '/');
	if (end > path && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
		*end = '\0';
	if (is_work_tree(path)) {
		free(path);
		path = NULL;
	}
	return path;
}

/* Look where the build may be; `name` is its commit, or NULL: what is there. */
static int
look(struct site_run *s, const char *name, struct err *e)
{
	char *place = source_place(s);
	const char *const dirs[] = { place, s->site->build.directory, "." };
	struct buf said = BUF_INIT;
	int r = 0;

	if (name == NULL)
		name = "HEAD";
	for (size_t i = 0; r == 0 && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (dirs[i] != NULL)
			r = look_in(s, dirs[i], name, &said, e);
	if (r == 0)
		r = err_set(e, ERR_USAGE,
		    "the order by commits wants '%s' of the clone that the build is from: %s;; run it there, or give --seq a number",
		    name, buf_str(&said));
	buf_release(&said);
	free(place);
	return r < 0 ? -1 : 0;
}

int
order_begin(struct site_run *s, struct err *e)
{
	const struct site_wishes *w = &s->wishes;

	if (!w->by_commit || s->commit != NULL)
		return 0;
	return look(s, w->commit != NULL ? w->commit : s->caller->commit, e);
}

/* ---- what is live ------------------------------------------------------ */

/* Is it the name of a commit, and not of a branch, which moves? */
static bool
is_commit(const char *name)
{
	size_t n = name != NULL ? strlen(name) : 0;

	return n >= NAME_MIN && n <= NAME_MAX &&
	    strspn(name, "0123456789abcdef") == n;
}

/* Is the commit older than that of a live release?  0 when not; or -1. */
static int
compare(const struct site_run *s, const char *commit, const char *live,
    bool *same, struct err *e)
{
	const char *dir = s->git_dir;
	struct buf said = BUF_INIT;
	char *whole = resolve(dir, live, &said, e);
	int r = 0;

	*same = false;
	if (whole == NULL)
		r = e->text[0] != '\0' ? -1 :
					 refuse_unknown(s, commit, live, e);
	else if (strcmp(whole, commit) == 0)
		*same = true;
	else if ((r = is_ancestor(dir, commit, whole, e)) == 1)
		r = err_set(e, ERR_SUPERSEDED,
		    "commit %.12s is older than %.12s, which is live;; to go back on purpose use 'deploy rollback RELEASE', or use --override=order",
		    commit, whole);
	/* Where history is cut off, only "yes" is an answer. */
	else if (r == 0 && is_shallow(dir) &&
	    (r = is_ancestor(dir, whole, commit, e)) == 0)
		r = refuse_unknown(s, commit, live, e);
	free(whole);
	buf_release(&said);
	return r < 0 ? -1 : 0;
}

/* Compare a commit with what is live on all hosts; is it that, everywhere? */
static int
compare_all(const struct site_run *s, const char *commit, bool *same,
    struct err *e)
{
	const struct fleet *f = &s->fleet;

	*same = true;
	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		const struct meta *meta = remote_meta(r, &r->view.current);
		bool here = false;

		if (release_id_is_none(&r->view.current))
			;
		else if (meta == NULL || !is_commit(meta->commit))
			log_debug(
			    "%sthe live release has no commit: any is newer",
			    remote_said(r));
		else if (compare(s, commit, meta->commit, &here, e) != 0)
			return -1;
		*same &= here;
	}
	return 0;
}

/* One more than the last that counts on any host. */
static int64_t
next_sequence(const struct fleet *f)
{
	int64_t last = -1;

	for (size_t i = 0; i < f->n; i++)
		if (remote_last_sequence(&f->v[i]) > last)
			last = remote_last_sequence(&f->v[i]);
	return last < CALLER_SEQ_MAX ? last + 1 : CALLER_SEQ_MAX;
}

int
order_settle(struct site_run *s, int64_t *seq, struct err *e)
{
	struct err why = ERR_INIT;
	bool same = false;

	if (!s->wishes.by_commit)
		return 0;
	*seq = -1;
	if (compare_all(s, s->commit, &same, &why) == 0) {
		*seq = same ? -1 : next_sequence(&s->fleet);
		return 0;
	}
	if (!s->goes_live || (s->wishes.overrides & OVERRIDE_ORDER) != 0)
		return 0;
	*e = why;
	return -1;
}

int
order_check(struct site_run *s, const struct release_id *id, struct err *e)
{
	const struct fleet *f = &s->fleet;
	const char *commit = s->commit;
	bool same;

	if (!s->wishes.by_commit ||
	    (s->wishes.overrides & OVERRIDE_ORDER) != 0 || fleet_serves(f, id))
		return 0;
	for (size_t i = 0; commit == NULL && i < f->n; i++) {
		const struct meta *meta = remote_meta(&f->v[i], id);

		commit = meta != NULL ? meta->commit : NULL;
	}
	if (commit == NULL) {
		log_warn("%s has no commit: nothing tells whether it is newer",
		    id->text);
		return 0;
	}
	if (s->git_dir == NULL && look(s, commit, e) != 0)
		return -1;
	return compare_all(s, s->commit, &same, e);
}
