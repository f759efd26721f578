#include "site/site.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fleet/fleet_check.h"
#include "os/log.h"
#include "site/hook.h"
#include "site/site_flip.h"

void
site_run_init(struct site_run *s, const struct site_config *site,
    const struct caller *caller, const char *command,
    const struct site_wishes *wishes, const struct remote_waits *waits)
{
	*s = (struct site_run)SITE_RUN_INIT;
	s->site = site;
	s->caller = caller;
	s->command = command;
	s->wishes = *wishes;
	fleet_init(&s->fleet, site, caller, waits);
	s->fleet.settle = wishes->changes && !wishes->dry_run;
}

/* A temporary one, if it was made. */
static void
remove_file(char **path)
{
	if (*path != NULL)
		unlink(*path);
	free(*path);
	*path = NULL;
}

void
site_end_build(struct site_run *s)
{
	if (s->building >= 0)
		close(s->building);
	s->building = -1;
}

void
site_run_release(struct site_run *s)
{
	fleet_release(&s->fleet);
	scratch_remove(&s->scratch);
	checkout_release(&s->checkout);
	site_end_build(s);
	remove_file(&s->changed);
	remove_file(&s->changed_content);
	free(s->preview_url);
	free(s->commit);
	free(s->git_dir);
	s->preview_url = s->commit = s->git_dir = NULL;
}

int
site_open(struct site_run *s, struct err *e)
{
	return fleet_open(&s->fleet, true, e);
}

void
site_tell_late(struct site_run *s, const struct err *why)
{
	if (s->late.code != ERR_OK) {
		log_warn("%s", why->text);
		return;
	}
	s->late = *why;
	s->late.code = ERR_CLEANUP;
}

/* ---- hooks ------------------------------------------------------------- */

/* Run a hook; `because` is the failure that it is told of, or NULL. */
static int
run_hook(struct site_run *s, enum hook_when when,
    const struct release_id *release, const struct release_id *previous,
    const struct err *because, struct err *e)
{
	const struct hook_facts f = { .site = s->site,
		.command = s->command,
		.release = release,
		.previous = previous,
		.changed = s->changed,
		.changed_content = s->changed_content,
		.commit = s->wishes.commit != NULL ? s->wishes.commit :
						     s->caller->commit,
		.error = because };
	struct err why = ERR_INIT;

	if (s->wishes.dry_run || hook_run(when, &f, &why) == 0)
		return 0;
	if (why.code != ERR_CLEANUP) {
		*e = why;
		return -1;
	}
	if (because != NULL)
		log_warn("%s", why.text);
	else
		site_tell_late(s, &why);
	return 0;
}

int
site_hook(struct site_run *s, enum hook_when when,
    const struct release_id *release, const struct release_id *previous,
    struct err *e)
{
	return run_hook(s, when, release, previous, NULL, e);
}

/* The hook that follows, and what it is told of a flip to `id`. */
static void
prepare_hook(struct site_run *s, enum hook_when when,
    const struct release_id *id)
{
	struct err why = ERR_INIT;

	s->hook = when;
	if (hook_exists(s->site, when) && site_write_changes(s, id, &why) != 0)
		log_warn("the hook is not told what changed: %s", why.text);
}

void
site_went_live(struct site_run *s, const struct site_flip *flip,
    enum journal_action action)
{
	s->went_live = true;
	s->flip = *flip;
	prepare_hook(s,
	    action == JOURNAL_ROLLBACK ? HOOK_POST_ROLLBACK :
					 HOOK_POST_ACTIVATE,
	    &flip->id);
}

void
site_was_seen(struct site_run *s, const struct site_flip *done, bool went_back)
{
	const struct release_id *before = &s->fleet.v[0].before;

	s->seen = *done;
	if (went_back) {
		s->seen.id = release_id_is_none(before) ? done->from : *before;
		s->seen.from = done->id;
	}
	if (!release_id_is_none(&s->seen.id))
		prepare_hook(s, HOOK_POST_ROLLBACK, &done->id);
}

/*
 * The public name gives what is live, now that the hook has told who stands
 * before the hosts; or that is told.
 */
static void
await_edge(struct site_run *s)
{
	const struct check_config *c = &s->site->check;
	struct err why = ERR_INIT;

	if (c->edge.n > 0 && s->went_live && !s->wishes.no_check &&
	    fleet_await_edge(&s->fleet, &s->flip.id, &s->flip.from, c->within,
		&why) != 0)
		site_tell_late(s, &why);
}

/*
 * What follows a flip: the hook, and the edge; of one that was undone, the hook
 * alone.
 */
static void
run_after_flip(struct site_run *s, const struct err *e)
{
	struct err why = ERR_INIT;

	if (!release_id_is_none(&s->seen.id))
		(void)run_hook(s, s->hook, &s->seen.id, &s->seen.from, NULL,
		    &why);
	if (release_id_is_none(&s->flip.id) ||
	    (e->code != ERR_OK && e->code != ERR_CLEANUP))
		return;
	/* Always a late failure. */
	(void)run_hook(s, s->hook, &s->flip.id, &s->flip.from, NULL, &why);
	await_edge(s);
}

int
site_end(struct site_run *s, struct err *e)
{
	struct err why = ERR_INIT;

	if (s->site == NULL || s->wishes.dry_run)
		return e->code == ERR_OK ? 0 : -1;
	run_after_flip(s, e);
	if (s->late.code != ERR_OK && e->code != ERR_OK)
		log_warn("%s", s->late.text);
	else if (s->late.code != ERR_OK)
		*e = s->late;
	if (e->code != ERR_OK && s->wishes.changes)
		(void)run_hook(s, HOOK_FAILED, &s->flip.id, &s->flip.from, e,
		    &why);
	return e->code == ERR_OK ? 0 : -1;
}
