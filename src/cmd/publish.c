#include <stdio.h>

#include "cmd/steps.h"
#include "cmd/table.h"
#include "log.h"

struct published {
	struct activation done;
	struct strvec removed;
	bool activated;
};

/* Under the lock: activate what was staged, then prune. */
static int
go_live(struct run *run, const struct store *s, const char *id,
    struct published *p, struct err *e)
{
	struct view v = VIEW_INIT;
	int r = view_read(&v, s, e);

	if (r == 0)
		r = step_activate(run, s, &v, id, JOURNAL_ACTIVATE, &p->done,
		    e);
	view_release(&v);
	/* ERR_CLEANUP: live, but not known to survive a power cut. */
	p->activated = r == 0 || e->code == ERR_CLEANUP;
	if (r != 0)
		return -1;
	/* What is live and what was has changed: look again. */
	r = view_read(&v, s, e);
	if (r == 0)
		r = step_prune(run, s, &v, &p->removed, e);
	view_release(&v);
	if (r != 0) {
		err_prefix(e, "the release is live, but pruning failed: ");
		e->code = ERR_CLEANUP;
	}
	return r;
}

static void
answer(struct run *run, const struct stage *st, const struct published *p)
{
	json_t *doc, *removed;

	if (!run->opts.json) {
		if (st->id.s[0] != '\0')
			printf("%s\n", st->id.s);
		return;
	}
	doc = step_stage_doc(run, st);
	removed = json_new_array();
	step_activate_doc(doc, st->id.s, &p->done);
	/* A dry run: what would be. */
	if (run->opts.dry_run)
		json_put_bool(doc, "changed", st->outcome != STAGE_UNCHANGED);
	for (size_t i = 0; i < p->removed.n; i++)
		json_push_string(removed, p->removed.v[i]);
	json_put(doc, "pruned", removed);
	cmd_answer(run, doc);
}

/* A dry run: would the release that was not made be refused? */
static int
check_activation(struct run *run, const struct store *s, struct err *e)
{
	struct stage_options build = { 0 };
	struct activate_options o = { .action = JOURNAL_ACTIVATE,
	    .journal_size = -1, .force = run->opts.force };
	struct view v = VIEW_INIT;
	int r;

	/* There is nothing yet that could be in the way. */
	if (s->root.fd < 0)
		return 0;
	step_stage_options(run, &build);
	r = view_read(&v, s, e);
	if (r == 0)
		r = step_expected(run, &v, &o.expect, e);
	if (r == 0)
		r = activate_check(s, &o, build.seq, e);
	view_release(&v);
	return r;
}

/* What comes after staging; nothing when the live release is meant. */
static int
publish_staged(struct run *run, const struct store *s,
    const struct stage *st, struct err *e)
{
	struct published p = { .removed = STRVEC_INIT };
	struct lock lock = LOCK_INIT;
	int r = 0;

	if (run->opts.dry_run && st->outcome != STAGE_UNCHANGED)
		r = check_activation(run, s, e);
	if (st->outcome == STAGE_UNCHANGED || run->opts.dry_run) {
		if (r == 0)
			answer(run, st, &p);
		return r;
	}
	r = cmd_lock(run, s, &lock, e);
	if (r == 0)
		r = go_live(run, s, st->id.s, &p, e);
	if (p.activated)
		answer(run, st, &p);
	else
		log_info("%s stays staged", st->id.s);
	lock_drop(&lock);
	strvec_release(&p.removed);
	return r;
}

/* The same on all hosts, or on none. */
static int
publish_hosts(struct run *run, struct fleet *f, struct stage *st,
    struct err *e)
{
	struct published p = { .removed = STRVEC_INIT };
	int r = cmd_open_fleet(run, f, e);

	if (r == 0)
		r = step_stage_hosts(run, f, st, e);
	if (r == 0 && st->outcome != STAGE_UNCHANGED && !run->opts.dry_run) {
		/* What staging changed on the hosts is asked for again. */
		r = fleet_open(f, true, e);
		if (r == 0)
			r = step_activate_hosts(run, f, st->id.s,
			    JOURNAL_ACTIVATE, &p.done, e);
		p.activated = r == 0;
		if (r != 0)
			log_info("%s stays staged", st->id.s);
	}
	/* What was live has changed: look again. */
	if (r == 0 && p.activated && (fleet_open(f, true, e) != 0 ||
	    step_prune_hosts(run, f, &p.removed, e) != 0)) {
		err_prefix(e, "the release is live, but pruning failed: ");
		e->code = ERR_CLEANUP;
		r = -1;
	}
	if (r == 0 || p.activated)
		answer(run, st, &p);
	strvec_release(&p.removed);
	return r;
}

static int
run_publish(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct fleet f = FLEET_INIT;
	struct stage st = STAGE_INIT;
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run)) {
		r = publish_hosts(run, &f, &st, e);
		stage_release(&st);
		fleet_release(&f);
		return r;
	}
	if (r == 0)
		r = step_stage(run, &s, &st, e);
	if (r == 0)
		r = publish_staged(run, &s, &st, e);
	stage_release(&st);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = {
	OPT_MESSAGE, OPT_COMMIT, OPT_SEQ, OPT_EXPECT, OPT_EXCLUDE, OPT_STRIP,
	OPT_KEEP, OPT_FORCE, OPT_END
};

const struct cmd cmd_publish = {
	.name = "publish",
	.group = "Releases",
	.args = "[SOURCE]",
	.summary = "stage, activate and prune: all in one",
	.about =
	    "For CI jobs and post-build hooks.  SOURCE as for 'stage'.  When\n"
	    "the live release has this content already, nothing happens.\n"
	    "Prints the id of the release that is live.\n",
	.max_args = 1,
	.opts = opts,
	.run = run_publish,
};
