#include "root/freeze.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"

static void
answer(struct run *run, bool frozen)
{
	json_t *doc;

	if (!run->opts.json)
		return;
	doc = cmd_new_doc(run);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_bool(doc, "frozen", frozen);
	cmd_answer(run, doc);
}

/* What the options say about the freeze. */
static struct freeze
freeze_of(const struct run *run)
{
	return (struct freeze){
		.who = run->caller.who,
		.why = (char *)(uintptr_t)run->opts.message,
		.since = clock_now(),
		.until = run->opts.duration == 0 ?
		    0 :
		    clock_now() + run->opts.duration * 1000,
		/* Borrowed: it is not released. */
		.skipped = run->skipped,
	};
}

/* Of several hosts, all at once. */
static void
tell(const struct run *run, const struct fleet *f, bool frozen)
{
	const char *be = run->opts.dry_run ? "would be" : "is";
	const char *done = frozen ? "frozen" : "thawed";
	struct buf labels = BUF_INIT;

	for (size_t i = 0; i < f->n; i++)
		buf_addf(&labels, "%s%s", i > 0 ? ", " : "",
		    f->v[i].host->label);
	if (f->n == 1)
		log_info("%s'%s' %s %s", remote_said(&f->v[0]),
		    f->v[0].host->root, be, done);
	else
		log_info("the site %s %s on %s", be, done, buf_str(&labels));
	buf_release(&labels);
}

/* Is it frozen, by its own clock?  For fleet_each(). */
static int
ask_frozen(struct remote *r, void *ctx, struct err *e)
{
	const struct freeze *freeze = ctx;

	if (remote_info(r, REMOTE_ALL, NULL, e) != 0)
		return -1;
	if (r->frozen || freeze->until <= clock_now())
		return 0;
	return err_set(e, ERR_FAILED,
	    "the freeze of '%s' is over already, by the clock there;; let both machines set their clocks by the network (NTP), and freeze again",
	    r->host->root);
}

/* A freeze has an end of this machine's clock, and hosts have their own. */
static int
check_end(struct fleet *f, struct freeze *freeze, struct err *e)
{
	size_t failed = fleet_each(f, ask_frozen, freeze);

	if (failed == 0)
		return 0;
	err_ignore(fleet_fail(f, "not frozen everywhere", e));
	if (failed < f->n)
		e->code = ERR_DIFFER;
	return -1;
}

static int
change_freeze(struct run *run, bool frozen, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct strvec args = STRVEC_INIT;
	struct freeze freeze;
	int r = cmd_open_fleet(run, &f, e);

	freeze = freeze_of(run);
	if (frozen)
		remote_freeze_args(&freeze, &args);
	else
		strvec_add(&args, "--off");
	if (r == 0 && !run->opts.dry_run)
		r = cmd_change_hosts(&f, "freeze",
		    frozen ? "not frozen everywhere" : "not thawed everywhere",
		    &args, e);
	if (r == 0 && frozen && freeze.until > 0 && !run->opts.dry_run)
		r = check_end(&f, &freeze, e);
	if (r == 0) {
		tell(run, &f, frozen);
		answer(run, frozen);
	}
	strvec_release(&args);
	fleet_release(&f);
	return r;
}

static int
run_freeze(struct run *run, struct err *e)
{
	return change_freeze(run, true, e);
}

static int
run_thaw(struct run *run, struct err *e)
{
	return change_freeze(run, false, e);
}

static const enum opt_id freeze_opts[] = { OPT_MESSAGE, OPT_FOR, OPT_SKIP,
	OPT_END };
static const enum opt_id thaw_opts[] = { OPT_SKIP, OPT_END };

const struct cmd cmd_freeze = {
	.name = "freeze",
	.group = "Keeping order",
	.args = "",
	.summary = "refuse activations until thawed; staging goes on",
	.about = "-m says why.  A freeze does not stop a rollback.\n",
	.examples = "deploy freeze -m \"sale until Monday\" --for 3d\n",
	.opts = freeze_opts,
	.run = run_freeze,
};

const struct cmd cmd_thaw = {
	.name = "thaw",
	.group = "Keeping order",
	.args = "",
	.summary = "allow activations again",
	.takes_away = true,
	.opts = thaw_opts,
	.run = run_thaw,
};
