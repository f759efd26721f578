/*
 * Do all hosts serve the release?  Each is asked by its own address; and
 * what has to be done when one does not.
 */
#ifndef FLEET_CHECK_H
#define FLEET_CHECK_H

#include <stdbool.h>

#include "fleet/check.h"
#include "base/err.h"
#include "fleet/fleet.h"

/*
 * Ask the web server of every host for the release `id`, all at once
 * (check_served); what each gave is told.  `out` (one for each host) may be
 * NULL.  Returns 0; or -1 with the failures in one sentence, and f->v[i].err
 * for those that failed.
 */
int fleet_check(struct fleet *f, const struct release_id *id,
    struct check_result *out, struct err *e) MUST_USE;

/*
 * Wait for so many seconds until every edge of the site gives the release
 * `id` (edge.h); `from` was live before, or none.  Each that does not in time is told of; -1 with
 * the last of them, ERR_CLEANUP.
 */
int fleet_await_edge(struct fleet *f, const struct release_id *id,
    const struct release_id *from, int64_t within, struct err *e) MUST_USE;

/*
 * Before a flip to `id`: ask every host's web server what browsers know of
 * the files that fleet_check() will look at and that change (check_remember).
 */
void fleet_check_remember(struct fleet *f, const struct release_id *id);

/*
 * The checks were passed: all hosts remember that.  One that cannot is told of,
 * and is checked again by the next run.
 */
void fleet_note_verified(struct fleet *f, const struct release_id *id);

/* Does a host serve the release that has passed its checks there? */
bool fleet_has_passed(const struct fleet *f, const struct release_id *id);

/*
 * What a run that died has left live on some hosts, and nobody verified, is
 * this run's: fleet_revert() takes those back, too.  Not when it has passed on
 * a host: then it is not the release that is wrong.
 */
void fleet_take_over(struct fleet *f, const struct release_id *id);

/*
 * Put every flipped host back, to what was live before, or, where that never
 * was verified, to the last that was; no signal stops it, because of `e`, which gets what came of it:
 *	ERR_REVERTED	all serve what they served before
 *	ERR_SUPERSEDED	another run has made all serve another release since
 *	ERR_DIFFER	some do not, or there was nothing before: which
 * Returns -1.
 */
int fleet_revert(struct fleet *f, const struct release_id *id, const char *why,
    struct err *e);

#endif
