/* What a flip changed for visitors, for the hooks that follow it. */
#include "site/site_flip.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/manifest.h"
#include "fleet/fleet_content.h"
#include "os/log.h"
#include "root/stage.h"
#include "root/store.h"
#include "site/hook.h"

/* Bytes of pages that are fetched to find out what is new to read. */
#define FETCH_MAX (INT64_C(64) << 20)

/*
 * The manifests of what the flipped hosts served before, each once.  What one
 * of them showed counts for all, so that nobody's cache keeps an old page.
 */
static struct hook_before *
read_befores(struct site_run *s, struct release_ids *ids)
{
	struct fleet *f = &s->fleet;
	struct hook_before *v = xcalloc(f->n, sizeof(*v));

	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = &f->v[i].before;
		struct hook_before *b = &v[ids->n];
		struct err why = ERR_INIT;

		/* Those that went back have what they served before. */
		if ((!f->v[i].flipped && release_id_is_none(&s->seen.id)) ||
		    release_ids_has(ids, id))
			continue;
		/* Without the old one everything is new. */
		b->m = (struct manifest)MANIFEST_INIT;
		if (!release_id_is_none(id) &&
		    fleet_manifest(f, id, &b->m, &why) != 0) {
			log_warn("what changed is not known: %s", why.text);
			manifest_release(&b->m);
		}
		release_ids_add(ids, id);
	}
	return v;
}

/* Of a root here: compare with the release that is live now. */
static void
compare_here(struct fleet *f, const struct release_id *base,
    const struct manifest *old, const struct release_id *id,
    const struct manifest *new)
{
	struct store store = STORE_INIT;
	struct dir dir = DIR_INIT;
	struct err ignored = ERR_INIT;
	struct content c;

	if (store_look(&store, f->here.root, &ignored) == 0 &&
	    dir_open(&dir, &store.releases, id->text, &ignored) == 0) {
		fleet_find_content(f, base, old, new, &dir, &c);
		fleet_keep_content(f, &c);
	}
	dir_close(&dir);
	store_close(&store);
}

/* Of hosts: both are there, and nobody has just compared them. */
static void
compare_there(struct fleet *f, const struct release_id *base,
    const struct manifest *old, const struct release_id *id,
    const struct manifest *new)
{
	struct err why = ERR_INIT;
	struct content c;

	if (fleet_fetch_content(f, base, old, id, new, FETCH_MAX, &c, &why) ==
	    0)
		fleet_keep_content(f, &c);
	else
		log_debug("what is new to read since %s is not known: %s",
		    base->text, why.text);
}

/* What has the same content as in each of them, as far as it is known. */
static void
find_same(struct site_run *s, const struct release_id *id,
    const struct manifest *new, struct hook_before *v,
    const struct release_ids *ids)
{
	struct fleet *f = &s->fleet;

	/* What was found is of what was staged. */
	if (!f->is_here && !release_id_eq(id, &s->staged))
		fleet_forget_contents(f);
	for (size_t i = 0; i < ids->n; i++) {
		const struct release_id *base = &ids->v[i];
		const struct content *c;

		if (v[i].m.n > 0 && fleet_content(f, base) == NULL) {
			if (f->is_here)
				compare_here(f, base, &v[i].m, id, new);
			else
				compare_there(f, base, &v[i].m, id, new);
		}
		c = fleet_content(f, base);
		if (c != NULL && c->n == new->n)
			v[i].same = c->same;
	}
}

int
site_write_changes(struct site_run *s, const struct release_id *id,
    struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	struct hook_before *v = read_befores(s, &ids);
	struct manifest new = MANIFEST_INIT;
	int r = fleet_manifest(&s->fleet, id, &new, e);

	if (r == 0) {
		find_same(s, id, &new, v, &ids);
		r = hook_write_changes(v, ids.n, &new, false, &s->changed, e);
	}
	if (r == 0)
		r = hook_write_changes(v, ids.n, &new, true,
		    &s->changed_content, e);
	for (size_t i = 0; i < ids.n; i++)
		manifest_release(&v[i].m);
	free(v);
	release_ids_release(&ids);
	manifest_release(&new);
	return r;
}

/* The build against what one host serves. */
static void
compare_build(struct fleet *f, const struct release_id *live,
    const struct stage *st)
{
	struct manifest old = MANIFEST_INIT;
	struct err ignored = ERR_INIT;
	struct content c;

	if (fleet_manifest(f, live, &old, &ignored) == 0) {
		fleet_find_content(f, live, &old, &st->plan.m,
		    source_files(&st->source), &c);
		fleet_keep_content(f, &c);
	}
	manifest_release(&old);
}

void
site_compare_content(struct site_run *s, const struct stage *st)
{
	struct fleet *f = &s->fleet;

	/* A root here has both releases, whenever it is asked. */
	if (f->is_here || !hook_exists(s->site, HOOK_POST_ACTIVATE))
		return;
	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *live = &f->v[i].view.current;

		if (!release_id_is_none(live) &&
		    fleet_content(f, live) == NULL)
			compare_build(f, live, st);
	}
}
