#include <stdio.h>

#include "base/override.h"
#include "cmd/report.h"
#include "cmd/table.h"

static void
answer(struct run *run, const struct stage *st)
{
	json_t *doc;

	if (!run->opts.json) {
		if (!release_id_is_none(&st->id))
			printf("%s\n", st->id.text);
		return;
	}
	doc = report_stage(run, st);
	json_put_string(doc, "preview", run->opts.preview);
	json_put_string(doc, "preview_url", run->work.preview_url);
	report_fleet(doc, &run->work.fleet);
	cmd_answer(run, doc);
}

static int
run_stage(struct run *run, struct err *e)
{
	struct stage st = STAGE_INIT;
	struct fleet_sent sent;
	int r;

	if (run->opts.duration > 0 && run->opts.preview == NULL)
		return err_set(e, ERR_USAGE, "--for is for --preview");
	r = cmd_begin(run, e);

	if (r == 0)
		r = site_stage(&run->work, &st, &sent, e);
	if (r == 0)
		answer(run, &st);
	stage_release(&st);
	return r;
}

static const enum opt_id opts[] = { OPT_MESSAGE, OPT_COMMIT, OPT_SEQ,
	OPT_EXCLUDE, OPT_STRIP, OPT_OVERRIDE, OPT_AGAIN, OPT_PREVIEW, OPT_FOR,
	OPT_SKIP, OPT_END };

const struct cmd cmd_stage = {
	.name = "stage",
	.group = "Going live",
	.args = "[SOURCE]",
	.summary = "copy a build into a new release that is not live yet",
	.about =
	    "SOURCE is a directory, an archive (tar, zip, ...), or - for an archive\n"
	    "on standard input; the default is 'source' in deploy.yml.  Prints the\n"
	    "id of the release that has this content.\n",
	.examples =
	    "id=$(deploy stage public -m \"prices of December\")\n"
	    "tar -czf - -C public . | deploy stage -\n"
	    "deploy stage public --preview pr-12   # shown, but not live\n"
	    "deploy stage -n                       # what would be sent\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_BUILD,
	.opts = opts,
	.run = run_stage,
};
