#include "site/site.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/manifest.h"
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

void
site_run_release(struct site_run *s)
{
	fleet_release(&s->fleet);
	if (s->changed != NULL)
		unlink(s->changed);
	free(s->changed);
	s->changed = NULL;
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

/*
 * The manifests of what the flipped hosts served before, each once.  What one
 * of them showed counts for all, so that nobody's cache keeps an old page.
 */
static struct manifest *
read_befores(struct site_run *s, size_t *n)
{
	struct fleet *f = &s->fleet;
	struct manifest *befores = xcalloc(f->n, sizeof(*befores));
	struct release_ids seen = RELEASE_IDS_INIT;

	*n = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = &f->v[i].before;
		struct err why = ERR_INIT;

		if (!f->v[i].flipped || release_ids_has(&seen, id))
			continue;
		release_ids_add(&seen, id);
		/* Without the old one everything is new. */
		befores[*n] = (struct manifest)MANIFEST_INIT;
		if (!release_id_is_none(id) &&
		    fleet_manifest(f, id, &befores[*n], &why) != 0) {
			log_warn("what changed is not known: %s", why.text);
			manifest_release(&befores[*n]);
		}
		(*n)++;
	}
	release_ids_release(&seen);
	return befores;
}

void
site_went_live(struct site_run *s, const struct site_flip *flip,
    enum journal_action action)
{
	struct manifest new = MANIFEST_INIT, *befores;
	struct err why = ERR_INIT;
	size_t n;

	s->went_live = true;
	s->flip = *flip;
	s->hook = action == JOURNAL_ROLLBACK ? HOOK_POST_ROLLBACK :
					       HOOK_POST_ACTIVATE;
	if (!hook_exists(s->site, s->hook))
		return;
	befores = read_befores(s, &n);
	if (fleet_manifest(&s->fleet, &flip->id, &new, &why) != 0 ||
	    hook_write_changes(befores, n, &new, &s->changed, &why) != 0)
		log_warn("the hook is not told what changed: %s", why.text);
	for (size_t i = 0; i < n; i++)
		manifest_release(&befores[i]);
	free(befores);
	manifest_release(&new);
}

/* The hook that follows a flip, unless the flip was undone. */
static void
run_after_flip(struct site_run *s, const struct err *e)
{
	struct err why = ERR_INIT;

	if (release_id_is_none(&s->flip.id) ||
	    (e->code != ERR_OK && e->code != ERR_CLEANUP))
		return;
	/* Always a late failure. */
	(void)run_hook(s, s->hook, &s->flip.id, &s->flip.from, NULL, &why);
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
