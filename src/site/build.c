#include "site/build.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>

#include "base/strvec.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/shell.h"

enum { TRIES_MS = 200 }; /* between two tries to get the lock */

int
build_run(const struct build_options *o, struct err *e)
{
	const char *items = getenv("DEPLOY_ITEMS_FILE");
	struct strvec env = STRVEC_INIT;
	struct shell_options shell = { .what = o->what,
		.command = o->command,
		.directory = o->directory,
		.timeout = o->timeout,
		.quiet = o->quiet,
		.alone = true,
		.env = &env };
	int r;

	strvec_add(&env, "DEPLOY_BUILD=1");
	/* Not what a build that started us was given. */
	strvec_addf(&env, "DEPLOY_SITE=%s", o->site != NULL ? o->site : "");
	strvec_addf(&env, "DEPLOY_SOURCE=%s",
	    o->source != NULL ? o->source : "");
	strvec_addf(&env, "DEPLOY_REF=%s", o->ref != NULL ? o->ref : "");
	/* None are everything, for whoever reads it. */
	strvec_addf(&env, "DEPLOY_ITEMS_FILE=%s",
	    items != NULL && *items != '\0' ? items : "/dev/null");
	r = shell_run(&shell, e);
	strvec_release(&env);
	return r;
}

int
build_lock(int fd, const char *dir, struct err *e)
{
	bool told = false;

	while (io_flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "cannot lock '%s'", dir);
		if (intr_check(e) != 0)
			return -1;
		if (!told)
			log_info("waiting for another build in '%s'", dir);
		told = true;
		err_ignore(io_wait(-1, TRIES_MS));
	}
	return 0;
}
