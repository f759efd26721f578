/*
 * Refuse what is probably a broken build.  Pure; no system calls.
 */
#ifndef GUARD_H
#define GUARD_H

#include "base/err.h"
#include "content/manifest.h"

/*
 * Check the sorted manifest of a build: it has files, and an index.html at
 * the top.  0, or -1 with ERR_GUARD.
 */
int guard_check_build(const struct manifest *m, struct err *e);

/*
 * Check a release against what is live: it leaves out no more than
 * `max_delete` percent of the paths that the live build has.  What is
 * carried on is not left out.  0, or -1 with ERR_GUARD.
 */
int guard_check_deletions(const struct manifest *m,
    const struct manifest *live, unsigned int max_delete, struct err *e);

#endif
