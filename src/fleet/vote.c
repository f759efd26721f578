#include "fleet/vote.h"

#include <string.h>

#include "base/buf.h"
#include "base/strvec.h"
#include "fleet/cure.h"
#include "root/view.h"

/* Is, or was, anything live on the host? */
static bool
has_history(const struct remote *r)
{
	return !release_id_is_none(&r->view.current) ||
	    r->view.history.seen.n > 0;
}

bool
vote_was_live(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (history_was_live(&f->v[i].view.history, id))
			return true;
	return false;
}

/* The next line from `at` on whose flip happened, and was not undone. */
static const struct journal_line *
next_flip(const struct view *v, size_t *at)
{
	while (*at < v->journal.n) {
		size_t i = (*at)++;

		if (v->history.happened[i] && !v->history.undone[i])
			return &v->journal.v[i];
	}
	return NULL;
}

/* Did the host take part in this flip, from where the others did? */
static bool
took_part(const struct remote *r, const struct journal_line *flip)
{
	const struct journal_line *l, *mine = NULL;
	size_t at = 0;

	while ((l = next_flip(&r->view, &at)) != NULL) {
		if (l->action == flip->action &&
		    release_id_eq(&l->to, &flip->to))
			mine = l;
		/* It was told of all that it had missed. */
		if (l->action == JOURNAL_SYNC && mine != NULL)
			return true;
	}
	return mine != NULL && release_id_eq(&mine->from, &flip->from);
}

/*
 * Was the host brought to what this flip of `other` made live, after it?
 * Within the same second it was before it, if both went to where it began.
 */
static bool
was_brought(const struct remote *r, const struct remote *other,
    const struct journal_line *flip)
{
	const struct journal_line *l;
	bool same_second = false;
	size_t at = 0;

	while ((l = next_flip(&r->view, &at)) != NULL) {
		if (l->action == JOURNAL_SYNC && l->time >= flip->time &&
		    release_id_eq(&l->to, &flip->to)) {
			if (l->time > flip->time)
				return true;
			same_second = true;
		} else if (release_id_eq(&l->to, &flip->from) &&
		    !strvec_has(&l->skipped, other->host->label)) {
			same_second = false;
		}
	}
	return same_second;
}

/* Do they serve the same, and go back to the same, or to nothing both? */
static bool
are_alike(const struct remote *a, const struct remote *b)
{
	const struct release_id *one = view_previous(&a->view);
	const struct release_id *two = view_previous(&b->view);

	if (!release_id_eq(&a->view.current, &b->view.current))
		return false;
	return one == NULL || two == NULL ? one == two :
					    release_id_eq(one, two);
}

/*
 * Does `other` know of flips that left the host out, and does what followed
 * show that it does not know of them?  One that serves something else than
 * what they went from went a way of its own.
 */
static bool
missed(const struct remote *r, const struct remote *other)
{
	const struct journal_line *l;
	bool out = false, stayed = false;
	size_t at = 0;

	if (!r->failed && are_alike(r, other))
		return false;
	while ((l = next_flip(&other->view, &at)) != NULL) {
		bool skipped = strvec_has(&l->skipped, r->host->label);

		if (skipped && was_brought(r, other, l)) {
			out = stayed = false;
			continue;
		}
		if (out && !skipped && !r->failed && !took_part(r, l))
			return true;
		stayed = skipped &&
		    ((out && stayed) ||
			release_id_eq(&r->view.current, &l->from));
		out = skipped;
	}
	return out &&
	    (r->failed ||
		(stayed &&
		    !release_id_eq(&r->view.current, &other->view.current)));
}

bool
vote_was_skipped(const struct fleet *f, const struct remote *r)
{
	for (size_t i = 0; i < f->n; i++)
		if (&f->v[i] != r && !f->v[i].failed && missed(r, &f->v[i]))
			return true;
	return false;
}

bool
vote_has_say(const struct fleet *f, const struct remote *r)
{
	return !r->failed && has_history(r) && !vote_was_skipped(f, r);
}

/* Has any host? */
static bool
any_has_say(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (vote_has_say(f, &f->v[i]))
			return true;
	return false;
}

/* What was live there before, or NULL: it has no say. */
static const struct release_id *
opinion(const struct fleet *f, const struct remote *r, bool any)
{
	if (r->failed || (!any && vote_was_skipped(f, r)))
		return NULL;
	return view_previous(&r->view);
}

/* "ID on HOST, HOST": those that are of one opinion. */
static void
add_party(const struct fleet *f, bool any, const struct release_id *id,
    struct buf *out)
{
	const char *sep = " on ";

	buf_addf(out, "%s%s", out->len > 0 ? "; " : "", id->text);
	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *said = opinion(f, &f->v[i], any);

		if (said == NULL || !release_id_eq(said, id))
			continue;
		buf_addf(out, "%s%s", sep, f->v[i].host->label);
		sep = ", ";
	}
}

/* They do not agree: who says what, and how to go back to each. */
static int
refuse(const struct fleet *f, bool any, struct err *e)
{
	struct buf parties = BUF_INIT, commands = BUF_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;

	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = opinion(f, &f->v[i], any);

		if (id == NULL || release_ids_has(&ids, id))
			continue;
		release_ids_add(&ids, id);
		add_party(f, any, id, &parties);
		buf_adds(&commands, ids.n > 1 ? ", or: " : "");
		cure_add(f, &commands, "rollback", id->text);
	}
	err_set(e, ERR_DIFFER,
	    "the hosts differ in what was live before: %s;; name a release, run: %s",
	    buf_str(&parties), buf_str(&commands));
	release_ids_release(&ids);
	buf_release(&parties);
	buf_release(&commands);
	return -1;
}

/* The opinion of all that have one; NULL with the error. */
static const struct release_id *
count(const struct fleet *f, bool any, struct err *e)
{
	const struct release_id *found = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = opinion(f, &f->v[i], any);

		if (id == NULL)
			continue;
		if (found != NULL && !release_id_eq(id, found)) {
			refuse(f, any, e);
			return NULL;
		}
		found = id;
	}
	if (found == NULL)
		view_refuse("previous", e);
	return found;
}

const struct release_id *
vote_previous(const struct fleet *f, struct err *e)
{
	/*
	 * Those that were left out, where nobody else knows anything; that
	 * there is nothing to go back to is something to know.
	 */
	return count(f, !any_has_say(f), e);
}

/* ---- who is right ------------------------------------------------------ */

/* Does it serve something, and has it missed nothing?  `any`: or it has. */
static bool
counts(const struct fleet *f, const struct remote *r, bool any)
{
	return !r->failed && !release_id_is_none(&r->view.current) &&
	    (any || !vote_was_skipped(f, r));
}

/* How many steps back it knows. */
static size_t
depth(const struct remote *r)
{
	struct release_ids chain = RELEASE_IDS_INIT;
	size_t n;

	history_chain(&r->view.history, &r->view.ids, &chain);
	n = chain.n;
	release_ids_release(&chain);
	return n;
}

/* Those that count serve different releases, or went there from others. */
static int
refuse_reference(const struct fleet *f, bool any, const char *what,
    const struct release_id *(*get)(const struct remote *r), struct err *e)
{
	struct buf parties = BUF_INIT, commands = BUF_INIT;
	struct release_ids ids = RELEASE_IDS_INIT;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];
		const struct release_id *id = get(r);

		if (!counts(f, r, any) || id == NULL)
			continue;
		buf_addf(&parties, "%s%s on %s", parties.len > 0 ? ", " : "",
		    id->text, r->host->label);
		if (release_ids_has(&ids, id))
			continue;
		release_ids_add(&ids, id);
		buf_adds(&commands, ids.n > 1 ? ", or: " : "");
		cure_add(f, &commands, "sync --from", r->host->label);
	}
	err_set(e, ERR_DIFFER,
	    "the hosts differ in what %s, and none says that it was left out: %s;; say which is right, run: %s",
	    what, buf_str(&parties), buf_str(&commands));
	release_ids_release(&ids);
	buf_release(&parties);
	buf_release(&commands);
	return -1;
}

static const struct release_id *
live(const struct remote *r)
{
	return &r->view.current;
}

static const struct release_id *
before(const struct remote *r)
{
	return view_previous(&r->view);
}

/* Do those that count, and have one, have the same? */
static bool
agree(const struct fleet *f, bool any,
    const struct release_id *(*get)(const struct remote *r))
{
	const struct release_id *found = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = get(&f->v[i]);

		if (!counts(f, &f->v[i], any) || id == NULL)
			continue;
		if (found != NULL && !release_id_eq(id, found))
			return false;
		found = id;
	}
	return true;
}

/* Is there none that counts? */
static bool
none_counts(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (counts(f, &f->v[i], false))
			return false;
	return true;
}

const struct release_id *
vote_current(const struct fleet *f)
{
	bool any = none_counts(f);

	for (size_t i = 0; i < f->n; i++)
		if (counts(f, &f->v[i], any))
			return agree(f, any, live) ? live(&f->v[i]) :
						     &release_id_none;
	return &release_id_none;
}

const struct remote *
vote_reference(const struct fleet *f, struct err *e)
{
	const struct remote *found = NULL;
	bool any = none_counts(f);

	if (!agree(f, any, live)) {
		refuse_reference(f, any, "is live", live, e);
		return NULL;
	}
	if (!agree(f, any, before)) {
		refuse_reference(f, any, "was live before", before, e);
		return NULL;
	}
	for (size_t i = 0; i < f->n; i++)
		if (counts(f, &f->v[i], any) &&
		    (found == NULL || depth(&f->v[i]) > depth(found)))
			found = &f->v[i];
	if (found == NULL) {
		err_set(e, ERR_USAGE,
		    "nothing is live on any host, so there is nothing to sync;; to make a release live, run: ");
		cure_append(f, e, "activate", NULL);
	}
	return found;
}

/* What one host has of what is needed. */
static void
add_needed(const struct remote *r, struct release_ids *out)
{
	struct release_ids waiting = RELEASE_IDS_INIT;

	if (!release_id_is_none(&r->view.current))
		release_ids_add(out, &r->view.current);
	history_chain(&r->view.history, &r->view.ids, out);
	view_waiting(&r->view, &waiting);
	for (size_t i = 0; i < waiting.n; i++)
		if (!remote_is_bridge(r, &waiting.v[i]))
			release_ids_add(out, &waiting.v[i]);
	release_ids_release(&waiting);
	for (size_t i = 0; i < r->view.ids.n; i++)
		if (r->metas != NULL && r->metas[i].pinned)
			release_ids_add(out, &r->view.ids.v[i]);
}

void
vote_needed(const struct fleet *f, const struct remote *reference,
    struct release_ids *out)
{
	struct release_ids all = RELEASE_IDS_INIT;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (!r->failed &&
		    (reference == NULL ||
			release_id_eq(&r->view.current,
			    &reference->view.current)))
			add_needed(r, &all);
	}
	for (size_t i = 0; i < all.n; i++)
		release_ids_add_once(out, &all.v[i]);
	release_ids_sort(out);
	release_ids_release(&all);
}
