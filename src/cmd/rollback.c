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
	cmd_put_id(doc, "refused", &done->refused);
	report_fleet(doc, &run->work.fleet);
	cmd_answer(run, doc);
}

static int
run_rollback(struct run *run, struct err *e)
{
	const char *word = run->opts.args.n > 0 ? run->opts.args.v[0] : NULL;
	struct site_flip done;
	int r = cmd_begin(run, e);

	if (r == 0)
		r = site_rollback(&run->work, word, &done, e);
	/* Also when only the freeze that follows failed. */
	if (r == 0 || run->work.went_live)
		answer(run, &done);
	return r;
}

static const enum opt_id opts[] = { OPT_EXPECT, OPT_MESSAGE, OPT_OVERRIDE,
	OPT_NO_CHECK, OPT_SKIP, OPT_END };

const struct cmd cmd_rollback = {
	.name = "rollback",
	.group = "Going live",
	.args = "[RELEASE]",
	.summary = "make the release live that was live before",
	.about =
	    "Repeated, it goes further back.  It skips releases that were rolled\n"
	    "back from.  With RELEASE it goes to that one.  With --expect it goes\n"
	    "back only from that release, so that a repeated command does not go\n"
	    "back two steps.  A freeze does not stop it.  Content that was rolled\n"
	    "back from, even when it is built anew, goes live again only with\n"
	    "--override=order.  Prints the id of the release that is live.\n",
	.examples = "deploy rollback -m \"broken menu\"\n"
		    "deploy rollback 20261121T19\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_FLIP,
	.opts = opts,
	.run = run_rollback,
};
