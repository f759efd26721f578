#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/table.h"
#include "os/log.h"
#include "root/meta.h"

/* Set the mark in the release's meta, under the exclusive lock. */
static int
set_pin(struct run *run, const struct store *s, const char *id, bool pinned,
    struct err *e)
{
	struct meta meta = META_INIT;
	int r = meta_read(s, id, &meta, e);

	if (r == 0 && meta.pinned != pinned && !run->opts.dry_run) {
		meta.pinned = pinned;
		r = meta_write(s, &meta, e);
	}
	meta_release(&meta);
	if (r == 0)
		log_info("%s is %s%s", id, run->opts.dry_run ? "to be " : "",
		    pinned ? "pinned" : "not pinned");
	return r;
}

static void
answer(struct run *run, const char *id, bool pinned)
{
	json_t *doc;

	if (!run->opts.json) {
		printf("%s\n", id);
		return;
	}
	doc = cmd_new_doc(run);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	cmd_put_id(doc, "id", id);
	json_put_bool(doc, "pinned", pinned);
	cmd_answer(run, doc);
}

static int
pin_locked(struct run *run, const struct store *s, bool pinned, struct err *e)
{
	struct view v = VIEW_INIT;
	const char *id;
	int r = view_read(&v, s, e);

	if (r == 0) {
		id = view_find(&v, run->opts.args.v[0], e);
		r = id == NULL ? -1 : set_pin(run, s, id, pinned, e);
		if (r == 0)
			answer(run, id, pinned);
	}
	view_release(&v);
	return r;
}

static int
pin_hosts(struct run *run, bool pinned, struct err *e)
{
	struct fleet f = FLEET_INIT;
	struct strvec args = STRVEC_INIT;
	const char *id = NULL;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0)
		id = fleet_find(&f, run->opts.args.v[0], e);
	if (id == NULL)
		r = -1;
	if (r == 0)
		strvec_addf(&args, "--id=%s", id);
	if (!pinned)
		strvec_add(&args, "--off");
	if (r == 0 && !run->opts.dry_run)
		r = cmd_call_hosts(run, &f, "pin", &args, NULL, NULL, e);
	if (r == 0)
		answer(run, id, pinned);
	strvec_release(&args);
	fleet_release(&f);
	return r;
}

static int
change_pin(struct run *run, bool pinned, struct err *e)
{
	struct store s = STORE_INIT;
	struct lock lock = LOCK_INIT;
	int r;

	if (run->opts.args.n == 0)
		return err_set(e, ERR_USAGE,
		    "which release? usage: deploy "
		    "%s RELEASE",
		    run->cmd->name);
	r = cmd_site(run, e);
	if (r == 0 && cmd_has_hosts(run))
		return pin_hosts(run, pinned, e);
	if (r == 0)
		r = store_open(&s, run->site->root, e);
	if (r == 0)
		r = cmd_lock(run, &s, &lock, e);
	if (r == 0)
		r = pin_locked(run, &s, pinned, e);
	lock_drop(&lock);
	store_close(&s);
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

static const enum opt_id opts[] = { OPT_END };

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
	.opts = opts,
	.run = run_unpin,
};
