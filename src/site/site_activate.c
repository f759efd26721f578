#include <string.h>

#include "base/buf.h"
#include "base/override.h"
#include "base/text.h"
#include "fleet/cure.h"
#include "fleet/fleet_stage.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/activate.h"
#include "site/site.h"
#include "site/site_assets.h"
#include "site/site_flip.h"

enum { WAITING_SHOWN = 8 };

/* Which of several is meant is not guessed. */
static int
refuse_several(const struct release_ids *waiting, struct err *e)
{
	size_t shown = waiting->n < WAITING_SHOWN ? waiting->n : WAITING_SHOWN;

	err_set(e, ERR_USAGE, "%s to go live:",
	    TEXT_COUNT(waiting->n, "release waits", "releases wait"));
	for (size_t i = 0; i < shown; i++)
		err_append(e, "%s %s", i > 0 ? "," : "",
		    waiting->v[waiting->n - 1 - i].text);
	if (shown < waiting->n)
		err_append(e, ", ...");
	return err_append(e,
	    ";; run 'deploy activate RELEASE' with one of them, or 'deploy activate latest' for the newest");
}

/* What is shown as a preview waits for nothing, unless it is named. */
static int
refuse_none(const struct fleet *f, struct err *e)
{
	const char *name = NULL;

	for (size_t i = 0; name == NULL && i < f->n; i++)
		if (f->v[i].previews.n > 0)
			name = f->v[i].previews.v[0].name;
	err_set(e, ERR_USAGE, "no release waits to go live, and none is live");
	if (name != NULL)
		return err_append(e,
		    ";; run 'deploy activate %s' for what that preview shows, or 'deploy stage'",
		    name);
	return err_append(e,
	    ";; run 'deploy stage' first, or name one of 'deploy list'");
}

/*
 * Nothing is named: the one release that waits.  When none does, what is
 * live, so that nothing changes.
 */
static int
choose_waiting(const struct fleet *f, const struct release_ids *waiting,
    const struct release_id *live, struct release_id *out, struct err *e)
{
	if (waiting->n > 1)
		return refuse_several(waiting, e);
	if (waiting->n == 0 && release_id_is_none(live))
		return refuse_none(f, e);
	if (waiting->n == 0)
		log_info("no release waits to go live");
	*out = waiting->n > 0 ? waiting->v[0] : *live;
	return 0;
}

/* The release that is asked for, or waits. */
static int
choose(const struct fleet *f, const char *word, struct release_id *out,
    struct err *e)
{
	struct release_ids waiting = RELEASE_IDS_INIT;
	struct err none = ERR_INIT;
	const struct release_id *id;
	int r;

	if (word != NULL) {
		id = fleet_find(f, word, e);
		if (id != NULL)
			*out = *id;
		return id != NULL ? 0 : -1;
	}
	id = fleet_find(f, "current", &none);
	fleet_waiting(f, &waiting);
	if (waiting.n == 0 && none.code == ERR_DIFFER) {
		*e = none;
		r = -1;
	} else {
		r = choose_waiting(f, &waiting,
		    id != NULL ? id : &release_id_none, out, e);
	}
	release_ids_release(&waiting);
	return r;
}

/* Would all hosts take it, as far as is known without asking? */
static int
check_release(struct site_run *s, const struct release_id *id, struct err *e)
{
	struct fleet *f = &s->fleet;
	int64_t seq = -1;

	for (size_t i = 0; i < f->n; i++) {
		const struct view *v = &f->v[i].view;
		const struct meta *meta = remote_meta(&f->v[i], id);

		if (meta == NULL)
			continue;
		seq = meta->seq;
		if ((s->wishes.overrides & OVERRIDE_ORDER) == 0 &&
		    activate_check_content(&v->history, id, meta->digest, e) !=
			0)
			return remote_say(&f->v[i], e);
	}
	return site_check_flip(s, seq, e);
}

/*
 * What others had that went live after this one was staged, and visitors still
 * ask for, goes live with it, in a release of its own: `id` becomes that.  It
 * goes live without them rather than not at all.
 */
static int
carry(struct site_run *s, struct release_id *id, struct err *e)
{
	struct stage st = STAGE_INIT;
	struct err why = ERR_INIT;
	int r;

	if (s->site->rules.carry.n == 0 || fleet_serves(&s->fleet, id))
		return 0;
	if (site_refuse_bridge(s, id, e) != 0 || check_release(s, id, e) != 0)
		return -1;
	r = fleet_stage_carried(&s->fleet, id, s->wishes.dry_run, &st, &why);
	if (r != 0) {
		stage_release(&st);
		log_warn(
		    "%s goes live without what 'carry' keeps of other releases: %s",
		    id->text, why.text);
		if (intr_check(e) != 0)
			return -1;
		fleet_forgive(&s->fleet);
		return site_open(s, e);
	}
	if (st.plan.carried > 0)
		log_info(
		    "%s was staged before others went live: %s of theirs %s carried in %s",
		    id->text, TEXT_COUNT(st.plan.carried, "file", "files"),
		    s->wishes.dry_run ?
			"would be" :
			TEXT_PLURAL(st.plan.carried, "is", "are"),
		    s->wishes.dry_run ? "a release of its own" : st.id.text);
	if (!s->wishes.dry_run)
		*id = st.id;
	stage_release(&st);
	return 0;
}

/* What is live stays: is it as it was staged, as far as a short look tells? */
static void
warn_of_drift(struct site_run *s)
{
	struct fleet *f = &s->fleet;
	struct err why = ERR_INIT;

	if (fleet_open_with_drift(f, &why) != 0) {
		log_debug("%s", why.text);
		fleet_forgive(f);
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		struct buf cure = BUF_INIT;

		if (r->drift.n == 0)
			continue;
		cure_add(f, &cure, "verify --repair", NULL);
		log_warn(
		    "%s%s is live, but not as it was staged: %s%s; run: %s",
		    remote_said(r), r->view.current.text, r->drift.v[0],
		    r->drift.n > 1 ? " (and more)" : "", cure.data);
		buf_release(&cure);
	}
}

int
site_activate(struct site_run *s, const char *word, struct site_flip *out,
    struct err *e)
{
	struct release_id id = { "" };
	int r;

	*out = (struct site_flip){ .changed = false };
	if (site_open(s, e) != 0 || fleet_need_root(&s->fleet, e) != 0 ||
	    choose(&s->fleet, word, &id, e) != 0 ||
	    site_supply(s, &id, e) != 0 || carry(s, &id, e) != 0 ||
	    site_before_flip(s, &id, e) != 0)
		return -1;
	r = site_flip(s, &id, JOURNAL_ACTIVATE, out, e);
	if (r != 0)
		site_keep_undone(s, &id, e);
	else if (!out->changed)
		warn_of_drift(s);
	return r;
}
