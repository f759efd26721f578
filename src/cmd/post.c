#include "site/post.h"

#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/secret.h"

/*
 * deploy __post EVENT DELIVERY: sends a notification of the worker, which
 * gives it the URL and the body in the environment.
 */
static int
run_post(struct run *run, struct err *e)
{
	const struct strvec *args = &run->opts.args;
	struct post p = { .url = getenv("DEPLOY_POST_URL"),
		.body = getenv("DEPLOY_POST_BODY"),
		.secret = secret_get(SECRET_NOTIFY) };

	if (args->n != 2 || p.url == NULL || p.body == NULL)
		return err_set(e, ERR_USAGE,
		    "only a worker starts this, for 'notify_url' in deploy.yml(5)");
	p.event = args->v[0];
	p.delivery = args->v[1];
	return post_send(&p, e);
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_post = {
	.name = "__post",
	.args = "EVENT DELIVERY",
	.summary = "send a notification, for 'notify_url'",
	.max_args = 2,
	.opts = opts,
	.run = run_post,
};
