#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/drift.h"

static void
answer(struct run *run, const struct adopted *a)
{
	const struct fleet *f = &run->work.fleet;
	json_t *doc = cmd_new_doc(run), *list = json_new_array();
	bool changed = false;

	for (size_t i = 0; i < f->n; i++) {
		bool is_new = !release_id_is_none(&a[i].id);
		json_t *j = json_new_object();

		changed |= is_new;
		json_put_string(j, "host", f->v[i].host->label);
		cmd_put_id(j, "adopted", &a[i].id);
		json_put_string(j, "kept", is_new ? a[i].kept : NULL);
		json_put_strings(j, "shared", &a[i].shared);
		json_push(list, j);
	}
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_bool(doc, "changed", changed);
	json_put(doc, "hosts", list);
	cmd_answer(run, doc);
}

static int
run_adopt(struct run *run, struct err *e)
{
	const char *dir = run->opts.args.n > 0 ? run->opts.args.v[0] : NULL;
	struct adopted *adopted = NULL;
	int r = cmd_begin(run, e);

	if (r == 0)
		r = site_adopt(&run->work, dir, &adopted, e);
	if (r == 0 && run->opts.json)
		answer(run, adopted);
	/* All is done then, and what was adopted is not the same everywhere. */
	if (r == 0 && !run->opts.dry_run)
		r = drift_refuse_content(&run->work.fleet, e);
	site_adopted_free(&run->work, adopted);
	return r;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_adopt = {
	.name = "adopt",
	.group = "Going live",
	.args = "[DIR]",
	.summary = "make a release of what is served already",
	.about =
	    "What is served now, in 'current' of the root or in DIR, becomes a\n"
	    "release, and a link of deploy takes its place.  No request is lost,\n"
	    "and the directory is kept.\n",
	.examples =
	    "deploy adopt --root /srv/www/example.org\n"
	    "deploy adopt /var/www/html            # the link is put there\n",
	.max_args = 1,
	.opts = opts,
	.run = run_adopt,
};
