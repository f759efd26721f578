#include "root/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
	/* Of a sync: it has to fit into a request, also as JSON. */
	LEFT_ROOM = 24 * 1024,
	LEFT_SIZE = 400, /* of a line, but for its texts */
};

/* The live release as far as the stack knows, or none. */
static const struct release_id *
top(const struct history *h)
{
	return release_ids_last(&h->stack);
}

/* The place of an id in seen; seen.n when it was never live. */
static size_t
find_seen(const struct history *h, const struct release_id *id)
{
	size_t i = 0;

	/* From the end: what is asked for is mostly recent. */
	for (i = h->seen.n; i > 0; i--)
		if (release_id_eq(&h->seen.v[i - 1], id))
			return i - 1;
	return h->seen.n;
}

/* The place of an id in seen, which it may be new in. */
static size_t
add_seen(struct history *h, const struct release_id *id)
{
	size_t i = find_seen(h, id);

	if (i < h->seen.n)
		return i;
	release_ids_add(&h->seen, id);
	h->until = xreallocarray(h->until, h->seen.n, sizeof(*h->until));
	h->flip = xreallocarray(h->flip, h->seen.n, sizeof(*h->flip));
	h->failed = xreallocarray(h->failed, h->seen.n, sizeof(*h->failed));
	h->failed[i] = true;
	return i;
}

/*
 * Visitors see `id` from `time` on.  Returns its place in seen; what is new
 * there counts as failed until the flip counts.
 */
static size_t
show(struct history *h, const struct release_id *id, int64_t time)
{
	size_t i;

	if (!release_id_is_none(&h->live) && !release_id_eq(&h->live, id)) {
		h->replaced = h->live;
		h->until[find_seen(h, &h->live)] = time;
	}
	i = add_seen(h, id);
	h->until[i] = INT64_MAX;
	h->flip[i] = ++h->flips;
	h->since = time;
	h->live = *id;
	return i;
}

/* The release `id` goes live at `time`, and that counts. */
static void
go_live(struct history *h, const struct release_id *id, int64_t time)
{
	size_t i = show(h, id, time);

	h->failed[i] = false;
}

static void
activated(struct history *h, const struct release_id *id, int64_t time)
{
	go_live(h, id, time);
	release_ids_add(&h->stack, id);
}

/* Back to `id`: what lies above it was rolled back from. */
static void
rolled_back(struct history *h, const struct release_id *id, int64_t time)
{
	bool known = release_ids_has(&h->stack, id);

	go_live(h, id, time);
	if (!known) {
		if (h->stack.n > 0)
			h->stack.n--;
		release_ids_add(&h->stack, id);
		return;
	}
	while (!release_id_eq(top(h), id))
		h->stack.n--;
}

/* A flip that the journal does not know, found at `time`. */
static void
made_live_by_hand(struct history *h, const struct release_id *id, int64_t time)
{
	if (!release_id_is_none(id) && !release_id_eq(&h->live, id)) {
		activated(h, id, time);
		h->since = 0;
	}
}

/*
 * Did the flip of the line happen, after which `then` was live?  Not when what
 * was live before it still was.  When something else was, lines are lost, or
 * somebody changed the link: what the line says is the best that is known.
 */
static bool
has_happened(const struct journal_line *l, const struct release_id *then)
{
	return release_id_eq(&l->to, then) || !release_id_eq(&l->from, then);
}

/* Does line `b` of the journal undo line `a`, the last that happened? */
static bool
undoes(const struct journal_line *a, const struct journal_line *b)
{
	return b->action == JOURNAL_REVERT && a->action != JOURNAL_REVERT &&
	    !release_id_eq(&a->from, &a->to) &&
	    release_id_eq(&a->to, &b->from) && release_id_eq(&a->from, &b->to);
}

/* Which lines happened, and which of them undo each other. */
static void
find_happened(struct history *h, const struct journal *j,
    const struct release_id *current)
{
	size_t last = j->n;

	h->happened = xcalloc(j->n, sizeof(*h->happened));
	h->undone = xcalloc(j->n, sizeof(*h->undone));
	for (size_t i = 0; i < j->n; i++) {
		const struct release_id *then =
		    i + 1 < j->n ? &j->v[i + 1].from : current;

		h->happened[i] = j->v[i].action != JOURNAL_BRIDGE &&
		    has_happened(&j->v[i], then);
		if (!h->happened[i])
			continue;
		if (last < i && undoes(&j->v[last], &j->v[i]))
			h->undone[last] = h->undone[i] = true;
		last = i;
	}
}

/*
 * A flip that was undone, or what undid it: seen by visitors, and nothing
 * else.
 */
static void
take_undone(struct history *h, const struct journal_line *l)
{
	size_t i = show(h, &l->to, l->time);

	if (l->action == JOURNAL_ACTIVATE)
		h->failed[i] = true;
}

/*
 * What other hosts know is the past of this one from now on; all of it was
 * replaced before `time`, for who asks how long ago that was.
 */
static void
take_past(struct history *h, const struct journal_line *l)
{
	h->stack.n = 0;
	for (size_t i = 0; i < l->before.n; i++) {
		const struct release_id *id = &l->before.v[i];
		size_t n = h->seen.n, at = add_seen(h, id);

		if (at == n) {
			h->until[at] = l->time;
			h->flip[at] = ++h->flips;
		}
		h->failed[at] = false;
		release_ids_add(&h->stack, id);
	}
}

static void
take_line(struct history *h, const struct journal_line *l)
{
	bool stays = release_id_eq(&h->live, &l->to);
	int64_t since = h->since;

	if (l->action == JOURNAL_SYNC)
		take_past(h, l);
	if (l->action != JOURNAL_ACTIVATE && l->action != JOURNAL_SYNC) {
		rolled_back(h, &l->to, l->time);
		return;
	}
	activated(h, &l->to, l->time);
	if (l->action == JOURNAL_SYNC && stays)
		h->since = since;
	/* What has no number says nothing about numbers, and other hosts may know
	 * of older ones only. */
	if (l->seq >= 0 && (l->action != JOURNAL_SYNC || l->seq >= h->seq)) {
		h->seq = l->seq;
		h->seq_flip = h->flips;
	}
}

void
history_init(struct history *h, const struct journal *j,
    const struct release_id *current)
{
	*h = (struct history)HISTORY_INIT;
	h->journal = j;
	find_happened(h, j, current);
	for (size_t i = 0; i < j->n; i++) {
		made_live_by_hand(h, &j->v[i].from, j->v[i].time);
		if (h->undone[i])
			take_undone(h, &j->v[i]);
		else if (h->happened[i])
			take_line(h, &j->v[i]);
	}
	made_live_by_hand(h, current, clock_now());
	/* A journal that is whole begins with nothing being live. */
	if (j->n == 0 && !release_id_is_none(current))
		h->lost = INT64_MAX;
	else if (j->n > 0 && !release_id_is_none(&j->v[0].from))
		h->lost = j->v[0].time;
}

void
history_release(struct history *h)
{
	release_ids_release(&h->stack);
	release_ids_release(&h->seen);
	free(h->until);
	free(h->flip);
	free(h->failed);
	free(h->happened);
	free(h->undone);
	*h = (struct history)HISTORY_INIT;
}

bool
history_was_live(const struct history *h, const struct release_id *id)
{
	size_t i = find_seen(h, id);

	return i < h->seen.n && !h->failed[i];
}

bool
history_has_failed(const struct history *h, const struct release_id *id)
{
	size_t i = find_seen(h, id);

	return i < h->seen.n && h->failed[i];
}

/* Is that the release, when there is one yet, or one with its content? */
static bool
is_same(const struct release_id *a, const char *a_digest,
    const struct release_id *b, const char *b_digest)
{
	return (!release_id_is_none(a) && release_id_eq(a, b)) ||
	    (*a_digest != '\0' && strcmp(a_digest, b_digest) == 0);
}

const struct journal_line *
history_left(const struct history *h, const struct release_id *id,
    const char *digest)
{
	for (size_t i = h->journal->n; i > 0; i--) {
		const struct journal_line *l = &h->journal->v[i - 1];

		if (!h->happened[i - 1] || h->undone[i - 1])
			continue;
		if (is_same(id, digest, &l->to, l->digest) ||
		    release_ids_has(&l->before, id))
			return NULL;
		if (l->action == JOURNAL_ROLLBACK &&
		    is_same(id, digest, &l->from, l->from_digest))
			return l;
		for (size_t k = 0; k < l->n_left; k++)
			if (is_same(id, digest, &l->left[k].from,
				l->left[k].from_digest))
				return &l->left[k];
	}
	return NULL;
}

struct all_left {
	struct journal_line *v;
	size_t n;
	size_t room;
};

static size_t
length(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

/* Add the rollback, if what it went away from is left because of it. */
static void
add_left(const struct history *h, const struct journal_line *l,
    struct all_left *out)
{
	size_t size = LEFT_SIZE + length(l->who) + length(l->message);

	if (size > out->room || l->action != JOURNAL_ROLLBACK ||
	    history_left(h, &l->from, l->from_digest) != l)
		return;
	out->room -= size;
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n] = *l;
	/* Who refuses it says who, when and why. */
	out->v[out->n++].job = NULL;
}

size_t
history_all_left(const struct history *h, struct journal_line **out)
{
	struct all_left all = { NULL, 0, LEFT_ROOM };

	for (size_t i = h->journal->n; i-- > 0;) {
		const struct journal_line *l = &h->journal->v[i];

		add_left(h, l, &all);
		for (size_t k = 0; k < l->n_left; k++)
			add_left(h, &l->left[k], &all);
	}
	*out = all.v;
	return all.n;
}

/* The tree digest of a release that was live; "" when it is not known. */
static const char *
digest_of(const struct history *h, const struct release_id *id)
{
	for (size_t i = h->journal->n; i > 0; i--)
		if (release_id_eq(&h->journal->v[i - 1].to, id))
			return h->journal->v[i - 1].digest;
	return "";
}

/* Was it found bad, by a check or by who rolled back from it? */
static bool
is_bad(const struct history *h, const struct release_id *id)
{
	return history_has_failed(h, id) ||
	    history_left(h, id, digest_of(h, id)) != NULL;
}

int64_t
history_until(const struct history *h, const struct release_id *id)
{
	size_t i = find_seen(h, id);

	return i < h->seen.n ? h->until[i] : -1;
}

bool
history_is_recent(const struct history *h, size_t i)
{
	return !h->failed[i] && h->flip[i] >= h->seq_flip;
}

/* Was it verified, ever, or since so many lines? */
static bool
was_verified(const struct history *h, const struct release_id *id,
    size_t flips)
{
	const struct journal *j = h->journal;

	for (size_t i = 0; i < j->n_verified; i++)
		if (j->verified[i].flips >= flips &&
		    release_id_eq(&j->verified[i].id, id))
			return true;
	return false;
}

/* Is that the line of a way back there?  What was verified stays so then. */
static bool
went_back(const struct journal_line *l, const struct release_id *live)
{
	return (l->action == JOURNAL_ROLLBACK ||
		   l->action == JOURNAL_REVERT) &&
	    release_id_eq(&l->to, live);
}

bool
history_live_is_verified(const struct history *h)
{
	size_t flips = h->journal != NULL ? h->journal->n : 0;

	if (h->journal == NULL || release_id_is_none(&h->live))
		return false;
	/* Behind the last flip that counts; a sync of what is live is none. */
	while (flips > 0 &&
	    (!h->happened[flips - 1] ||
		release_id_eq(&h->journal->v[flips - 1].from,
		    &h->journal->v[flips - 1].to)))
		flips--;
	if (flips > 0 && went_back(&h->journal->v[flips - 1], &h->live))
		flips = 0;
	return was_verified(h, &h->live, flips);
}

bool
history_was_verified(const struct history *h, const struct release_id *id)
{
	return h->journal != NULL && was_verified(h, id, 0);
}

/* Can a rollback go from `live` to the release? */
static bool
leads_back(const struct history *h, const struct release_ids *ids,
    const struct release_id *live, const struct release_id *id)
{
	/* The same release may lie there twice. */
	return !release_id_eq(id, live) && release_ids_has(ids, id) &&
	    !is_bad(h, id);
}

/* The nearest under the live one that will do. */
static const struct release_id *
find_previous(const struct history *h, const struct release_ids *ids,
    bool verified)
{
	for (size_t i = h->stack.n; i > 1; i--) {
		const struct release_id *id = &h->stack.v[i - 2];

		if (leads_back(h, ids, top(h), id) &&
		    (!verified || was_verified(h, id, 0)))
			return id;
	}
	return NULL;
}

void
history_chain(const struct history *h, const struct release_ids *ids,
    struct release_ids *out)
{
	const struct release_id *last = top(h);

	for (size_t i = h->stack.n; i > 1; i--) {
		const struct release_id *id = &h->stack.v[i - 2];

		if (!leads_back(h, ids, last, id))
			continue;
		release_ids_add(out, id);
		last = id;
	}
}

const struct release_id *
history_verified(const struct history *h, const struct release_ids *ids)
{
	return find_previous(h, ids, true);
}

const struct release_id *
history_previous(const struct history *h, const struct release_ids *ids)
{
	return find_previous(h, ids, false);
}
