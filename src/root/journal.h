/*
 * The journal: one JSON line for each activation, rollback, revert, sync or
 * bridge, appended and fsynced before the flip that it announces.  It is the
 * only truth about what was live; history.h reads it as such.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/release.h"
#include "root/store.h"
#include "base/strvec.h"

enum journal_action {
	JOURNAL_ACTIVATE,
	JOURNAL_ROLLBACK,	/* somebody wanted to go back */
	JOURNAL_REVERT,		/* the flip before did not do: it is undone */
	JOURNAL_SYNC,		/* as other hosts have it, which were ahead */
	JOURNAL_BRIDGE,		/* a bridge (bridge.h) stands for what is live:
				 * that stays live, and this is no flip */
};

struct journal_line {
	enum journal_action action;
	int64_t time;			/* ms since 1970 */
	struct release_id from;		/* "" when nothing was live */
	struct release_id to;
	/* Tree digests, "" when not known: of `to`, and of what a rollback
	 * went away from. */
	char digest[HASH_HEX + 1];
	char from_digest[HASH_HEX + 1];
	int64_t seq;			/* of `to`; -1: none */
	char *who;			/* NULL when not known */
	char *job;
	char *message;			/* of the activation; of a rollback or
					 * a revert: why */
	struct strvec skipped;		/* hosts that were left out (--skip) */
	struct release_ids before;	/* of a sync: what was live before `to`,
					 * for rollbacks, oldest first */
	struct journal_line *left;	/* of a sync: rollbacks on other hosts,
					 * from content that is left there */
	size_t n_left;
};

/*
 * A release was live, and the checks after its flip were passed.  That is a
 * line of its own (its action "verify"), and no flip.
 */
struct journal_verified {
	struct release_id id;
	size_t flips;			/* lines of flips before it */
};

struct journal {
	struct journal_line *v;		/* flips, oldest first */
	size_t n;
	size_t cap;
	size_t broken;			/* lines that make no sense */
	struct journal_verified *verified;	/* oldest first */
	size_t n_verified;
};

#define JOURNAL_INIT { NULL, 0, 0, 0, NULL, 0 }

void journal_release(struct journal *j);	/* neutral values accepted */

/*
 * Parse journal text and append the lines.  A line that makes no sense (the
 * last one of a run that died while writing) is counted and left out.
 */
void journal_parse(struct journal *j, const char *text, size_t len);

/* Read the journal of a root; none yet is an empty one.  0 or -1. */
int journal_read(const struct store *s, struct journal *j, struct err *e)
    MUST_USE;

/* Its size in bytes, 0 when there is none yet: has it grown?  0 or -1. */
int journal_size(const struct store *s, int64_t *out, struct err *e) MUST_USE;

/* Append its text, a line of JSON without the newline, to `out`. */
void journal_print(const struct journal_line *l, struct buf *out);

/*
 * The same of the line that says that `l->to`, which is live, was verified, by
 * whom and when; the rest of `l` does not count.
 */
void journal_print_verified(const struct journal_line *l, struct buf *out);

/* Append that line, as journal_append(). */
int journal_append_verified(const struct store *s,
    const struct journal_line *l, struct err *e) MUST_USE;

/* Append a line, durably.  Under the exclusive lock.  0 or -1. */
int journal_append(const struct store *s, const struct journal_line *l,
    struct err *e) MUST_USE;

/* "activate", "rollback", "revert", "sync" or "bridge". */
const char *journal_action_name(enum journal_action action);

#endif
