#include "site/git.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/run.h"

int
git_run(const char *dir, const struct strvec *args, const struct strvec *env,
    struct buf *out, struct buf *said, int *status, struct err *e)
{
	struct strvec argv = STRVEC_INIT;
	struct run_child c = RUN_CHILD_INIT;
	int r;

	strvec_add(&argv, "git");
	/* What refs/replace says that a commit is instead. */
	strvec_add(&argv, "--no-replace-objects");
	strvec_add(&argv, "-C");
	strvec_add(&argv, dir);
	/* Programs that the repository may name, and a build left there. */
	strvec_add(&argv, "-c");
	strvec_add(&argv, "core.hooksPath=/dev/null");
	strvec_add(&argv, "-c");
	strvec_add(&argv, "core.fsmonitor=false");
	for (size_t i = 0; i < args->n; i++)
		strvec_add(&argv, args->v[i]);
	c.argv = argv.v;
	/* What it is to look at is `dir`, not what GIT_DIR says. */
	c.kind = ENVIRONMENT_GIT;
	c.env = env;
	c.death_signal = SIGTERM;
	c.pipe_out = c.pipe_err = true;
	r = run_start(&c, e);
	strvec_release(&argv);
	if (r != 0)
		return e->sys == ENOENT ? 1 : -1;
	r = run_read(&c, -1, out, said, e);
	if (r == 0)
		r = run_finish(&c, status, e);
	run_kill(&c);
	if (said->len > 0)
		said->data[strcspn(said->data, "\r\n")] = '\0'; /* ssh(1) */
	return r;
}

int
git_ask(const char *dir, const struct strvec *args, struct buf *out,
    struct buf *said, int *status, struct err *e)
{
	struct strvec env = STRVEC_INIT;
	int r;

	/* git(1): no other protocol than this, which does not exist. */
	strvec_add(&env, "GIT_ALLOW_PROTOCOL=none");
	strvec_add(&env, "GIT_NO_LAZY_FETCH=1");
	r = git_run(dir, args, &env, out, said, status, e);
	strvec_release(&env);
	return r;
}

bool
git_has_work_tree(const char *dir)
{
	char path[PATH_MAX + 8];
	size_t n;

	if (realpath(dir, path) == NULL)
		return false;
	for (n = strlen(path);; path[n] = '\0') {
		strcpy(path + n, "/.git");
		if (access(path, F_OK) == 0)
			return true;
		if (n == 0)
			return false;
		while (n > 0 && path[--n] != '/')
			;
	}
}
