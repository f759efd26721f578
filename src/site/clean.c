#include "site/clean.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/quote.h"
#include "content/manifest.h"
#include "content/tree.h"
#include "os/dir.h"
#include "os/file.h"
#include "site/git.h"

/* ---- what is remembered ------------------------------------------------ */

/* Make and open the directory of what is remembered.  0 or -1. */
static int
open_state(struct dir *d, struct err *e)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path;
	int r;

	if (base != NULL && *base == '/')
		path = xasprintf("%s/deploy/builds", base);
	else if (home != NULL && *home == '/')
		path = xasprintf("%s/.local/state/deploy/builds", home);
	else
		return err_set(e, ERR_USAGE,
		    "'clean' remembers what builds made in $XDG_STATE_HOME or $HOME;; set one of them");
	for (char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	(void)mkdir(path, 0700);
	r = dir_open_path(d, path, e);
	free(path);
	return r;
}

static void
digest(struct hash *h, char hex[HASH_HEX + 1])
{
	uint8_t raw[HASH_LEN];

	hash_end(h, raw);
	hash_free(h);
	hash_hex(raw, hex);
}

/* The name of what is remembered of a directory. */
static void
name_of(const char *path, char hex[HASH_HEX + 1])
{
	struct hash *h = hash_new();

	hash_add(h, path, strlen(path));
	digest(h, hex);
}

static int
remember(const char *path, const char *text, struct err *e)
{
	char name[HASH_HEX + 1];
	struct dir d = DIR_INIT;
	int r = open_state(&d, e);

	name_of(path, name);
	if (r == 0)
		r = file_publish(&d, name, text, strlen(text), e);
	dir_close(&d);
	return r;
}

/* What is remembered; "" when nothing is.  0 or -1. */
static int
recall(const char *path, struct buf *out, struct err *e)
{
	char name[HASH_HEX + 1];
	struct dir d = DIR_INIT;
	int r = open_state(&d, e);

	name_of(path, name);
	if (r == 0 && file_read(&d, name, HASH_HEX, out, e) != 0) {
		r = e->sys == ENOENT ? 0 : -1;
		if (r == 0)
			*e = (struct err)ERR_INIT;
	}
	dir_close(&d);
	return r;
}

/* What is remembered while a build is in the directory; the caller frees it. */
static char *
open_text(const struct dir *d)
{
	struct stat st = { 0 };

	(void)fstat(d->fd, &st);
	return xasprintf("open %llu %llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
}

/* ---- what is there ----------------------------------------------------- */

/* The names and types of all that is in it; "" when it is empty. */
static int
names_of(const struct dir *d, char hex[HASH_HEX + 1], struct err *e)
{
	struct tree_walk walk = { .exact = true };
	struct manifest m = MANIFEST_INIT;
	struct hash *h;

	hex[0] = '\0';
	if (tree_read(d, &walk, &m, e) != 0) {
		manifest_release(&m);
		return -1;
	}
	if (m.n > 0) {
		h = hash_new();
		for (size_t i = 0; i < m.n; i++) {
			hash_add(h, m.v[i].path, strlen(m.v[i].path) + 1);
			hash_add(h, &m.v[i].type, 1);
		}
		digest(h, hex);
	}
	manifest_release(&m);
	return 0;
}

/* Is `path` in the directory `top`, or that itself? */
static bool
is_in(const char *top, const char *path)
{
	char real[PATH_MAX];
	size_t n = strlen(top);

	return path != NULL && realpath(path, real) != NULL &&
	    strncmp(real, top, n) == 0 && (real[n] == '/' || real[n] == '\0');
}

/* Refuse a directory in which git tracks files.  0 or -1. */
static int
check_git(const char *path, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	struct buf out = BUF_INIT, said = BUF_INIT;
	int status = 0, r;

	if (!git_has_work_tree(path))
		return 0;
	strvec_add(&args, "ls-files");
	strvec_add(&args, "-z");
	strvec_add(&args, "--");
	strvec_add(&args, ".");
	r = git_ask(path, &args, &out, &said, &status, e);
	if (r == 1)
		r = err_set(e, ERR_GUARD,
		    "'clean' would empty '%s', which is in a work tree, and there is no git to say what it tracks there",
		    path);
	else if (r == 0 && status != 0)
		r = err_set(e, ERR_GUARD,
		    "'clean' would empty '%s', and git does not say what it tracks there: %s",
		    path, said.len > 0 ? said.data : "no reason given");
	else if (r == 0 && out.len > 0)
		r = err_set(e, ERR_GUARD,
		    "'clean' would empty '%s', where git tracks '%s';; let the build write somewhere else",
		    path, out.data);
	strvec_release(&args);
	buf_release(&out);
	buf_release(&said);
	return r;
}

/* What is in the directory is of somebody else, at least in part.  -1. */
static int
refuse(const char *path, bool built, struct err *e)
{
	struct buf word = BUF_INIT;

	quote_add(&word, path);
	err_set(e, ERR_GUARD,
	    "'clean' would empty '%s', %s;; look at what is in it; if nothing of that is needed, run: rm -r --%s",
	    path,
	    built ?
		"in which files came or went since the last build of deploy" :
		"which was not made by a build of deploy",
	    buf_str(&word));
	buf_release(&word);
	return -1;
}

/* Is all that is in the open directory ours?  0 or -1. */
static int
check_ours(const struct dir *d, const char *path, struct err *e)
{
	struct buf known = BUF_INIT;
	char now[HASH_HEX + 1], *open = open_text(d);
	int r = recall(path, &known, e);

	/* After a build that was killed, only that very directory is ours. */
	if (r == 0 && strcmp(buf_str(&known), open) != 0) {
		r = names_of(d, now, e);
		if (r != 0)
			err_append(e, "; 'clean' does not empty it");
		else if (now[0] != '\0' && strcmp(now, buf_str(&known)) != 0)
			r = refuse(path,
			    known.len > 0 &&
				strncmp(known.data, "open", 4) != 0,
			    e);
	}
	free(open);
	buf_release(&known);
	return r;
}

/* Empty the directory; on a signal or error a part of it stays, and is ours. */
static int
empty(const struct dir *d, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r = dir_list(d, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = dir_remove_tree(d, names.v[i], e);
	strvec_release(&names);
	return r;
}

/* ---- before and after a build ------------------------------------------ */

int
clean_begin(const char *source, const char *const *keep, size_t n,
    struct err *e)
{
	struct dir d = DIR_INIT;
	char real[PATH_MAX], *open;
	int r = 0;

	/* So that also the first build that is killed leaves what is ours. */
	(void)mkdir(source, 0755);
	if (realpath(source, real) == NULL)
		return err_sys(e, "'clean' cannot look at '%s'", source);
	for (size_t i = 0; i < n; i++)
		if (is_in(real, keep[i]))
			return err_set(e, ERR_GUARD,
			    "'clean' would empty '%s', where '%s' is;; let the build write somewhere else",
			    source, keep[i]);
	if (dir_open_path(&d, real, e) != 0)
		return -1;
	r = check_git(real, e);
	if (r == 0)
		r = check_ours(&d, real, e);
	open = open_text(&d);
	if (r == 0)
		r = remember(real, open, e);
	if (r == 0)
		r = empty(&d, e);
	free(open);
	dir_close(&d);
	return r;
}

int
clean_end(const char *source, struct err *e)
{
	struct dir d = DIR_INIT;
	char real[PATH_MAX], now[HASH_HEX + 1];
	int r;

	/* The build made nothing. */
	if (realpath(source, real) == NULL)
		return 0;
	if (dir_open_path(&d, real, e) != 0)
		return -1;
	/* What cannot be listed cannot be staged either: it stays open. */
	r = names_of(&d, now, e);
	if (r == 0)
		r = remember(real, now, e);
	dir_close(&d);
	return r;
}
