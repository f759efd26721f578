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
change_freeze(struct run *run, bool frozen, struct err *e)
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
	for (size_t i = 0; r == 0 && i < f.n; i++)
		log_info("%s'%s' %s %s", remote_said(&f.v[i]),
		    f.v[i].host->root, run->opts.dry_run ? "would be" : "is",
		    frozen ? "frozen" : "thawed");
	if (r == 0)
		answer(run, frozen);
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
