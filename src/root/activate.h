/*
 * Make a complete release live: the guards, the journal line, the flip.
 */
#ifndef ACTIVATE_H
#define ACTIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/caller.h"
#include "base/err.h"
#include "base/override.h"
#include "root/history.h"
#include "root/journal.h"
#include "base/release.h"
#include "root/store_flip.h"

struct activate_options {
	const struct release_id *id;	/* a release of the root */
	enum journal_action action;
	const struct caller *caller;
	const char *message;		/* for the journal; NULL: the release's */
	const struct strvec *skipped;	/* hosts left out, for it; NULL: none */
	const struct release_ids *before; /* for it, of a sync; NULL: none */
	const struct journal *left;	/* the same: rollbacks; NULL: none */
	int64_t seq;			/* the same: the last that counts
					 * elsewhere; -1: the release's own */
	const struct release_id *expect; /* must be live; none: nothing may
					 * be; NULL: whatever is */
	int64_t journal_size;		/* bytes that the journal must have;
					 * -1: any */
	unsigned int overrides;		/* OVERRIDE_FREEZE, OVERRIDE_ORDER */
	bool verified;			/* it is live and the checks were passed:
					 * note that, and flip nothing */
	bool preview;			/* check the guards, change nothing */
};

/*
 * An older build never overtakes a newer one: the sequence of a release
 * against the last that counts.  That is the last activation's, also when it
 * was rolled back from, or a higher one that a release got which was live
 * since (history_is_recent()).  Releases without a sequence (-1) pass.
 * 0, or -1 with ERR_SUPERSEDED.
 */
int activate_check_sequence(int64_t last, int64_t seq, struct err *e) MUST_USE;

/* That last one; -1: none. */
int64_t activate_last_sequence(const struct store *s, const struct history *h);

/*
 * Is `current` the release that the caller expects to be live?  NULL: any;
 * none: none is.  0, or -1 with ERR_SUPERSEDED.
 */
int activate_check_expect(const struct release_id *expect,
    const struct release_id *current, struct err *e) MUST_USE;

/*
 * Content that was rolled back from goes live again only on purpose.  Of the
 * release `id`, or of one that is not there yet (none), with that tree digest
 * ("": not known).  0, or -1 with ERR_SUPERSEDED, and when, by whom and why.
 */
int activate_check_content(const struct history *h,
    const struct release_id *id, const char *digest, struct err *e) MUST_USE;

/* An activation between its guards and its flip. */
struct activation {
	const struct store *store;
	struct release_id id;		/* what `current` leads to then */
	struct release_id to;		/* what is live then: `id`, or what that
					 * bridge stands for */
	struct release_id from;		/* live before; "" nothing; not the
					 * bridge that stood for it */
	bool changed;			/* false: `id` was live already, or a
					 * bridge for it */
	struct store_link link;
};

#define ACTIVATION_INIT { NULL, { "" }, { "" }, { "" }, false, { "" } }

/*
 * Check the guards, append the journal line, make the link: all but the
 * flip.  Under the exclusive lock, which the caller holds until the end (not
 * needed for a preview).  A line whose flip does not follow is ignored by
 * who reads the journal (history.h).  Returns 0, also when the release is
 * live already (a sync has its line nevertheless); or -1:
 *	ERR_USAGE	there is no such release, or it is a bridge
 *	ERR_LOCKED	frozen (which does not stop a rollback to what was
 *			live)
 *	ERR_SUPERSEDED	`expect` is not live, the journal has grown, the
 *			release's sequence is older than that of the last
 *			activation, or its content was rolled back from
 *	ERR_INTEGRITY	its manifest is missing, or it is a bridge that has
 *			other pages than what it stands for
 *	others		what visitors see is untouched
 */
int activate_prepare(struct activation *a, const struct store *s,
    const struct activate_options *o, struct err *e) MUST_USE;

/*
 * Flip what was prepared; nothing when it was live already.  0, or -1 as
 * store_flip().
 */
int activate_go(struct activation *a, struct err *e) MUST_USE;

/* End it, flipped or not.  Neutral values accepted. */
void activate_end(struct activation *a);

#endif
