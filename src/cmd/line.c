#include "cmd/line.h"

#include <string.h>

#include "base/alloc.h"
#include "base/quote.h"

static void
add_option(struct buf *out, const char *option, const char *value)
{
	if (value == NULL)
		return;
	buf_adds(out, option);
	quote_add(out, value);
}

/* All words but each --skip HOST. */
static void
add_unskipped(struct buf *out, char *const *argv, int n)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(argv[i], "--skip") == 0)
			i++;
		else if (strncmp(argv[i], "--skip=", strlen("--skip=")) != 0)
			quote_add(out, argv[i]);
	}
}

void
line_remember(struct run *run, int before, int argc, char *const *argv)
{
	const struct opts *o = &run->opts;
	struct buf line = BUF_INIT, rest = BUF_INIT, where = BUF_INIT;
	struct buf unskipped = BUF_INIT;

	buf_adds(&line, "deploy");
	for (int i = -before; i <= 0; i++)
		quote_add(&line, argv[i]);
	buf_adds(&rest, "");
	for (int i = 1; i < argc; i++)
		quote_add(&rest, argv[i]);
	buf_adds(&unskipped, "deploy");
	add_unskipped(&unskipped, argv - before, before + argc);
	run->caller.unskipped = buf_detach(&unskipped);
	buf_adds(&where, "");
	add_option(&where, " -c", o->config);
	add_option(&where, " -s", o->site);
	add_option(&where, " --root", o->root);
	run->caller.site = xstrdup(where.data);
	for (size_t i = 0; i < o->hosts.n; i++)
		add_option(&where, " --host", o->hosts.v[i]);
	run->caller.line = buf_detach(&line);
	run->caller.rest = buf_detach(&rest);
	run->caller.where = buf_detach(&where);
	/* Hosts that no configuration knows have to be named. */
	run->caller.all =
	    xstrdup(o->root != NULL ? run->caller.where : run->caller.site);
	for (const enum opt_id *id = run->cmd->opts; *id != OPT_END; id++)
		run->caller.may_skip |= *id == OPT_SKIP;
}
