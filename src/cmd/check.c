#include "fleet/check.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "fleet/fleet_check.h"
#include "os/log.h"

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
	json_put_string(j, "error", failed != NULL ? failed->text : NULL);
	return j;
}

static void
answer(struct run *run, const char *id, bool served, json_t *list)
{
	json_t *doc = cmd_new_doc(run);

	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "served", served);
	json_put(doc, "hosts", list);
	cmd_answer(run, doc);
}

static int
check_here(struct run *run, struct err *e)
{
	const struct check_config *c = &run->site->check;
	struct store s = STORE_INIT;
	struct view v = VIEW_INIT;
	struct manifest m = MANIFEST_INIT;
	struct check_result found = { 0, 0 };
	json_t *list;
	const char *id = NULL;
	int r = cmd_open_view(run, &s, &v, e);

	if (r == 0)
		id = view_find(&v, "current", e);
	r = id == NULL ? -1 : manifest_read(&m, &s.manifests, id, e);
	if (r == 0) {
		r = check_served(c, c->connect, &m, &found, e);
		if (r == 0)
			log_info("%s is served: %zu URLs, %zu files compared",
			    id, found.urls, found.files);
		if (run->opts.json) {
			list = json_new_array();
			json_push(list,
			    finding("", &found, r != 0 ? e : NULL));
			answer(run, id, r == 0, list);
		}
	}
	manifest_release(&m);
	view_release(&v);
	store_close(&s);
	return r;
}

static int
check_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct check_result *found = NULL;
	struct release_id id = { "" };
	json_t *list;
	const char *current = NULL;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0)
		current = fleet_find(&f, "current", e);
	if (current == NULL)
		r = -1;
	if (r == 0) {
		release_id_copy(&id, current);
		found = xcalloc(f.n, sizeof(*found));
		r = fleet_check(&f, id.s, found, e);
	}
	if (run->opts.json && found != NULL) {
		list = json_new_array();
		for (size_t i = 0; i < f.n; i++)
			json_push(list,
			    finding(f.v[i].host->label, &found[i],
				f.v[i].failed ? &f.v[i].err : NULL));
		answer(run, id.s, r == 0, list);
	}
	free(found);
	fleet_release(&f);
	return r;
}

static int
run_check(struct run *run, struct err *e)
{
	if (cmd_site(run, e) != 0)
		return -1;
	if (run->site->check.urls.n == 0)
		return err_set(e, ERR_USAGE,
		    "the site has no 'check' in "
		    "deploy.yml; such as check: {url: https://example.org/}");
	return cmd_has_hosts(run) ? check_hosts(run, e) : check_here(run, e);
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_check = {
	.name = "check",
	.group = "Looking",
	.args = "",
	.summary = "ask the web servers for what is live",
	.about =
	    "Fetches what 'check' in deploy.yml names from every host by its\n"
	    "own address, and files of the live release, whose bodies have to\n"
	    "be what the manifest says.\n",
	.examples = "deploy check -s example.org --host www2.example.org\n",
	.opts = opts,
	.run = run_check,
};
