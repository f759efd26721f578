#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/override.h"
#include "fleet/cure.h"
#include "fleet/drift.h"
#include "fleet/fleet_activate.h"
#include "fleet/fleet_check.h"
#include "fleet/fleet_stage.h"
#include "fleet/vote.h"
#include "os/log.h"
#include "site/site.h"
#include "site/site_assets.h"
#include "site/site_flip.h"

/* What is to be done on all of them. */
struct syncing {
	struct site_run *s;
	const struct remote *from;
	struct release_ids chain;  /* what rollbacks go to there */
	struct journal_line *left; /* what was rolled back from there */
	size_t n_left;
	int64_t seq; /* the last that counts; -1: there is none */
	const struct release_ids *needed;
	struct previews shown; /* that all are to have */
	char *message;	       /* for the journals */
	bool *changed;	       /* of each host */
	bool named;	       /* by --from */
	bool freezes;	       /* the site is frozen */
	bool freezes_differ;   /* nobody knows whether it is */
};

/* ---- what all have to have --------------------------------------------- */

/* Which hosts lack any of it: those are changed. */
static void
find_lacking(struct syncing *y)
{
	const struct fleet *f = &y->s->fleet;

	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < y->needed->n; k++)
			y->changed[i] |= !release_ids_has(&f->v[i].view.ids,
			    &y->needed->v[k]);
}

/* Send what some of them lack, each release once. */
static int
send_needed(struct site_run *s, const struct release_ids *needed,
    struct release_ids *sent, struct err *e)
{
	for (size_t i = 0; i < needed->n; i++) {
		if (fleet_count_lacking(&s->fleet, &needed->v[i]) == 0)
			continue;
		if (site_supply(s, &needed->v[i], e) != 0)
			return -1;
		release_ids_add(sent, &needed->v[i]);
	}
	return 0;
}

/* Of a name the preview that was pointed last, as its end tells. */
static void
take_preview(struct previews *all, const struct preview *p)
{
	for (size_t i = 0; i < all->n; i++) {
		struct preview *own = &all->v[i];

		if (strcmp(own->name, p->name) != 0)
			continue;
		/* Within a second: the newer release. */
		if (p->until > own->until ||
		    (p->until == own->until &&
			release_id_cmp(&p->id, &own->id) > 0)) {
			own->id = p->id;
			own->until = p->until;
		}
		return;
	}
	previews_add(all, p->name, &p->id, p->until);
}

/*
 * What previews show, as long as their time is not over.  Who serves the same
 * as the others may have missed one: each host has a say, unless one is named.
 */
static void
find_shown(struct syncing *y, struct release_ids *needed)
{
	const struct fleet *f = &y->s->fleet;
	int64_t now = clock_now() / 1000;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		for (size_t k = 0; k < r->previews.n; k++) {
			const struct preview *p = &r->previews.v[k];

			if ((!y->named || r == y->from) && p->until > now &&
			    release_ids_has(&r->view.ids, &p->id))
				take_preview(&y->shown, p);
		}
	}
	for (size_t i = 0; i < y->shown.n; i++)
		release_ids_add_once(needed, &y->shown.v[i].id);
	release_ids_sort(needed);
}

/* Who stages the release on a host that lacks it; NULL: nobody. */
static const struct remote *
find_stager(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (release_ids_has(&r->view.ids, id))
			continue;
		for (size_t k = 0; k < r->n_stages; k++)
			if (release_id_eq(&r->stages[k].id, id))
				return r;
	}
	return NULL;
}

/* Does what is live, or a rollback, or a preview need it? */
static bool
is_in_use(const struct syncing *y, const struct release_id *id)
{
	bool found = release_id_eq(id, &y->from->view.current) ||
	    release_ids_has(&y->chain, id);

	for (size_t i = 0; i < y->shown.n; i++)
		found |= release_id_eq(id, &y->shown.v[i].id);
	return found;
}

/*
 * What waits, and is on its way to a host, is left to who stages it: that may
 * be a run that has lost its connection, and a host does not see that soon.
 */
static void
leave_stages(const struct syncing *y, struct release_ids *needed)
{
	size_t n = 0;

	for (size_t i = 0; i < needed->n; i++) {
		const struct release_id *id = &needed->v[i];
		const struct remote *r =
		    is_in_use(y, id) ? NULL : find_stager(&y->s->fleet, id);

		if (r == NULL)
			needed->v[n++] = *id;
		else
			log_info(
			    "%sanother run stages %s, which is left to it",
			    remote_said(r), id->text);
	}
	needed->n = n;
}

/* ---- one host ---------------------------------------------------------- */

/* What rollbacks go to there, once it has what is needed, also in a dry run. */
static void
find_chain(const struct remote *r, const struct release_ids *needed,
    struct release_ids *out)
{
	struct release_ids ids = RELEASE_IDS_INIT;

	for (size_t i = 0; i < r->view.ids.n; i++)
		release_ids_add(&ids, &r->view.ids.v[i]);
	for (size_t i = 0; i < needed->n; i++)
		release_ids_add_once(&ids, &needed->v[i]);
	history_chain(&r->view.history, &ids, out);
	release_ids_release(&ids);
}

/* Does it know what rollbacks go to, as the reference does? */
static bool
knows_past(const struct syncing *y, const struct remote *r)
{
	struct release_ids chain = RELEASE_IDS_INIT;
	bool same;

	find_chain(r, y->needed, &chain);
	same = chain.n >= y->chain.n;
	for (size_t i = 0; same && i < y->chain.n; i++)
		same = release_id_eq(&chain.v[i], &y->chain.v[i]);
	release_ids_release(&chain);
	return same;
}

/* Does the reference go back to a release with that content all the same? */
static bool
goes_back_to(const struct syncing *y, const char *digest)
{
	for (size_t i = 0; i < y->chain.n; i++) {
		const struct meta *m = remote_meta(y->from, &y->chain.v[i]);

		if (m != NULL && *digest != '\0' &&
		    strcmp(m->digest, digest) == 0)
			return true;
	}
	return false;
}

/* What the reference refuses, because it was rolled back from. */
static void
find_left(struct syncing *y)
{
	size_t n = history_all_left(&y->from->view.history, &y->left);

	for (size_t i = 0; i < n; i++)
		if (!goes_back_to(y, y->left[i].from_digest))
			y->left[y->n_left++] = y->left[i];
}

/* Would it refuse what the reference refuses, because it was found bad? */
static bool
knows_left(const struct syncing *y, const struct remote *r)
{
	for (size_t i = 0; i < y->n_left; i++)
		if (history_left(&r->view.history, &y->left[i].from,
			y->left[i].from_digest) == NULL)
			return false;
	return true;
}

/*
 * The last sequence that counts: who serves the same may know of a newer build,
 * which was unchanged.
 */
static int64_t
last_sequence(const struct syncing *y)
{
	const struct fleet *f = &y->s->fleet;
	int64_t last = remote_last_sequence(y->from);

	for (size_t i = 0; !y->named && i < f->n; i++)
		if (release_id_eq(&f->v[i].view.current,
			&y->from->view.current) &&
		    remote_last_sequence(&f->v[i]) > last)
			last = remote_last_sequence(&f->v[i]);
	return last;
}

/* Does it serve what the reference does, and know as much? */
static bool
is_synced(const struct syncing *y, const struct remote *r)
{
	return release_id_eq(&r->view.current, &y->from->view.current) &&
	    knows_past(y, r) && knows_left(y, r) &&
	    remote_last_sequence(r) >= y->seq;
}

/* Has the reference pinned it, or, when none is named, any host? */
static bool
is_pinned(const struct syncing *y, const struct release_id *id)
{
	const struct fleet *f = &y->s->fleet;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		const struct meta *m = remote_meta(r, id);

		if ((!y->named || r == y->from) && m != NULL && m->pinned)
			return true;
	}
	return false;
}

/* The pins that all are to have; those that only the host has stay. */
static int
pin(struct syncing *y, struct remote *r, bool preview, bool *changed,
    struct err *e)
{
	const struct release_ids *ids = y->needed;
	int c = 0;

	for (size_t i = 0; c == 0 && i < ids->n; i++) {
		const struct meta *ours = remote_meta(r, &ids->v[i]);
		struct strvec args = STRVEC_INIT;

		if (ours == NULL || ours->pinned || !is_pinned(y, &ids->v[i]))
			continue;
		*changed = true;
		strvec_addf(&args, "--id=%s", ids->v[i].text);
		if (!preview)
			c = remote_call(r, "pin", &args, NULL, NULL, e);
		strvec_release(&args);
	}
	return c;
}

/* Its previews. */
static int
show(struct syncing *y, struct remote *r, bool preview, bool *changed,
    struct err *e)
{
	const struct previews *all = &y->shown;
	int c = 0;

	for (size_t i = 0; c == 0 && i < all->n; i++) {
		const struct preview *p = &all->v[i];
		const struct preview *own =
		    previews_find(&r->previews, p->name);
		struct strvec args = STRVEC_INIT;

		if (own != NULL && release_id_eq(&own->id, &p->id) &&
		    own->until == p->until)
			continue;
		*changed = true;
		strvec_addf(&args, "--name=%s", p->name);
		strvec_addf(&args, "--id=%s", p->id.text);
		strvec_addf(&args, "--until=%lld", (long long)p->until);
		if (!preview)
			c = remote_call(r, "preview", &args, NULL, NULL, e);
		strvec_release(&args);
	}
	return c;
}

/* What is live there, and the past of that. */
static int
flip(struct syncing *y, struct remote *r, struct err *e)
{
	struct release_ids before = RELEASE_IDS_INIT;
	const struct release_id id = y->from->view.current;
	struct remote_activate o = { .id = &id,
		.before = &before,
		.left = y->left,
		.n_left = y->n_left,
		.seq = y->seq,
		.message = y->message,
		.skipped = y->s->wishes.skipped,
		.journal_size = r->journal_size,
		.action = JOURNAL_SYNC,
		/* It is live on the others in spite of them. */
		.overrides = OVERRIDE_FLIP };
	int c;

	for (size_t i = y->chain.n; i-- > 0;)
		release_ids_add(&before, &y->chain.v[i]);
	r->before = r->view.current;
	c = remote_activate(r, &o, e);
	r->flipped = c == 0 && !release_id_eq(&r->before, &id);
	release_ids_release(&before);
	return c;
}

/* Freeze it as the first host that is. */
static int
freeze(struct syncing *y, struct remote *r, struct err *e)
{
	const struct remote *like = y->s->fleet.v;
	struct strvec args = STRVEC_INIT;
	int c;

	while (!like->frozen || !is_synced(y, like))
		like++;
	remote_freeze_args(&like->freeze, &args);
	c = remote_call(r, "freeze", &args, NULL, NULL, e);
	strvec_release(&args);
	return c;
}

/* For fleet_each(): make the host as the reference is. */
static int
bring(struct remote *r, void *ctx, struct err *e)
{
	struct syncing *y = ctx;
	bool preview = y->s->wishes.dry_run;
	bool *changed = &y->changed[r - y->s->fleet.v];
	bool flips = !is_synced(y, r), freezes = y->freezes && !r->frozen;

	if (show(y, r, preview, changed, e) != 0 ||
	    pin(y, r, preview, changed, e) != 0)
		return -1;
	*changed |= flips || freezes;
	if (flips && !preview && flip(y, r, e) != 0)
		return -1;
	return freezes && !preview ? freeze(y, r, e) : 0;
}

/* ---- all of them ------------------------------------------------------- */

/* The host that is right: the named one, or who has the votes. */
static const struct remote *
find_reference(const struct fleet *f, const char *from, struct err *e)
{
	if (from == NULL)
		return vote_reference(f, e);
	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (strcmp(r->host->label, from) != 0 &&
		    strcmp(r->host->address, from) != 0)
			continue;
		if (!release_id_is_none(&r->view.current))
			return r;
		err_set(e, ERR_USAGE,
		    "nothing is live on '%s', so no other host can be made like it",
		    from);
		return NULL;
	}
	err_set(e, ERR_USAGE,
	    "--from wants one of the hosts that this is for, not '%s'", from);
	return NULL;
}

/* Was the host left out of the freeze of another one? */
static bool
missed_freeze(const struct syncing *y, const struct remote *r)
{
	const struct fleet *f = &y->s->fleet;

	for (size_t i = 0; !r->frozen && i < f->n; i++)
		if (f->v[i].frozen && is_synced(y, &f->v[i]) &&
		    strvec_has(&f->v[i].freeze.skipped, r->host->label))
			return true;
	return false;
}

/*
 * The hosts that are as they should be say whether the site is frozen.  One
 * that is to be changed and alone is frozen was frozen on purpose, or was down
 * for the thaw.
 */
static int
check_freezes(struct syncing *y, struct err *e)
{
	const struct fleet *f = &y->s->fleet;
	size_t frozen = 0, others = 0;

	for (size_t i = 0; i < f->n; i++)
		if (is_synced(y, &f->v[i]) && !missed_freeze(y, &f->v[i]))
			*(f->v[i].frozen ? &frozen : &others) += 1;
	y->freezes = frozen > 0 && others == 0;
	y->freezes_differ = frozen > 0 && others > 0;
	for (size_t i = 0; frozen == 0 && i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (!r->frozen || is_synced(y, r))
			continue;
		err_set(e, ERR_LOCKED,
		    "%s is frozen by %s%s%s, and %s is not;; if it may change, run: ",
		    r->host->label,
		    r->freeze.who != NULL ? r->freeze.who : "somebody",
		    r->freeze.why != NULL ? ": " : "",
		    r->freeze.why != NULL ? r->freeze.why : "",
		    y->from->host->label);
		return cure_append(f, e, "thaw --host", r->host->label);
	}
	return 0;
}

/* What became of each. */
static void
tell(const struct syncing *y, struct strvec *hosts)
{
	const struct fleet *f = &y->s->fleet;
	const char *id = y->from->view.current.text;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (!y->changed[i] || r->failed)
			continue;
		strvec_add(hosts, r->host->label);
		log_set_host(r->host->label);
		log_info("%s%s %s, as %s", remote_said(r),
		    y->s->wishes.dry_run ? "would serve" : "serves", id,
		    y->from->host->label);
	}
	log_set_host(NULL);
}

/* Not on all: they differ as before, or still do. */
static int
fail(const struct syncing *y, struct err *e)
{
	const struct fleet *f = &y->s->fleet;

	fleet_fail(f, "not synced everywhere", e);
	if (fleet_any_flipped(f)) {
		e->code = ERR_DIFFER;
		err_append(e, ";; when that is mended, run: ");
		cure_append(f, e, "sync", NULL);
	}
	return -1;
}

/* Has it flipped hosts, or has an earlier run that did not find them served? */
static bool
wants_check(const struct site_run *s)
{
	bool wanted = fleet_any_flipped(&s->fleet);

	for (size_t i = 0; i < s->fleet.n; i++)
		wanted |= !s->fleet.v[i].verified;
	return wanted && s->site->check.urls.n > 0 && !s->wishes.no_check &&
	    !s->wishes.dry_run;
}

/* The web servers of those that have changed, and of the others. */
static int
check(struct site_run *s, const struct release_id *id, struct err *e)
{
	if (!wants_check(s))
		return 0;
	if (fleet_check(&s->fleet, id, NULL, e) == 0) {
		fleet_note_verified(&s->fleet, id);
		return 0;
	}
	err_prefix(e, "synced, but ");
	err_append(e, ";; to ask again, run: ");
	cure_append(&s->fleet, e, "check", NULL);
	e->code = ERR_DIFFER;
	return -1;
}

/* Bring all to where the reference is. */
static int
sync_all(struct syncing *y, struct site_synced *out, struct err *e)
{
	struct site_run *s = y->s;
	struct fleet *f = &s->fleet;
	struct site_flip flip = { .id = y->from->view.current,
		.changed = true };
	size_t failed;

	find_lacking(y);
	if (send_needed(s, y->needed, &out->sent, e) != 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		f->v[i].flipped = false;
	f->changed |= !s->wishes.dry_run;
	failed = fleet_each(f, bring, y);
	fleet_await_hooks(f);
	site_tell_root_hooks(s);
	tell(y, &out->hosts);
	if (fleet_any_flipped(f))
		site_went_live(s, &flip, JOURNAL_ACTIVATE);
	if (failed > 0)
		return fail(y, e);
	if (out->hosts.n == 0 && drift_refuse_content(f, e) != 0)
		return -1;
	if (out->hosts.n == 0 && out->sent.n == 0)
		log_info(
		    "unchanged: all hosts serve %s, and know what was live before",
		    y->from->view.current.text);
	return check(s, &flip.id, e);
}

/*
 * The release whose assets the reference has beside what it serves, since it
 * went back from it; or none.
 */
static struct release_id
assets_beside(const struct remote *r)
{
	const struct history *h = &r->view.history;
	const struct journal_line *l;
	size_t n = h->journal->n;

	while (n > 0 &&
	    (!h->happened[n - 1] ||
		h->journal->v[n - 1].action == JOURNAL_BRIDGE))
		n--;
	if (n == 0 || release_id_is_none(&r->view.bridge))
		return release_id_none;
	l = &h->journal->v[n - 1];
	return l->action == JOURNAL_ROLLBACK ? l->from : release_id_none;
}

int
site_sync(struct site_run *s, const char *from, struct site_synced *out,
    struct err *e)
{
	struct release_id beside;
	struct fleet *f = &s->fleet;
	struct release_ids needed = RELEASE_IDS_INIT;
	struct syncing y = { .s = s,
		.needed = &needed,
		.named = from != NULL };
	int r;

	if (site_open(s, e) != 0 || fleet_need_root(f, e) != 0)
		return -1;
	y.from = find_reference(f, from, e);
	if (y.from == NULL)
		return -1;
	out->id = y.from->view.current;
	out->from = xstrdup(y.from->host->label);
	y.changed = xcalloc(f->n, sizeof(*y.changed));
	y.message = xasprintf("as %s serves it", y.from->host->label);
	vote_needed(f, y.from, &needed);
	find_shown(&y, &needed);
	find_chain(y.from, &needed, &y.chain);
	find_left(&y);
	y.seq = last_sequence(&y);
	leave_stages(&y, &needed);
	beside = assets_beside(y.from);
	r = check_freezes(&y, e);
	if (r == 0)
		r = sync_all(&y, out, e);
	if (r == 0 && out->hosts.n > 0)
		site_keep_assets(s, &out->id, &beside);
	if (r == 0 && y.freezes_differ)
		r = drift_refuse_freezes(f, e);
	release_ids_release(&y.chain);
	release_ids_release(&needed);
	previews_release(&y.shown);
	free(y.left);
	free(y.changed);
	free(y.message);
	return r;
}

void
site_synced_release(struct site_synced *p)
{
	strvec_release(&p->hosts);
	release_ids_release(&p->sent);
	free(p->from);
	*p = (struct site_synced)SITE_SYNCED_INIT;
}
