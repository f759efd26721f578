#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "fleet/cure.h"
#include "os/log.h"
#include "site/site.h"

/* A prune of all hosts. */
struct pruning {
	const struct prune_options *o;
	pthread_mutex_t lock; /* guards removed */
	struct release_ids *removed;
};

/* What one of them is doing. */
struct host_pruning {
	struct pruning *all;
	const struct remote *r;
};

static void
on_pruned(void *ctx, const char *key, const char *value)
{
	struct host_pruning *h = ctx;
	struct release_id id;

	if (strcmp(key, "warning") == 0)
		log_warn("%s%s", remote_said(h->r), value);
	if (strcmp(key, "expired") == 0)
		log_info("%sthe preview %s is over: removed",
		    remote_said(h->r), value);
	/* It is printed: nothing but an id. */
	if (strcmp(key, "pruned") != 0 || !release_id_parse(&id, value))
		return;
	pthread_mutex_lock(&h->all->lock);
	log_info("%s%s %s", remote_said(h->r),
	    h->all->o->preview ? "would prune" : "pruned", value);
	release_ids_add_once(h->all->removed, &id);
	pthread_mutex_unlock(&h->all->lock);
}

/* Each host has its own past, and so its own releases to remove. */
static int
prune_host(struct remote *r, void *ctx, struct err *e)
{
	struct host_pruning h = { ctx, r };

	return remote_prune(r, h.all->o, on_pruned, &h, e);
}

/* What stays because nobody can read whether it is pinned; and what ends that. */
static void
tell_unreadable(const struct fleet *f, const struct remote *r)
{
	for (size_t i = 0; r->metas != NULL && i < r->view.ids.n; i++) {
		const struct release_id *id = &r->view.ids.v[i];
		struct buf cure = BUF_INIT;

		if (!release_id_is_none(&r->metas[i].id) ||
		    release_id_eq(id, &r->view.current))
			continue;
		cure_add(f, &cure, "unpin", id->text);
		log_warn(
		    "%srelease %s stays, for it may be pinned: its meta is damaged ('.deploy/meta/%s.json'); if it is not, run: %s",
		    remote_said(r), id->text, id->text, cure.data);
		buf_release(&cure);
	}
}

int
site_prune(struct site_run *s, struct release_ids *removed, struct err *e)
{
	struct pruning p = { .o = &s->wishes.prune, .removed = removed };
	size_t failed;

	pthread_mutex_init(&p.lock, NULL);
	failed = fleet_each(&s->fleet, prune_host, &p);
	pthread_mutex_destroy(&p.lock);
	for (size_t i = 0; i < s->fleet.n; i++)
		tell_unreadable(&s->fleet, &s->fleet.v[i]);
	release_ids_sort(removed);
	return failed > 0 ? fleet_fail(&s->fleet, "not pruned everywhere", e) :
			    0;
}
