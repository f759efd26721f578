/*
 * What was live on each host when a command was given, for who must not go on
 * from something else:
 *
 *	start_note(&start, f);		as the hosts were asked last
 *	... a flip that is refused; fleet_open() ...
 *	start_compare(&start, f)	has anything happened meanwhile?
 */
#ifndef START_H
#define START_H

#include <stdint.h>

#include "base/err.h"
#include "base/release.h"
#include "fleet/fleet.h"

struct start {
	struct release_ids live;	/* of each host */
	int64_t *size;			/* of its journal */
};

#define START_INIT { RELEASE_IDS_INIT, NULL }

/* Note it, in place of what was noted before. */
void start_note(struct start *s, const struct fleet *f);
void start_release(struct start *s);	/* neutral values accepted */

enum start_change {
	START_SAME,			/* nobody has done anything */
	START_TOUCHED,			/* somebody has; the same is live */
	START_CHANGED,			/* something else is live on a host */
};

enum start_change start_compare(const struct start *s,
    const struct fleet *f);

/*
 * Say that something else went live while a rollback waited, which did not
 * happen for that, and how to go back from there to `target` (none: to what
 * was live before).  Returns -1 with ERR_SUPERSEDED.
 */
int start_refuse(const struct start *s, const struct fleet *f,
    const struct release_id *target, struct err *e);

#endif
