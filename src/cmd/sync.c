#include <stdio.h>

#include "cmd/report.h"
#include "cmd/table.h"

static void
answer(struct run *run, const struct site_synced *p)
{
	json_t *doc, *sent;

	if (!run->opts.json) {
		printf("%s\n", p->id.text);
		return;
	}
	doc = cmd_new_doc(run);
	sent = json_new_array();
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	cmd_put_id(doc, "current", &p->id);
	json_put_string(doc, "from", p->from);
	json_put_strings(doc, "synced", &p->hosts);
	for (size_t i = 0; i < p->sent.n; i++)
		json_push_string(sent, p->sent.v[i].text);
	json_put(doc, "sent", sent);
	report_fleet(doc, &run->work.fleet);
	cmd_answer(run, doc);
}

static int
run_sync(struct run *run, struct err *e)
{
	struct site_synced p = SITE_SYNCED_INIT;
	int r = cmd_begin(run, e);

	if (r == 0)
		r = site_sync(&run->work, run->opts.from, &p, e);
	if (r == 0)
		answer(run, &p);
	site_synced_release(&p);
	return r;
}

static const enum opt_id opts[] = { OPT_FROM, OPT_NO_CHECK, OPT_SKIP,
	OPT_END };

const struct cmd cmd_sync = {
	.name = "sync",
	.group = "Going live",
	.args = "",
	.summary = "make hosts that are behind serve what the others serve",
	.about =
	    "For hosts that were down, skipped, made anew or added: they get what\n"
	    "is live, what rollbacks go to, what is pinned, what previews show and\n"
	    "what waits to go live, from a host that has it.  The hosts with a\n"
	    "history decide what is right; when they disagree, --from decides.\n"
	    "Prints the id of the release that is live.\n",
	.examples =
	    "deploy sync -n                        # what would happen\n"
	    "deploy sync --from www1.example.org\n",
	.changes = true,
	.opts = opts,
	.run = run_sync,
};
