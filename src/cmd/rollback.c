#include <stdio.h>

#include "base/clock.h"
#include "base/override.h"
#include "cmd/steps.h"
#include "cmd/table.h"
#include "os/log.h"
#include "root/freeze.h"

/*
 * A rollback that is repeated finds that another release is live, before it
 * looks for what to go back to.
 */
static int
check_expected(const struct run *run, const struct view *v, struct err *e)
{
	const char *expect = NULL;

	if (step_expected(run, v, &expect, e) != 0)
		return -1;
	return activate_check_expect(expect, v->current.s, e);
}

/* Why there is nothing to go back to from `current`, "" when none is live. */
static void
tell_none(const char *current, struct err *e)
{
	if (*current == '\0')
		err_set(e, ERR_FAILED,
		    "nothing is live, so there is nothing "
		    "to roll back from; see 'deploy list'");
	else
		err_set(e, ERR_FAILED,
		    "no release that was live before %s "
		    "is left; name one of 'deploy list'",
		    current);
}

/* The release to go back to, or NULL with what is in the way. */
static const char *
find_target(const struct run *run, const struct view *v, struct err *e)
{
	const char *id;

	if (run->opts.args.n > 0)
		return view_find(v, run->opts.args.v[0], e);
	if (check_expected(run, v, e) != 0)
		return NULL;
	id = v->current.s[0] != '\0' ? view_previous(v) : NULL;
	if (id == NULL)
		tell_none(v->current.s, e);
	return id;
}

/* The same for all hosts: the release that all of them go back to. */
static const char *
find_common_target(const struct run *run, const struct fleet *f, struct err *e)
{
	const char *current = f->v[0].view.current.s, *id;

	if (run->opts.args.n > 0)
		return fleet_find(f, run->opts.args.v[0], e);
	id = fleet_find(f, "previous", e);
	if (id == NULL && e->code == ERR_USAGE)
		tell_none(current, e);
	return id;
}

/* freeze_on_rollback: the build that was bad shall not come back by itself. */
static int
freeze_after(struct run *run, const struct store *s, struct err *e)
{
	char why[] = "rolled back";
	const struct freeze f = { .who = run->caller.who,
		.why = why,
		.since = clock_now() };

	if (freeze_write(s, &f, e) != 0) {
		err_prefix(e, "rolled back, but not frozen: ");
		e->code = ERR_CLEANUP;
		return -1;
	}
	log_info("frozen, because of freeze_on_rollback; see 'deploy thaw'");
	return 0;
}

/* The same on all hosts. */
static int
freeze_hosts_after(struct run *run, struct fleet *f, struct err *e)
{
	char why[] = "rolled back";
	const struct freeze freeze = { .who = run->caller.who,
		.why = why,
		.since = clock_now() };
	struct strvec args = STRVEC_INIT;
	int r;

	remote_freeze_args(&freeze, &args);
	r = cmd_call_hosts(run, f, "freeze", &args, NULL, NULL, e);
	strvec_release(&args);
	if (r == 0) {
		log_info("frozen, because of freeze_on_rollback; see "
			 "'deploy thaw'");
		return 0;
	}
	err_prefix(e, "rolled back, but not frozen everywhere: ");
	e->code = ERR_CLEANUP;
	return -1;
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

static int
rollback_locked(struct run *run, const struct store *s, struct lock *lock,
    struct view *v, struct err *e)
{
	struct activation done;
	const char *id;

	if (view_read(v, s, e) != 0)
		return -1;
	id = find_target(run, v, e);
	if (id == NULL ||
	    step_activate(run, s, lock, v, id, JOURNAL_ROLLBACK, &done, e) !=
		0)
		return -1;
	answer(run, id, &done, NULL);
	if (done.changed && run->site->freeze_on_rollback &&
	    !run->opts.dry_run)
		return freeze_after(run, s, e);
	return 0;
}

/* On all hosts or none: they must agree on what to go back to. */
static int
rollback_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct activation done;
	const char *id = NULL;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0)
		id = find_common_target(run, &f, e);
	if (id == NULL)
		r = -1;
	if (r == 0)
		r = step_activate_hosts(run, &f, id, JOURNAL_ROLLBACK, &done,
		    e);
	if (r == 0)
		answer(run, id, &done, &f);
	if (r == 0 && done.changed && run->site->freeze_on_rollback &&
	    !run->opts.dry_run)
		r = freeze_hosts_after(run, &f, e);
	fleet_release(&f);
	return r;
}

static int
run_rollback(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct view v = VIEW_INIT;
	struct lock lock = LOCK_INIT;
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run))
		return rollback_hosts(run, e);
	if (r == 0)
		r = store_open(&s, run->site->root, e);
	if (r == 0)
		r = cmd_lock(run, &s, &lock, e);
	if (r == 0)
		r = rollback_locked(run, &s, &lock, &v, e);
	view_release(&v);
	lock_drop(&lock);
	store_close(&s);
	return r;
}

static const enum opt_id opts[] = { OPT_EXPECT, OPT_MESSAGE, OPT_OVERRIDE,
	OPT_NO_CHECK, OPT_END };

const struct cmd cmd_rollback = {
	.name = "rollback",
	.group = "Going live",
	.args = "[RELEASE]",
	.summary = "make the release live that was live before",
	.about =
	    "Again to go further back.  Releases that were rolled back from\n"
	    "are skipped.  With RELEASE: back to that one.  With --expect the\n"
	    "rollback happens only from that release, so that a command that\n"
	    "is repeated cannot go two steps.  A freeze does not stop it.\n"
	    "Prints the id of the release that is live.\n",
	.examples = "deploy rollback -m \"broken menu\"\n"
		    "deploy rollback 20261121T19\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_FLIP,
	.opts = opts,
	.run = run_rollback,
};
