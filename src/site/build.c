#include "site/build.h"

#include <stdlib.h>

#include "base/strvec.h"
#include "os/shell.h"

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
