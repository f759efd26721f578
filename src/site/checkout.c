#include "site/checkout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quote.h"
#include "os/dir.h"
#include "os/log.h"
#include "site/build.h"
#include "site/git.h"
#include "ssh/key_agent.h"

#define LOCK ".git/deploy.lock"
#define ALL_HEADS "+refs/heads/*:refs/remotes/origin/*"

#define END ((const char *)NULL) /* of the words of a command */

enum {
	NAME_MIN = 7, /* digits of a commit's name */
};

/* A clone, while it is worked on. */
struct clone {
	const char *dir;
	const struct git_config *config;
	struct buf out; /* of the last command */
	struct buf said;
	struct key_agent agent; /* for git, if so configured */
};

/* ---- git --------------------------------------------------------------- */

/* Run git there; words ended by NULL, those that are "" do not count.  Its
 * status, or -1. */
static int
git(struct clone *c, struct err *e, ...)
{
	struct strvec args = STRVEC_INIT;
	const char *word;
	int status = 0, r;
	va_list ap;

	va_start(ap, e);
	while ((word = va_arg(ap, const char *)) != NULL)
		if (*word != '\0')
			strvec_add(&args, word);
	va_end(ap);
	buf_reset(&c->out);
	buf_reset(&c->said);
	r = git_run(c->dir, &args, &c->agent.env, &c->out, &c->said, &status,
	    e);
	if (r == 1)
		r = err_set(e, ERR_USAGE,
		    "'git' in deploy.yml needs git(1);; install it");
	if (c->out.len > 0)
		c->out.data[strcspn(c->out.data, "\n")] = '\0';
	strvec_release(&args);
	return r == 0 ? status : -1;
}

/* What a status other than 0 is: an error.  0 or -1. */
static int
need(struct clone *c, int status, const char *what, struct err *e)
{
	if (status > 0)
		err_set(e, ERR_FAILED, "cannot %s '%s' in '%s': %s", what,
		    c->config->url, c->dir, buf_str(&c->said));
	return status == 0 ? 0 : -1;
}

/* ---- the clone --------------------------------------------------------- */

static bool
is_in(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Is nothing in the directory, or only what we begin with? */
static bool
is_new(const char *path, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct dir dir = DIR_INIT;
	bool yes = false;

	if (dir_open_path(&dir, path, e) != 0)
		yes = e->sys == ENOENT;
	else if (dir_list(&dir, &names, e) == 0)
		yes = names.n == 0 ||
		    (names.n == 1 && strcmp(names.v[0], ".git") == 0 &&
			!is_in(path, ".git/HEAD"));
	if (yes)
		*e = (struct err)ERR_INIT;
	strvec_release(&names);
	dir_close(&dir);
	return yes;
}

/* Is the directory not there, or empty, or a clone of ours?  0 or -1. */
static int
check_ours(const char *dir, struct err *e)
{
	struct buf place = BUF_INIT;

	if (is_in(dir, LOCK) || is_new(dir, e))
		return 0;
	if (e->text[0] != '\0')
		return -1;
	quote_add(&place, dir);
	if (!is_in(dir, ".git/HEAD"))
		err_set(e, ERR_USAGE,
		    "'%s' is there, and no clone;; name another 'directory' for the one that is made by 'git' in deploy.yml",
		    dir);
	else
		err_set(e, ERR_USAGE,
		    "'%s' is a clone that somebody else made, and a build would throw away what was changed in it;; name another 'directory', or give it away: touch%s/" LOCK,
		    dir, place.data);
	buf_release(&place);
	return -1;
}

/* Take the lock of the clone; another build may be in it. */
static int
take_lock(struct checkout *k, const char *dir, struct err *e)
{
	char *path = xasprintf("%s/" LOCK, dir);
	int r;

	k->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	r = k->lock < 0 ? err_sys(e, "cannot make '%s'", path) :
			  build_lock(k->lock, dir, e);
	free(path);
	return r;
}

/* What a git that was killed left. */
static void
remove_locks(const char *dir)
{
	static const char *const names[] = { "index", "shallow", "HEAD",
		"config", "FETCH_HEAD", "packed-refs" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = xasprintf("%s/.git/%s.lock", dir, names[i]);

		(void)unlink(path);
		free(path);
	}
}

/* Make the directory, with those above it. */
static int
make_directory(const char *path, struct err *e)
{
	char *part = xstrdup(path);
	int r = 0;

	for (char *p = part + 1; r == 0 && *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = mkdir(part, 0777);
		*p = '/';
		r = r == 0 || errno == EEXIST ? 0 : -1;
	}
	if (r == 0)
		r = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
	if (r != 0)
		err_sys(e, "cannot make '%s' for a clone", path);
	free(part);
	return r;
}

/* It is there and ours, with nothing in it perhaps. */
static int
make_clone(struct checkout *k, struct clone *c, struct err *e)
{
	char *git_dir;
	int r;

	if (check_ours(c->dir, e) != 0)
		return -1;
	git_dir = xasprintf("%s/.git", c->dir);
	r = make_directory(git_dir, e);
	free(git_dir);
	if (r != 0 || take_lock(k, c->dir, e) != 0)
		return -1;
	remove_locks(c->dir);
	return need(c, git(c, e, "init", "-q", END), "begin a clone of", e) !=
		    0 ||
		need(c,
		    git(c, e, "config", "remote.origin.url", c->config->url,
			END),
		    "begin a clone of", e) != 0 ?
	    -1 :
	    0;
}

/* ---- what is asked for ------------------------------------------------- */

static bool
is_shallow(const struct clone *c)
{
	return is_in(c->dir, ".git/shallow");
}

/* Fetch all branches and tags, with all that was before them. */
static int
fetch_all(struct clone *c, struct err *e)
{
	return need(c,
	    git(c, e, "fetch", "-q", "--force", "--tags",
		is_shallow(c) ? "--unshallow" : "", "origin", ALL_HEADS, END),
	    "fetch", e);
}

/* The commit that a name means in the clone; the caller frees it. */
static char *
resolve(struct clone *c, const char *name, struct err *e)
{
	char *commit = xasprintf("%s^{commit}", name);
	int status = git(c, e, "rev-parse", "--verify", "--end-of-options",
	    commit, END);

	free(commit);
	return need(c, status, "find what was asked for of", e) == 0 ?
	    xstrdup(buf_str(&c->out)) :
	    NULL;
}

static bool
is_commit(const char *ref)
{
	return strlen(ref) >= NAME_MIN &&
	    strspn(ref, "0123456789abcdef") == strlen(ref);
}

/* Fetch the ref; its commit, or NULL. */
static char *
fetch(struct clone *c, const char *ref, struct err *e)
{
	const char *what = ref != NULL ? ref : "HEAD";
	int status;

	if (c->config->history && fetch_all(c, e) != 0)
		return NULL;
	status = git(c, e, "fetch", "-q", "--force",
	    c->config->history ? "" : "--depth=1", "origin", what, END);
	if (status == 0)
		return resolve(c, "FETCH_HEAD", e);
	/* A server may give no commits, and knows no short names. */
	if (status > 0 && is_commit(what))
		return fetch_all(c, e) == 0 ? resolve(c, what, e) : NULL;
	err_ignore(need(c, status, "fetch", e));
	return NULL;
}

/* A ref is one word of git's, and nothing that it takes for more. */
static int
check_ref(const char *ref, struct err *e)
{
	if (ref == NULL ||
	    (*ref != '\0' && strchr("-+", *ref) == NULL &&
		strpbrk(ref, " ~^:?*[\\") == NULL))
		return 0;
	return err_set(e, ERR_USAGE,
	    "'%s' is no ref;; name a commit or a branch as git knows it", ref);
}

/* The place of `source` in the clone as git-clean(1) wants it, or "". */
static char *
keep_option(const char *dir, const char *source)
{
	struct buf b = BUF_INIT;
	size_t n = strlen(dir);

	if (source == NULL || strncmp(source, dir, n) != 0 || source[n] != '/')
		return xstrdup("");
	buf_adds(&b, "--exclude=");
	for (const char *p = source + n; *p != '\0'; p++) {
		if (strchr("*?[\\ ", *p) != NULL)
			buf_addc(&b, '\\');
		buf_addc(&b, *p);
	}
	return buf_detach(&b);
}

/* Exactly that commit is in the directory, and what git ignores. */
static int
check_out(struct clone *c, const char *commit, const char *source,
    struct err *e)
{
	char *keep = keep_option(c->dir, source);
	int r = need(c,
	    git(c, e, "checkout", "-q", "--force", "--detach", commit, END),
	    "check out", e);

	if (r == 0)
		r = need(c, git(c, e, "clean", "-ffdq", keep, END), "clean up",
		    e);
	if (r == 0 && c->config->submodules)
		r = need(c,
		    git(c, e, "submodule", "--quiet", "sync", "--recursive",
			END),
		    "find the submodules of", e);
	if (r == 0 && c->config->submodules)
		r = need(c,
		    git(c, e, "submodule", "--quiet", "update", "--init",
			"--recursive", "--force",
			c->config->history ? "" : "--depth=1", END),
		    "get the submodules of", e);
	free(keep);
	return r;
}

int
checkout_make(struct checkout *k, const struct site_config *site,
    const char *ref, const char *source, struct err *e)
{
	struct clone c = { .dir = site->build.directory,
		.config = &site->git,
		.agent = KEY_AGENT_INIT };
	char *commit = NULL;
	int r = -1;

	if (ref == NULL)
		ref = site->git.ref;
	if (check_ref(ref, e) == 0 && make_clone(k, &c, e) == 0 &&
	    (!site->git.ssh_key || key_agent_start(&c.agent, e) == 0) &&
	    (commit = fetch(&c, ref, e)) != NULL)
		r = check_out(&c, commit, source, e);
	if (r == 0) {
		log_info("'%s' is at %.12s%s%s of %s", c.dir, commit,
		    ref != NULL ? ", " : "", ref != NULL ? ref : "",
		    c.config->url);
		k->commit = commit;
		commit = NULL;
	}
	/* Before the build: that is not to find it. */
	key_agent_stop(&c.agent);
	free(commit);
	buf_release(&c.out);
	buf_release(&c.said);
	return r;
}

void
checkout_release(struct checkout *k)
{
	if (k->lock >= 0)
		close(k->lock);
	free(k->commit);
	*k = (struct checkout)CHECKOUT_INIT;
}
