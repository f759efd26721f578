#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/table.h"

/* The commands, under their headings. */
static void
print_commands(void)
{
	const char *group = "";

	printf(
	    "usage: deploy [options] COMMAND [options] [operands]\n\n"
	    "Put a built static site live so that no visitor ever sees half of it.\n");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		if (strcmp((*c)->group, group) != 0)
			printf("\n%s\n", (*c)->group);
		group = (*c)->group;
		printf("  %-10s %s\n", (*c)->name, (*c)->summary);
	}
	printf(
	    "\nA first release, live, without any configuration:\n"
	    "  deploy publish public --root /srv/www/example.org\n"
	    "\nWith one, on any number of hosts:\n"
	    "  deploy init        write a deploy.yml here for you to edit\n"
	    "  deploy doctor      is everything ready?\n"
	    "  deploy publish     build, stage, activate, check, prune\n"
	    "  deploy rollback    back to what was live before\n"
	    "\n'deploy help COMMAND' says more, with examples; the manual is "
	    "deploy(1).\n");
}

static int
run_help(struct run *run, struct err *e)
{
	const struct cmd *cmd;

	if (run->opts.args.n == 0) {
		print_commands();
		return 0;
	}
	cmd = cmd_find(run->opts.args.v[0], e);
	if (cmd == NULL)
		return -1;
	cmd_print_help(cmd);
	return 0;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_help = {
	.name = "help",
	.group = "Help",
	.args = "[COMMAND]",
	.summary = "list the commands, or explain one",
	.max_args = 1,
	.opts = opts,
	.run = run_help,
};
