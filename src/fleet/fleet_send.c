#include "fleet/fleet_send.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/digest_index.h"
#include "fleet/fleet_fetch.h"
#include "os/progress.h"
#include "os/spool.h"
#include "remote/pack.h"
#include "remote/rsync.h"

const struct release_id *
fleet_base_of(const struct remote *r)
{
	return view_base(&r->view);
}

/* Half a block more a file, on average, and its line in the manifest. */
enum { FILE_ROOM = 2048 + 256 };

/*
 * One pack, and the hosts that it is for: those with this base, the same
 * compression, and the same way for files.
 */
struct batch {
	const struct release_id *base; /* or none */
	enum pack_compression compression;
	bool rsync;  /* it brings the files; the pack has the rest */
	bool *there; /* for each entry: rsync brings it */
	struct manifest base_manifest;
	struct digest_index *index;
	struct release_ids common; /* releases that all its hosts have */
	struct spool *spool;
	const struct fleet_send *what;
	const struct fetch *fetch;
	int64_t bytes, inodes; /* that a host needs for it */
	pthread_t writer;
	bool running;
};

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
find_carried(const struct batch *b, const struct entry *en,
    struct pack_origin *out)
{
	const struct release_id *id = b->what->extras == NULL ?
	    NULL :
	    extras_release_of(b->what->extras, en->path);

	out->fetched = id == NULL || !release_ids_has(&b->common, id);
	if (!out->fetched) {
		out->release = id;
		out->path = en->path;
	}
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
		out->release = b->base;
		out->path = have->path;
	} else if (en->mark == ENTRY_CARRIED) {
		find_carried(b, en, out);
	} else {
		out->fetched = b->what->build == NULL;
	}
}

static int
into_spool(void *ctx, const void *data, size_t len, struct err *e)
{
	return spool_write(ctx, data, len, e);
}

/* The thread that makes a pack while the hosts read it. */
static void *
write_batch(void *arg)
{
	struct batch *b = arg;
	const struct pack_source src = { .m = b->what->m,
		.meta = b->what->meta,
		.build = b->what->build,
		.fetched = &b->fetch->dir,
		.origin = find_origin,
		.ctx = b,
		.there = b->there,
		.compression = b->compression,
		/* All of a site, once: the link is what it waits for. */
		.thorough = release_id_is_none(b->base) };
	struct err e = ERR_INIT;

	if (pack_write(&src, into_spool, b->spool, &e) == 0)
		spool_end(b->spool, NULL);
	else
		spool_end(b->spool, &e);
	return NULL;
}

/* What sending has to do with each host. */
struct sending {
	struct fleet *f;
	const struct fleet_send *what;
	const struct release_id *id;
	struct batch *batches;
	size_t n;
	size_t fresh;
	struct fetch fetch;
};

/* One host's place in its pack. */
struct reading {
	const struct batch *batch;
	int64_t at;
};

static ssize_t
from_spool(void *ctx, void *data, size_t len, struct err *e)
{
	struct reading *r = ctx;
	ssize_t n = spool_read(r->batch->spool, r->at, data, len, e);

	if (n > 0)
		r->at += n;
	return n;
}

/* remote.h: the host is ready for rsync. */
static int
run_rsync(void *ctx, struct remote *r, const char *incoming, struct err *e)
{
	const struct batch *b = ((struct reading *)ctx)->batch;
	const struct rsync_job job = { .from = b->what->build,
		.m = b->what->m,
		.send = b->there,
		.base = fleet_base_of(r),
		.to = incoming,
		.silence = r->waits.silence };

	return rsync_fill(&r->transport, &job, e);
}

/* The release that the pack for a host links to. */
static const struct release_id *
pack_base(const struct remote *r)
{
	return r->cannot_link ? &release_id_none : fleet_base_of(r);
}

static bool
uses_rsync(const struct remote *r)
{
	return r->host->transport == HOST_RSYNC;
}

static struct batch *
batch_of(struct sending *s, const struct remote *r)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->batches[i].compression == remote_compression(r) &&
		    s->batches[i].rsync == uses_rsync(r) &&
		    release_id_eq(s->batches[i].base, pack_base(r)))
			return &s->batches[i];
	return NULL;
}

/* Send the release to a host that lacks it. */
static int
send_to(struct remote *r, void *ctx, struct err *e)
{
	struct sending *s = ctx;
	struct reading reading;
	struct remote_receive o = { .id = s->id,
		.read = from_spool,
		.ctx = &reading };

	if (release_ids_has(&r->view.ids, s->id))
		return 0;
	reading = (struct reading){ batch_of(s, r), 0 };
	o.filled = reading.batch->rsync;
	o.ready = o.filled && s->what->build != NULL ? run_rsync : NULL;
	o.compression = remote_compression(r);
	o.group = s->f->site->rules.group;
	o.bytes = reading.batch->bytes;
	o.inodes = reading.batch->inodes;
	if (remote_receive(r, &o, e) != 0)
		return -1;
	remote_learn(r, s->what->meta);
	return 0;
}

/* One more host: what it has not is not common any more. */
static void
keep_common(struct batch *b, const struct remote *r)
{
	struct release_ids both = RELEASE_IDS_INIT;

	for (size_t i = 0; i < b->common.n; i++)
		if (release_ids_has(&r->view.ids, &b->common.v[i]))
			release_ids_add(&both, &b->common.v[i]);
	release_ids_release(&b->common);
	b->common = both;
}

/* Add a batch for the host's base, unless there is one. */
static int
add_batch(struct sending *s, const struct remote *r, struct err *e)
{
	struct batch *b;

	if (release_ids_has(&r->view.ids, s->id))
		return 0;
	s->fresh++;
	b = batch_of(s, r);
	if (b != NULL) {
		keep_common(b, r);
		return 0;
	}
	b = &s->batches[s->n++];
	for (size_t i = 0; !r->cannot_link && i < r->view.ids.n; i++)
		release_ids_add(&b->common, &r->view.ids.v[i]);
	b->fetch = &s->fetch;
	b->base = pack_base(r);
	b->compression = remote_compression(r);
	b->rsync = uses_rsync(r);
	b->what = s->what;
	if (!release_id_is_none(b->base) &&
	    fleet_manifest(s->f, b->base, &b->base_manifest, e) != 0)
		return -1;
	b->index = digest_index_new(&b->base_manifest);
	b->spool = spool_new(e);
	return b->spool == NULL ? -1 : 0;
}

/* What it takes on a host that has this origin of the entry. */
static void
add_room(struct batch *b, const struct entry *en, const struct pack_origin *o)
{
	if (en->type == ENTRY_FILE && o->release != NULL)
		return;
	b->inodes++;
	if (en->type == ENTRY_FILE)
		b->bytes += en->size + FILE_ROOM;
}

/* For fleet_each(): refuse what cannot fit, before anything is sent. */
static int
check_room(struct remote *r, void *ctx, struct err *e)
{
	struct sending *s = ctx;
	const struct batch *b = batch_of(s, r);
	struct guard_room need;

	if (release_ids_has(&r->view.ids, s->id) || !r->prepared)
		return 0;
	need = (struct guard_room){ b->bytes, b->inodes };
	return guard_check_room(&need, &r->room, r->host->root, e);
}

/*
 * What a batch lacks and the build does not have; what rsync brings; the room
 * that it takes.
 */
static void
divide(struct batch *b, bool *wanted)
{
	const struct manifest *m = b->what->m;

	b->there = b->rsync ? xcalloc(m->n, sizeof(*b->there)) : NULL;
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		struct pack_origin o = { NULL, NULL, false };

		if (en->type == ENTRY_FILE)
			find_origin(b, i, &o);
		add_room(b, en, &o);
		wanted[i] |= o.fetched;
		if (b->rsync)
			b->there[i] = b->what->build != NULL &&
			    en->mark == ENTRY_BUILD &&
			    en->type != ENTRY_LINK && !o.fetched;
	}
}

/* Fetch what some batch lacks and the build does not have. */
static int
fetch_missing(struct sending *s, struct err *e)
{
	const struct manifest *m = s->what->m;
	bool *wanted = xcalloc(m->n, sizeof(*wanted));
	int r;

	for (size_t b = 0; b < s->n; b++)
		divide(&s->batches[b], wanted);
	r = fetch_files(&s->fetch, s->f, s->id, m, wanted, e);
	free(wanted);
	return r;
}

static int
start_batches(struct sending *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct batch *b = &s->batches[i];

		errno = pthread_create(&b->writer, NULL, write_batch, b);
		b->running = errno == 0;
		if (!b->running)
			return err_sys(e, "cannot start a thread that packs");
	}
	return 0;
}

static void
end_batches(struct sending *s, struct fleet_sent *out)
{
	const struct err stopped = { .code = ERR_FAILED, .text = "stopped" };

	for (size_t i = 0; i < s->n; i++) {
		struct batch *b = &s->batches[i];

		if (b->running)
			pthread_join(b->writer, NULL);
		else if (b->spool != NULL)
			spool_end(b->spool, &stopped);
		if (b->spool != NULL)
			out->pack_bytes += spool_size(b->spool);
		spool_free(b->spool);
		digest_index_free(b->index);
		manifest_release(&b->base_manifest);
		release_ids_release(&b->common);
		free(b->there);
	}
	fetch_release(&s->fetch);
	free(s->batches);
}

int
fleet_send(struct fleet *f, const struct fleet_send *what,
    struct fleet_sent *out, struct err *e)
{
	struct sending s = { .f = f,
		.what = what,
		.id = &what->meta->id,
		.fetch = FETCH_INIT };
	int r = 0;

	s.batches = xcalloc(f->n, sizeof(*s.batches));
	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = add_batch(&s, &f->v[i], e);
	if (r == 0)
		r = fetch_missing(&s, e);
	if (r == 0 && fleet_each(f, check_room, &s) > 0)
		r = fleet_fail(f, "nothing was changed", e);
	if (r == 0)
		r = start_batches(&s, e);
	progress_begin("sending", 0, 0);
	f->changed |= r == 0;
	if (r == 0 && fleet_each(f, send_to, &s) > 0)
		r = fleet_fail(f, "not staged everywhere", e);
	progress_end();
	end_batches(&s, out);
	out->fresh = s.fresh;
	out->packs = s.n;
	return r;
}
