#include <string.h>

#include "base/clock.h"
#include "fleet/cure.h"
#include "fleet/start.h"
#include "fleet/vote.h"
#include "os/log.h"
#include "root/activate.h"
#include "root/freeze.h"
#include "site/site.h"
#include "site/site_assets.h"
#include "site/site_flip.h"

/* Does a host have a release besides this one, which is live? */
static bool
has_other(const struct fleet *f, const char *current)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].view.ids.n; k++)
			if (strcmp(f->v[i].view.ids.v[k].text, current) != 0)
				return true;
	return false;
}

/* A host that was left out, and serves something else: it has no say. */
static const struct remote *
left_out(const struct fleet *f, const char *current)
{
	for (size_t i = 0; i < f->n; i++)
		if (vote_was_skipped(f, &f->v[i]) &&
		    strcmp(f->v[i].view.current.text, current) != 0)
			return &f->v[i];
	return NULL;
}

/*
 * The newest release that was live before `current` and is there, but is not
 * gone back to, as what it has was rolled back from; NULL: none.
 */
static const struct release_id *
passed_over(const struct fleet *f, const char *current)
{
	const struct release_id *found = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct view *v = &f->v[i].view;

		for (size_t k = 0; k < v->ids.n; k++) {
			const struct release_id *id = &v->ids.v[k];

			if (strcmp(id->text, current) < 0 &&
			    history_was_live(&v->history, id) &&
			    (found == NULL || release_id_cmp(id, found) > 0))
				found = id;
		}
	}
	return found;
}

/* Why there is nothing to go back to from `current`, "" when none is live. */
static int
tell_none(const struct fleet *f, const char *current, struct err *e)
{
	const struct remote *out = left_out(f, current);
	const struct release_id *other = passed_over(f, current);

	if (*current == '\0')
		return err_set(e, ERR_FAILED,
		    "nothing is live, so there is nothing to roll back from;; see 'deploy list'");
	if (!has_other(f, current))
		return err_set(e, ERR_FAILED,
		    "%s is the only release, so there is none to go back to;; mend the site, and publish that",
		    current);
	err_set(e, ERR_FAILED, "no release that was live before %s is left",
	    current);
	if (out == NULL && other != NULL) {
		err_append(e,
		    " but %s, whose content was rolled back from;; to go back to that all the same, run: ",
		    other->text);
		return cure_append(f, e, "rollback", other->text);
	}
	if (out == NULL)
		return err_append(e, ";; name one of 'deploy list'");
	err_append(e,
	    ", and %s, which --skip left out, has no say;; to make it serve that, run: ",
	    out->host->label);
	return cure_append(f, e, "sync", NULL);
}

/* What is live, where anything is. */
static const char *
live_somewhere(const struct fleet *f)
{
	const struct release_id *id = vote_current(f);

	if (!release_id_is_none(id))
		return id->text;
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].view.current.text[0] != '\0')
			return f->v[i].view.current.text;
	return "";
}

/* The release that all hosts go back to. */
static int
find_target(const struct site_run *s, const char *word, struct release_id *out,
    struct err *e)
{
	const struct release_id *id;

	/* One that is repeated finds that another release is live. */
	if (word == NULL && site_check_expected(s, e) != 0)
		return -1;
	if (word == NULL || strcmp(word, "previous") == 0)
		id = vote_previous(&s->fleet, e);
	else
		id = fleet_find(&s->fleet, word, e);
	if (id == NULL && word == NULL && e->code == ERR_USAGE)
		return tell_none(&s->fleet, live_somewhere(&s->fleet), e);
	if (id != NULL)
		*out = *id;
	return id != NULL ? 0 : -1;
}

/*
 * The hosts seem to differ: some may have been asked before a flip of another
 * run, and some after it.  Returns -1 in any case.
 */
static int
look_again(struct site_run *s, struct err *e)
{
	const struct err differ = *e;
	struct start start = START_INIT;

	start_note(&start, &s->fleet);
	if (site_open(s, e) == 0 &&
	    start_compare(&start, &s->fleet) == START_CHANGED)
		start_refuse(&start, &s->fleet, &release_id_none, e);
	else
		*e = differ;
	start_release(&start);
	return -1;
}

static int
freeze_host(struct remote *r, void *ctx, struct err *e)
{
	return remote_call(r, "freeze", ctx, NULL, NULL, e);
}

/* freeze_on_rollback: the build that was bad shall not come back by itself. */
static int
freeze_after(struct site_run *s, struct err *e)
{
	char why[] = "rolled back";
	const struct freeze freeze = { .who = s->caller->who,
		.why = why,
		.since = clock_now() };
	struct strvec args = STRVEC_INIT;
	size_t failed;

	remote_freeze_args(&freeze, &args);
	failed = fleet_each(&s->fleet, freeze_host, &args);
	strvec_release(&args);
	if (failed == 0) {
		log_info(
		    "frozen, because of freeze_on_rollback; see 'deploy thaw'");
		return 0;
	}
	fleet_fail(&s->fleet, "", e);
	err_prefix(e, "rolled back, but not frozen%s: ",
	    s->fleet.n > 1 ? " everywhere" : "");
	e->code = ERR_CLEANUP;
	return -1;
}

/* The tree digest of a release, as some host knows it; "" when none does. */
static const char *
digest_of(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct meta *meta = remote_meta(&f->v[i], id);

		if (meta != NULL)
			return meta->digest;
	}
	return "";
}

/* What the hosts refuse from now on: what was gone away from. */
static void
tell_refused(const struct site_run *s, struct site_flip *out)
{
	const char *digest = digest_of(&s->fleet, &out->from);

	if (!out->changed || release_id_is_none(&out->from) ||
	    (*digest != '\0' &&
		strcmp(digest, digest_of(&s->fleet, &out->id)) == 0))
		return;
	out->refused = out->from;
	log_info(
	    "the content of %s %s refused from now on; --override=order sets that aside",
	    out->from.text, s->wishes.dry_run ? "would be" : "is");
}

static int
choose_target(struct site_run *s, const char *word, struct release_id *out,
    struct err *e)
{
	if (find_target(s, word, out, e) == 0)
		return site_refuse_bridge(s, out, e);
	return e->code == ERR_DIFFER ? look_again(s, e) : -1;
}

int
site_rollback(struct site_run *s, const char *word, struct site_flip *out,
    struct err *e)
{
	struct release_id id = { "" };
	int r;

	*out = (struct site_flip){ .changed = false };
	if (site_open(s, e) != 0 || fleet_need_root(&s->fleet, e) != 0 ||
	    choose_target(s, word, &id, e) != 0 || site_supply(s, &id, e) != 0)
		return -1;
	r = site_flip(s, &id, JOURNAL_ROLLBACK, out, e);
	/* It stays live, also when its check fails. */
	if (out->changed)
		site_keep_assets(s, &out->id, &out->from);
	if (r != 0)
		return -1;
	tell_refused(s, out);
	if (!out->changed || !s->site->freeze_on_rollback || s->wishes.dry_run)
		return 0;
	return freeze_after(s, e);
}
