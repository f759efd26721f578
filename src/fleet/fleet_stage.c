#include "fleet/fleet_stage.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "content/place.h"
#include "fleet/cache.h"
#include "fleet/cure.h"
#include "fleet/fleet_content.h"
#include "fleet/fleet_fetch.h"
#include "fleet/fleet_here.h"
#include "os/log.h"
#include "root/activate.h"
#include "root/earlier.h"

/* For earlier.h. */
static int
read_manifest(void *ctx, const struct release_id *id, struct manifest *m,
    struct err *e)
{
	return fleet_manifest(ctx, id, m, e);
}

/*
 * What was live on any host: where an activation stopped half-way, visitors
 * have the pages of either release.
 */
static int
read_earlier(struct fleet *f, struct earlier *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = earlier_read(out, &f->v[i].view, read_manifest, f, e);
	return r;
}

/* A host that tells for all what is live: the first that has releases. */
static const struct remote *
pick_reference(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!release_id_is_none(view_base(&f->v[i].view)))
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
		if (release_id_eq(&r->view.ids.v[i], view_base(&r->view)))
			return r->metas[i].mtime;
	return 0;
}

/* Is this content live on all hosts? */
static bool
is_live_everywhere(const struct fleet *f, const char *digest)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].digest, digest) != 0 ||
		    !release_id_eq(&f->v[i].view.current,
			&f->v[0].view.current))
			return false;
	return f->n > 0;
}

/* Has a host other content under this id, as hosts may that were adopted? */
static bool
differs_somewhere(const struct fleet *f, const struct release_id *id,
    const char *digest)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct meta *meta = remote_meta(&f->v[i], id);

		if (meta != NULL && strcmp(meta->digest, digest) != 0)
			return true;
	}
	return false;
}

/*
 * The newest release with this content that some host has and that was never
 * rolled away from: staged everywhere it is, or live on some (then an
 * activation stopped half-way, or a host is new).  One that waits with a higher
 * sequence than that of what goes live (-1: it has none) would go live by the
 * build's word, and keep out those that come next: it is left.  None when there
 * is none.
 */
static const struct release_id *
find_staged(const struct fleet *f, const char *digest, int64_t seq)
{
	const struct release_id *found = &release_id_none;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		for (size_t k = 0; k < r->view.ids.n; k++) {
			const struct release_id *id = &r->view.ids.v[k];
			bool over = !release_id_eq(id, &r->view.current) &&
			    (history_was_live(&r->view.history, id) ||
				(seq >= 0 && r->metas[k].seq > seq));

			if (!over && !remote_is_bridge(r, id) &&
			    strcmp(r->metas[k].digest, digest) == 0 &&
			    release_id_cmp(id, found) > 0 &&
			    !differs_somewhere(f, id, digest))
				found = id;
		}
	}
	return found;
}

/* What some host knows of a release that it has. */
static const struct meta *
known_meta(const struct fleet *f, const struct release_id *id)
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
	const struct meta *known = known_meta(f, &st->id);
	struct meta build = META_INIT;

	stage_fill_meta(st, &build);
	*out = known != NULL ? *known : build;
	if (build.seq > out->seq) {
		out->seq = build.seq;
		out->commit =
		    build.commit != NULL ? build.commit : out->commit;
	}
}

/* To all hosts that lack it; `lost` as in fleet_send.h. */
static int
send_plan(struct fleet *f, struct stage *st, bool *lost,
    struct fleet_sent *out, struct err *e)
{
	struct meta meta = META_INIT;
	const struct fleet_send what = { .m = &st->plan.m,
		.meta = &meta,
		.build = source_files(&st->source),
		.made = &st->made,
		.steps = st->plan.steps,
		.lost = lost };

	fill_meta(f, st, &meta);
	return fleet_send(f, &what, out, e);
}

/* For fleet_each(). */
static int
note_on(struct remote *r, void *ctx, struct err *e)
{
	const struct stage *st = ctx;

	/* Who got it just now, got it with this build's number. */
	if (!release_id_eq(&r->view.current, &st->id) &&
	    !release_ids_has(&r->view.ids, &st->id))
		return 0;
	return remote_note(r, &st->id, st->opt->seq, st->opt->commit, e);
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
take_over(struct fleet *f, struct stage *st, const struct release_id *id,
    struct err *e)
{
	struct manifest m = MANIFEST_INIT;

	if (fleet_manifest(f, id, &m, e) != 0)
		return -1;
	/* The same entries, so the steps stay right. */
	manifest_release(&st->plan.m);
	st->plan.m = m;
	st->id = *id;
	st->outcome = STAGE_STAGED;
	return 0;
}

/* Is the build live everywhere, so that nothing is to be done? */
static bool
is_unchanged(struct fleet *f, struct stage *st)
{
	const char *digest = st->plan.digest;

	if (st->opt->again || *digest == '\0' ||
	    !is_live_everywhere(f, digest))
		return false;
	st->outcome = STAGE_UNCHANGED;
	st->id = f->v[0].view.current;
	return true;
}

/* Which release is meant: the live one, a staged one, a new one (none yet). */
static int
choose_release(struct fleet *f, struct stage *st, struct err *e)
{
	const struct release_id *id;

	if (is_unchanged(f, st) || st->opt->again)
		return 0;
	id = find_staged(f, st->plan.digest,
	    st->opt->goes_live ? st->opt->seq : -1);
	return release_id_is_none(id) ? 0 : take_over(f, st, id, e);
}

/* Read and hash the build; the digest where it is known without the hosts. */
static int
read_build(struct stage *st, const struct stage_options *opt, struct err *e)
{
	if (stage_open(st, opt, NULL, e) != 0 ||
	    stage_list(st, NULL, e) != 0 || stage_hash(st, e) != 0)
		return -1;
	if (opt->rules->carry.n == 0 && opt->rules->compress.n == 0 &&
	    opt->rules->dictionaries.n == 0)
		plan_end(&st->plan);
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
read_meanwhile(void *arg)
{
	struct reader *rd = arg;

	rd->result = read_build(rd->st, rd->opt, &rd->err);
	return NULL;
}

int
fleet_stage_open(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	struct reader rd = { .st = st, .opt = opt, .err = ERR_INIT };
	pthread_t thread;
	int r;

	/* It is read while it is copied. */
	if (f->is_here)
		return fleet_open(f, true, e);
	errno = pthread_create(&thread, NULL, read_meanwhile, &rd);
	if (errno != 0)
		return err_sys(e, "cannot start a thread to read the build");
	r = fleet_connect(f, e);
	pthread_join(thread, NULL);
	if (rd.result != 0)
		*e = rd.err;
	if (r != 0 || rd.result != 0)
		return -1;
	return st->plan.digest[0] != '\0' && !opt->again && !opt->ask_all ?
	    fleet_open_unless(f, st->plan.digest, e) :
	    fleet_open(f, true, e);
}

/* Earlier files, for dictionary.h: from the hosts that have them. */
struct bringer {
	struct fleet *f;
	struct hoard files;
};

static int
bring_earlier(void *ctx, const struct manifest *wanted, struct err *e)
{
	struct bringer *b = ctx;
	bool *each = xcalloc(wanted->n, sizeof(*each));
	int r;

	for (size_t i = 0; i < wanted->n; i++)
		each[i] = true;
	r = fetch_files(&b->files, b->f, &release_id_none, wanted, each, e);
	free(each);
	return r;
}

static int
open_earlier(void *ctx, const struct release_id *id, const struct entry *en,
    struct err *e)
{
	const struct bringer *b = ctx;
	char name[HASH_HEX + 1];

	(void)id;
	if (!hoard_has(&b->files, en->digest))
		return err_set(e, ERR_FAILED, "no host gave it");
	hash_hex(en->digest, name);
	return place_open(&b->files.dir, name, e);
}

/* The forms that the rules want. */
static int
make_forms(struct fleet *f, struct stage *st, const struct manifest *base,
    const struct earlier *earlier, struct err *e)
{
	struct bringer b = { .f = f, .files = HOARD_INIT };
	struct dictionary_job job = { .base = base,
		.earlier = earlier->v,
		.n = earlier->n,
		.bring = bring_earlier,
		.open = open_earlier,
		.ctx = &b };
	int r = stage_compress(st, base, NULL, e);

	if (r == 0 && st->opt->rules->dictionaries.n > 0)
		r = stage_dictionaries(st, &job, e);
	hoard_release(&b.files);
	return r;
}

/* The plan against the base of a host, and the sums. */
static int
plan_against(struct fleet *f, struct stage *st, struct plan_base *base,
    struct err *e)
{
	const struct rules *rules = st->opt->rules;
	struct earlier earlier = EARLIER_INIT;
	int r = 0;

	if (rules->carry.n > 0 || rules->dictionaries.n > 0)
		r = read_earlier(f, &earlier, e);
	if (r != 0 && rules->carry.n == 0) {
		log_warn("%s", e->text);
		r = 0;
	}
	base->carry = (struct extras_carry){ .now = clock_now(),
		.earlier = earlier.v,
		.n = earlier.n };
	stage_choose_mtime(st, newest_mtime(f));
	if (r == 0)
		r = stage_compare(st, base, e);
	if (r == 0) {
		plan_files(&st->plan);
		r = make_forms(f, st, base->m, &earlier, e);
	}
	if (r == 0)
		plan_end(&st->plan);
	earlier_release(&earlier);
	return r;
}

/* Its manifest is lost or damaged: as if it were not there, all is new. */
static void
go_without(const struct release_id *id, struct err *e)
{
	err_drop_cure(e);
	log_warn("the release %s cannot be used as a base: %s", id->text,
	    e->text);
	*e = (struct err)ERR_INIT;
}

/* What the build is against what the hosts have, and which release it is. */
static int
compare(struct fleet *f, struct stage *st, struct manifest *base,
    struct err *e)
{
	const struct remote *reference = pick_reference(f);
	const struct release_id *id = view_base(&reference->view);
	struct plan_base b = { .mtime = content_mtime(reference),
		.live = release_id_eq(id, &reference->view.current) };

	for (size_t i = 0; i < f->n; i++)
		if (view_has_lost_live(&f->v[i].view))
			log_warn("%sthe live release %s is not there any more",
			    remote_said(&f->v[i]), f->v[i].view.current.text);
	if (!release_id_is_none(id)) {
		if (fleet_manifest(f, id, base, e) == 0)
			b.m = base;
		else if (e->code != ERR_INTEGRITY)
			return -1;
		else
			go_without(id, e);
	}
	if (plan_against(f, st, &b, e) != 0)
		return -1;
	log_debug("tree digest %s", st->plan.digest);
	return choose_release(f, st, e);
}

/*
 * What goes live at once, and would be refused by a host because its content
 * was rolled back from there, is not sent to any.
 */
static int
check_content(const struct fleet *f, const struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	if (!opt->goes_live || opt->overrides & OVERRIDE_ORDER ||
	    st->outcome == STAGE_UNCHANGED)
		return 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct view *v = &f->v[i].view;

		if (!release_id_eq(&v->current, &st->id) &&
		    activate_check_content(&v->history, &st->id,
			st->plan.digest, e) != 0)
			return remote_say(&f->v[i], e);
	}
	return 0;
}

/* Read the build if that is to be done yet, and compare. */
static int
examine(struct fleet *f, struct stage *st, const struct stage_options *opt,
    struct err *e)
{
	struct manifest base = MANIFEST_INIT;
	int r = st->hashed ? 0 : read_build(st, opt, e);

	/* All of it is in the live release: the hosts told no more. */
	if (r == 0 && is_unchanged(f, st)) {
		st->plan.linked = st->plan.totals.files;
		return 0;
	}
	if (r == 0)
		r = fleet_complete(f, e);
	if (r == 0)
		r = compare(f, st, &base, e);
	if (r == 0)
		r = check_content(f, st, opt, e);
	/* While the base is there, which the plan's steps point into. */
	if (r == 0)
		r = stage_check_siblings(st, &base, e);
	manifest_release(&base);
	return r;
}

/* A new one, later than any that was tried. */
static void
choose_id(const struct fleet *f, struct stage *st)
{
	const struct release_id *latest = fleet_latest_id(f), tried = st->id;

	release_id_new(&st->id,
	    release_id_cmp(&tried, latest) > 0 ? &tried : latest);
}

/*
 * What is carried, and no host has it intact, is left out.  Was there such a
 * thing?
 */
static bool
leave_out(struct fleet *f, struct stage *st, const bool *lost)
{
	size_t n = st->plan.m.n;

	for (size_t i = 0; i < n; i++)
		if (lost[i])
			log_warn(
			    "'%s' is missing or damaged on the hosts, and is not carried on",
			    st->plan.m.v[i].path);
	plan_leave_out(&st->plan, lost);
	/* The hosts go on, and what was found out of the first is no more. */
	if (st->plan.m.n < n) {
		fleet_forgive(f);
		fleet_forget_contents(f);
		f->rules = f->rewritten = f->patched = 0;
	}
	return st->plan.m.n < n;
}

/* To all hosts that lack it, without what none can give. */
static int
send_all(struct fleet *f, struct stage *st, struct fleet_sent *out,
    struct err *e)
{
	bool *lost = xcalloc(st->plan.m.n, sizeof(*lost));
	bool is_new = st->outcome == STAGE_NEW;
	int r = send_plan(f, st, is_new ? lost : NULL, out, e);

	if (r != 0 && leave_out(f, st, lost)) {
		*e = (struct err)ERR_INIT;
		r = choose_release(f, st, e);
		if (r == 0 && st->outcome == STAGE_NEW)
			choose_id(f, st);
		if (r == 0 && st->outcome != STAGE_UNCHANGED)
			r = send_plan(f, st, NULL, out, e);
	}
	if (r == 0 && st->outcome != STAGE_UNCHANGED)
		cache_put(&st->id, &st->plan.m);
	free(lost);
	return r;
}

/* Examined: to all hosts with it. */
static int
stage_there(struct fleet *f, struct stage *st, struct fleet_sent *out,
    struct err *e)
{
	if (st->outcome == STAGE_NEW)
		choose_id(f, st);
	if (st->outcome != STAGE_UNCHANGED && send_all(f, st, out, e) != 0)
		return -1;
	return note_build(f, st, e);
}

int
fleet_stage(struct fleet *f, struct stage *st, const struct stage_options *opt,
    struct fleet_sent *out, struct err *e)
{
	*out = (struct fleet_sent){ 0 };
	if (f->is_here)
		return fleet_stage_here(f, st, opt, e) == 0 ?
		    0 :
		    cure_room(f, &f->v[0], e);
	return examine(f, st, opt, e) == 0 ? stage_there(f, st, out, e) : -1;
}

int
fleet_preview(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	return f->is_here ? fleet_preview_here(f, st, opt, e) :
			    examine(f, st, opt, e);
}

size_t
fleet_count_lacking(const struct fleet *f, const struct release_id *id)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += !release_ids_has(&f->v[i].view.ids, id);
	return n;
}

int
fleet_stage_release(struct fleet *f, const struct release_id *id, bool preview,
    struct stage *st, struct fleet_sent *out, struct err *e)
{
	const struct fleet_send what = { .m = &st->plan.m,
		.meta = known_meta(f, id) };

	*out = (struct fleet_sent){ 0 };
	if (fleet_manifest(f, id, &st->plan.m, e) != 0)
		return -1;
	if (release_id_is_none(&what.meta->id))
		return err_set(e, ERR_INTEGRITY,
		    "the meta of release %s is damaged on the hosts that have it ('.deploy/meta/%s.json');; stage the build anew with --again",
		    id->text, id->text);
	st->id = *id;
	st->outcome = STAGE_STAGED;
	st->plan.totals = manifest_totals(&st->plan.m);
	if (!preview)
		return fleet_send(f, &what, out, e);
	out->fresh = fleet_count_lacking(f, id);
	return 0;
}

/* Add to st->plan.m what earlier releases had and is to stay. */
static int
add_carried(struct fleet *f, struct stage *st, struct err *e)
{
	const struct rules *rules = &f->site->rules;
	struct earlier earlier = EARLIER_INIT;
	struct extras_carry carry = { .now = clock_now() };
	struct extras_from from = EXTRAS_FROM_INIT;
	struct manifest *m = &st->plan.m;
	int r = read_earlier(f, &earlier, e);

	carry.earlier = earlier.v;
	carry.n = earlier.n;
	if (r == 0)
		r = extras_add_carried(m, rules, &carry, &from, e);
	/* Directories may have come with it. */
	for (size_t i = 0; rules->group != NULL && i < m->n; i++)
		if (m->v[i].type == ENTRY_DIR)
			m->v[i].mode = 02755;
	st->plan.carried = from.n;
	free(from.v);
	earlier_release(&earlier);
	return r;
}

/* The meta of `id`, but for the content. */
static int
send_carried(struct fleet *f, const struct release_id *id, struct stage *st,
    struct err *e)
{
	struct meta meta = *known_meta(f, id);
	const struct fleet_send what = { .m = &st->plan.m, .meta = &meta };
	struct fleet_sent sent;

	meta.id = st->id;
	meta.preview = NULL;
	meta.pinned = false;
	meta.files = (int64_t)st->plan.totals.files;
	meta.bytes = st->plan.totals.bytes;
	memcpy(meta.digest, st->plan.digest, sizeof(meta.digest));
	if (fleet_send(f, &what, &sent, e) != 0)
		return -1;
	cache_put(&st->id, &st->plan.m);
	return 0;
}

int
fleet_stage_carried(struct fleet *f, const struct release_id *id, bool preview,
    struct stage *st, struct err *e)
{
	const struct release_id *staged;

	st->id = *id;
	if (fleet_manifest(f, id, &st->plan.m, e) != 0 ||
	    add_carried(f, st, e) != 0)
		return -1;
	if (st->plan.carried == 0)
		return 0;
	plan_end(&st->plan);
	staged = find_staged(f, st->plan.digest, known_meta(f, id)->seq);
	if (!release_id_is_none(staged)) {
		st->id = *staged;
		st->outcome = STAGE_STAGED;
		manifest_release(&st->plan.m);
		if (fleet_manifest(f, &st->id, &st->plan.m, e) != 0)
			return -1;
	} else {
		release_id_new(&st->id, fleet_latest_id(f));
		st->outcome = STAGE_NEW;
	}
	return preview ? 0 : send_carried(f, id, st, e);
}
