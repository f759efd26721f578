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
#include "os/beneath.h"
#include "os/dir.h"
#include "os/log.h"
#include "site/build.h"
#include "site/git.h"
#include "site/git_login.h"
#include "ssh/key_agent.h"

#define OUR_LOCK "deploy.lock"
#define LOCK ".git/" OUR_LOCK
#define ALL_HEADS "+refs/heads/*:refs/remotes/origin/*"
#define ALL_TAGS "+refs/tags/*:refs/tags/*"

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
	struct git_login login; /* in the URL */
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

	for (size_t i = 0; i < c->login.options.n; i++)
		strvec_add(&args, c->login.options.v[i]);
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

/* No command has the key from here on; each has the login of the URL. */
static void
drop_key(struct clone *c)
{
	key_agent_stop(&c->agent);
	/* fetch_ref() reads what git says. */
	strvec_add(&c->agent.env, "LC_ALL=C");
	if (c->login.variable != NULL)
		strvec_add(&c->agent.env, c->login.variable);
}

/* Is what git wrote there before cut off, as by a power cut? */
static bool
is_damaged(struct clone *c)
{
	struct err ignored = ERR_INIT;

	return git(c, &ignored, "rev-list", "--all", "--max-count=1", END) >
	    0 ||
	    git(c, &ignored, "ls-files", END) > 0;
}

/* What a status other than 0 is: an error.  0 or -1. */
static int
need(struct clone *c, int status, const char *what, struct err *e)
{
	if (status > 0) {
		err_set(e, ERR_FAILED, "cannot %s '%s' in '%s': %s", what,
		    c->config->url, c->dir, buf_str(&c->said));
		if (is_damaged(c))
			err_append(e,
			    ";; the clone is damaged; remove it, the next build makes it anew: rm -r %s",
			    QUOTED(c->dir));
	}
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

static bool
is_lock(const char *name)
{
	size_t n = strlen(name), end = strlen(".lock");

	return n > end && strcmp(name + n - end, ".lock") == 0;
}

/* Is it an index that a power cut emptied? */
static bool
is_cut_off(const struct dir *at, const char *name)
{
	struct stat st;

	return strcmp(name, "index") == 0 &&
	    fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == 0;
}

/*
 * Remove the locks of git, and what it makes anew, in and below its directory;
 * our lock is not one.
 */
static void
remove_locks(const struct dir *at)
{
	struct strvec names = STRVEC_INIT;
	struct err ignored = ERR_INIT;

	err_ignore(dir_list(at, &names, &ignored));
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i];
		struct dir below = DIR_INIT;

		if (dir_has(at, name)) {
			if (dir_open(&below, at, name, &ignored) == 0)
				remove_locks(&below);
			dir_close(&below);
		} else if ((is_lock(name) && strcmp(name, OUR_LOCK) != 0) ||
		    is_cut_off(at, name)) {
			(void)unlinkat(at->fd, name, 0);
		}
	}
	strvec_release(&names);
}

/* Mend what a git that was killed, or a power cut, left. */
static void
mend(const char *git_dir)
{
	struct err ignored = ERR_INIT;
	struct dir d = DIR_INIT;
	struct stat st;

	if (dir_open_path(&d, git_dir, &ignored) == 0) {
		remove_locks(&d);
		/* git-init(1) makes it when it is not there. */
		if (fstatat(d.fd, "HEAD", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_size == 0)
			(void)unlinkat(d.fd, "HEAD", 0);
	}
	dir_close(&d);
}

/* Is it a name in .git of what git knows of commits, and nothing it obeys? */
static bool
is_data(const char *name)
{
	static const char *const names[] = { "FETCH_HEAD", "HEAD", "ORIG_HEAD",
		OUR_LOCK, "index", "logs", "modules", "objects", "packed-refs",
		"refs", "shallow" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/*
 * Remove settings, attributes and hooks: an earlier build may have left them,
 * for programs that run with the key.
 */
static int
remove_settings(const char *git_dir, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	int r = dir_open_path(&d, git_dir, e);

	if (r == 0)
		r = dir_list(&d, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (!is_data(names.v[i]))
			r = dir_remove_tree(&d, names.v[i], e);
	strvec_release(&names);
	dir_close(&d);
	return r;
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

/* Does the index say of all files that git is to look at them? */
static bool
has_whole_index(struct clone *c)
{
	struct err ignored = ERR_INIT;
	char *end, *line, *next;

	if (git(c, &ignored, "ls-files", "-v", END) != 0)
		return false;
	if (c->out.len == 0)
		return false;
	/* git() ended the first line. */
	end = c->out.data + c->out.len;
	for (line = c->out.data; line < end && *line == 'H'; line = next + 1)
		next = line + strcspn(line, "\n");
	return line >= end;
}

/*
 * Make the index anew where it is cut off, or hides files from git (the bits
 * skip-worktree and assume-unchanged).  Not always: what is not changed keeps
 * its time, for builds that look at that.
 */
static void
mend_index(struct clone *c)
{
	struct err ignored = ERR_INIT;
	char *index;

	if (has_whole_index(c))
		return;
	index = xasprintf("%s/.git/index", c->dir);
	(void)unlink(index);
	free(index);
	(void)git(c, &ignored, "read-tree", "HEAD", END);
	(void)git(c, &ignored, "update-index", "-q", "--refresh", END);
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
	if (r == 0)
		r = take_lock(k, c->dir, e);
	if (r == 0)
		mend(git_dir);
	if (r == 0)
		r = remove_settings(git_dir, e);
	free(git_dir);
	if (r != 0)
		return -1;
	if (need(c, git(c, e, "init", "-q", "--template=", END),
		"begin a clone of", e) != 0 ||
	    need(c,
		git(c, e, "config", "remote.origin.url", c->login.url, END),
		"begin a clone of", e) != 0)
		return -1;
	mend_index(c);
	return 0;
}

/* ---- what is asked for ------------------------------------------------- */

static bool
is_shallow(const struct clone *c)
{
	return is_in(c->dir, ".git/shallow");
}

/*
 * Fetch all branches and tags, with all that was before them.  Those that went
 * go first: `a` would be in the way of `a/b`.
 */
static int
fetch_all(struct clone *c, struct err *e)
{
	return need(c,
	    git(c, e, "fetch", "-q", "--force", "--prune", "--no-tags",
		"--no-recurse-submodules", is_shallow(c) ? "--unshallow" : "",
		"origin", ALL_HEADS, ALL_TAGS, END),
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

/* Fetch one ref, by the name that the server knows.  The status, or -1. */
static int
fetch_name(struct clone *c, const char *name, struct err *e)
{
	return git(c, e, "fetch", "-q", "--force", "--no-recurse-submodules",
	    "--refmap=", c->config->history ? "" : "--depth=1", "origin", name,
	    END);
}

/* Did the server say that it has no such ref? */
static bool
has_no_such_ref(const struct clone *c)
{
	return strstr(buf_str(&c->said), "remote ref") != NULL;
}

/* Fetch the ref: a branch before a tag of its name.  The status, or -1. */
static int
fetch_ref(struct clone *c, const char *ref, struct err *e)
{
	char *branch;
	int status;

	if (strcmp(ref, "HEAD") == 0 || strncmp(ref, "refs/", 5) == 0 ||
	    is_commit(ref))
		return fetch_name(c, ref, e);
	branch = xasprintf("refs/heads/%s", ref);
	status = fetch_name(c, branch, e);
	free(branch);
	if (status > 0 && has_no_such_ref(c))
		status = fetch_name(c, ref, e);
	return status;
}

/* Fetch the ref; its commit, or NULL. */
static char *
fetch(struct clone *c, const char *ref, struct err *e)
{
	const char *what = ref != NULL ? ref : "HEAD";
	int status;

	if (c->config->history && fetch_all(c, e) != 0)
		return NULL;
	status = fetch_ref(c, what, e);
	if (status == 0)
		return resolve(c, "FETCH_HEAD", e);
	/* A server may give no commits, and knows no short names. */
	if (status > 0 && is_commit(what))
		return fetch_all(c, e) == 0 ? resolve(c, what, e) : NULL;
	if (status > 0 && strcmp(what, "HEAD") == 0 && has_no_such_ref(c)) {
		err_set(e, ERR_FAILED,
		    "'%s' has nothing to build: it is empty, or its HEAD names a branch that is not there;; push to it, or name a branch: git: {url: ..., ref: BRANCH}",
		    c->config->url);
		return NULL;
	}
	err_ignore(need(c, status, "fetch", e));
	return NULL;
}

/* Fetch what `ref` names, with the key if so configured; its commit, or NULL. */
static char *
fetch_with_key(struct clone *c, const char *ref, struct err *e)
{
	char *commit = NULL;

	if (!c->config->ssh_key || key_agent_start(&c->agent, e) == 0)
		commit = fetch(c, ref, e);
	drop_key(c);
	return commit;
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

/*
 * Clean the submodules, also of what their indexes hide from git, as
 * mend_index() does; `keep` is an option for the clone, or "".  Status.
 */
static int
clean_submodules(struct clone *c, const char *keep, struct err *e)
{
	struct buf word = BUF_INIT;
	char *command;
	int status;

	quote_for_sh(&word, keep);
	command = xasprintf("git ls-files -v | grep -qv '^H' && "
			    "rm -f \"$(git rev-parse --git-path index)\" && "
			    "git read-tree HEAD && git reset -q --hard; "
			    "k=%s; r=${k#\"--exclude=/$displaypath/\"}; "
			    "[ \"$r\" = \"$k\" ] || set -- --exclude=\"/$r\"; "
			    "git clean -ffdq \"$@\"",
	    word.data);
	status = git(c, e, "submodule", "--quiet", "foreach", "--recursive",
	    command, END);
	buf_release(&word);
	free(command);
	return status;
}

/* Remove what is in the clone at `path`, which may be nothing. */
static int
remove_path(const struct dir *clone, const char *path, struct err *e)
{
	struct dir above = DIR_INIT;
	const char *name;
	int r = beneath_open_parent(clone, path, &above, &name, e);

	if (r == 0)
		r = dir_remove_tree(&above, name, e);
	else if (e->sys == ENOENT)
		r = 0;
	dir_close(&above);
	return r;
}

/* Remove all submodules: their settings are what a build may have left. */
static int
drop_submodules(struct clone *c, struct err *e)
{
	static const char link[] = "160000 ";
	struct dir clone = DIR_INIT;
	const char *end, *next;
	int r = dir_open_path(&clone, c->dir, e);

	if (r == 0)
		r = remove_path(&clone, ".git/modules", e);
	if (r == 0)
		r = need(c, git(c, e, "ls-files", "-s", "-z", END),
		    "find the submodules of", e);
	end = buf_str(&c->out) + c->out.len;
	for (const char *p = buf_str(&c->out); r == 0 && p < end; p = next) {
		const char *path = strchr(p, '\t');

		next = p + strlen(p) + 1;
		if (strncmp(p, link, strlen(link)) == 0 && path != NULL)
			r = remove_path(&clone, path + 1, e);
	}
	dir_close(&clone);
	return r;
}

static int
update_submodules(struct clone *c, struct err *e)
{
	if (need(c,
		git(c, e, "submodule", "--quiet", "sync", "--recursive", END),
		"find the submodules of", e) != 0)
		return -1;
	return need(c,
	    git(c, e, "submodule", "--quiet", "update", "--init",
		"--recursive", "--force",
		c->config->history ? "" : "--depth=1", END),
	    "get the submodules of", e);
}

/* All submodules are as the commit wants them; with the key, made anew. */
static int
get_submodules(struct clone *c, struct err *e)
{
	int r;

	if (c->config->ssh_key &&
	    (drop_submodules(c, e) != 0 || key_agent_start(&c->agent, e) != 0))
		return -1;
	r = update_submodules(c, e);
	drop_key(c);
	return r;
}

static int
check_out_submodules(struct clone *c, const char *keep, struct err *e)
{
	if (get_submodules(c, e) != 0)
		return -1;
	return need(c, clean_submodules(c, keep, e),
	    "clean up the submodules of", e);
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
		r = check_out_submodules(c, keep, e);
	free(keep);
	return r;
}

int
checkout_make(struct checkout *k, const struct site_config *site,
    const char *ref, const char *source, struct err *e)
{
	struct clone c = { .dir = site->build.directory,
		.config = &site->git,
		.login = GIT_LOGIN_INIT,
		.agent = KEY_AGENT_INIT };
	char *commit = NULL;
	int r = -1;

	if (ref == NULL)
		ref = site->git.ref;
	git_login_init(&c.login, site->git.url);
	drop_key(&c);
	if (check_ref(ref, e) == 0 && make_clone(k, &c, e) == 0 &&
	    (commit = fetch_with_key(&c, ref, e)) != NULL)
		r = check_out(&c, commit, source, e);
	if (r == 0) {
		log_info("'%s' is at %.12s%s%s of %s", c.dir, commit,
		    ref != NULL ? ", " : "", ref != NULL ? ref : "",
		    c.config->url);
		k->commit = commit;
		commit = NULL;
	}
	key_agent_stop(&c.agent);
	git_login_release(&c.login);
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
