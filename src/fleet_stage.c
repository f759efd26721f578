#include "fleet_stage.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "cache.h"
#include "digest_index.h"
#include "fleet_fetch.h"
#include "log.h"
#include "pack.h"
#include "progress.h"
#include "rsync.h"
#include "spool.h"

/* The release that a host would link from. */
static const char *
base_of(const struct remote *r)
{
	return r->view.current.s[0] != '\0' ? r->view.current.s :
					      view_latest(&r->view);
}

/* For stage.h. */
static int
read_manifest(void *ctx, const char *id, struct manifest *m, struct err *e)
{
	return fleet_manifest(ctx, id, m, e);
}

/* A host that tells for all what is live: the first that has releases. */
static const struct remote *
pick_reference(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (*base_of(&f->v[i]) != '\0')
			return &f->v[i];
	return &f->v[0];
}

/* The newest mtime of new content that any host has. */
static int64_t
newest_mtime(const struct fleet *f)
{
	int64_t newest = 0;

	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].view.ids.n; k++)
			if (f->v[i].metas[k].mtime > newest)
				newest = f->v[i].metas[k].mtime;
	return newest;
}

/* When what was new in the base of the reference became so; 0: unknown. */
static int64_t
content_mtime(const struct remote *r)
{
	for (size_t i = 0; i < r->view.ids.n; i++)
		if (strcmp(r->view.ids.v[i], base_of(r)) == 0)
			return r->metas[i].mtime;
	return 0;
}

/* The latest id that any host knows, so that the new one is later. */
static const char *
latest_id(const struct fleet *f)
{
	const char *latest = "";

	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].latest.s, latest) > 0)
			latest = f->v[i].latest.s;
	return latest;
}

/* Is this content live on all hosts? */
static bool
is_live_everywhere(const struct fleet *f, const char *digest)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].digest, digest) != 0 ||
		    strcmp(f->v[i].view.current.s, f->v[0].view.current.s) !=
			0)
			return false;
	return f->n > 0;
}

/*
 * The newest release with this content that some host has and that was never
 * rolled away from: staged everywhere it is, or live on some (then an
 * activation stopped half-way, or a host is new).  "" when there is none.
 */
static const char *
find_staged(const struct fleet *f, const char *digest)
{
	const char *found = "";

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		for (size_t k = 0; k < r->view.ids.n; k++) {
			const char *id = r->view.ids.v[k];
			bool over = history_was_live(&r->view.history, id) &&
			    strcmp(id, r->view.current.s) != 0;

			if (!over && strcmp(r->metas[k].digest, digest) == 0 &&
			    strcmp(id, found) > 0)
				found = id;
		}
	}
	return found;
}

/*
 * One pack, and the hosts that it is for: those with this base, the same
 * compression, and the same way for files.
 */
struct batch {
	const char *base; /* release, or "" */
	enum pack_compression compression;
	bool rsync;    /* it brings the files; the pack has the rest */
	bool *there;   /* for each entry: rsync brings it */
	struct manifest base_manifest;
	struct digest_index *index;
	struct strvec common; /* releases that all its hosts have */
	struct spool *spool;
	const struct stage *st;
	const struct fetch *fetch;
	const struct meta *meta;
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
	const char *id = extras_release_of(&b->st->extras, en->path);

	out->fetched = id == NULL || !strvec_has(&b->common, id);
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
	const struct entry *en = &b->st->m.v[i];
	const struct entry *have = manifest_find(&b->base_manifest, en->path);

	if (!stands_for(have, en))
		have = digest_index_find(b->index, en->digest, en->mode);
	if (stands_for(have, en)) {
		out->release = b->base;
		out->path = have->path;
	} else if (en->mark == ENTRY_CARRIED) {
		find_carried(b, en, out);
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
	const struct pack_source src = { .m = &b->st->m,
		.meta = b->meta,
		.build = stage_build_dir(b->st),
		.fetched = &b->fetch->dir,
		.origin = find_origin,
		.ctx = b,
		.there = b->there,
		.compression = b->compression };
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
	const char *id;
	const struct stage *st;
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
	const struct rsync_job job = { .from = stage_build_dir(b->st),
		.m = &b->st->m,
		.send = b->there,
		.base = base_of(r),
		.to = incoming,
		.silence = r->waits.silence };

	return rsync_fill(&r->transport, &job, e);
}

/* The release that the pack for a host links to. */
static const char *
pack_base(const struct remote *r)
{
	return r->cannot_link ? "" : base_of(r);
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
		    strcmp(s->batches[i].base, pack_base(r)) == 0)
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

	if (strvec_has(&r->view.ids, s->id))
		return 0;
	reading = (struct reading){ batch_of(s, r), 0 };
	o.filled = reading.batch->rsync;
	o.ready = o.filled ? run_rsync : NULL;
	o.compression = remote_compression(r);
	o.group = s->f->site->group;
	o.inodes = (int64_t)(s->st->m.n - s->st->totals.files);
	return remote_receive(r, &o, e);
}

/* One more host: what it has not is not common any more. */
static void
keep_common(struct batch *b, const struct remote *r)
{
	struct strvec both = STRVEC_INIT;

	for (size_t i = 0; i < b->common.n; i++)
		if (strvec_has(&r->view.ids, b->common.v[i]))
			strvec_add(&both, b->common.v[i]);
	strvec_release(&b->common);
	b->common = both;
}

/* Add a batch for the host's base, unless there is one. */
static int
add_batch(struct sending *s, const struct remote *r, const struct meta *meta,
    struct err *e)
{
	struct batch *b;

	if (strvec_has(&r->view.ids, s->id))
		return 0;
	s->fresh++;
	b = batch_of(s, r);
	if (b != NULL) {
		keep_common(b, r);
		return 0;
	}
	b = &s->batches[s->n++];
	for (size_t i = 0; !r->cannot_link && i < r->view.ids.n; i++)
		strvec_add(&b->common, r->view.ids.v[i]);
	b->fetch = &s->fetch;
	b->base = pack_base(r);
	b->compression = remote_compression(r);
	b->rsync = uses_rsync(r);
	b->st = s->st;
	b->meta = meta;
	if (*b->base != '\0' &&
	    fleet_manifest(s->f, b->base, &b->base_manifest, e) != 0)
		return -1;
	b->index = digest_index_new(&b->base_manifest);
	b->spool = spool_new(e);
	return b->spool == NULL ? -1 : 0;
}

/* What a batch lacks and the build does not have; what rsync brings. */
static void
divide(struct batch *b, bool *wanted)
{
	const struct manifest *m = &b->st->m;

	b->there = b->rsync ? xcalloc(m->n, sizeof(*b->there)) : NULL;
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];
		struct pack_origin o = { NULL, NULL, false };

		if (en->type == ENTRY_FILE)
			find_origin(b, i, &o);
		wanted[i] |= o.fetched;
		if (b->rsync)
			b->there[i] = en->mark == ENTRY_BUILD &&
			    en->type != ENTRY_LINK && !o.fetched;
	}
}

/* Fetch what some batch lacks and the build does not have. */
static int
fetch_missing(struct sending *s, struct err *e)
{
	const struct manifest *m = &s->st->m;
	bool *wanted = xcalloc(m->n, sizeof(*wanted));
	int r;

	for (size_t b = 0; b < s->n; b++)
		divide(&s->batches[b], wanted);
	r = fetch_files(&s->fetch, s->f, m, wanted, e);
	free(wanted);
	return r;
}

static int
start_batches(struct sending *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct batch *b = &s->batches[i];

		b->running =
		    pthread_create(&b->writer, NULL, write_batch, b) == 0;
		if (!b->running)
			return err_set(e, ERR_FAILED,
			    "cannot start a "
			    "thread");
	}
	return 0;
}

static void
end_batches(struct sending *s, struct fleet_staged *out)
{
	const struct err stopped = { ERR_FAILED, 0, false, "stopped" };

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
		strvec_release(&b->common);
		free(b->there);
	}
	fetch_release(&s->fetch);
	free(s->batches);
}

/* What some host knows of a release that it has. */
static const struct meta *
known_meta(const struct fleet *f, const char *id)
{
	const struct meta *meta = NULL;

	for (size_t i = 0; meta == NULL && i < f->n; i++)
		meta = remote_meta(&f->v[i], id);
	return meta;
}

/*
 * What is remembered of the release: the same everywhere, whenever a host
 * got it.  The strings are borrowed.
 */
static void
fill_meta(const struct fleet *f, const struct stage *st, struct meta *out)
{
	const struct meta *known = known_meta(f, st->id.s);
	struct meta build = META_INIT;

	stage_fill_meta(st, &build);
	*out = known != NULL ? *known : build;
	if (build.seq > out->seq) {
		out->seq = build.seq;
		out->commit = build.commit != NULL ? build.commit :
						     out->commit;
	}
}

/* Pack, and send to all that lack it. */
static int
send_all(struct fleet *f, const struct stage *st, const char *id,
    struct fleet_staged *out, struct err *e)
{
	struct sending s = { .f = f, .id = id, .st = st, .fetch = FETCH_INIT };
	struct meta meta = META_INIT;
	int r = 0;

	fill_meta(f, st, &meta);
	s.batches = xcalloc(f->n, sizeof(*s.batches));
	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = add_batch(&s, &f->v[i], &meta, e);
	if (r == 0)
		r = fetch_missing(&s, e);
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

/* For fleet_each(). */
static int
note_on(struct remote *r, void *ctx, struct err *e)
{
	const struct stage *st = ctx;

	/* Who got it just now, got it with this build's number. */
	if (strcmp(r->view.current.s, st->id.s) != 0 &&
	    !strvec_has(&r->view.ids, st->id.s))
		return 0;
	return remote_note(r, st->id.s, st->opt->seq, st->opt->commit, e);
}

/*
 * The content is there already: this build's sequence counts, on every host,
 * so that an older one cannot overtake it.
 */
static int
note_build(struct fleet *f, struct stage *st, struct err *e)
{
	if (st->outcome == STAGE_NEW || st->opt->seq < 0)
		return 0;
	if (fleet_each(f, note_on, st) > 0)
		return fleet_fail(f, "the sequence was not noted everywhere",
		    e);
	return 0;
}

/* An id that is staged somewhere: its own manifest counts, mtimes and all. */
static int
take_over(struct fleet *f, struct stage *st, const char *id, struct err *e)
{
	struct manifest m = MANIFEST_INIT;

	if (fleet_manifest(f, id, &m, e) != 0)
		return -1;
	manifest_release(&st->m);
	st->m = m;
	release_id_copy(&st->id, id);
	st->outcome = STAGE_STAGED;
	return 0;
}

/* Which release is meant: the live one, a staged one, a new one. */
static int
choose_id(struct fleet *f, struct stage *st, bool force, struct err *e)
{
	const char *id = force ? "" : find_staged(f, st->digest);

	if (!force && is_live_everywhere(f, st->digest)) {
		st->outcome = STAGE_UNCHANGED;
		st->id = f->v[0].view.current;
		return 0;
	}
	if (*id != '\0')
		return take_over(f, st, id, e);
	release_id_new(&st->id, latest_id(f));
	return 0;
}

/* Reading the build, while the hosts are connected to. */
struct reader {
	struct stage *st;
	const struct stage_options *opt;
	int result;
	struct err err;
};

static void *
read_build(void *arg)
{
	struct reader *rd = arg;

	rd->result = stage_read(rd->st, rd->opt, &rd->err);
	return NULL;
}

int
fleet_stage_open(struct fleet *f, struct stage *st, struct stage_options *opt,
    struct err *e)
{
	struct reader rd = { .st = st, .opt = opt, .err = ERR_INIT };
	bool preview = opt->preview;
	pthread_t thread;
	int r;

	opt->preview = true;
	if (pthread_create(&thread, NULL, read_build, &rd) != 0)
		return err_set(e, ERR_FAILED, "cannot start a thread");
	r = fleet_connect(f, e);
	pthread_join(thread, NULL);
	opt->preview = preview;
	if (rd.result != 0)
		*e = rd.err;
	if (r != 0 || rd.result != 0)
		return -1;
	return st->digest[0] != '\0' && !opt->force ?
	    fleet_open_unless(f, st->digest, e) :
	    fleet_open(f, true, e);
}

/* Nothing to do: the build is live everywhere. */
static int
find_unchanged(struct fleet *f, struct stage *st)
{
	st->outcome = STAGE_UNCHANGED;
	st->id = f->v[0].view.current;
	/* All of it is in the live release. */
	st->linked = st->totals.files;
	st->copied = 0;
	st->copied_bytes = 0;
	return 0;
}

/* What the build is against what the hosts have, and which id it gets. */
static int
compare(struct fleet *f, struct stage *st, struct stage_options *opt,
    struct err *e)
{
	const struct remote *reference = pick_reference(f);
	struct manifest base = MANIFEST_INIT;
	struct stage_remote remote = { .view = &reference->view,
		.base = base_of(reference),
		.mtime = newest_mtime(f),
		.base_mtime = content_mtime(reference),
		.read = read_manifest,
		.ctx = f };
	int r = 0;

	if (*remote.base != '\0') {
		r = fleet_manifest(f, remote.base, &base, e);
		remote.manifest = &base;
	}
	opt->remote = &remote;
	if (r == 0)
		r = stage_run(st, NULL, opt, e);
	if (r == 0)
		r = choose_id(f, st, opt->force, e);
	opt->remote = NULL;
	manifest_release(&base);
	return r;
}

/* The same, unless nothing is to be done, which is known sooner. */
static int
examine(struct fleet *f, struct stage *st, struct stage_options *opt,
    struct err *e)
{
	if (!opt->force && st->digest[0] != '\0' &&
	    is_live_everywhere(f, st->digest))
		return find_unchanged(f, st);
	return fleet_complete(f, e) == 0 ? compare(f, st, opt, e) : -1;
}

/* Examined: to all hosts with it. */
static int
stage_there(struct fleet *f, struct stage *st, struct fleet_staged *out,
    struct err *e)
{
	if (st->outcome != STAGE_UNCHANGED) {
		if (send_all(f, st, st->id.s, out, e) != 0)
			return -1;
		cache_put(st->id.s, &st->m);
	}
	return note_build(f, st, e);
}

int
fleet_stage(struct fleet *f, struct stage *st, struct stage_options *opt,
    struct fleet_staged *out, struct err *e)
{
	bool preview = opt->preview;
	int r;

	*out = (struct fleet_staged){ 0 };
	/* For the build, which stays as it is. */
	opt->preview = true;
	r = examine(f, st, opt, e);
	if (r == 0 && !preview)
		r = stage_there(f, st, out, e);
	opt->preview = preview;
	return r;
}
