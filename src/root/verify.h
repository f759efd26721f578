/*
 * Is a release still what its manifest says?  Every file is hashed again.  What
 * went bad repair.h can mend.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <stdbool.h>

#include "base/err.h"
#include "base/strvec.h"
#include "content/manifest.h"
#include "root/store.h"

struct verified {
	struct strvec found;		/* "path: what is wrong", sorted */
	struct manifest m;		/* of the release */
	bool *bad;			/* for each entry: a file with other
					 * content, or that cannot be read */
	struct manifest_totals totals;
	bool no_manifest;		/* it is lost, or not the one that the
					 * meta knows: `found` says so, and
					 * nothing else was compared */
};

#define VERIFIED_INIT { STRVEC_INIT, MANIFEST_INIT, NULL, { 0, 0 }, false }

/*
 * Compare the release with its manifest, and its tree digest with the meta:
 * each difference is a line of `found`.  Files with other content are marked,
 * so that no later release links to them.  Returns 0 when that could be done,
 * whatever was found; -1 with ERR_USAGE when there is no such release.
 */
int verify(const struct store *s, const struct release_id *id,
    struct verified *out, struct err *e) MUST_USE;

void verified_release(struct verified *v);	/* neutral values accepted */

#endif
