#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/override.h"
#include "cmd/steps.h"
#include "cmd/table.h"
#include "os/log.h"
#include "site/build.h"

struct published {
	struct activation done;
	struct strvec removed;
	bool activated;
};

/*
 * Is the build to be made?  Not when it is named and so is there, and not by
 * what a build command runs, which would begin again.
 */
static bool
wants_build(const struct run *run)
{
	if (run->opts.build)
		return true;
	return run->site->build.command != NULL && run->opts.args.n == 0 &&
	    getenv("DEPLOY_BUILD") == NULL;
}

/* Refuse a build that cannot be. */
static int
check_build(const struct run *run, const char *source, struct err *e)
{
	if (run->site->build.command == NULL)
		return err_set(e, ERR_USAGE,
		    "--build needs 'build' in "
		    "deploy.yml: build: {command: ...}");
	if (getenv("DEPLOY_BUILD") != NULL)
		return err_set(e, ERR_USAGE,
		    "--build in a build command "
		    "would run it again, for ever");
	if (source != NULL && strcmp(source, "-") == 0)
		return err_set(e, ERR_USAGE,
		    "--build makes its SOURCE, it "
		    "does not read one from standard input");
	return 0;
}

/* `path` as an absolute one, wherever the command runs; the caller frees. */
static char *
absolute(const char *path, struct err *e)
{
	char *cwd, *all;

	if (path[0] == '/')
		return xstrdup(path);
	cwd = getcwd(NULL, 0);
	if (cwd == NULL) {
		err_sys(e, "cannot tell the current directory");
		return NULL;
	}
	all = xasprintf("%s/%s", cwd, path);
	free(cwd);
	return all;
}

/* Run one of the commands of the site; a dry run only says so. */
static int
run_command(struct run *run, const char *what, const char *command,
    const char *source, struct err *e)
{
	const struct build_config *b = &run->site->build;
	struct stage_options o = { 0 };
	struct build_options build = { .what = what,
		.command = command,
		.directory = b->directory,
		.timeout = b->timeout,
		.quiet = run->opts.quiet,
		.site = run->site->name,
		.source = source };

	if (run->opts.dry_run) {
		log_info("would run: %s", command);
		return 0;
	}
	step_stage_options(run, &o);
	build.ref = o.commit;
	if (build_run(&build, e) != 0)
		return err_append(e, "; nothing was changed");
	return 0;
}

/* Update what is built, and build.  Before anything is opened. */
static int
make_build(struct run *run, struct err *e)
{
	const struct site_config *site = run->site;
	bool wanted = wants_build(run);
	bool update = run->opts.update && site->update != NULL;
	struct stage_options o = { 0 };
	char *source;
	int r;

	step_stage_options(run, &o);
	if (run->opts.build && check_build(run, o.source, e) != 0)
		return -1;
	/* Without a source the stage has its say. */
	if (o.source == NULL || (!wanted && !update))
		return 0;
	source = absolute(o.source, e);
	if (source == NULL)
		return -1;
	r = update ? run_command(run, "update", site->update, source, e) : 0;
	if (r == 0 && wanted)
		r = run_command(run, "build", site->build.command, source, e);
	free(source);
	return r;
}

/* Under the lock: activate what was staged, then prune. */
static int
go_live(struct run *run, const struct store *s, struct lock *lock,
    const char *id, struct published *p, struct err *e)
{
	struct view v = VIEW_INIT;
	int r = view_read(&v, s, e);

	if (r == 0)
		r = step_activate(run, s, lock, &v, id, JOURNAL_ACTIVATE,
		    &p->done, e);
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
answer(struct run *run, const struct stage *st, const struct published *p,
    const struct fleet *f)
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
	step_fleet_doc(doc, f);
	cmd_answer(run, doc);
}

/* A dry run: would the release that was not made be refused? */
static int
check_activation(struct run *run, const struct store *s, struct err *e)
{
	struct stage_options build = { 0 };
	struct activate_options o = { .action = JOURNAL_ACTIVATE,
		.journal_size = -1,
		.overrides = run->opts.overrides };
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
publish_staged(struct run *run, const struct store *s, const struct stage *st,
    struct err *e)
{
	struct published p = { .removed = STRVEC_INIT };
	struct lock lock = LOCK_INIT;
	int r = 0;

	if (run->opts.dry_run && st->outcome != STAGE_UNCHANGED)
		r = check_activation(run, s, e);
	if (st->outcome == STAGE_UNCHANGED || run->opts.dry_run) {
		if (r == 0)
			answer(run, st, &p, NULL);
		return r;
	}
	r = step_hook(run, HOOK_PRE_ACTIVATE, st->id.s, st->view.current.s, e);
	if (r == 0)
		r = cmd_lock(run, s, &lock, e);
	if (r == 0)
		r = go_live(run, s, &lock, st->id.s, &p, e);
	if (p.activated)
		answer(run, st, &p, NULL);
	else if (e->code != ERR_DIFFER)
		log_info("%s stays staged", st->id.s);
	lock_drop(&lock);
	strvec_release(&p.removed);
	return r;
}

/*
 * Flip all hosts, from what was live when they were asked.  When somebody was
 * faster since then, from what is live now.
 */
static int
activate_hosts(struct run *run, struct fleet *f, const char *id,
    struct activation *done, struct err *e)
{
	if (step_activate_hosts(run, f, id, JOURNAL_ACTIVATE, done, e) == 0)
		return 0;
	if (e->code != ERR_SUPERSEDED)
		return -1;
	log_debug("%s; asking again", e->text);
	*e = (struct err)ERR_INIT;
	fleet_forgive(f);
	if (fleet_open(f, true, e) != 0)
		return -1;
	return step_activate_hosts(run, f, id, JOURNAL_ACTIVATE, done, e);
}

/* The same on all hosts, or on none. */
static int
publish_hosts(struct run *run, struct fleet *f, struct stage *st,
    struct err *e)
{
	struct published p = { .removed = STRVEC_INIT };
	int r;

	cmd_init_fleet(run, f);
	r = step_stage_hosts(run, f, st, e);
	if (r == 0 && st->outcome != STAGE_UNCHANGED && !run->opts.dry_run) {
		r = step_hook(run, HOOK_PRE_ACTIVATE, st->id.s,
		    f->v[0].view.current.s, e);
		if (r == 0)
			r = activate_hosts(run, f, st->id.s, &p.done, e);
		p.activated = r == 0;
		if (r != 0 && e->code != ERR_DIFFER)
			log_info("%s stays staged", st->id.s);
	}
	if (r == 0 && p.activated &&
	    step_prune_hosts(run, f, &p.removed, e) != 0) {
		err_prefix(e, "the release is live, but pruning failed: ");
		e->code = ERR_CLEANUP;
		r = -1;
	}
	if (r == 0 || p.activated)
		answer(run, st, &p, f);
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

	if (r == 0)
		r = make_build(run, e);
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

static const enum opt_id opts[] = { OPT_MESSAGE, OPT_COMMIT, OPT_SEQ,
	OPT_EXPECT, OPT_EXCLUDE, OPT_STRIP, OPT_KEEP, OPT_OVERRIDE, OPT_AGAIN,
	OPT_BUILD, OPT_UPDATE, OPT_NO_CHECK, OPT_END };

const struct cmd cmd_publish = {
	.name = "publish",
	.group = "Going live",
	.args = "[SOURCE]",
	.summary = "stage, activate and prune: all in one",
	.about =
	    "For CI jobs and post-build hooks.  SOURCE as for 'stage'; when\n"
	    "it is not named, 'build' in deploy.yml is run first.  When the\n"
	    "live release has this content already, nothing happens.\n"
	    "Prints the id of the release that is live.\n",
	.examples =
	    "deploy publish public --root /srv/www/example.org\n"
	    "deploy publish -s example.org --seq 41 --commit 5f0c1ab\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_ALL,
	.opts = opts,
	.run = run_publish,
};
