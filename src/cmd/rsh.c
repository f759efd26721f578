#include "remote/rsh.h"

#include <stdlib.h>

#include "base/number.h"
#include "cmd/cmd.h"
#include "cmd/table.h"

/*
 * deploy __rsh FD HOST COMMAND...: the remote shell that rsync(1) starts.
 * Its own exit status is that of the command, as with ssh(1).
 */
static int
run_rsh(struct run *run, struct err *e)
{
	const struct strvec *args = &run->opts.args;
	int64_t fd;
	int status;

	if (args->n < 3 || !number_parse(args->v[0], 3, 1 << 20, &fd))
		return err_set(e, ERR_USAGE,
		    "only rsync(1) starts this, for 'transport: rsync' in deploy.yml(5)");
	status = rsh_hand_over((int)fd, args->v + 2, e);
	if (status < 0)
		return -1;
	exit(status);
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_rsh = {
	.name = "__rsh",
	.args = "FD HOST COMMAND...",
	.summary = "the remote shell of rsync, for 'transport: rsync'",
	.max_args = 64,
	.raw_args = true,
	.opts = opts,
	.run = run_rsh,
};
