#include "fleet/check.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/fleet_check.h"

/* What one web server gave; `failed` NULL: all that was asked. */
static json_t *
finding(const char *host, const struct check_result *found,
    const struct err *failed)
{
	json_t *j = json_new_object();

	json_put_string(j, "host", host);
	json_put_bool(j, "served", failed == NULL);
	json_put_int(j, "urls", (int64_t)found->urls);
	json_put_int(j, "files", (int64_t)found->files);
	json_put_int(j, "compressed", (int64_t)found->compressed);
	json_put_string(j, "error", failed != NULL ? failed->text : NULL);
	return j;
}

static void
answer(struct run *run, const struct fleet *f, const struct release_id *id,
    bool served, const char *edge, const struct check_result *found)
{
	json_t *doc = cmd_new_doc(run), *list = json_new_array();

	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "served", served);
	json_put_string(doc, "edge_error", edge);
	for (size_t i = 0; i < f->n; i++)
		json_push(list,
		    finding(f->v[i].host->label, &found[i],
			f->v[i].failed ? &f->v[i].err : NULL));
	json_put(doc, "hosts", list);
	cmd_answer(run, doc);
}

/* Each edge once, too; what was live before may be what it gives. */
static int
check_edge(struct fleet *f, const struct release_id *id, struct err *e)
{
	struct err ignored = ERR_INIT;
	const struct release_id *from = fleet_find(f, "previous", &ignored);

	return fleet_await_edge(f, id, from != NULL ? from : &release_id_none,
	    0, e);
}

/* Ask all for the release, and tell what they gave. */
static int
check_release(struct run *run, struct fleet *f, const struct release_id *id,
    struct err *e)
{
	struct check_result *found = xcalloc(f->n, sizeof(*found));
	bool asked = false, served;
	int r = fleet_check(f, id, found, e);

	served = r == 0;
	for (size_t i = 0; i < f->n; i++)
		asked |= served || f->v[i].failed;
	if (served)
		r = check_edge(f, id, e);
	if (run->opts.json && asked)
		answer(run, f, id, served, served && r != 0 ? e->text : NULL,
		    found);
	free(found);
	return r;
}

static int
run_check(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	const struct release_id *id = NULL;
	int r;

	if (cmd_site(run, e) != 0)
		return -1;
	if (run->site->check.urls.n == 0)
		return err_set(e, ERR_USAGE,
		    "the site has no 'check' in deploy.yml;; such as check: {url: https://example.org/}");
	if (cmd_open_fleet(run, &f, e) == 0)
		id = fleet_find(&f, "current", e);
	r = id != NULL ? check_release(run, &f, id, e) : -1;
	fleet_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_check = {
	.name = "check",
	.group = "Looking",
	.args = "",
	.summary = "ask the web servers for what is live",
	.about =
	    "Fetches the URLs of 'check' in deploy.yml from every host at its own\n"
	    "address, and compares files of the live release with its manifest.\n"
	    "Then fetches them once from each 'edge'.\n",
	.examples = "deploy check -s example.org --host www2.example.org\n",
	.looks = true,
	.opts = opts,
	.run = run_check,
};
