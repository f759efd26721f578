#include "root/stage.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "content/fill.h"
#include "content/guard.h"
#include "content/secrets.h"
#include "content/sibling.h"
#include "os/log.h"
#include "os/names.h"
#include "os/progress.h"
#include "root/activate.h"
#include "root/earlier.h"
#include "root/extras_place.h"
#include "root/incoming.h"
#include "root/view.h"

/* ---- of the build alone, and for any root -------------------------------- */

int
stage_open(struct stage *st, const struct stage_options *opt, const char *root,
    struct err *e)
{
	st->opt = opt;
	if (source_open(&st->source, opt->source, e) != 0)
		return -1;
	if (root == NULL || !source_contains(&st->source, root))
		return 0;
	return err_set(e, ERR_USAGE,
	    "the root '%s' is inside the source '%s';; put it elsewhere", root,
	    st->source.name);
}

void
stage_release(struct stage *st)
{
	source_close(&st->source);
	plan_release(&st->plan);
	strvec_release(&st->secrets);
	strvec_release(&st->maps);
	hoard_release(&st->made);
}

/* What visitors should not get. */
static int
find_secrets(struct stage *st, struct err *e)
{
	const struct rules *rules = st->opt->rules;
	bool guarded = (st->opt->overrides & OVERRIDE_BUILD) == 0;

	if (rules->secrets != SEVERITY_IGNORE)
		secrets_find(&st->plan.m, source_files(&st->source),
		    &st->secrets);
	if (rules->maps >= SEVERITY_WARN)
		secrets_find_maps(&st->plan.m, &st->maps);
	if (guarded && rules->secrets == SEVERITY_REFUSE &&
	    guard_check_secrets(&st->secrets,
		"what looks like keys, passwords or a repository", e) != 0)
		return -1;
	if (guarded && rules->maps == SEVERITY_REFUSE)
		return guard_check_secrets(&st->maps, "source maps", e);
	return 0;
}

int
stage_list(struct stage *st, const struct dir *into, struct err *e)
{
	const struct stage_options *o = st->opt;

	if (source_read(&st->source, into, &o->rules->exclude, o->strip,
		&st->plan.m, e) != 0)
		return -1;
	st->excluded = st->source.excluded;
	if (plan_begin(&st->plan, o->rules,
		(o->overrides & OVERRIDE_BUILD) == 0, e) != 0)
		return -1;
	return find_secrets(st, e);
}

int
stage_hash(struct stage *st, struct err *e)
{
	const struct plan *p = &st->plan;
	int r;

	progress_begin("hashing", (int64_t)p->totals.files, p->totals.bytes);
	r = fill_hash(source_files(&st->source), &st->plan.m, e);
	progress_end();
	if (r != 0 || source_check(&st->source, &p->m, e) != 0)
		return -1;
	st->hashed = true;
	return 0;
}

void
stage_choose_mtime(struct stage *st, int64_t newest)
{
	st->mtime = st->opt->mtime > 0 ? st->opt->mtime : clock_now() / 1000;
	if (st->mtime <= newest)
		st->mtime = newest + 1;
}

int
stage_compare(struct stage *st, const struct plan_base *base, struct err *e)
{
	return plan_compare(&st->plan, base, st->mtime, e);
}

int
stage_compress(struct stage *st, const struct manifest *base,
    const struct dir *base_files, struct err *e)
{
	const struct compress_job job = { .rules = st->opt->rules,
		.source = source_files(&st->source),
		.base = base,
		.base_files = base_files,
		.anew = st->opt->again };

	return compress_files(&job, &st->plan, &st->made, &st->compressed, e);
}

int
stage_dictionaries(struct stage *st, struct dictionary_job *job, struct err *e)
{
	job->rules = st->opt->rules;
	job->source = source_files(&st->source);
	job->anew = st->opt->again;
	return dictionary_files(job, &st->plan, &st->made, &st->against, e);
}

int
stage_check_siblings(const struct stage *st, const struct manifest *base,
    struct err *e)
{
	const struct stage_options *o = st->opt;

	if (st->outcome != STAGE_NEW || o->overrides & OVERRIDE_BUILD)
		return 0;
	return sibling_check(source_files(&st->source), &st->plan,
	    o->again ? NULL : base, e);
}

void
stage_fill_meta(const struct stage *st, struct meta *meta)
{
	const struct stage_options *o = st->opt;

	meta->id = st->id;
	meta->who = o->caller->who;
	meta->job = o->caller->job;
	meta->commit = (char *)(uintptr_t)o->commit;
	meta->message = (char *)(uintptr_t)o->message;
	meta->preview = (char *)(uintptr_t)o->preview;
	meta->seq = o->seq;
	meta->files = (int64_t)st->plan.totals.files;
	meta->bytes = st->plan.totals.bytes;
	meta->mtime = st->mtime;
	memcpy(meta->digest, st->plan.digest, sizeof(meta->digest));
}

/* ---- a root on this machine ---------------------------------------------- */

/* What staging into a root needs meanwhile. */
struct here {
	struct stage *st;
	const struct store *store; /* NULL: there is none yet */
	struct view view;	   /* the store as it was before */
	struct dir base;
	struct manifest base_manifest;
	struct incoming incoming;
	struct fill fill;
	gid_t gid;
};

#define HERE_INIT \
	{ \
		.view = VIEW_INIT, .base = DIR_INIT, \
		.base_manifest = MANIFEST_INIT, .incoming = INCOMING_INIT \
	}

static void
here_release(struct here *h)
{
	plan_close(&h->st->plan);
	manifest_release(&h->base_manifest);
	dir_close(&h->base);
	view_release(&h->view);
	incoming_end(&h->incoming);
}

/* A sweep that fails is told but stops nothing. */
static int
sweep(struct here *h, struct err *e)
{
	const struct stage_options *o = h->st->opt;
	struct err swept = ERR_INIT;
	int r = incoming_open(&h->incoming, h->store, o->caller, o->lock_wait,
	    &swept, e);

	if (swept.code != ERR_OK)
		log_warn("%s", swept.text);
	return r;
}

/* The group that `group` names; -1 when it is not set. */
static int
choose_group(struct here *h, struct err *e)
{
	const char *name = h->st->opt->rules->group;

	h->gid = (gid_t)-1;
	if (name == NULL || names_group(name, &h->gid))
		return 0;
	return err_set(e, ERR_USAGE,
	    "there is no group '%s' here;; see 'group' in deploy.yml", name);
}

/*
 * The base: the live release, else the newest.  One whose manifest cannot be
 * read is none: everything is copied then, which is always right.
 */
static void
open_base(struct here *h)
{
	const struct release_id *id = view_base(&h->view);
	struct err why = ERR_INIT;

	if (view_has_lost_live(&h->view))
		log_warn("the live release %s is not there any more",
		    h->view.current.text);
	if (release_id_is_none(id))
		return;
	if (dir_open(&h->base, &h->store->releases, id->text, &why) != 0 ||
	    manifest_read(&h->base_manifest, &h->store->manifests, id->text,
		&why) != 0) {
		err_drop_cure(&why);
		log_warn("the release %s cannot be used as a base: %s",
		    id->text, why.text);
		dir_close(&h->base);
		manifest_release(&h->base_manifest);
		return;
	}
	log_debug("the base is %s, %s", id->text,
	    TEXT_COUNT(h->base_manifest.n, "entry", "entries"));
}

/* The root as it is. */
static int
look(struct here *h, struct err *e)
{
	if (h->store == NULL)
		return 0;
	if (view_read(&h->view, h->store, e) != 0)
		return -1;
	h->st->live = h->view.current;
	return 0;
}

/* The meta of a release; without content when it cannot be read. */
static struct meta
read_meta(const struct here *h, const struct release_id *id)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	if (release_id_is_none(id) ||
	    meta_read(h->store, id, &meta, &ignored) != 0) {
		meta_release(&meta);
		meta = (struct meta)META_INIT;
	}
	return meta;
}

/* When what was new in a release became so; 0 when that is not known. */
static int64_t
content_mtime(const struct here *h, const struct release_id *id)
{
	struct meta meta = read_meta(h, id);
	int64_t mtime = meta.mtime;

	meta_release(&meta);
	return mtime;
}

/* Later than what is there and what others stage. */
static int
choose_mtime(struct here *h, struct err *e)
{
	int64_t newest = content_mtime(h, view_latest(&h->view));
	struct stagings living = STAGINGS_INIT;
	int r = h->store == NULL ?
	    0 :
	    stagings_read(&h->store->incoming, &living, e);

	if (stagings_newest(&living) > newest)
		newest = stagings_newest(&living);
	stage_choose_mtime(h->st, newest);
	h->incoming.mtime = h->st->mtime;
	stagings_release(&living);
	return r;
}

/* A new id, and incoming/<id>; the base stays from here on. */
static int
begin(struct here *h, struct err *e)
{
	const struct release_id *base = view_base(&h->view);
	struct release_ids uses = RELEASE_IDS_INIT;
	struct stage *st = h->st;
	int r;

	if (st->opt->id != NULL)
		st->id = *st->opt->id;
	else if (store_new_id(h->store, view_latest(&h->view), &st->id, e) !=
	    0)
		return -1;
	if (!release_id_is_none(base) &&
	    dir_has(&h->store->releases, base->text))
		release_ids_add(&uses, base);
	r = incoming_begin(&h->incoming, &st->id, &uses, e);
	release_ids_release(&uses);
	return r;
}

/* Both in one moment: what was seen is what is begun with. */
static int
look_and_begin(struct here *h, struct err *e)
{
	if (incoming_lock(&h->incoming, e) != 0 || look(h, e) != 0 ||
	    choose_mtime(h, e) != 0 || begin(h, e) != 0)
		return -1;
	open_base(h);
	return 0;
}

/* The releases that files are carried from stay, too. */
static int
use_carried(struct here *h, struct err *e)
{
	const struct plan *p = &h->st->plan;
	struct release_ids uses = RELEASE_IDS_INIT;
	int r = 0;

	for (size_t i = 0; i < p->m.n; i++)
		if (p->steps[i].way == PLAN_CARRY)
			release_ids_add_once(&uses, p->steps[i].release);
	if (uses.n > 0)
		r = incoming_use(&h->incoming, &uses, e);
	release_ids_release(&uses);
	return r;
}

/* For earlier.h. */
static int
read_manifest(void *ctx, const struct release_id *id, struct manifest *m,
    struct err *e)
{
	const struct here *h = ctx;

	return manifest_read(m, &h->store->manifests, id->text, e);
}

/* Can the file be carried out of the release that has it?  1, 0 or -1. */
static int
is_usable(void *ctx, const struct release_id *id, const struct entry *en,
    struct err *e)
{
	const struct here *h = ctx;
	struct dir from = DIR_INIT;
	int r = dir_open(&from, &h->store->releases, id->text, e);

	if (r == 0)
		r = place_can_bring(&from, en->path, en, e);
	dir_close(&from);
	if (r == 0)
		log_warn(
		    "'%s/%s/%s' is missing or damaged, and is not carried on",
		    h->store->releases.path, id->text, en->path);
	return r;
}

/* The plan against what is in the root. */
static int
compare(struct here *h, struct err *e)
{
	const struct release_id *base =
	    h->base.fd >= 0 ? view_base(&h->view) : &release_id_none;
	struct earlier earlier = EARLIER_INIT;
	struct plan_base b = {
		.m = h->base.fd >= 0 ? &h->base_manifest : NULL,
		.mtime = content_mtime(h, base),
		.live = release_id_eq(base, &h->view.current),
		.carry = { .now = clock_now(), .usable = is_usable, .ctx = h }
	};
	int r = 0;

	if (h->st->opt->rules->carry.n > 0)
		r = earlier_read(&earlier, &h->view, read_manifest, h, e);
	b.carry.earlier = earlier.v;
	b.carry.n = earlier.n;
	if (r == 0)
		r = stage_compare(h->st, &b, e);
	earlier_release(&earlier);
	return r;
}

/* Refuse what does not fit: as planned, or at the most. */
static int
check_room(const struct here *h, bool most, struct err *e)
{
	const struct plan *p = &h->st->plan;
	struct dir_space space;
	struct guard_room need;

	if (dir_space(&h->store->incoming, &space, e) != 0)
		return -1;
	need = most ? plan_most_room(p, (int64_t)space.block) :
		      plan_room(p, (int64_t)space.block);
	return incoming_check_room(&h->incoming, need.bytes, need.inodes, e);
}

/* Hash all of the build, and plan what to do with it then. */
static int
hash_first(struct stage *st, struct err *e)
{
	if (stage_hash(st, e) != 0)
		return -1;
	plan_files(&st->plan);
	return 0;
}

static void
prepare_fill(struct here *h)
{
	struct stage *st = h->st;

	h->fill = (struct fill){ .source = source_files(&st->source),
		.target = &h->incoming.dir,
		.scratch = &h->store->incoming,
		.base = &h->base,
		.plan = &st->plan,
		.made = &st->made,
		.gid = h->gid,
		.distrust = st->opt->again };
	fill_init(&h->fill);
}

/*
 * Hash the build.  Where it fits even if nothing can be linked, new content
 * is stored on the way; else only when it is known how much that is.
 */
static int
hash_and_store(struct here *h, struct err *e)
{
	struct stage *st = h->st;
	struct err tight = ERR_INIT;
	int r;

	prepare_fill(h);
	if (check_room(h, true, &tight) != 0)
		return hash_first(st, e) == 0 ? check_room(h, false, e) : -1;
	progress_begin("storing", (int64_t)st->plan.totals.files,
	    st->plan.totals.bytes);
	r = fill_store(&h->fill, e);
	progress_end();
	return r == 0 ? source_check(&st->source, &st->plan.m, e) : -1;
}

static int
compress(struct here *h, struct err *e)
{
	bool has_base = h->base.fd >= 0;

	return stage_compress(h->st, has_base ? &h->base_manifest : NULL,
	    has_base ? &h->base : NULL, e);
}

/* A file of an earlier release, for dictionary.h. */
static int
open_earlier(void *ctx, const struct release_id *id, const struct entry *en,
    struct err *e)
{
	const struct here *h = ctx;
	struct dir from = DIR_INIT;
	int fd = -1;

	if (dir_open(&from, &h->store->releases, id->text, e) == 0)
		fd = place_open(&from, en->path, e);
	dir_close(&from);
	return fd;
}

/* What earlier releases there are, as far as they can be read. */
static void
read_earlier(struct here *h, struct earlier *out)
{
	struct err why = ERR_INIT;

	if (earlier_read(out, &h->view, read_manifest, h, &why) != 0)
		log_warn("%s", why.text);
}

/* The forms that the rules want. */
static int
make_forms(struct here *h, struct err *e)
{
	bool has_base = h->base.fd >= 0;
	struct earlier earlier = EARLIER_INIT;
	struct dictionary_job job = { .base =
					  has_base ? &h->base_manifest : NULL,
		.base_files = has_base ? &h->base : NULL,
		.open = open_earlier,
		.ctx = h };
	int r = compress(h, e);

	if (r != 0 || h->st->opt->rules->dictionaries.n == 0)
		return r;
	read_earlier(h, &earlier);
	job.earlier = earlier.v;
	job.n = earlier.n;
	r = stage_dictionaries(h->st, &job, e);
	earlier_release(&earlier);
	return r;
}

/* The compressed forms that are copied need room, too. */
static int
check_made_room(const struct here *h, struct err *e)
{
	const struct plan *p = &h->st->plan;
	struct guard_room need = { 0, 0 };
	struct dir_space space;

	if (h->st->compressed.made + h->st->against.made == 0)
		return 0;
	if (dir_space(&h->store->incoming, &space, e) != 0)
		return -1;
	for (size_t i = 0; i < p->m.n; i++)
		if (p->steps[i].made && p->steps[i].way == PLAN_COPY)
			plan_add_room(&need, &p->m.v[i], (int64_t)space.block);
	return incoming_check_room(&h->incoming, need.bytes, need.inodes, e);
}

/* Has this release the content of the build, and `lower`, no higher sequence? */
static bool
has_content(const struct here *h, const struct release_id *id, bool lower)
{
	struct meta meta = read_meta(h, id);
	bool same = strcmp(meta.digest, h->st->plan.digest) == 0 &&
	    release_id_is_none(&meta.bridge) &&
	    !(lower && h->st->opt->seq >= 0 && meta.seq > h->st->opt->seq);

	meta_release(&meta);
	return same;
}

/*
 * Is this content live already, or staged and waiting?  The live release is
 * meant before all others, then the newest.  Sets outcome and id.  A release
 * that was live once does not count: to go back there is a rollback, and this
 * is a new deployment of the same content.  Nor does one that waits with a
 * higher sequence, when it would go live by the build's word.
 */
static void
find_same(struct here *h)
{
	const struct view *v = &h->view;
	struct stage *st = h->st;

	if (release_ids_has(&v->ids, &v->current) &&
	    has_content(h, &v->current, false)) {
		st->outcome = STAGE_UNCHANGED;
		st->id = v->current;
		return;
	}
	for (size_t i = v->ids.n; i-- > 0;)
		if (!history_was_live(&v->history, &v->ids.v[i]) &&
		    has_content(h, &v->ids.v[i], st->opt->goes_live)) {
			st->outcome = STAGE_STAGED;
			st->id = v->ids.v[i];
			return;
		}
}

/* Would it be refused as soon as it is staged? */
static int
check_content(const struct here *h, struct err *e)
{
	const struct stage *st = h->st;

	if (!st->opt->goes_live || st->opt->overrides & OVERRIDE_ORDER ||
	    st->outcome == STAGE_UNCHANGED || h->store == NULL)
		return 0;
	return activate_check_content(&h->view.history, &st->id,
	    st->plan.digest, e);
}

/* All is known: the sums, and which release is meant. */
static int
conclude(struct here *h, struct err *e)
{
	plan_end(&h->st->plan);
	log_debug("tree digest %s", h->st->plan.digest);
	if (!h->st->opt->again)
		find_same(h);
	return check_content(h, e) == 0 ?
	    stage_check_siblings(h->st, &h->base_manifest, e) :
	    -1;
}

/* Everything into place, and the release into the list. */
static int
finish(struct here *h, struct err *e)
{
	struct stage *st = h->st;
	struct meta meta = META_INIT;
	int r;

	progress_begin("placing", (int64_t)st->plan.totals.files, 0);
	r = fill_place(&h->fill, e);
	if (r == 0)
		r = extras_place(&st->plan, h->store, &h->incoming.dir, h->gid,
		    e);
	progress_end();
	if (r != 0)
		return -1;
	/* What was made is read again, all of it: nothing needs the base now. */
	manifest_release(&h->base_manifest);
	stage_fill_meta(st, &meta);
	return incoming_commit(&h->incoming, &st->plan.m, &meta, h->gid, e);
}

/* What was live when the build began to be read: is it still? */
static int
look_again(struct here *h, struct err *e)
{
	struct stage *st = h->st;
	struct view now = VIEW_INIT;
	int r;

	if (st->outcome != STAGE_UNCHANGED)
		return 0;
	r = view_read(&now, h->store, e);
	if (r == 0 && !release_id_eq(&now.current, &st->id))
		st->outcome = STAGE_STAGED;
	view_release(&now);
	return r;
}

/*
 * The content is there already: a newer build that has it gives its sequence
 * and commit to the release, so that an older one cannot overtake.  Who made
 * it may have died before it was on disk.
 */
static int
note_build(struct here *h, struct err *e)
{
	const struct stage_options *o = h->st->opt;

	if (incoming_lock(&h->incoming, e) != 0 || look_again(h, e) != 0)
		return -1;
	if (o->seq >= 0 &&
	    meta_raise(h->store, &h->st->id, o->seq, o->commit, e) != 0)
		return -1;
	return store_sync(h->store, e);
}

static int
run(struct here *h, struct err *e)
{
	if (sweep(h, e) != 0 || choose_group(h, e) != 0 ||
	    look_and_begin(h, e) != 0 ||
	    stage_list(h->st, &h->incoming.dir, e) != 0 ||
	    compare(h, e) != 0 || use_carried(h, e) != 0 ||
	    hash_and_store(h, e) != 0 || make_forms(h, e) != 0 ||
	    check_made_room(h, e) != 0)
		return -1;
	if (conclude(h, e) != 0)
		return -1;
	return h->st->outcome == STAGE_NEW ? finish(h, e) : note_build(h, e);
}

int
stage_run(struct stage *st, const struct store *store, struct err *e)
{
	struct here h = HERE_INIT;
	int r;

	h.st = st;
	h.store = store;
	r = run(&h, e);
	here_release(&h);
	source_close(&st->source);
	return r;
}

/* As run(), without a change. */
static int
preview(struct here *h, struct err *e)
{
	if (choose_group(h, e) != 0 || look(h, e) != 0 ||
	    choose_mtime(h, e) != 0)
		return -1;
	open_base(h);
	if (stage_list(h->st, NULL, e) != 0 || compare(h, e) != 0 ||
	    hash_first(h->st, e) != 0 || make_forms(h, e) != 0)
		return -1;
	return conclude(h, e);
}

int
stage_preview(struct stage *st, const struct store *store, struct err *e)
{
	struct here h = HERE_INIT;
	int r;

	h.st = st;
	h.store = store;
	r = preview(&h, e);
	here_release(&h);
	return r;
}
