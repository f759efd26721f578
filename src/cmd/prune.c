#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"

static void
answer(struct run *run, size_t releases, const struct release_ids *removed)
{
	json_t *doc, *ids;

	if (!run->opts.json) {
		for (size_t i = 0; i < removed->n; i++)
			printf("%s\n", removed->v[i].text);
		return;
	}
	doc = cmd_new_doc(run);
	ids = json_new_array();
	for (size_t i = 0; i < removed->n; i++)
		json_push_string(ids, removed->v[i].text);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put(doc, "pruned", ids);
	/* A host may have removed what another run staged meanwhile. */
	json_put_int(doc, "kept",
	    releases > removed->n ? (int64_t)(releases - removed->n) : 0);
	cmd_answer(run, doc);
}

static int
run_prune(struct run *run, struct err *e)
{
	struct release_ids removed = RELEASE_IDS_INIT, ids = RELEASE_IDS_INIT;
	int r = cmd_begin(run, e);

	if (r == 0)
		r = site_open(&run->work, e);
	if (r == 0)
		r = fleet_need_root(&run->work.fleet, e);
	if (r == 0) {
		fleet_releases(&run->work.fleet, &ids);
		r = site_prune(&run->work, &removed, e);
		answer(run, ids.n, &removed);
		if (r == 0 && removed.n == 0)
			log_info("nothing to prune");
	}
	release_ids_release(&ids);
	release_ids_release(&removed);
	return r;
}

static const enum opt_id opts[] = { OPT_KEEP, OPT_OLDER_THAN, OPT_SKIP,
	OPT_END };

const struct cmd cmd_prune = {
	.name = "prune",
	.group = "Keeping order",
	.args = "",
	.summary = "remove old releases",
	.about =
	    "Never removes what is live, what was live before it, what is pinned,\n"
	    "what a preview shows, or what a rollback would go to.  Releases that\n"
	    "never were live are removed after a day.  Prints the ids of what was\n"
	    "removed.\n",
	.examples = "deploy prune -n --keep 3 --older-than 30d\n",
	.takes_away = true,
	.opts = opts,
	.run = run_prune,
};
