#include "ssh/ssh_client.h"

#include <errno.h>

#include "os/run.h"

void
ssh_client_add_host(struct strvec *argv, const struct ssh_options *o)
{
	if (o->config != NULL)
		strvec_addf(argv, "-F%s", o->config);
	if (o->user != NULL)
		strvec_addf(argv, "-l%s", o->user);
	if (o->port > 0)
		strvec_addf(argv, "-p%d", o->port);
	if (o->jump != NULL)
		strvec_addf(argv, "-J%s", o->jump);
	strvec_add(argv, "--");
	strvec_add(argv, o->host);
}

int
ssh_client_run(struct strvec *argv, int64_t ms, struct buf *out,
    struct buf *errors, int *status, struct err *e)
{
	struct run_child c = RUN_CHILD_INIT;
	int r;

	c.argv = argv->v;
	c.kind = ENVIRONMENT_PLAIN;
	c.pipe_out = c.pipe_err = true;
	if (run_start(&c, e) != 0)
		return e->sys == ENOENT ? 1 : -1;
	r = run_read(&c, ms, out, errors, e);
	if (r == 0)
		r = run_finish(&c, status, e);
	run_kill(&c);
	return r;
}
