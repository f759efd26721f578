#include "root/freeze.h"

#include <stdio.h>

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
	};
}

static int
freeze_hosts(struct run *run, bool frozen, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct strvec args = STRVEC_INIT;
	const struct freeze freeze = freeze_of(run);
	int r = cmd_open_fleet(run, &f, e);

	if (frozen)
		remote_freeze_args(&freeze, &args);
	else
		strvec_add(&args, "--off");
	if (r == 0 && !run->opts.dry_run)
		r = cmd_call_hosts(run, &f, "freeze", &args, NULL, NULL, e);
	if (r == 0) {
		log_info("%zu hosts %s %s", f.n,
		    run->opts.dry_run ? "would be" : "are",
		    frozen ? "frozen" : "thawed");
		answer(run, frozen);
	}
	strvec_release(&args);
	fleet_release(&f);
	return r;
}

/* Open, lock, and freeze or thaw with `change`. */
static int
change_freeze(struct run *run,
    int (*change)(struct run *run, const struct store *s, struct err *e),
    bool frozen, struct err *e)
{
	struct store s = STORE_INIT;
	struct lock lock = LOCK_INIT;
	int r = cmd_site(run, e);

	if (r == 0 && cmd_has_hosts(run))
		return freeze_hosts(run, frozen, e);
	if (r == 0)
		r = store_open(&s, run->site->root, e);
	if (r == 0)
		r = cmd_lock(run, &s, &lock, e);
	if (r == 0 && !run->opts.dry_run)
		r = change(run, &s, e);
	if (r == 0) {
		log_info("'%s' %s %s", s.root.path,
		    run->opts.dry_run ? "would be" : "is",
		    frozen ? "frozen" : "thawed");
		answer(run, frozen);
	}
	lock_drop(&lock);
	store_close(&s);
	return r;
}

static int
freeze(struct run *run, const struct store *s, struct err *e)
{
	const struct freeze f = freeze_of(run);

	return freeze_write(s, &f, e);
}

static int
thaw(struct run *run, const struct store *s, struct err *e)
{
	(void)run;
	return freeze_end(s, e);
}

static int
run_freeze(struct run *run, struct err *e)
{
	return change_freeze(run, freeze, true, e);
}

static int
run_thaw(struct run *run, struct err *e)
{
	return change_freeze(run, thaw, false, e);
}

static const enum opt_id freeze_opts[] = { OPT_MESSAGE, OPT_FOR, OPT_END };
static const enum opt_id thaw_opts[] = { OPT_END };

const struct cmd cmd_freeze = {
	.name = "freeze",
	.group = "Keeping order",
	.args = "",
	.summary = "refuse activations until thawed; staging goes on",
	.about = "-m says why.  A rollback is not stopped.\n",
	.examples = "deploy freeze -m \"sale until Monday\" --for 3d\n",
	.opts = freeze_opts,
	.run = run_freeze,
};

const struct cmd cmd_thaw = {
	.name = "thaw",
	.group = "Keeping order",
	.args = "",
	.summary = "allow activations again",
	.opts = thaw_opts,
	.run = run_thaw,
};
