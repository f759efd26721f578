/*
 * What belongs to a flip besides the flip: the check, going back when it
 * fails, and hooks.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cmd/steps.h"
#include "fleet/check.h"
#include "fleet/fleet_check.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/root_hook.h"
#include "site/hook.h"

/* Something failed that undoes nothing: it is told at the end. */
static void
tell_late(struct run *run, const struct err *why)
{
	if (run->late.code != ERR_OK) {
		log_warn("%s", why->text);
		return;
	}
	run->late = *why;
	run->late.code = ERR_CLEANUP;
}

/* ---- hooks of the root ------------------------------------------------- */

/* The hook that follows a flip of this machine's root.  Without the lock. */
static void
run_root_hook(struct run *run, const struct store *s, const char *name,
    const char *release, const char *previous)
{
	const struct root_hook_facts f = { .release = release,
		.previous = previous,
		.timeout = run->site->hooks.timeout,
		.quiet = log_level() == LOG_QUIET };
	struct err why = ERR_INIT;

	if (root_hook_run(s, name, &f, &why) == 0)
		return;
	err_prefix(&why, "%s is live, but ", release);
	tell_late(run, &why);
}

/* Has another run come between, while the lock was free? */
static int
check_still_live(const struct store *s, const char *id, struct err *e)
{
	struct release_id now;

	if (store_current(s, &now, e) != 0)
		return -1;
	if (strcmp(now.s, id) == 0)
		return 0;
	return err_set(e, ERR_CLEANUP,
	    "%s was live, but another run made "
	    "%s live while the hook ran",
	    id, now.s);
}

int
step_root_hook(struct run *run, const struct store *s, struct lock *lock,
    const struct activation *done, enum journal_action action, struct err *e)
{
	const char *name = root_hook_find(s, action);

	if (name == NULL)
		return 0;
	lock_drop(lock);
	run_root_hook(run, s, name, done->id.s, done->from.s);
	if (cmd_lock(run, s, lock, e) == 0 &&
	    check_still_live(s, done->id.s, e) == 0)
		return 0;
	if (e->code != ERR_CLEANUP)
		err_prefix(e,
		    "%s is live, but what follows was not done: ", done->id.s);
	e->code = ERR_CLEANUP;
	return -1;
}

void
step_root_hooks_failed(struct run *run, struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct remote *r = &f->v[i];
		struct err why = ERR_INIT;

		if (r->hook_failure == NULL)
			continue;
		err_set(&why, ERR_CLEANUP, "%s: %s", r->host->label,
		    r->hook_failure);
		tell_late(run, &why);
		free(r->hook_failure);
		r->hook_failure = NULL;
	}
}

/* ---- checks ------------------------------------------------------------ */

bool
step_wants_check(const struct run *run)
{
	return run->site->check.urls.n > 0 && !run->opts.no_check &&
	    !run->opts.dry_run;
}

/* A signal came while it was checked: it stays. */
static bool
was_interrupted(struct err *e)
{
	struct err ignored = ERR_INIT;

	if (intr_check(&ignored) == 0)
		return false;
	err_prefix(e, "the release is live, but was not checked: ");
	e->code = ERR_CLEANUP;
	return true;
}

/* A rollback that fails its check stays: there is nothing better. */
static bool
was_rollback(enum journal_action action, struct err *e)
{
	if (action != JOURNAL_ROLLBACK)
		return false;
	err_prefix(e, "rolled back, but ");
	e->code = ERR_DIFFER;
	return true;
}

/*
 * Back to what was live, because of `e`, which gets what came of it.  Nothing
 * is done under the lock after that, so it is dropped for the hook.
 */
static int
go_back(struct run *run, const struct store *s, struct lock *lock,
    const struct activation *done, struct err *e)
{
	const char *hook = root_hook_find(s, JOURNAL_ROLLBACK);
	const struct activate_options o = { .id = done->from.s,
		.action = JOURNAL_ROLLBACK,
		.caller = &run->caller,
		.message = "reverted: the check failed",
		.expect = done->id.s,
		.journal_size = -1,
		.overrides = OVERRIDE_FLIP };
	struct activation back = ACTIVATION_INIT;
	struct err why = ERR_INIT;
	int r;

	e->code = ERR_DIFFER;
	if (done->from.s[0] == '\0')
		return err_append(e,
		    "; nothing was live before, so it stays "
		    "live");
	intr_hold();
	r = activate_prepare(&back, s, &o, &why);
	if (r == 0)
		r = activate_go(&back, &why);
	activate_end(&back);
	intr_release();
	if (r != 0)
		return err_append(e,
		    "; it stays live, because going back "
		    "failed: %s",
		    why.text);
	e->code = ERR_REVERTED;
	err_append(e, "; %s is live again", done->from.s);
	if (hook != NULL) {
		lock_drop(lock);
		run_root_hook(run, s, hook, done->from.s, done->id.s);
	}
	return -1;
}

int
step_check(struct run *run, const struct store *s, struct lock *lock,
    const struct activation *done, enum journal_action action, struct err *e)
{
	const struct check_config *c = &run->site->check;
	struct manifest m = MANIFEST_INIT;
	struct check_result found;
	int r;

	if (!step_wants_check(run) || !done->changed)
		return 0;
	r = manifest_read(&m, &s->manifests, done->id.s, e);
	if (r == 0)
		r = check_served(c, c->connect, &m, &found, e);
	manifest_release(&m);
	if (r == 0) {
		log_info("it is served: %zu URLs, %zu files compared",
		    found.urls, found.files);
		return 0;
	}
	if (was_interrupted(e) || was_rollback(action, e))
		return -1;
	return go_back(run, s, lock, done, e);
}

int
step_check_hosts(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct err *e)
{
	if (!step_wants_check(run) || fleet_check(f, id, NULL, e) == 0)
		return 0;
	if (was_interrupted(e) || was_rollback(action, e))
		return -1;
	return fleet_revert(f, id, "reverted: the check failed", e);
}

/* ---- hooks of the site ------------------------------------------------- */

/*
 * Run a hook of the site.  What comes after something cannot undo it: that it
 * failed is told at the end (run->late).
 */
static int
run_hook(struct run *run, enum hook_when when, const char *release,
    const char *previous, const struct err *because, struct err *e)
{
	const struct hook_facts f = { .site = run->site,
		.command = run->cmd->name,
		.release = release,
		.previous = previous,
		.changed = run->flip.changed,
		.commit = run->opts.commit != NULL ? run->opts.commit :
						     run->caller.commit,
		.error = because };
	struct err why = ERR_INIT;

	if (run->opts.dry_run || hook_run(when, &f, &why) == 0)
		return 0;
	if (why.code != ERR_CLEANUP) {
		*e = why;
		return -1;
	}
	if (because != NULL)
		log_warn("%s", why.text);
	else
		tell_late(run, &why);
	return 0;
}

int
step_hook(struct run *run, enum hook_when when, const char *release,
    const char *previous, struct err *e)
{
	return run_hook(run, when, release, previous, NULL, e);
}

/* Which hook follows what the command did. */
static enum hook_when
hook_after(enum journal_action action)
{
	return action == JOURNAL_ROLLBACK ? HOOK_POST_ROLLBACK :
					    HOOK_POST_ACTIVATE;
}

void
step_went_live(struct run *run, const char *id, const char *from,
    enum journal_action action, step_manifest_fn *read, void *ctx)
{
	struct manifest old = MANIFEST_INIT, new = MANIFEST_INIT;
	struct err why = ERR_INIT;

	run->went_live = true;
	run->flip.hook = hook_after(action);
	release_id_copy(&run->flip.release, id);
	release_id_copy(&run->flip.previous, from);
	if (!hook_exists(run->site, run->flip.hook))
		return;
	/* Without the old one everything is new. */
	if (*from != '\0' && read(ctx, from, &old, &why) != 0) {
		log_warn("what changed is not known: %s", why.text);
		manifest_release(&old);
	}
	if (read(ctx, id, &new, &why) != 0 ||
	    hook_write_changes(&old, &new, &run->flip.changed, &why) != 0)
		log_warn("the hook is not told what changed: %s", why.text);
	manifest_release(&old);
	manifest_release(&new);
}

/* The hook that follows a flip, unless the flip was undone. */
static void
run_after_flip(struct run *run, const struct err *e)
{
	struct err why = ERR_INIT;

	if (run->flip.release.s[0] == '\0' ||
	    (e->code != ERR_OK && e->code != ERR_CLEANUP))
		return;
	/* Always a late failure. */
	(void)run_hook(run, run->flip.hook, run->flip.release.s,
	    run->flip.previous.s, NULL, &why);
}

int
step_hooks_after(struct run *run, struct err *e)
{
	struct err why = ERR_INIT;

	if (run->site == NULL || run->opts.dry_run)
		return e->code == ERR_OK ? 0 : -1;
	run_after_flip(run, e);
	if (run->late.code != ERR_OK && e->code != ERR_OK)
		log_warn("%s", run->late.text);
	else if (run->late.code != ERR_OK)
		*e = run->late;
	if (e->code != ERR_OK && run->cmd->changes)
		(void)run_hook(run, HOOK_FAILED, run->flip.release.s,
		    run->flip.previous.s, e, &why);
	if (run->flip.changed != NULL)
		unlink(run->flip.changed);
	free(run->flip.changed);
	run->flip.changed = NULL;
	return e->code == ERR_OK ? 0 : -1;
}
