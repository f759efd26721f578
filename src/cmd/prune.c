#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"
#include "root/prune.h"

static struct prune_options
options_of(const struct run *run)
{
	return (struct prune_options){
		.keep = run->opts.keep < 0 ? run->site->keep :
					     (unsigned int)run->opts.keep,
		.older_than = run->opts.older_than,
		.preview = run->opts.dry_run,
	};
}

static int
step_prune(struct run *run, const struct store *s, const struct view *v,
    struct strvec *removed, struct err *e)
{
	const struct prune_options o = options_of(run);
	int r = prune(s, v, &o, removed, e);

	for (size_t i = 0; i < removed->n; i++)
		log_info("%s %s", o.preview ? "would prune" : "pruned",
		    removed->v[i]);
	return r;
}

/* A prune of all hosts. */
struct pruning {
	struct prune_options o;
	pthread_mutex_t lock; /* guards removed */
	struct strvec *removed;
};

/* What one of them is doing. */
struct host_pruning {
	struct pruning *all;
	const char *label;
};

static void
on_pruned(void *ctx, const char *key, const char *value)
{
	struct host_pruning *h = ctx;

	if (strcmp(key, "pruned") != 0)
		return;
	pthread_mutex_lock(&h->all->lock);
	log_info("%s: %s %s", h->label,
	    h->all->o.preview ? "would prune" : "pruned", value);
	if (!strvec_has(h->all->removed, value))
		strvec_add(h->all->removed, value);
	pthread_mutex_unlock(&h->all->lock);
}

/* Each host has its own past, and so its own releases to remove. */
static int
prune_host(struct remote *r, void *ctx, struct err *e)
{
	struct host_pruning h = { ctx, r->host->label };

	return remote_prune(r, &h.all->o, on_pruned, &h, e);
}

static int
step_prune_hosts(struct run *run, struct fleet *f, struct strvec *removed,
    struct err *e)
{
	struct pruning p = { .o = options_of(run), .removed = removed };
	size_t failed;

	pthread_mutex_init(&p.lock, NULL);
	failed = fleet_each(f, prune_host, &p);
	pthread_mutex_destroy(&p.lock);
	strvec_sort(removed);
	return failed > 0 ? fleet_fail(f, "not pruned everywhere", e) : 0;
}

static void
answer(struct run *run, size_t releases, const struct strvec *removed)
{
	json_t *doc, *ids;

	if (!run->opts.json) {
		for (size_t i = 0; i < removed->n; i++)
			printf("%s\n", removed->v[i]);
		return;
	}
	doc = cmd_new_doc(run);
	ids = json_new_array();
	for (size_t i = 0; i < removed->n; i++)
		json_push_string(ids, removed->v[i]);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put(doc, "pruned", ids);
	json_put_int(doc, "kept", (int64_t)(releases - removed->n));
	cmd_answer(run, doc);
}

static int
prune_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct strvec removed = STRVEC_INIT, ids = STRVEC_INIT;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0) {
		fleet_releases(&f, &ids);
		r = step_prune_hosts(run, &f, &removed, e);
		answer(run, ids.n, &removed);
	}
	strvec_release(&ids);
	strvec_release(&removed);
	fleet_release(&f);
	return r;
}

static int
run_prune(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct view v = VIEW_INIT;
	struct lock lock = LOCK_INIT;
	struct strvec removed = STRVEC_INIT;
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run))
		return prune_hosts(run, e);
	if (r == 0)
		r = store_open(&s, run->site->root, e);
	if (r == 0)
		r = cmd_lock(run, &s, &lock, e);
	if (r == 0)
		r = view_read(&v, &s, e);
	if (r == 0) {
		r = step_prune(run, &s, &v, &removed, e);
		answer(run, v.ids.n, &removed);
	}
	strvec_release(&removed);
	view_release(&v);
	lock_drop(&lock);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = { OPT_KEEP, OPT_OLDER_THAN, OPT_END };

const struct cmd cmd_prune = {
	.name = "prune",
	.group = "Keeping order",
	.args = "",
	.summary = "remove old releases",
	.about =
	    "Never removes what is live, was live before that, is pinned, or\n"
	    "what a rollback would go to.  Releases that never were live go\n"
	    "after a day.  Prints the ids of what went.\n",
	.examples = "deploy prune -n --keep 3 --older-than 30d\n",
	.opts = opts,
	.run = run_prune,
};
