#include <string.h>

#include "base/buf.h"
#include "base/label.h"
#include "base/text.h"
#include "content/links.h"
#include "content/secrets.h"
#include "fleet/fleet_stage.h"
#include "os/log.h"
#include "site/leftovers.h"
#include "site/order.h"
#include "site/site.h"
#include "site/site_flip.h"

void
site_stage_options(const struct site_run *s, struct rules *rules,
    struct stage_options *out)
{
	const struct site_wishes *w = &s->wishes;

	rules_borrow(rules, &s->site->rules);
	for (size_t i = 0; w->exclude != NULL && i < w->exclude->n; i++)
		strvec_add(&rules->exclude, w->exclude->v[i]);
	*out = (struct stage_options){ .source = w->source,
		.rules = rules,
		.caller = s->caller,
		.message = w->message,
		.commit = s->commit != NULL ? s->commit :
		    w->commit != NULL	    ? w->commit :
					      s->caller->commit,
		.seq = w->by_commit ? -1 :
		    w->seq >= 0	    ? w->seq :
				      s->caller->seq,
		.ask_all = w->by_commit,
		.lock_wait = s->fleet.v[0].waits.lock,
		.overrides = w->overrides,
		.preview = w->preview,
		.goes_live = s->goes_live,
		.again = w->again,
		.strip = w->strip };
}

static void
tell(const struct stage *st, bool preview)
{
	char size[TEXT_SIZE_LEN], copied[TEXT_SIZE_LEN];

	log_set_field(LOG_RELEASE, preview ? NULL : st->id.text);
	text_size(st->plan.totals.bytes, size);
	text_size(st->plan.copied_bytes, copied);
	if (st->excluded > 0)
		log_info("left out %s",
		    TEXT_COUNT(st->excluded, "excluded or .git entry",
			"excluded or .git entries"));
	if (st->outcome == STAGE_UNCHANGED)
		log_info("unchanged: %s, which is live, has this content",
		    st->id.text);
	else if (st->outcome == STAGE_STAGED)
		log_info("unchanged: %s is staged already with this content",
		    st->id.text);
	else
		log_info(
		    "%s %s (%s): %zu linked, %zu copied (%s), %zu carried",
		    preview ? "would stage" : "staged",
		    TEXT_COUNT(st->plan.totals.files, "file", "files"), size,
		    st->plan.linked, st->plan.copied, copied,
		    st->plan.carried);
}

/* What was made besides. */
static void
tell_compressed(const char *how, const struct compressed *c)
{
	char size[TEXT_SIZE_LEN];

	text_size(c->bytes, size);
	if (c->made > 0)
		log_info(
		    "%s: %zu made (%s), %zu kept, %zu would save too little",
		    how, c->made, size, c->kept, c->spared);
}

/* Links that show visitors nothing. */
static void
tell_broken(const struct strvec *broken)
{
	struct buf told = BUF_INIT;

	links_tell(broken, &told);
	if (broken->n > 0)
		log_warn("%s nowhere: %s",
		    TEXT_COUNT(broken->n, "symbolic link leads",
			"symbolic links lead"),
		    told.data);
	buf_release(&told);
}

/* What visitors should not get, before it can go live. */
static void
tell_secrets(const struct strvec *paths, const char *what)
{
	struct buf told = BUF_INIT;

	secrets_tell(paths, &told);
	if (paths->n > 0)
		log_warn(
		    "the build has %s: %s; leave them out with --exclude, or 'exclude' in deploy.yml",
		    what, told.data);
	buf_release(&told);
}

/* What went over the wire. */
static void
tell_sent(const struct site_run *s, const struct fleet_sent *sent)
{
	char size[TEXT_SIZE_LEN], packed[TEXT_SIZE_LEN];

	text_size(sent->bytes, size);
	text_size(sent->pack_bytes, packed);
	if (sent->fresh > 0)
		log_info("sent to %zu of %s: %s, %s, as %s in %s", sent->fresh,
		    TEXT_COUNT(s->fleet.n, "host", "hosts"),
		    TEXT_COUNT(sent->files, "file", "files"), size, packed,
		    TEXT_COUNT(sent->packs, "pack", "packs"));
	if (s->fleet.rewritten > 0)
		log_info(
		    "%s did not travel: %s what changed on them (-v shows them)",
		    TEXT_COUNT(s->fleet.rewritten, "page", "pages"),
		    TEXT_COUNT(s->fleet.rules, "rule says", "rules say"));
	if (s->fleet.patched > 0)
		log_info("%s travelled as differences to what is live",
		    TEXT_COUNT(s->fleet.patched, "page", "pages"));
}

/* The hosts that have a new root there: " on www1, www2", or "" here. */
static void
name_new(const struct fleet *f, const char *root, struct buf *out)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].made && strcmp(f->v[i].host->root, root) == 0 &&
		    !f->is_here)
			buf_addf(out, "%s%s", out->len > 0 ? ", " : " on ",
			    f->v[i].host->label);
}

/* Whoever makes a root tells, once, what the web server has to serve. */
static void
tell_new_roots(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *root = f->v[i].host->root;
		struct buf where = BUF_INIT;
		bool told = !f->v[i].made;

		for (size_t k = 0; k < i; k++)
			told |= f->v[k].made &&
			    strcmp(f->v[k].host->root, root) == 0;
		name_new(f, root, &where);
		if (!told)
			log_info(
			    "'%s' is a new root%s; the web server's document root is '%s/current'",
			    root, buf_str(&where), root);
		buf_release(&where);
	}
}

/* Say so when pages look as if their sources were gone. */
static void
warn_of_leftovers(const struct site_run *s)
{
	const struct build_config *b = &s->site->build;
	struct leftovers l;

	if (s->scratch.path != NULL || b->clean ||
	    !leftovers_find(s->wishes.source,
		b->command != NULL ? b->directory : NULL, &l))
		return;
	log_warn(
	    "%s older than the others of this build, '%s' for one: %s leaves pages whose sources are gone; empty '%s' before each build, or see 'clean' in deploy.yml(5)",
	    TEXT_COUNT(l.n, "page is", "pages are"), l.example, l.generator,
	    s->wishes.source);
	leftovers_release(&l);
}

/* Stage, with the hooks around it. */
/* Do all hosts let our key do what follows?  Else nothing is sent. */
static int
need_verbs(const struct site_run *s, struct err *e)
{
	const struct fleet *f = &s->fleet;

	for (size_t i = 0; i < f->n; i++)
		if (remote_need_verb(&f->v[i],
			s->wishes.preview != NULL ? "preview" : "receive",
			e) != 0 ||
		    (s->goes_live &&
			remote_need_verb(&f->v[i], "activate", e) != 0))
			return -1;
	return 0;
}

static int
stage(struct site_run *s, struct stage *st, struct stage_options *o,
    struct fleet_sent *sent, struct err *e)
{
	struct fleet *f = &s->fleet;
	bool preview = s->wishes.dry_run;

	f->goes_on = s->goes_live;
	if (site_hook(s, HOOK_PRE_STAGE, NULL, NULL, e) != 0 ||
	    fleet_stage_open(f, st, o, e) != 0 || need_verbs(s, e) != 0 ||
	    order_settle(s, &o->seq, e) != 0 ||
	    (preview ? fleet_preview(f, st, o, e) :
		       fleet_stage(f, st, o, sent, e)) != 0)
		return -1;
	tell_broken(&st->plan.broken);
	tell_secrets(&st->secrets,
	    "what looks like keys, passwords or a repository");
	tell_secrets(&st->maps, "source maps");
	tell(st, preview);
	tell_compressed("compressed", &st->compressed);
	tell_compressed("compressed against earlier files", &st->against);
	warn_of_leftovers(s);
	s->staged = st->id;
	if (st->outcome != STAGE_UNCHANGED &&
	    site_hook(s, HOOK_POST_STAGE, &st->id, site_current(s), e) != 0)
		return -1;
	tell_sent(s, sent);
	tell_new_roots(f);
	return 0;
}

/* Shown under its own name, and nowhere else. */
static int
show(struct site_run *s, const struct stage *st, struct err *e)
{
	const struct site_wishes *w = &s->wishes;

	if (w->preview == NULL)
		return 0;
	s->preview_url = site_preview_url(s->site, w->preview);
	return release_id_is_none(&st->id) ?
	    0 :
	    site_show_preview(s, w->preview, &st->id, w->preview_for, e);
}

int
site_stage(struct site_run *s, struct stage *st, struct fleet_sent *sent,
    struct err *e)
{
	struct stage_options o;
	struct rules rules;
	int r;

	*sent = (struct fleet_sent){ 0 };
	if (s->wishes.source == NULL)
		return err_set(e, ERR_USAGE,
		    "what should be staged? name a directory or an archive, or set 'source' in deploy.yml");
	if (s->wishes.preview != NULL &&
	    label_check(s->wishes.preview, e) != 0)
		return -1;
	if (order_begin(s, e) != 0)
		return -1;
	if (s->caller->odd_seq != NULL && s->wishes.seq < 0 &&
	    !s->wishes.by_commit)
		log_warn(
		    "the number of this CI run, '%s', is none, so it does not keep older builds from going live; give one with --seq",
		    s->caller->odd_seq);
	site_stage_options(s, &rules, &o);
	r = stage(s, st, &o, sent, e);
	if (r == 0)
		r = show(s, st, e);
	strvec_release(&rules.exclude);
	return r;
}

int
site_supply(struct site_run *s, const struct release_id *id, struct err *e)
{
	struct fleet *f = &s->fleet;
	bool preview = s->wishes.dry_run;
	size_t lacking = fleet_count_lacking(f, id);
	struct stage st = STAGE_INIT;
	struct fleet_sent sent;
	/* Our own: hosts learn, and move theirs. */
	const struct release_id own = *id;
	char size[TEXT_SIZE_LEN];
	int r;

	if (lacking == 0)
		return 0;
	/* Nobody brings an old release but to make it live. */
	f->goes_on = !preview;
	r = fleet_stage_release(f, &own, preview, &st, &sent, e);
	stage_release(&st);
	text_size(sent.pack_bytes, size);
	if (r == 0 && preview)
		log_info("would send %s to %zu of %s", own.text, lacking,
		    TEXT_COUNT(f->n, "host", "hosts"));
	else if (r == 0)
		log_info("sent %s to %zu of %s, which lacked it: %s", own.text,
		    lacking, TEXT_COUNT(f->n, "host", "hosts"), size);
	return r;
}
