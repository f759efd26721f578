/*
 * What the journal means: which releases were really live, and which one a
 * rollback goes to.  Pure; no system calls.
 *
 * A line announces a flip before it happens.  It does not count when it is
 * known that the flip did not happen: its own `from` is what the next line
 * found live, and for the last line what `current` says.  A `from` or `current`
 * that no line explains was made live by hand, or by a line that is damaged,
 * and counts as activated.
 *
 * What was live is a stack.  An activation pushes.  A rollback takes off the
 * releases that are rolled back from, so that they are not gone back to; what
 * lies under the live release is what the next rollback means.
 *
 * A sync brings what other hosts know: the stack is theirs from then on.
 *
 * A bridge stands for what is live, which stays live: its line is no flip, and
 * no line says that a bridge went live.
 *
 * A revert undoes the flip before it, because a check or another host failed:
 * neither counts.  An activation that was undone has failed; its release
 * counts as never live, until it is made live again.
 *
 * Content, as the tree digest names it, that a rollback went away from is left
 * until it is made live again: by an override, or by a rollback to it.  A
 * release of it is not left any more when a sync names it: where that comes from
 * rollbacks go to it.  A sync also says what is left there, which is left here
 * from then on.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "root/journal.h"
#include "base/release.h"

struct history {
	const struct journal *journal;	/* borrowed */
	struct release_ids stack;	/* the live release is the last */
	struct release_ids seen;	/* every id that was ever live, also
					 * those that failed */
	int64_t *until;			/* for each of seen: when its last
					 * time live ended, ms; INT64_MAX for
					 * the live one */
	size_t *flip;			/* for each of seen: the number of
					 * the flip that last made it live */
	size_t flips;			/* how many there were */
	bool *failed;			/* for each of seen: its last time live
					 * was undone */
	bool *happened;			/* for each journal line */
	bool *undone;			/* for each: undone by the revert after
					 * it, or that revert */
	struct release_id live;		/* as far as the journal was read */
	struct release_id replaced;	/* was live just before; "" none */
	int64_t seq;			/* of the last activation that had
					 * one; -1 none */
	size_t seq_flip;		/* the number of that flip; 0 none */
	int64_t lost;			/* ms: what was live before then is
					 * not known, the journal begins later */
	int64_t since;			/* the live one went live, ms; 0 when
					 * not known */
};

#define HISTORY_INIT { .seq = -1 }

/*
 * Read the journal's meaning; `current` is what is live, or none.  The journal
 * must outlive it.
 */
void history_init(struct history *h, const struct journal *j,
    const struct release_id *current);
void history_release(struct history *h);	/* neutral values accepted */

/* Was it ever live, and not undone the last time? */
bool history_was_live(const struct history *h, const struct release_id *id);

/* Was it live the last time until that was undone? */
bool history_has_failed(const struct history *h, const struct release_id *id);

/*
 * The rollback, borrowed, that went away from the release or its content, whose
 * tree digest is `digest` ("": not known); NULL when there was none, or it has
 * been live again since.
 */
const struct journal_line *history_left(const struct history *h,
    const struct release_id *id, const char *digest);

/*
 * Those rollbacks for all that is left, the newest first, as many as fit into
 * what a sync tells: their number.  `out` is to be freed, and borrows the lines' fields.
 */
size_t history_all_left(const struct history *h, struct journal_line **out);

/*
 * When its last time live ended: ms, INT64_MAX if live, -1 if it never was.
 * That of one that failed, too: visitors have seen it.
 */
int64_t history_until(const struct history *h, const struct release_id *id);

/*
 * Was seen.v[i] live at or after the last activation that had a sequence, and
 * has not failed?  Then a newer build with its content may have given it a
 * higher one since.
 */
bool history_is_recent(const struct history *h, size_t i);

/*
 * Were the checks passed after the flip that made the live release live, or,
 * when that was a way back, ever?  False when nothing is live.
 */
bool history_live_is_verified(const struct history *h);

/* Was it verified, ever? */
bool history_was_verified(const struct history *h,
    const struct release_id *id);

/*
 * What to go back to when the live release does not do: as
 * history_previous(), but one that was verified once.  NULL when there is none.
 */
const struct release_id *history_verified(const struct history *h,
    const struct release_ids *ids);

/*
 * What a rollback goes to: the nearest release under the live one that has not
 * failed since, whose content was not left, and that is among `ids`.  Borrowed;
 * NULL when there is none.
 */
const struct release_id *history_previous(const struct history *h,
    const struct release_ids *ids);

/*
 * Add what rollbacks go to, one after the other; the first is
 * history_previous().
 */
void history_chain(const struct history *h, const struct release_ids *ids,
    struct release_ids *out);

#endif
