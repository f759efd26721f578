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

/* All words but each HOST of the option, and the option. */
static void
add_without(struct buf *out, char *const *argv, int n, const char *option)
{
	size_t len = strlen(option);

	for (int i = 0; i < n; i++) {
		if (strcmp(argv[i], option) == 0)
			i++;
		else if (strncmp(argv[i], option, len) != 0 ||
		    argv[i][len] != '=')
			quote_add(out, argv[i]);
	}
}

void
line_remember(struct run *run, int before, int argc, char *const *argv)
{
	const struct opts *o = &run->opts;
	struct buf line = BUF_INIT, rest = BUF_INIT, where = BUF_INIT;
	struct buf unskipped = BUF_INIT, without_from = BUF_INIT;

	buf_adds(&line, "deploy");
	for (int i = -before; i <= 0; i++)
		quote_add(&line, argv[i]);
	buf_adds(&rest, "");
	for (int i = 1; i < argc; i++)
		quote_add(&rest, argv[i]);
	buf_adds(&unskipped, "deploy");
	add_without(&unskipped, argv - before, before + argc, "--skip");
	buf_adds(&without_from, "");
	add_without(&without_from, argv + 1, argc - 1, "--from");
	run->caller.unskipped = buf_detach(&unskipped);
	buf_adds(&where, "");
	add_option(&where, " -c", o->config);
	run->caller.file = xstrdup(buf_str(&where));
	add_option(&where, " -s", o->site);
	add_option(&where, " --root", o->root);
	run->caller.site = xstrdup(where.data);
	for (size_t i = 0; i < o->hosts.n; i++)
		add_option(&where, " --host", o->hosts.v[i]);
	run->caller.line = buf_detach(&line);
	run->caller.rest = buf_detach(&rest);
	run->caller.from = o->from != NULL ? xstrdup(o->from) : NULL;
	run->caller.without_from = buf_detach(&without_from);
	run->caller.where = buf_detach(&where);
	/* Hosts that no configuration knows have to be named. */
	run->caller.all =
	    xstrdup(o->root != NULL ? run->caller.where : run->caller.site);
	for (const enum opt_id *id = run->cmd->opts; *id != OPT_END; id++)
		run->caller.may_skip |= *id == OPT_SKIP;
}
