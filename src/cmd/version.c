#include <stdio.h>

#include "base/version.h"
#include "cmd/cmd.h"
#include "cmd/table.h"

static int
run_version(struct run *run, struct err *e)
{
	json_t *doc;

	(void)e;
	if (!run->opts.json) {
		printf("deploy %s\n", DEPLOY_VERSION);
		return 0;
	}
	doc = json_new_object();
	json_put_string(doc, "version", DEPLOY_VERSION);
	cmd_answer(run, doc);
	return 0;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_version = {
	.name = "version",
	.group = "Help",
	.args = "",
	.summary = "print the version",
	.opts = opts,
	.run = run_version,
};
