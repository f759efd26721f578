#include "site/site_flip.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/override.h"
#include "fleet/cure.h"
#include "fleet/fleet_activate.h"
#include "fleet/fleet_bridge.h"
#include "fleet/fleet_check.h"
#include "fleet/fleet_roll.h"
#include "fleet/start.h"
#include "fleet/vote.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/activate.h"
#include "site/order.h"

enum { FASTER_MAX = 8 }; /* how often somebody else may be faster */

const struct release_id *
site_current(const struct site_run *s)
{
	return vote_current(&s->fleet);
}

/* ---- guards ------------------------------------------------------------ */

/* Is --expect given, and the id that it means; none: nothing may be live. */
static int
read_expected(const struct site_run *s, bool *given, struct release_id *out,
    struct err *e)
{
	const char *word = s->wishes.expect;
	const struct release_id *id;

	*given = word != NULL;
	*out = release_id_none;
	/* A whole id may be gone by now; it is not live, then. */
	if (word == NULL || strcmp(word, "none") == 0 ||
	    release_id_parse(out, word))
		return 0;
	id = fleet_find_on_some(&s->fleet, word, e);
	if (id == NULL)
		return -1;
	*out = *id;
	return 0;
}

int
site_check_expected(const struct site_run *s, struct err *e)
{
	const struct fleet *f = &s->fleet;
	struct release_id want;
	bool given, some = false;

	if (read_expected(s, &given, &want, e) != 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		some |= vote_has_say(f, &f->v[i]);
	for (size_t i = 0; i < f->n; i++)
		if ((!some || vote_has_say(f, &f->v[i])) &&
		    activate_check_expect(given ? &want : NULL,
			&f->v[i].view.current, e) != 0)
			return remote_say(&f->v[i], e);
	return 0;
}

int
site_refuse_bridge(const struct site_run *s, const struct release_id *id,
    struct err *e)
{
	const struct fleet *f = &s->fleet;

	for (size_t i = 0; i < f->n; i++)
		if (remote_is_bridge(&f->v[i], id))
			return err_set(e, ERR_USAGE,
			    "release %s is a bridge, which stands for %s for a while;; name that one",
			    id->text, remote_meta(&f->v[i], id)->bridge.text);
	return 0;
}

int
site_check_flip(struct site_run *s, int64_t seq, struct err *e)
{
	struct fleet *f = &s->fleet;

	if (site_check_expected(s, e) != 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		if (remote_check_guards(&f->v[i], seq, s->wishes.overrides,
			e) != 0)
			return remote_say(&f->v[i], e);
	return 0;
}

int
site_before_flip(struct site_run *s, const struct release_id *id,
    struct err *e)
{
	if (fleet_serves(&s->fleet, id))
		return 0;
	return site_hook(s, HOOK_PRE_ACTIVATE, id, site_current(s), e);
}

/* ---- the check --------------------------------------------------------- */

static bool
wants_check(const struct site_run *s)
{
	return s->site->check.urls.n > 0 && !s->wishes.no_check &&
	    !s->wishes.dry_run;
}

/* A rollback that fails its check stays: there is nothing better. */
static bool
was_rollback(const struct fleet *f, enum journal_action action, struct err *e)
{
	if (action != JOURNAL_ROLLBACK)
		return false;
	err_prefix(e, "rolled back, but ");
	err_append(e, ";; to ask again, run: ");
	cure_append(f, e, "check", NULL);
	e->code = ERR_DIFFER;
	return true;
}

/* Ask the web servers for what was made live; go back when they do not give
 * it. */
static int
check(struct site_run *s, const struct release_id *id,
    enum journal_action action, struct err *e)
{
	const char *why = "reverted: the check failed";

	if (!wants_check(s))
		return 0;
	if (fleet_check(&s->fleet, id, NULL, e) == 0) {
		fleet_note_verified(&s->fleet, id);
		return 0;
	}
	if (intr_came())
		why = "reverted: the check was interrupted";
	if (was_rollback(&s->fleet, action, e))
		return -1;
	fleet_take_over(&s->fleet, id);
	return fleet_revert(&s->fleet, id, why, e);
}

/* Say what is checked, and on which hosts it is not known, where that is not all. */
static void
tell_unverified(const struct fleet *f, const struct release_id *id)
{
	bool passed = fleet_has_passed(f, id);
	struct buf on = BUF_INIT;

	for (size_t i = 0; passed && i < f->n; i++)
		if (!f->v[i].verified)
			buf_addf(&on, "%s%s", on.len > 0 ? ", " : " on ",
			    f->v[i].host->label);
	log_info("%s is live, but was never found to be served%s: checking",
	    id->text, buf_str(&on));
	buf_release(&on);
}

/* Why the hosts do not go back from what is not served; NULL: they do. */
static const char *
why_it_stays(const struct fleet *f, const struct release_id *id)
{
	if (fleet_has_passed(f, id))
		return "it was found to be served on other hosts";
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].frozen)
			return "the site is frozen";
	return NULL;
}

/*
 * Has a run died, or lost its hosts, between a flip and the end of the check?
 * What it left live is checked now, as if this run had flipped it; but a signal
 * leaves things as they are.  So does a host that is wrong where the release
 * has passed on another one, as a sync leaves it.
 */
int
site_check_live(struct site_run *s, const struct release_id *id, struct err *e)
{
	struct fleet *f = &s->fleet;
	const struct release_id own = *id;
	const char *why;
	bool verified = true;

	for (size_t i = 0; i < f->n; i++)
		verified &= f->v[i].verified;
	if (!wants_check(s) || verified)
		return 0;
	if (fleet_complete(f, e) != 0)
		return -1;
	tell_unverified(f, &own);
	if (fleet_check(f, &own, NULL, e) == 0) {
		fleet_note_verified(f, &own);
		return 0;
	}
	if (intr_came())
		return -1;
	why = why_it_stays(f, &own);
	if (why != NULL) {
		err_append(e,
		    "; it stays live, because %s;; to ask again, run: ", why);
		cure_append(f, e, "check", NULL);
		e->code = ERR_DIFFER;
		return -1;
	}
	for (size_t i = 0; i < f->n; i++)
		f->v[i].flipped = false;
	fleet_take_over(f, &own);
	return fleet_revert(f, &own, "reverted: the check failed", e);
}

/* ---- the flip ---------------------------------------------------------- */

static void
tell(const struct site_flip *done, enum journal_action action, bool preview)
{
	if (!done->changed)
		log_info("unchanged: %s is live already", done->id.text);
	else
		log_info("%s%s is live%s%s%s", preview ? "would make: " : "",
		    done->id.text,
		    action == JOURNAL_ROLLBACK ? ", rolled back" : "",
		    !release_id_is_none(&done->from) ? "; before it: " : "",
		    done->from.text);
}

/* Between several hosts there is a time between the flips. */
static void
tell_skew(const struct fleet *f)
{
	if (f->n > 1 && f->skew_us >= 0)
		log_info("all hosts flipped within %.1f ms",
		    (double)f->skew_us / 1000);
}

/* Would every host take it, as far as is known without asking? */
static bool
would_pass(const struct site_run *s, const struct release_id *id)
{
	const struct fleet *f = &s->fleet;
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		const struct meta *meta = remote_meta(r, id);

		if (meta == NULL ||
		    remote_check_guards(r, meta->seq, s->wishes.overrides,
			&ignored) != 0 ||
		    ((s->wishes.overrides & OVERRIDE_ORDER) == 0 &&
			activate_check_content(&r->view.history, id,
			    meta->digest, &ignored) != 0))
			return false;
	}
	return true;
}

/*
 * Before the first of several hosts has the new pages, all have what these
 * name: see fleet_bridge.h.  Where that cannot be staged, it goes live without,
 * as without what is carried.
 */
static int
bridge(struct site_run *s, const struct remote_activate *o, struct err *e)
{
	struct fleet_bridge b = FLEET_BRIDGE_INIT;
	const struct rules *rules = &s->site->rules;
	struct err why = ERR_INIT;
	int r;

	if (rules->carry.n == 0 || !rules->bridge || s->fleet.n < 2 ||
	    o->preview || fleet_serves(&s->fleet, o->id) ||
	    !would_pass(s, o->id))
		return 0;
	r = fleet_bridge_stage(&s->fleet, o->id, &b, &why);
	if (r == 0) {
		r = fleet_bridge_flip(&s->fleet, &b, o, e);
	} else {
		log_warn(
		    "%s goes live without a bridge, so hosts may lack its assets for a moment: %s",
		    o->id->text, why.text);
		r = intr_check(e);
		fleet_forgive(&s->fleet);
		if (r == 0)
			r = site_open(s, e);
	}
	fleet_bridge_release(&b);
	return r;
}

/* What was live before `id`; none when hosts that were behind go there. */
static struct release_id
live_before(const struct site_run *s, const struct release_id *id)
{
	const struct release_id *live = site_current(s);

	return release_id_eq(live, id) ? release_id_none : *live;
}

/* All but what the hooks of the roots came to. */
static int
flip_all(struct site_run *s, const struct release_id *id,
    enum journal_action action, struct site_flip *out, struct err *e)
{
	struct fleet *f = &s->fleet;
	struct remote_activate o = { .id = &out->id,
		.message = s->wishes.message,
		.skipped = s->wishes.skipped,
		.journal_size = -1,
		.action = action,
		.overrides = s->wishes.overrides,
		.preview = s->wishes.dry_run };
	bool rolling = s->site->strategy == STRATEGY_ROLLING &&
	    action == JOURNAL_ACTIVATE;
	struct fleet_activation done;
	int r;

	*out = (struct site_flip){ .changed = false };
	out->id = *id;
	/* What stops no rollback stops none on a host that is new, either. */
	if (action == JOURNAL_ROLLBACK && vote_was_live(f, id))
		o.overrides |= OVERRIDE_FLIP;
	/* What is so already was done by this command when it ran before. */
	if (!fleet_serves(f, id) && site_check_expected(s, e) != 0)
		return -1;
	if (action == JOURNAL_ACTIVATE && order_check(s, id, e) != 0)
		return -1;
	out->from = live_before(s, id);
	/* Going back never waits for that. */
	if (action == JOURNAL_ACTIVATE && wants_check(s) &&
	    !fleet_serves(f, id))
		fleet_check_remember(f, id);
	if (action == JOURNAL_ACTIVATE && bridge(s, &o, e) != 0)
		return -1;
	if (action == JOURNAL_ROLLBACK && s->site->rules.carry.n > 0 &&
	    s->site->rules.bridge)
		fleet_bridge_back(f, &out->id);
	r = rolling ? fleet_roll(f, &o, wants_check(s), &done, e) :
		      fleet_activate(f, &o, &done, e);
	if (r != 0)
		return -1;
	out->changed = done.changed;
	f->skew_us =
	    done.changed && !o.preview && !rolling ? done.skew_us : -1;
	tell(out, action, o.preview);
	tell_skew(f);
	if (o.preview)
		return 0;
	if (!done.changed)
		return site_check_live(s, &out->id, e);
	if (rolling && wants_check(s))
		fleet_note_verified(f, &out->id);
	if (!rolling && check(s, &out->id, action, e) != 0) {
		if (action == JOURNAL_ROLLBACK)
			site_was_seen(s, out, false);
		return -1;
	}
	site_went_live(s, out, action);
	return 0;
}

void
site_tell_root_hooks(struct site_run *s)
{
	for (size_t i = 0; i < s->fleet.n; i++) {
		struct remote *r = &s->fleet.v[i];
		struct err why = ERR_INIT;

		if (r->hook_failure == NULL)
			continue;
		err_set(&why, ERR_CLEANUP, "%s%s", remote_said(r),
		    r->hook_failure);
		site_tell_late(s, &why);
		free(r->hook_failure);
		r->hook_failure = NULL;
	}
}

/* The same, and what the hooks of the roots came to. */
static int
flip_once(struct site_run *s, const struct release_id *id,
    enum journal_action action, struct site_flip *out, struct err *e)
{
	int r = flip_all(s, id, action, out, e);

	if (r != 0 && (e->code == ERR_REVERTED || s->fleet.went_back))
		site_was_seen(s, out, true);
	site_tell_root_hooks(s);
	return r;
}

/*
 * Somebody else was faster, it seems.  0 when it is to be tried again from what
 * is live now; a rollback starts from what was live when it was asked for.  That
 * only journals have grown counts once: who was armed wrote into them, too.
 */
static int
ask_again(struct site_run *s, struct start *start, const struct release_id *id,
    enum journal_action action, bool *touched, struct err *e)
{
	const struct err refused = *e;
	enum start_change change;

	log_debug("%s; asking again", e->text);
	*e = (struct err)ERR_INIT;
	fleet_forgive(&s->fleet);
	if (site_open(s, e) != 0)
		return -1;
	change = start_compare(start, &s->fleet);
	if (change == START_CHANGED && action == JOURNAL_ROLLBACK)
		return start_refuse(start, &s->fleet, id, e);
	start_note(start, &s->fleet);
	if (change == START_CHANGED ||
	    (change == START_TOUCHED && !*touched)) {
		*touched = change == START_TOUCHED;
		return 0;
	}
	/* It was another guard. */
	*e = refused;
	return -1;
}

int
site_flip(struct site_run *s, const struct release_id *id,
    enum journal_action action, struct site_flip *out, struct err *e)
{
	/* Our own: hosts forget theirs when they are asked again. */
	const struct release_id own = *id;
	bool once = action == JOURNAL_ACTIVATE && s->wishes.expect != NULL;
	struct start start = START_INIT;
	bool touched = false;
	int r, tries = 0;

	log_set_field(LOG_RELEASE, own.text);
	start_note(&start, &s->fleet);
	while ((r = flip_once(s, &own, action, out, e)) != 0 &&
	    e->code == ERR_SUPERSEDED && !once && !s->fleet.went_back &&
	    ++tries < FASTER_MAX &&
	    ask_again(s, &start, &own, action, &touched, e) == 0)
		;
	start_release(&start);
	return r;
}
