#include "root/root_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/quote.h"
#include "base/strvec.h"
#include "os/dir.h"
#include "os/shell.h"

#define HOOKS "hooks"

static bool
is_there(const struct store *s, const char *path)
{
	struct stat st;

	/* What cannot be looked at is there, and refused with its reason. */
	return fstatat(s->state.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR);
}

const char *
root_hook_find(const struct store *s, enum journal_action action)
{
	bool back = action == JOURNAL_ROLLBACK || action == JOURNAL_REVERT;

	if (back && is_there(s, HOOKS "/post-rollback"))
		return "post-rollback";
	return is_there(s, HOOKS "/post-activate") ? "post-activate" : NULL;
}

/* Nobody but the owner of the root, and root, may say what runs. */
static int
check_owner(const struct store *s, const struct stat *st, const char *path,
    struct err *e)
{
	struct stat root;

	if (fstat(s->root.fd, &root) != 0)
		return err_sys(e, "cannot examine '%s'", s->root.path);
	if (st->st_uid != 0 && st->st_uid != root.st_uid)
		return err_set(e, ERR_FAILED,
		    "'%s' belongs to neither the owner of the root nor root;; if nobody planted it, run as root: chown %lu %s",
		    path, (unsigned long)root.st_uid, QUOTED(path));
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, ERR_FAILED,
		    "'%s' can be written by others;; run: chmod go-w %s", path,
		    QUOTED(path));
	return 0;
}

static int
check_file(const struct store *s, const struct dir *hooks, const char *name,
    struct err *e)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", hooks->path, name);
	if (fstatat(hooks->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, "cannot examine '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "'%s' is not a regular file",
		    path);
	if (check_owner(s, &st, path, e) != 0)
		return -1;
	if (faccessat(hooks->fd, name, X_OK, AT_EACCESS) != 0)
		return err_set(e, ERR_FAILED,
		    "'%s' cannot be executed;; run: chmod +x %s", path,
		    QUOTED(path));
	return 0;
}

/* May it be run?  0 or -1. */
static int
check_hook(const struct store *s, const char *name, struct err *e)
{
	struct dir hooks = DIR_INIT;
	struct stat st;
	int r = dir_open(&hooks, &s->state, HOOKS, e);

	if (r == 0 && fstat(hooks.fd, &st) != 0)
		r = err_sys(e, "cannot examine '%s'", hooks.path);
	if (r == 0)
		r = check_owner(s, &st, hooks.path, e);
	if (r == 0)
		r = check_file(s, &hooks, name, e);
	dir_close(&hooks);
	if (r != 0)
		err_prefix(e, "the %s hook was not run: ", name);
	return r;
}

int
root_hook_run(const struct store *s, const char *name,
    const struct root_hook_facts *f, struct err *e)
{
	struct strvec env = STRVEC_INIT;
	char command[64];
	const struct shell_options o = { .what = name,
		.command = command,
		.directory = s->root.path,
		.timeout = f->timeout,
		.quiet = f->quiet,
		.last_words = true,
		.env = &env };
	int r = check_hook(s, name, e);

	/* Nobody can change it between the check and this. */
	snprintf(command, sizeof(command), ".deploy/" HOOKS "/%s", name);
	strvec_addf(&env, "DEPLOY_HOOK=%s", name);
	strvec_addf(&env, "DEPLOY_ROOT=%s", s->root.path);
	strvec_addf(&env, "DEPLOY_RELEASE=%s", f->release->text);
	strvec_addf(&env, "DEPLOY_PREVIOUS=%s", f->previous->text);
	if (r == 0)
		r = shell_run(&o, e);
	strvec_release(&env);
	if (r != 0)
		e->code = ERR_CLEANUP;
	return r;
}
