#include <errno.h>
#include <stdio.h>

#include "base/override.h"
#include "base/text.h"
#include "cmd/steps.h"
#include "cmd/table.h"
#include "fleet/fleet_stage.h"
#include "os/log.h"

void
step_stage_options(struct run *run, struct stage_options *o)
{
	const struct opts *given = &run->opts;

	o->rules = &run->site->rules;
	o->caller = &run->caller;
	o->message = given->message;
	o->commit = given->commit != NULL ? given->commit : run->caller.commit;
	o->seq = given->seq >= 0 ? given->seq : run->caller.seq;
	o->lock_wait = cmd_lock_wait(run);
	o->overrides = given->overrides;
	o->again = given->again;
	o->strip = given->strip;
	o->preview = given->dry_run;
	o->source = given->args.n > 0 ? given->args.v[0] : run->site->source;
}

void
step_rules(struct run *run, struct rules *out)
{
	rules_borrow(out, &run->site->rules);
	for (size_t i = 0; i < run->opts.exclude.n; i++)
		strvec_add(&out->exclude, run->opts.exclude.v[i]);
}

static void
tell(const struct stage *st, bool preview)
{
	char size[32], copied[32];

	text_size(st->totals.bytes, size);
	text_size(st->copied_bytes, copied);
	if (st->excluded > 0)
		log_info("left out %zu excluded or .git entries",
		    st->excluded);
	if (st->outcome == STAGE_UNCHANGED)
		log_info("unchanged: %s, which is live, has this content",
		    st->id.s);
	else if (st->outcome == STAGE_STAGED)
		log_info("unchanged: %s is staged already with this content",
		    st->id.s);
	else
		log_info("%s %zu files (%s): %zu linked, %zu copied (%s), "
			 "%zu carried",
		    preview ? "would stage" : "staged", st->totals.files, size,
		    st->linked, st->copied, copied, st->carried);
}

/* A source that cannot be used is said before anything is made. */
static int
check_source(const char *path, const char *root, struct err *e)
{
	struct source s = SOURCE_INIT;
	int r = source_open(&s, path, e);

	if (r == 0 && source_contains(&s, root))
		r = err_set(e, ERR_USAGE,
		    "the root '%s' is inside the "
		    "source '%s'; put it elsewhere",
		    root, path);
	source_close(&s);
	return r;
}

/* The root, made if need be; in a dry run there may be none yet. */
static int
open_root(struct run *run, struct store *s, bool *there, struct err *e)
{
	*there = true;
	if (!run->opts.dry_run)
		return store_create(s, run->site->root, e);
	if (store_open(s, run->site->root, e) == 0)
		return 0;
	*there = false;
	return e->sys == ENOENT ? store_check_new(run->site->root, e) : -1;
}

static int
no_source(struct err *e)
{
	return err_set(e, ERR_USAGE,
	    "what is to be staged? name a directory "
	    "or an archive, or set 'source' in deploy.yml");
}

int
step_stage(struct run *run, struct store *s, struct stage *st, struct err *e)
{
	struct stage_options o = { 0 };
	struct rules rules;
	bool there;
	int r;

	step_stage_options(run, &o);
	if (o.source == NULL)
		return no_source(e);
	if (step_hook(run, HOOK_PRE_STAGE, NULL, NULL, e) != 0 ||
	    check_source(o.source, run->site->root, e) != 0 ||
	    open_root(run, s, &there, e) != 0)
		return -1;
	step_rules(run, &rules);
	o.rules = &rules;
	r = stage_run(st, there ? s : NULL, &o, e);
	if (r == 0) {
		tell(st, o.preview);
		run->staged = st->id;
	}
	if (r == 0 && st->outcome != STAGE_UNCHANGED)
		r = step_hook(run, HOOK_POST_STAGE, st->id.s,
		    st->view.current.s, e);
	strvec_release(&rules.exclude);
	return r;
}

int
step_stage_hosts(struct run *run, struct fleet *f, struct stage *st,
    struct err *e)
{
	struct stage_options o = { 0 };
	struct rules rules;
	struct fleet_sent sent = { 0 };
	char size[32];
	int r;

	step_stage_options(run, &o);
	if (o.source == NULL)
		return no_source(e);
	if (step_hook(run, HOOK_PRE_STAGE, NULL, NULL, e) != 0)
		return -1;
	step_rules(run, &rules);
	o.rules = &rules;
	r = fleet_stage_open(f, st, &o, e);
	if (r == 0)
		r = fleet_stage(f, st, &o, &sent, e);
	if (r == 0) {
		tell(st, o.preview);
		run->staged = st->id;
	}
	if (r == 0 && st->outcome != STAGE_UNCHANGED)
		r = step_hook(run, HOOK_POST_STAGE, st->id.s,
		    f->v[0].view.current.s, e);
	text_size(sent.pack_bytes, size);
	if (r == 0 && sent.fresh > 0)
		log_info("sent to %zu of %zu hosts: %s in %zu pack%s",
		    sent.fresh, f->n, size, sent.packs,
		    sent.packs == 1 ? "" : "s");
	strvec_release(&rules.exclude);
	return r;
}

static const char *const outcomes[] = { "new", "unchanged", "staged" };

json_t *
step_stage_doc(const struct run *run, const struct stage *st)
{
	json_t *doc = cmd_new_doc(run);

	cmd_put_id(doc, "id", st->id.s);
	json_put_string(doc, "outcome", outcomes[st->outcome]);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_int(doc, "files", (int64_t)st->totals.files);
	json_put_int(doc, "bytes", st->totals.bytes);
	json_put_int(doc, "linked", (int64_t)st->linked);
	json_put_int(doc, "copied", (int64_t)st->copied);
	json_put_int(doc, "copied_bytes", st->copied_bytes);
	json_put_int(doc, "carried", (int64_t)st->carried);
	json_put_int(doc, "excluded", (int64_t)st->excluded);
	return doc;
}

void
step_fleet_doc(json_t *doc, const struct fleet *f)
{
	uint64_t sent = 0, received = 0;

	if (f == NULL || f->n == 0)
		return;
	for (size_t i = 0; i < f->n; i++)
		remote_traffic(&f->v[i], &sent, &received);
	json_put_int(doc, "sent_bytes", (int64_t)sent);
	json_put_int(doc, "received_bytes", (int64_t)received);
	if (f->skew_us >= 0)
		json_put_int(doc, "skew_us", f->skew_us);
	else
		json_put_null(doc, "skew_us");
}

static void
answer(struct run *run, const struct stage *st, const struct fleet *f)
{
	json_t *doc;

	if (!run->opts.json) {
		if (st->id.s[0] != '\0')
			printf("%s\n", st->id.s);
		return;
	}
	doc = step_stage_doc(run, st);
	step_fleet_doc(doc, f);
	cmd_answer(run, doc);
}

/* What is about a build has no place here. */
static int
check_release_options(const struct run *run, struct err *e)
{
	const struct opts *o = &run->opts;

	if (o->args.n > 0 || o->message != NULL || o->commit != NULL ||
	    o->seq >= 0 || o->exclude.n > 0 || o->strip || o->overrides != 0 ||
	    o->again)
		return err_set(e, ERR_USAGE,
		    "--release takes a release as it "
		    "is: no SOURCE, and no option that is about one");
	if (!cmd_has_hosts(run))
		return err_set(e, ERR_USAGE,
		    "--release is for sites with "
		    "several hosts, of which some lack the release");
	return 0;
}

/* A release that some hosts have, on the others. */
static int
stage_release_there(struct run *run, struct fleet *f, struct stage *st,
    struct err *e)
{
	struct fleet_sent sent = { 0 };
	const char *id = NULL;
	char size[32];

	if (check_release_options(run, e) == 0 &&
	    cmd_open_fleet(run, f, e) == 0)
		id = fleet_find_on_some(f, run->opts.release, e);
	if (id == NULL ||
	    fleet_stage_release(f, id, run->opts.dry_run, st, &sent, e) != 0)
		return -1;
	text_size(sent.pack_bytes, size);
	if (sent.fresh == 0)
		log_info("unchanged: all hosts have %s", id);
	else if (run->opts.dry_run)
		log_info("would send %s to %zu of %zu hosts", id, sent.fresh,
		    f->n);
	else
		log_info("sent %s to %zu of %zu hosts: %s", id, sent.fresh,
		    f->n, size);
	return 0;
}

static int
run_stage(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct fleet f = FLEET_INIT;
	struct stage st = STAGE_INIT;
	int r = cmd_site(run, e);

	if (r == 0 && run->opts.release != NULL) {
		r = stage_release_there(run, &f, &st, e);
	} else if (r == 0 && cmd_has_hosts(run)) {
		cmd_init_fleet(run, &f);
		r = step_stage_hosts(run, &f, &st, e);
	} else if (r == 0) {
		r = step_stage(run, &s, &st, e);
	}
	if (r == 0)
		answer(run, &st, &f);
	stage_release(&st);
	fleet_release(&f);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = { OPT_MESSAGE, OPT_COMMIT, OPT_SEQ,
	OPT_EXCLUDE, OPT_STRIP, OPT_OVERRIDE, OPT_AGAIN, OPT_RELEASE,
	OPT_END };

const struct cmd cmd_stage = {
	.name = "stage",
	.group = "Going live",
	.args = "[SOURCE]",
	.summary = "copy a build into a new release that is not live yet",
	.about =
	    "SOURCE is a directory, an archive (tar, zip, ...), or - for an\n"
	    "archive on standard input; default: 'source' in deploy.yml.\n"
	    "With --release, hosts that lack a release get it from one that\n"
	    "has it.  Prints the id of the release that has this content.\n",
	.examples =
	    "id=$(deploy stage public -m \"prices of December\")\n"
	    "tar -czf - -C public . | deploy stage -\n"
	    "deploy stage -n                       # what would be sent\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_BUILD,
	.opts = opts,
	.run = run_stage,
};
