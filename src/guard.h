/*
 * Refuse what is probably a broken build.  Pure; no system calls.
 */
#ifndef GUARD_H
#define GUARD_H

#include "err.h"
#include "manifest.h"

/*
 * Check the build in `m` (sorted) against what is live, `live` or NULL:
 * it has files, an index.html at the top, and leaves out no more than
 * `max_delete` percent of the live build's paths (carried and shared ones do
 * not count).  Returns 0, or -1 with ERR_GUARD.
 */
int guard_check(const struct manifest *m, const struct manifest *live,
    unsigned int max_delete, struct err *e);

#endif
