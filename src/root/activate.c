#include "root/activate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/bridge.h"
#include "root/freeze.h"
#include "root/meta.h"
#include "root/present.h"

int
activate_check_expect(const struct release_id *expect,
    const struct release_id *current, struct err *e)
{
	if (expect == NULL || release_id_eq(expect, current))
		return 0;
	return err_set(e, ERR_SUPERSEDED,
	    "%s is live, not %s as expected; somebody else changed it meanwhile",
	    release_id_is_none(current) ? "nothing" : current->text,
	    release_id_is_none(expect) ? "nothing" : expect->text);
}

static int
check_freeze(const struct store *s, struct err *e)
{
	struct freeze f = FREEZE_INIT;
	int r = freeze_read(s, &f, e);

	if (r > 0)
		r = freeze_refuse(s->root.path, &f, e);
	freeze_release(&f);
	return r;
}

int
activate_check_sequence(int64_t last, int64_t seq, struct err *e)
{
	if (seq < 0 || last <= seq)
		return 0;
	return err_set(e, ERR_SUPERSEDED,
	    "sequence %lld is older than %lld, which was activated last;; to go back on purpose use 'deploy rollback RELEASE', or use --override=order",
	    (long long)seq, (long long)last);
}

/* The sequence that a release has now; -1: none, or nobody knows. */
static int64_t
sequence_of(const struct store *s, const struct release_id *id)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	int64_t seq = -1;

	if (meta_read(s, id, &meta, &ignored) == 0)
		seq = meta.seq;
	meta_release(&meta);
	return seq;
}

int64_t
activate_last_sequence(const struct store *s, const struct history *h)
{
	int64_t last = h->seq;

	for (size_t i = 0; i < h->seen.n; i++) {
		int64_t now = -1;

		if (history_is_recent(h, i))
			now = sequence_of(s, &h->seen.v[i]);
		if (now > last)
			last = now;
	}
	return last;
}

int
activate_check_content(const struct history *h, const struct release_id *id,
    const char *digest, struct err *e)
{
	const struct journal_line *l = history_left(h, id, digest);
	char time[32];

	if (l == NULL)
		return 0;
	release_format_time(l->time, time);
	return err_set(e, ERR_SUPERSEDED,
	    "release %s%s was rolled back from at %s by %s%s%s;; build something else, or use --override=order",
	    l->from.text,
	    release_id_eq(id, &l->from) ? "" : ", which has this content,",
	    time, l->who != NULL ? l->who : "somebody",
	    l->message != NULL ? ": " : "",
	    l->message != NULL ? l->message : "");
}

/* A bridge for what is live, or one that is gone back to; nothing else. */
static int
check_bridge(const struct store *s, const struct activate_options *o,
    const struct meta *meta, const struct release_id *current, struct err *e)
{
	const struct release_id *means = &meta->bridge;

	if (release_id_is_none(means))
		return o->action != JOURNAL_BRIDGE ?
		    0 :
		    err_set(e, ERR_USAGE, "release %s is not a bridge",
			o->id->text);
	if (o->action != JOURNAL_BRIDGE && o->action != JOURNAL_REVERT &&
	    o->action != JOURNAL_ROLLBACK)
		return err_set(e, ERR_USAGE,
		    "release %s is a bridge, which stands for %s for a while;; name that one",
		    o->id->text, means->text);
	if (o->action == JOURNAL_BRIDGE &&
	    activate_check_expect(means, current, e) != 0)
		return -1;
	return bridge_check(s, o->id, means, e);
}

/*
 * Freeze, sequence and content.  Going back to what was live is stopped by
 * none; going to what never was is an activation.  `to`: what is live then.
 */
static int
check_guards(const struct store *s, const struct activate_options *o,
    const struct release_id *to, const struct meta *meta,
    const struct release_id *current, struct err *e)
{
	unsigned int left = OVERRIDE_FLIP & ~o->overrides;
	struct journal j = JOURNAL_INIT;
	struct history h = HISTORY_INIT;
	int r;

	if (left == 0)
		return 0;
	r = journal_read(s, &j, e);
	if (r == 0)
		history_init(&h, &j, current);
	if (r == 0 &&
	    (o->action == JOURNAL_ACTIVATE || !history_was_live(&h, to))) {
		r = left & OVERRIDE_FREEZE ? check_freeze(s, e) : 0;
		if (r == 0 && left & OVERRIDE_ORDER)
			r = activate_check_sequence(activate_last_sequence(s,
							&h),
			    meta->seq, e);
		if (r == 0 && left & OVERRIDE_ORDER &&
		    (o->action == JOURNAL_ACTIVATE ||
			o->action == JOURNAL_ROLLBACK))
			r = activate_check_content(&h, to, meta->digest, e);
	}
	history_release(&h);
	journal_release(&j);
	return r;
}

/* The tree digest of a release, "" when it is not known. */
static void
digest_of(const struct store *s, const struct release_id *id,
    char out[HASH_HEX + 1])
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;

	if (!release_id_is_none(id) && meta_read(s, id, &meta, &ignored) == 0)
		memcpy(out, meta.digest, HASH_HEX + 1);
	meta_release(&meta);
}

/* Announce the flip. */
static int
write_line(const struct store *s, const struct activate_options *o,
    const struct release_id *to, const struct meta *meta,
    const struct release_id *from, struct err *e)
{
	struct journal_line line = { .action = o->action,
		.from = *from,
		.to = *to,
		.time = clock_now(),
		.seq = o->action == JOURNAL_SYNC && o->seq > meta->seq ?
		    o->seq :
		    meta->seq };

	/* Borrowed: the line is not released. */
	line.who = o->caller->who;
	line.job = o->caller->job;
	log_debug("journal: %s -> %s",
	    release_id_is_none(from) ? "nothing" : from->text, to->text);
	if (o->skipped != NULL)
		line.skipped = *o->skipped;
	if (o->before != NULL)
		line.before = *o->before;
	if (o->left != NULL) {
		line.left = o->left->v;
		line.n_left = o->left->n;
	}
	line.message = (char *)(uintptr_t)o->message;
	/* Why a release was built is not why it was gone back to. */
	if (o->message == NULL && o->action == JOURNAL_ACTIVATE)
		line.message = meta->message;
	memcpy(line.digest, meta->digest, HASH_HEX + 1);
	if (o->action == JOURNAL_ROLLBACK)
		digest_of(s, from, line.from_digest);
	return journal_append(s, &line, e);
}

/* Live already.  Were the checks passed, that is remembered. */
static int
note_verified(const struct store *s, const struct activate_options *o,
    struct err *e)
{
	const struct journal_line line = { .to = *o->id,
		.time = clock_now(),
		.who = o->caller->who,
		.job = o->caller->job };

	return o->verified && !o->preview ?
	    journal_append_verified(s, &line, e) :
	    0;
}

/* Nobody may have activated anything since the caller looked. */
static int
check_journal(const struct store *s, int64_t size, struct err *e)
{
	int64_t now;

	if (size < 0)
		return 0;
	if (journal_size(s, &now, e) != 0)
		return -1;
	if (now == size)
		return 0;
	return err_set(e, ERR_SUPERSEDED,
	    "another run changed '%s' meanwhile;; look again with 'deploy log'",
	    s->root.path);
}

/* The guards that the release and the root have to pass. */
static int
check_all(const struct store *s, const struct activate_options *o,
    const struct release_id *to, const struct meta *meta,
    const struct release_id *current, struct err *e)
{
	if (activate_check_expect(o->expect, current, e) != 0 ||
	    check_journal(s, o->journal_size, e) != 0)
		return -1;
	return check_guards(s, o, to, meta, current, e);
}

/*
 * What visitors see after the flip: the release, or what the bridge stands for
 * that is gone back to.  `meta` becomes that one's.
 */
static struct release_id
find_meaning(const struct store *s, const struct activate_options *o,
    struct meta *meta)
{
	const struct release_id means = meta->bridge;
	struct err ignored = ERR_INIT;

	if (release_id_is_none(&means) || o->action == JOURNAL_BRIDGE)
		return *o->id;
	meta_release(meta);
	err_ignore(meta_read(s, &means, meta, &ignored));
	return means;
}

/*
 * What an adoption takes the place of, as the journal is to have it: nothing of
 * ours is live, but the line before was not undone by that.
 */
static struct release_id
before_adoption(const struct store *s, const struct release_id *from)
{
	struct journal j = JOURNAL_INIT;
	struct release_id last = *from;
	struct err ignored = ERR_INIT;

	if (s->adopting && release_id_is_none(from) &&
	    journal_read(s, &j, &ignored) == 0)
		for (size_t i = 0; i < j.n; i++)
			if (j.v[i].action != JOURNAL_BRIDGE)
				last = j.v[i].to;
	journal_release(&j);
	return last;
}

int
activate_prepare(struct activation *a, const struct store *s,
    const struct activate_options *o, struct err *e)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	struct release_id bridge;
	int r;

	a->store = s;
	if (bridge_current(s, &a->from, &bridge, e) != 0 ||
	    present_complete(s, o->id, e) != 0)
		return -1;
	a->id = a->to = *o->id;
	a->changed =
	    !release_id_eq(&a->from, o->id) && !release_id_eq(&bridge, o->id);
	if (!a->changed && o->action != JOURNAL_SYNC)
		return note_verified(s, o, e);
	/* It was live when it was checked. */
	if (o->verified)
		return activate_check_expect(o->id, &a->from, e);
	/* A meta that is lost does not keep a complete release from going. */
	err_ignore(meta_read(s, o->id, &meta, &ignored));
	r = check_bridge(s, o, &meta, &a->from, e);
	a->to = find_meaning(s, o, &meta);
	if (r == 0)
		r = check_all(s, o, &a->to, &meta, &a->from, e);
	if (r == 0 && !o->preview) {
		/* The last moment to stop. */
		r = intr_check(e);
		if (r == 0 && a->changed)
			r = store_prepare_flip(s, o->id, &a->link, e);
		if (r == 0) {
			const struct release_id from =
			    before_adoption(s, &a->from);

			r = write_line(s, o, &a->to, &meta, &from, e);
		}
	}
	meta_release(&meta);
	return r;
}

int
activate_go(struct activation *a, struct err *e)
{
	struct release_id now;

	/* Live already: by a run that may have died before its fsync. */
	if (!a->changed)
		return store_sync(a->store, e);
	if (store_flip(a->store, &a->id, &a->link, e) != 0)
		return -1;
	if (store_current(a->store, &now, e) != 0) {
		err_prefix(e, "release %s was made live, but ", a->id.text);
		e->code = ERR_CLEANUP;
		return -1;
	}
	if (!release_id_eq(&now, &a->id))
		return err_set(e, ERR_FAILED,
		    "'%s/current' does not point to %s after it was replaced; another program changes it",
		    a->store->root.path, a->id.text);
	return 0;
}

void
activate_end(struct activation *a)
{
	if (a->store != NULL)
		store_drop_flip(a->store, &a->link);
}
