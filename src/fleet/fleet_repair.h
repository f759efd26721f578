/*
 * Mend a release on the hosts where it is not what its manifest says: each
 * from its own other releases (root/repair.h), and then with what another host
 * has.  A manifest that is lost or damaged comes from another host, too, or from
 * the cache.
 */
#ifndef FLEET_REPAIR_H
#define FLEET_REPAIR_H

#include "base/err.h"
#include "fleet/fleet.h"

/* What was mended. */
struct fleet_mended {
	const struct remote *host;
	struct release_id id;	/* the release, or another that had the file */
	char *path;
};

struct fleet_repaired {
	struct fleet_mended *v;
	size_t n;
};

#define FLEET_REPAIRED_INIT { NULL, 0 }

/*
 * The fleet is open (fleet_open, full).  What could not be mended is for the
 * next verify to say.  0, or -1 when a host failed; `out` has what was mended
 * also then.
 */
int fleet_repair(struct fleet *f, const struct release_id *id,
    struct fleet_repaired *out, struct err *e) MUST_USE;

void fleet_repaired_release(struct fleet_repaired *p);	/* neutral accepted */

#endif
