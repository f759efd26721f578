/*
 * Whose word counts on what was live before: that of the hosts whose journal
 * has it.  One that is new, was made anew, or was left out by --skip has none.
 */
#ifndef VOTE_H
#define VOTE_H

#include <stdbool.h>

#include "base/err.h"
#include "fleet/fleet.h"

/*
 * Was the host left out of a flip that others made, without having been
 * brought to that since?  Hosts that did not answer (r->failed) are told of
 * by the others' last flips alone.
 */
bool vote_was_skipped(const struct fleet *f, const struct remote *r);

/* Is, or was, anything live on the host, and was it not left out? */
bool vote_has_say(const struct fleet *f, const struct remote *r);

/*
 * What is live on every host that serves something and was not left out; none
 * when they differ, or nothing is live.  Borrowed.
 */
const struct release_id *vote_current(const struct fleet *f);

/* Was the release live on any host? */
bool vote_was_live(const struct fleet *f, const struct release_id *id);

/*
 * What a rollback goes to: the release that was live before on every host that
 * has a vote.  Borrowed; NULL with ERR_USAGE when none of them knows any, or
 * with ERR_DIFFER when they do not agree, and what to run then.
 */
const struct release_id *vote_previous(const struct fleet *f, struct err *e)
    MUST_USE;

/*
 * The host whose state is that of the site: what it serves is live on every
 * host that has a vote, and of those it knows most of what was live before.
 * NULL with ERR_USAGE when nothing is live anywhere, or with ERR_DIFFER when
 * they do not agree, and what to run then.
 */
const struct remote *vote_reference(const struct fleet *f, struct err *e)
    MUST_USE;

/*
 * Add what every host needs to serve what the reference does, and to go back
 * as it can: what is live, what rollbacks go to, what is pinned and what waits,
 * on all that serve the same; `reference` NULL: on any.  Sorted, each once.
 */
void vote_needed(const struct fleet *f, const struct remote *reference,
    struct release_ids *out);

#endif
