#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"

static void
answer(struct run *run, const struct release_id *id, bool pinned)
{
	json_t *doc;

	if (!run->opts.json) {
		printf("%s\n", id->text);
		return;
	}
	doc = cmd_new_doc(run);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "pinned", pinned);
	cmd_answer(run, doc);
}

/* Set the mark on every host. */
static int
set_pin(struct run *run, struct fleet *f, const struct release_id *id,
    bool pinned, struct err *e)
{
	struct strvec args = STRVEC_INIT;
	int r = 0;

	strvec_addf(&args, "--id=%s", id->text);
	if (!pinned)
		strvec_add(&args, "--off");
	if (!run->opts.dry_run)
		r = cmd_change_hosts(f, "pin",
		    pinned ? "not pinned everywhere" :
			     "not unpinned everywhere",
		    &args, e);
	strvec_release(&args);
	return r;
}

static int
change_pin(struct run *run, bool pinned, struct err *e)
{
	struct fleet f = FLEET_INIT;
	const struct release_id *id = NULL;
	int r;

	if (run->opts.args.n == 0)
		return err_set(e, ERR_USAGE,
		    "which release? usage: deploy %s RELEASE", run->cmd->name);
	if (cmd_open_fleet(run, &f, e) == 0)
		id = fleet_find(&f, run->opts.args.v[0], e);
	r = id != NULL ? set_pin(run, &f, id, pinned, e) : -1;
	if (r == 0) {
		log_info("%s is %s%s", id->text,
		    run->opts.dry_run ? "to be " : "",
		    pinned ? "pinned" : "not pinned");
		answer(run, id, pinned);
	}
	fleet_release(&f);
	return r;
}

static int
run_pin(struct run *run, struct err *e)
{
	return change_pin(run, true, e);
}

static int
run_unpin(struct run *run, struct err *e)
{
	return change_pin(run, false, e);
}

static const enum opt_id opts[] = { OPT_SKIP, OPT_END };

const struct cmd cmd_pin = {
	.name = "pin",
	.group = "Keeping order",
	.args = "RELEASE",
	.summary = "keep a release: it is never pruned",
	.examples = "deploy pin current\n",
	.max_args = 1,
	.opts = opts,
	.run = run_pin,
};

const struct cmd cmd_unpin = {
	.name = "unpin",
	.group = "Keeping order",
	.args = "RELEASE",
	.summary = "let a pinned release be pruned again",
	.max_args = 1,
	.takes_away = true,
	.opts = opts,
	.run = run_unpin,
};
