#include "fleet/fleet_bridge.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "content/extras.h"
#include "content/plan.h"
#include "fleet/cache.h"
#include "fleet/cure.h"
#include "fleet/fleet_send.h"
#include "fleet/vote.h"
#include "os/log.h"
#include "root/earlier.h"

/* A bridge that is made, for hosts that serve the same. */
struct making {
	struct fleet part;	     /* those hosts */
	const struct release_id *id; /* what it leads to */
	struct earlier earlier;	     /* that, and what else files are of */
	struct manifest m;	     /* what they serve, and more */
	size_t files;		     /* so many more */
	struct meta meta;
	char *message;
};

/* What the link of the host leads to. */
static const struct release_id *
served(const struct remote *r)
{
	return release_id_is_none(&r->view.bridge) ? &r->view.current :
						     &r->view.bridge;
}

/* May a bridge be brought to it, and be links of what is there? */
static bool
is_able(const struct remote *r)
{
	return r->has_bridge && !r->cannot_link;
}

/* Do they serve the same, and can be treated alike? */
static bool
are_alike(const struct remote *a, const struct remote *b)
{
	return release_id_eq(served(a), served(b)) && is_able(a) == is_able(b);
}

/* The hosts from `first` on that are alike, as a fleet of their own. */
static struct fleet
part_of(const struct fleet *f, size_t first)
{
	struct fleet part = *f;

	part.v = f->v + first;
	part.n = 1;
	while (
	    first + part.n < f->n && are_alike(&f->v[first], &part.v[part.n]))
		part.n++;
	return part;
}

/* Do they serve anything that the new release comes after? */
static bool
serves_another(const struct remote *r, const struct release_id *id)
{
	return !release_id_is_none(&r->view.current) &&
	    !release_id_eq(&r->view.current, id) &&
	    release_ids_has(&r->view.ids, served(r));
}

/* Do all of them have it? */
static bool
all_have(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (!release_ids_has(&f->v[i].view.ids, id))
			return false;
	return true;
}

/*
 * The releases whose assets go beside what the hosts serve.  A new one has all
 * that is carried.  One that was live, and is gone back from, has not what went
 * live after it: that is open in browsers, too, and the bridge that had it is
 * not served any more.
 */
static int
read_earlier(struct making *k, int64_t now, struct err *e)
{
	struct fleet *f = &k->part;
	const struct view *v = &f->v[0].view;
	int64_t from = now - f->site->rules.carry_for * 1000;
	bool back = vote_was_live(f, k->id);

	for (size_t i = 0; back && i < v->ids.n; i++) {
		const struct release_id *id = &v->ids.v[i];
		int64_t until = history_until(&v->history, id);
		struct err why = ERR_INIT;
		struct manifest *m;

		if (until < 0 || until < from || release_id_eq(id, k->id) ||
		    !all_have(f, id))
			continue;
		m = &earlier_add(&k->earlier, id, until)->m;
		if (fleet_manifest(f, id, m, &why) != 0) {
			manifest_release(m);
			log_debug("%s", why.text);
		}
	}
	return fleet_manifest(f, k->id,
	    &earlier_add(&k->earlier, k->id, INT64_MAX)->m, e);
}

/* Put into k->m what the hosts serve, and what of those they lack. */
static int
find_lacking(struct making *k, struct err *e)
{
	struct fleet *f = &k->part;
	const struct rules *rules = &f->site->rules;
	struct extras_carry carry = { .now = clock_now() };
	struct extras_from from = EXTRAS_FROM_INIT;
	int r = fleet_manifest(f, served(&f->v[0]), &k->m, e);

	if (r == 0)
		r = read_earlier(k, carry.now, e);
	carry.earlier = k->earlier.v;
	carry.n = k->earlier.n;
	if (r == 0)
		r = extras_add_carried(&k->m, rules, &carry, &from, e);
	/* Directories may have come with it. */
	for (size_t i = 0; rules->group != NULL && i < k->m.n; i++)
		if (k->m.v[i].type == ENTRY_DIR)
			k->m.v[i].mode = 02755;
	k->files = from.n;
	free(from.v);
	return r;
}

/* A bridge with that content which is there from a run that died; or NULL. */
static const struct release_id *
find_made(const struct fleet *f, const struct meta *meta)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].view.ids.n; k++)
			if (release_id_eq(&f->v[i].metas[k].bridge,
				&meta->bridge) &&
			    strcmp(f->v[i].metas[k].digest, meta->digest) == 0)
				return &f->v[i].view.ids.v[k];
	return NULL;
}

/* What is remembered of it.  It has no sequence and no commit of its own. */
static int
fill_meta(struct making *k, struct err *e)
{
	struct fleet *f = &k->part;
	const struct meta *coming = remote_meta(&f->v[0], k->id);
	struct manifest_totals totals = manifest_totals(&k->m);
	const struct release_id *made;
	uint8_t digest[HASH_LEN];

	k->message = xasprintf("%s of %s beside %s",
	    TEXT_COUNT(k->files, "file", "files"), k->id->text,
	    f->v[0].view.current.text);
	k->meta = (struct meta)META_INIT;
	k->meta.who = f->caller->who;
	k->meta.job = f->caller->job;
	k->meta.message = k->message;
	k->meta.bridge = f->v[0].view.current;
	k->meta.files = (int64_t)totals.files;
	k->meta.bytes = totals.bytes;
	k->meta.mtime = coming != NULL ? coming->mtime : 0;
	manifest_digest(&k->m, digest);
	hash_hex(digest, k->meta.digest);
	made = find_made(f, &k->meta);
	if (made == NULL) {
		release_id_new(&k->meta.id, fleet_latest_id(f));
		return 0;
	}
	/* Its own manifest counts, with the times in it. */
	k->meta.id = *made;
	manifest_release(&k->m);
	return fleet_manifest(f, &k->meta.id, &k->m, e);
}

/* Which of the others has this carried file, as it is here?  Or what is served. */
static const struct release_id *
origin(const struct making *k, const struct entry *en)
{
	for (size_t i = k->earlier.n; i-- > 0;) {
		const struct extras_earlier *x = &k->earlier.v[i];
		const struct entry *there = manifest_find(&x->m, en->path);

		if (there != NULL && entry_is_same(there, en) &&
		    there->mtime == en->mtime)
			return &x->id;
	}
	return served(&k->part.v[0]);
}

/*
 * To the hosts that lack it; what it adds they have in other releases, or in
 * the bridge that they serve.
 */
static int
send_bridge(struct making *k, struct err *e)
{
	struct plan_step *steps = xcalloc(k->m.n, sizeof(*steps));
	const struct fleet_send what = { .m = &k->m,
		.meta = &k->meta,
		.steps = steps };
	struct fleet_sent sent;
	int r;

	for (size_t i = 0; i < k->m.n; i++)
		if (k->m.v[i].mark == ENTRY_CARRIED)
			steps[i] = (struct plan_step){ .way = PLAN_CARRY,
				.release = origin(k, &k->m.v[i]) };
	r = fleet_send(&k->part, &what, &sent, e);
	free(steps);
	if (r == 0)
		cache_put(&k->meta.id, &k->m);
	return r;
}

static void
tell_unable(const struct fleet *part)
{
	for (size_t i = 0; i < part->n; i++)
		log_info(
		    "%sno bridge can be made there, so for a moment other hosts may have pages whose assets it lacks",
		    remote_said(&part->v[i]));
}

/* One bridge, unless the hosts lack nothing, or cannot have one. */
static int
make(struct making *k, struct err *e)
{
	int r = find_lacking(k, e);

	if (r == 0 && k->files > 0 && !is_able(&k->part.v[0])) {
		tell_unable(&k->part);
		k->files = 0;
	}
	if (r == 0 && k->files > 0)
		r = fill_meta(k, e);
	if (r == 0 && k->files > 0)
		r = send_bridge(k, e);
	manifest_release(&k->m);
	earlier_release(&k->earlier);
	free(k->message);
	return r;
}

int
fleet_bridge_stage(struct fleet *f, const struct release_id *id,
    struct fleet_bridge *out, struct err *e)
{
	const struct release_id own = *id;

	out->v = xcalloc(f->n, sizeof(*out->v));
	for (size_t i = 0; i < f->n;) {
		struct making k = { .part = part_of(f, i),
			.id = &own,
			.earlier = EARLIER_INIT,
			.m = MANIFEST_INIT };

		if (serves_another(&k.part.v[0], &own) && make(&k, e) != 0)
			return -1;
		f->changed |= k.part.changed;
		for (size_t h = 0; k.files > 0 && h < k.part.n; h++)
			out->v[i + h] = k.meta.id;
		out->n += k.files > 0 ? k.part.n : 0;
		if (k.files > out->files)
			out->files = k.files;
		i += k.part.n;
	}
	return 0;
}

/*
 * The bridge to what the host serves, from `to`; none.  Its line is the one
 * before that of the flip; one that was made for another release, or lacks
 * anything, is not wrong, either, for all its pages are those of `to`.
 */
static struct release_id
find_back(const struct remote *r, const struct release_id *to)
{
	const struct history *h = &r->view.history;
	const struct journal_line *flip, *before;
	const struct meta *meta;
	size_t n = h->journal->n;

	while (n > 0 && !h->happened[n - 1])
		n--;
	if (n < 2)
		return release_id_none;
	flip = &h->journal->v[n - 1];
	before = &h->journal->v[n - 2];
	meta = remote_meta(r, &before->to);
	return before->action == JOURNAL_BRIDGE && meta != NULL &&
		release_id_eq(&meta->bridge, to) &&
		flip->action == JOURNAL_ACTIVATE &&
		release_id_eq(&flip->to, &r->view.current) &&
		release_ids_has(&r->view.ids, &before->to) ?
	    before->to :
	    release_id_none;
}

void
fleet_bridge_back(struct fleet *f, const struct release_id *to)
{
	for (size_t i = 0; i < f->n; i++)
		f->v[i].way_back = f->v[i].has_bridge ?
		    find_back(&f->v[i], to) :
		    release_id_none;
}

/* What all flips to bridges share. */
struct flip {
	const struct fleet *f;
	const struct fleet_bridge *b;
	const struct remote_activate *o;
	char *message;
};

/* For fleet_each(). */
static int
flip(struct remote *r, void *ctx, struct err *e)
{
	const struct flip *fl = ctx;
	const struct release_id *id = &fl->b->v[r - fl->f->v];
	const struct remote_activate o = { .id = id,
		.message = fl->message,
		.skipped = fl->o->skipped,
		.journal_size = r->journal_size,
		.action = JOURNAL_BRIDGE,
		.overrides = fl->o->overrides };

	if (release_id_is_none(id))
		return 0;
	/* What it says then; any, when it says nothing. */
	r->journal_size = -1;
	if (remote_activate(r, &o, e) != 0)
		return -1;
	r->view.bridge = *id;
	return 0;
}

static void
tell_bridged(const struct fleet *f, const struct fleet_bridge *b,
    const struct release_id *id)
{
	log_info("bridged: %s of %s %s beside what is live%s%s",
	    TEXT_COUNT(b->files, "file", "files"), id->text,
	    TEXT_PLURAL(b->files, "is", "are"), f->n > 1 ? " on " : "",
	    f->n > 1 ? TEXT_COUNT(b->n, "host", "hosts") : "");
}

int
fleet_bridge_flip(struct fleet *f, const struct fleet_bridge *b,
    const struct remote_activate *o, struct err *e)
{
	struct flip fl = { f, b, o, NULL };
	size_t failed;

	if (b->n == 0)
		return 0;
	fl.message = xasprintf("%s of %s",
	    TEXT_COUNT(b->files, "file", "files"), o->id->text);
	f->changed = true;
	failed = fleet_each(f, flip, &fl);
	free(fl.message);
	if (failed == 0) {
		tell_bridged(f, b, o->id);
		return 0;
	}
	fleet_fail(f, "nothing was activated", e);
	return cure_failed(f, e);
}

void
fleet_bridge_release(struct fleet_bridge *b)
{
	free(b->v);
	*b = (struct fleet_bridge)FLEET_BRIDGE_INIT;
}
