/*
 * Which releases a prune removes.  Pure; no system calls.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "root/history.h"

struct retention_rule {
	unsigned int keep;	/* newest that were live */
	int64_t older_than;	/* ms: younger ones stay; 0 for no such rule */
	int64_t now;		/* ms since 1970 */
};

/* How long a release that was never live stays: a day. */
#define RETENTION_NEVER_LIVE (24 * 3600 * 1000LL)

/*
 * For each of the sorted `ids` say in `removed` whether it goes.  Never: the
 * live one, the one live before it, the one a rollback would go to, the
 * pinned, the `keep` newest that were live, and what is younger than
 * older_than.  Of those that never were live, or failed: the ones older than a
 * day go.
 * What the journal begins too late for may have been live: it counts among
 * the `keep`, and stays for a day in any case.
 * Of those that are bridges (bridge.h) only the newest stays, which may be live
 * or was just replaced, and that for a day.
 */
void retention_select(const struct release_ids *ids, const bool *pinned,
    const bool *bridges, const struct history *h,
    const struct retention_rule *rule, bool *removed);

#endif
