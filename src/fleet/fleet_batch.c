#include "fleet/fleet_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/digest_index.h"
#include "remote/pack_edits.h"

enum { BLOCK = 4096 }; /* that a file takes on most file systems */

/* Can this file of the base stand for the entry as it is? */
static bool
stands_for(const struct entry *have, const struct entry *want)
{
	return have != NULL && have->type == ENTRY_FILE &&
	    have->mode == want->mode && have->mtime == want->mtime &&
	    have->size == want->size &&
	    memcmp(have->digest, want->digest, HASH_LEN) == 0;
}

/* A carried file: from the release that had it, else it was fetched. */
static void
find_carried(const struct batch *b, size_t i, struct pack_origin *out)
{
	const struct plan_step *steps = b->what->steps;

	out->fetched =
	    steps == NULL || !release_ids_has(&b->common, steps[i].release);
	if (!out->fetched) {
		out->release = steps[i].release;
		out->path = b->what->m->v[i].path;
	}
}

/* Is it none of the build's own? */
static bool
is_made(const struct batch *b, size_t i)
{
	return b->what->steps != NULL && b->what->steps[i].made;
}

/* pack.h: has the batch's base this file? */
static void
find_origin(void *ctx, size_t i, struct pack_origin *out)
{
	const struct batch *b = ctx;
	const struct entry *en = &b->what->m->v[i];
	const struct entry *have = manifest_find(&b->base_manifest, en->path);

	if (!stands_for(have, en))
		have = digest_index_find(b->index, en->digest, en->mode);
	if (stands_for(have, en)) {
		out->release = &b->base;
		out->path = have->path;
	} else if (en->mark == ENTRY_CARRIED) {
		find_carried(b, i, out);
	} else {
		out->fetched = b->what->build == NULL || is_made(b, i);
	}
}

/* Has the file of the base the content of the entry? */
static bool
has_content(const struct entry *have, const struct entry *want)
{
	return have != NULL && have->type == ENTRY_FILE &&
	    have->size == want->size &&
	    memcmp(have->digest, want->digest, HASH_LEN) == 0;
}

/* The number of the release among the others of the edits. */
static uint32_t
other_of(struct edits *x, const struct release_id *id)
{
	size_t i = 0;

	while (i < x->others.n && !release_id_eq(&x->others.v[i], id))
		i++;
	if (i == x->others.n)
		release_ids_add(&x->others, id);
	return (uint32_t)i;
}

/*
 * Can the hosts make the file themselves?  This run made it with the same
 * library, of what they have before it; else it is not in the hoard.
 */
static bool
can_make(struct batch *b, size_t i)
{
	const struct entry *en = &b->what->m->v[i], *plain;

	if (!b->makes_gzip || !is_made(b, i) ||
	    !hoard_has(b->fetch, en->digest))
		return false;
	plain = edits_plain(b->what->m, en);
	if (plain == NULL || plain->size > b->gzip_left)
		return false;
	b->gzip_left -= plain->size;
	return true;
}

/*
 * The same for edits: times and modes may differ, the host makes a copy then.
 */
static void
find_edit(struct batch *b, size_t i, struct edit *out)
{
	const struct entry *en = &b->what->m->v[i];
	const struct entry *have = manifest_find(&b->base_manifest, en->path);
	struct pack_origin o = { NULL, NULL, false };

	if (!has_content(have, en))
		have = digest_index_find(b->index, en->digest, en->mode);
	if (has_content(have, en)) {
		out->source = EDIT_BASE;
		out->from = (uint32_t)(have - b->base_manifest.v);
		return;
	}
	out->source = EDIT_WHOLE;
	find_origin(b, i, &o);
	b->fetched[i] = o.fetched;
	if (o.release != NULL) {
		out->source = EDIT_OTHER;
		out->from = other_of(&b->edits, o.release);
	} else if (can_make(b, i)) {
		out->source = EDIT_GZIP;
		b->fetched[i] = false;
	}
}

static void
find_edits(struct batch *b)
{
	const struct manifest *m = b->what->m;

	b->fetched = xcalloc(m->n, sizeof(*b->fetched));
	b->edits.mtime = b->what->meta->mtime;
	manifest_text_digest(m, b->edits.digest);
	for (size_t i = 0; i < m->n; i++) {
		struct edit *ed = edits_add(&b->edits);

		if (m->v[i].type == ENTRY_FILE)
			find_edit(b, i, ed);
	}
}

static int
into_spool(void *ctx, const void *data, size_t len, struct err *e)
{
	struct batch_pack *p = ctx;

	if (spool_write(p->spool, data, len, e) != 0)
		return -1;
	marks_add(&p->marks, spool_size(p->spool), &p->has);
	return 0;
}

static int
write_whole(struct batch *b, struct err *e)
{
	struct batch_pack *p = &b->packs[BATCH_WHOLE];
	const struct pack_source src = { .m = b->what->m,
		.meta = b->what->meta,
		.build = b->what->build,
		.fetched = &b->fetch->dir,
		.origin = find_origin,
		.ctx = b,
		.there = b->there,
		.compression = b->compression,
		/* All of a site, once: the link is what it waits for. */
		.thorough = release_id_is_none(&b->base),
		.tally = &p->has };

	return pack_write(&src, into_spool, p, e);
}

static int
write_edits(struct batch *b, struct err *e)
{
	struct batch_pack *p = &b->packs[BATCH_EDITS];
	const struct pack_edits_source src = { .m = b->what->m,
		.base = &b->base_manifest,
		.meta = b->what->meta,
		.edits = &b->edits,
		.rules = &b->rules,
		.deltas = (const struct delta *const *)b->deltas,
		.build = b->what->build,
		.fetched = &b->fetch->dir,
		.is_fetched = b->fetched,
		.tally = &p->has };

	return pack_edits_write(&src, into_spool, p, e);
}

/* The threads that make a pack while the hosts read it. */
static void *
run_whole(void *arg)
{
	struct batch *b = arg;
	struct err e = ERR_INIT;
	int r = write_whole(b, &e);

	spool_end(b->packs[BATCH_WHOLE].spool, r == 0 ? NULL : &e);
	return NULL;
}

static void *
run_edits(void *arg)
{
	struct batch *b = arg;
	struct err e = ERR_INIT;
	int r = write_edits(b, &e);

	spool_end(b->packs[BATCH_EDITS].spool, r == 0 ? NULL : &e);
	return NULL;
}

/* The release that the pack for a host links to. */
static const struct release_id *
base_for(const struct remote *r)
{
	return r->cannot_link ? &release_id_none : view_base(&r->view);
}

static bool
uses_rsync(const struct remote *r)
{
	return r->host->transport == HOST_RSYNC;
}

/* Can it make the release of its base? */
static bool
takes_edits(const struct remote *r)
{
	return r->has_delta && !uses_rsync(r) &&
	    !release_id_is_none(base_for(r));
}

bool
batch_is_for(const struct batch *b, const struct remote *r)
{
	return b->compression == remote_compression(r) &&
	    b->rsync == uses_rsync(r) && b->edited == takes_edits(r) &&
	    b->makes_gzip == r->makes_gzip &&
	    release_id_eq(&b->base, base_for(r));
}

void
batch_add(struct batch *b, const struct remote *r)
{
	struct release_ids both = RELEASE_IDS_INIT;

	for (size_t i = 0; i < b->common.n; i++)
		if (release_ids_has(&r->view.ids, &b->common.v[i]))
			release_ids_add(&both, &b->common.v[i]);
	release_ids_release(&b->common);
	b->common = both;
}

int
batch_open(struct batch *b, struct fleet *f, const struct remote *r,
    const struct fleet_send *what, const struct hoard *fetch, struct err *e)
{
	*b = (struct batch){ .base = *base_for(r),
		.compression = remote_compression(r),
		.rsync = uses_rsync(r),
		.edited = takes_edits(r),
		.makes_gzip = r->makes_gzip,
		.gzip_left = EDITS_GZIP_MAX,
		.base_manifest = MANIFEST_INIT,
		.common = RELEASE_IDS_INIT,
		.uses = RELEASE_IDS_INIT,
		.edits = EDITS_INIT,
		.rules = BUF_INIT,
		.what = what,
		.fetch = fetch };
	pthread_mutex_init(&b->lock, NULL);
	for (size_t i = 0; i < BATCH_FORMS; i++)
		marks_init(&b->packs[i].marks);
	for (size_t i = 0; !r->cannot_link && i < r->view.ids.n; i++)
		release_ids_add(&b->common, &r->view.ids.v[i]);
	if (!release_id_is_none(&b->base) &&
	    fleet_manifest(f, &b->base, &b->base_manifest, e) != 0)
		return -1;
	b->index = digest_index_new(&b->base_manifest);
	return 0;
}

/* What it takes on a host that has this origin of the entry. */
static void
add_room(struct batch *b, const struct entry *en, const struct pack_origin *o)
{
	if (en->type == ENTRY_FILE && o->release != NULL)
		return;
	plan_add_room(&b->need, en, BLOCK);
}

static void
tally(struct pack_tally *t, int64_t bytes)
{
	t->files++;
	t->bytes += bytes;
}

void
batch_divide(struct batch *b, bool *wanted)
{
	const struct manifest *m = b->what->m;

	b->there = b->rsync ? xcalloc(m->n, sizeof(*b->there)) : NULL;
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		struct pack_origin o = { NULL, NULL, false };

		if (en->type == ENTRY_FILE)
			find_origin(b, i, &o);
		add_room(b, en, &o);
		if (o.release != NULL)
			release_ids_add_once(&b->uses, o.release);
		wanted[i] |= o.fetched;
		if (b->rsync)
			b->there[i] = b->what->build != NULL &&
			    en->mark == ENTRY_BUILD && !is_made(b, i) &&
			    en->type != ENTRY_LINK && !o.fetched;
		if (en->type == ENTRY_FILE && o.release == NULL)
			tally(b->rsync && b->there[i] ?
				&b->by_rsync :
				&b->packs[BATCH_WHOLE].all,
			    en->size);
	}
	if (b->edited)
		find_edits(b);
}

/* What goes into the edits, which are settled. */
static void
tally_edits(struct batch *b)
{
	struct pack_tally *all = &b->packs[BATCH_EDITS].all;

	for (size_t i = 0; i < b->what->m->n; i++)
		if (b->edits.v[i].source == EDIT_WHOLE &&
		    b->what->m->v[i].type == ENTRY_FILE)
			tally(all, b->what->m->v[i].size);
		else if (b->edits.v[i].source == EDIT_DELTA)
			tally(all, delta_own(b->deltas[i]));
}

static int
start(struct batch *b, enum batch_form form, struct err *e)
{
	struct batch_pack *p = &b->packs[form];

	if (form == BATCH_EDITS)
		tally_edits(b);
	p->spool = spool_new(e);
	if (p->spool == NULL)
		return -1;
	errno = pthread_create(&p->writer, NULL,
	    form == BATCH_EDITS ? run_edits : run_whole, b);
	p->running = errno == 0;
	if (p->running)
		return 0;
	err_sys(e, "cannot start a thread that packs");
	spool_free(p->spool);
	p->spool = NULL;
	return -1;
}

struct batch_pack *
batch_pack(struct batch *b, enum batch_form form, struct err *e)
{
	struct batch_pack *p = &b->packs[form];
	int r = 0;

	pthread_mutex_lock(&b->lock);
	if (p->spool == NULL)
		r = start(b, form, e);
	pthread_mutex_unlock(&b->lock);
	return r == 0 ? p : NULL;
}

void
batch_close(struct batch *b, struct fleet_sent *out)
{
	for (size_t i = 0; i < BATCH_FORMS; i++) {
		struct batch_pack *p = &b->packs[i];

		if (p->spool != NULL) {
			pthread_join(p->writer, NULL);
			out->packs++;
			out->pack_bytes += spool_size(p->spool);
			spool_free(p->spool);
		}
		marks_release(&p->marks);
	}
	pthread_mutex_destroy(&b->lock);
	for (size_t i = 0; b->deltas != NULL && i < b->what->m->n; i++)
		if (b->deltas[i] != NULL) {
			delta_release(b->deltas[i]);
			free(b->deltas[i]);
		}
	free(b->deltas);
	digest_index_free(b->index);
	manifest_release(&b->base_manifest);
	release_ids_release(&b->common);
	release_ids_release(&b->uses);
	edits_release(&b->edits);
	buf_release(&b->rules);
	free(b->fetched);
	free(b->there);
}
