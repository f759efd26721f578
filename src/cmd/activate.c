#include <stdio.h>

#include "base/override.h"
#include "cmd/report.h"
#include "cmd/table.h"

static void
answer(struct run *run, const struct site_flip *done)
{
	json_t *doc;

	if (!run->opts.json) {
		printf("%s\n", done->id.text);
		return;
	}
	doc = cmd_new_doc(run);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	report_flip(doc, &done->id, done);
	report_fleet(doc, &run->work.fleet);
	cmd_answer(run, doc);
}

static int
run_activate(struct run *run, struct err *e)
{
	const char *word = run->opts.args.n > 0 ? run->opts.args.v[0] : NULL;
	struct site_flip done;
	int r = cmd_begin(run, e);

	if (r == 0)
		r = site_activate(&run->work, word, &done, e);
	if (r == 0)
		answer(run, &done);
	return r;
}

static const enum opt_id opts[] = { OPT_EXPECT, OPT_MESSAGE, OPT_OVERRIDE,
	OPT_NO_CHECK, OPT_SKIP, OPT_END };

const struct cmd cmd_activate = {
	.name = "activate",
	.group = "Going live",
	.args = "[RELEASE]",
	.summary = "make a staged release live (default: the one that waits)",
	.about =
	    "RELEASE is an id or its beginning, 'current', 'previous', 'latest',\n"
	    "the name of a preview, a sequence ('#41') or a commit.  By default\n"
	    "it is the one release that was staged after all that ever were live;\n"
	    "several are refused.  A frozen root refuses (--override=freeze), and\n"
	    "so does an older sequence, or content that was rolled back from\n"
	    "(--override=order).  Prints the id of the release that is live.\n",
	.examples =
	    "deploy activate                       # the one that waits\n"
	    "deploy activate latest --override=freeze\n"
	    "deploy activate 20261121T19 --expect current\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_FLIP,
	.opts = opts,
	.run = run_activate,
};
