#include <stdio.h>
#include <string.h>

#include "base/override.h"
#include "cmd/steps.h"
#include "cmd/table.h"
#include "fleet/fleet_activate.h"
#include "fleet/fleet_roll.h"
#include "os/log.h"

int
step_expected(const struct run *run, const struct view *v, const char **expect,
    struct err *e)
{
	const char *word = run->opts.expect;

	if (word == NULL)
		return 0;
	if (strcmp(word, "none") == 0) {
		*expect = "";
		return 0;
	}
	/* What is expected may be gone by now; it is not live, then. */
	*expect = release_id_is_valid(word) ? word : view_find(v, word, e);
	return *expect == NULL ? -1 : 0;
}

/* --expect, on every host. */
static int
check_expected(const struct run *run, const struct fleet *f, struct err *e)
{
	const char *want = run->opts.expect;

	if (strcmp(want, "none") == 0)
		want = "";
	else if (!release_id_is_valid(want))
		want = fleet_find(f, want, e);
	if (want == NULL)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->v[i].view.current.s, want) != 0)
			return err_set(e, ERR_SUPERSEDED,
			    "%s: %s is live, "
			    "not %s as expected",
			    f->v[i].host->label,
			    f->v[i].view.current.s[0] != '\0' ?
				f->v[i].view.current.s :
				"nothing",
			    *want != '\0' ? want : "nothing");
	return 0;
}

static void
tell(const struct activation *done, const char *id, enum journal_action action,
    bool preview)
{
	if (!done->changed)
		log_info("unchanged: %s is live already", id);
	else
		log_info("%s%s is live%s%s%s", preview ? "would make: " : "",
		    id, action == JOURNAL_ROLLBACK ? ", rolled back" : "",
		    done->from.s[0] != '\0' ? "; before it: " : "",
		    done->from.s);
}

static int
read_stored(void *ctx, const char *id, struct manifest *m, struct err *e)
{
	const struct store *s = ctx;

	return manifest_read(m, &s->manifests, id, e);
}

int
step_activate(struct run *run, const struct store *s, struct lock *lock,
    const struct view *v, const char *id, enum journal_action action,
    struct activation *out, struct err *e)
{
	struct activate_options o = { .id = id,
		.action = action,
		.caller = &run->caller,
		.message = run->opts.message,
		.journal_size = -1,
		.overrides = run->opts.overrides,
		.preview = run->opts.dry_run };
	int r = step_expected(run, v, &o.expect, e);

	*out = (struct activation)ACTIVATION_INIT;
	if (r == 0)
		r = activate_prepare(out, s, &o, e);
	if (r == 0 && !o.preview)
		r = activate_go(out, e);
	activate_end(out);
	if (r == 0)
		tell(out, id, action, o.preview);
	if (r == 0 && out->changed && !o.preview)
		r = step_root_hook(run, s, lock, out, action, e);
	if (r == 0)
		r = step_check(run, s, lock, out, action, e);
	if (r == 0 && out->changed && !o.preview)
		step_went_live(run, id, out->from.s, action, read_stored,
		    (void *)(uintptr_t)s);
	return r;
}

static int
read_remote(void *ctx, const char *id, struct manifest *m, struct err *e)
{
	return fleet_manifest(ctx, id, m, e);
}

/* All but the hooks of the roots that failed. */
static int
activate_all(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct activation *out, struct err *e)
{
	const struct remote_activate o = { .id = id,
		.message = run->opts.message,
		.journal_size = -1,
		.rollback = action == JOURNAL_ROLLBACK,
		.overrides = run->opts.overrides,
		.preview = run->opts.dry_run };
	bool rolling = run->site->strategy == STRATEGY_ROLLING &&
	    action == JOURNAL_ACTIVATE;
	struct fleet_activation done;
	int r;

	*out = (struct activation)ACTIVATION_INIT;
	release_id_copy(&out->id, id);
	if (run->opts.expect != NULL && check_expected(run, f, e) != 0)
		return -1;
	out->from = f->v[0].view.current;
	r = rolling ? fleet_roll(f, &o, step_wants_check(run), &done, e) :
		      fleet_activate(f, &o, &done, e);
	if (r != 0)
		return -1;
	out->changed = done.changed;
	f->skew_us =
	    done.changed && !o.preview && !rolling ? done.skew_us : -1;
	tell(out, out->id.s, action, o.preview);
	if (f->skew_us >= 0)
		log_info("all hosts flipped within %.1f ms",
		    (double)f->skew_us / 1000);
	if (!done.changed || o.preview)
		return 0;
	if (!rolling && step_check_hosts(run, f, out->id.s, action, e) != 0)
		return -1;
	step_went_live(run, out->id.s, out->from.s, action, read_remote, f);
	return 0;
}

int
step_activate_hosts(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct activation *out, struct err *e)
{
	int r = activate_all(run, f, id, action, out, e);

	step_root_hooks_failed(run, f);
	return r;
}

void
step_activate_doc(json_t *doc, const char *id, const struct activation *done)
{
	json_put_bool(doc, "changed", done->changed);
	cmd_put_id(doc, "current", id);
	cmd_put_id(doc, "from", done->from.s);
}

static void
answer(struct run *run, const char *id, const struct activation *done,
    const struct fleet *f)
{
	json_t *doc;

	if (!run->opts.json) {
		printf("%s\n", id);
		return;
	}
	doc = cmd_new_doc(run);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	step_activate_doc(doc, id, done);
	step_fleet_doc(doc, f);
	cmd_answer(run, doc);
}

enum { WAITING_SHOWN = 8 };

/* Which of several is meant is not guessed. */
static int
refuse_several(const struct strvec *waiting, struct err *e)
{
	size_t shown = waiting->n < WAITING_SHOWN ? waiting->n : WAITING_SHOWN;

	err_set(e, ERR_USAGE, "%zu releases wait to go live:", waiting->n);
	for (size_t i = 0; i < shown; i++)
		err_append(e, "%s %s", i > 0 ? "," : "",
		    waiting->v[waiting->n - 1 - i]);
	if (shown < waiting->n)
		err_append(e, ", ...");
	return err_append(e,
	    "; run 'deploy activate RELEASE' with one of them, or 'deploy "
	    "activate latest' for the newest");
}

/*
 * Nothing is named: the one release that waits.  When none does, what is
 * live, so that nothing changes.
 */
static int
choose_waiting(const struct strvec *waiting, const char *live,
    struct release_id *out, struct err *e)
{
	if (waiting->n > 1)
		return refuse_several(waiting, e);
	if (waiting->n == 0 && *live == '\0')
		return err_set(e, ERR_USAGE,
		    "no release waits to go live, and none is live; run 'deploy "
		    "stage' first, or name one of 'deploy list'");
	if (waiting->n == 0)
		log_info("no release waits to go live");
	release_id_copy(out, waiting->n > 0 ? waiting->v[0] : live);
	return 0;
}

/* The release that is asked for, or waits. */
static int
choose_here(const struct run *run, const struct view *v,
    struct release_id *out, struct err *e)
{
	struct strvec waiting = STRVEC_INIT;
	const char *id;
	int r;

	if (run->opts.args.n > 0) {
		id = view_find(v, run->opts.args.v[0], e);
		if (id != NULL)
			release_id_copy(out, id);
		return id != NULL ? 0 : -1;
	}
	view_waiting(v, &waiting);
	r = choose_waiting(&waiting, v->current.s, out, e);
	strvec_release(&waiting);
	return r;
}

/* The same for all hosts. */
static int
choose_there(const struct run *run, const struct fleet *f,
    struct release_id *out, struct err *e)
{
	struct strvec waiting = STRVEC_INIT;
	struct err none = ERR_INIT;
	const char *id;
	int r;

	if (run->opts.args.n > 0) {
		id = fleet_find(f, run->opts.args.v[0], e);
		if (id != NULL)
			release_id_copy(out, id);
		return id != NULL ? 0 : -1;
	}
	id = fleet_find(f, "current", &none);
	fleet_waiting(f, &waiting);
	if (waiting.n == 0 && none.code == ERR_DIFFER) {
		*e = none;
		r = -1;
	} else {
		r = choose_waiting(&waiting, id != NULL ? id : "", out, e);
	}
	strvec_release(&waiting);
	return r;
}

/* Which release?  The hook may refuse it, before the lock is taken. */
static int
choose(struct run *run, const struct store *s, struct release_id *out,
    struct err *e)
{
	struct view v = VIEW_INIT;
	int r = view_read(&v, s, e);

	if (r == 0)
		r = choose_here(run, &v, out, e);
	if (r == 0 && strcmp(out->s, v.current.s) != 0)
		r = step_hook(run, HOOK_PRE_ACTIVATE, out->s, v.current.s, e);
	view_release(&v);
	return r;
}

/* Under the lock: go. */
static int
activate_locked(struct run *run, const struct store *s, struct lock *lock,
    struct view *v, const char *id, struct err *e)
{
	struct activation done;

	if (view_read(v, s, e) != 0 ||
	    step_activate(run, s, lock, v, id, JOURNAL_ACTIVATE, &done, e) !=
		0)
		return -1;
	answer(run, id, &done, NULL);
	return 0;
}

static int
activate_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct activation done;
	struct release_id id;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0)
		r = choose_there(run, &f, &id, e);
	if (r == 0)
		r = step_hook(run, HOOK_PRE_ACTIVATE, id.s,
		    f.v[0].view.current.s, e);
	if (r == 0)
		r = step_activate_hosts(run, &f, id.s, JOURNAL_ACTIVATE, &done,
		    e);
	if (r == 0)
		answer(run, id.s, &done, &f);
	fleet_release(&f);
	return r;
}

static int
run_activate(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct view v = VIEW_INIT;
	struct lock lock = LOCK_INIT;
	struct release_id id = { "" };
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run))
		return activate_hosts(run, e);
	if (r == 0)
		r = store_open(&s, run->site->root, e);
	if (r == 0)
		r = choose(run, &s, &id, e);
	if (r == 0)
		r = cmd_lock(run, &s, &lock, e);
	if (r == 0)
		r = activate_locked(run, &s, &lock, &v, id.s, e);
	view_release(&v);
	lock_drop(&lock);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = { OPT_EXPECT, OPT_MESSAGE, OPT_OVERRIDE,
	OPT_NO_CHECK, OPT_END };

const struct cmd cmd_activate = {
	.name = "activate",
	.group = "Going live",
	.args = "[RELEASE]",
	.summary = "make a staged release live (default: the one that waits)",
	.about =
	    "RELEASE is an id, a unique prefix of one, current, previous or\n"
	    "latest.  Without it the one release is meant that was staged\n"
	    "after all that ever were live; several are refused.  Refused\n"
	    "when the root is frozen (override: freeze), or when the release\n"
	    "has an older sequence (--seq) than the one activated last\n"
	    "(override: order).  Prints the id of the release that is live.\n",
	.examples =
	    "deploy activate                       # the one that waits\n"
	    "deploy activate latest --override=freeze\n"
	    "deploy activate 20261121T19 --expect current\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_FLIP,
	.opts = opts,
	.run = run_activate,
};
