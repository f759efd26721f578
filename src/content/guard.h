/*
 * Refuse what is probably a broken build.  Pure; no system calls.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "content/manifest.h"

/*
 * Check the sorted manifest of a build: it has files, and an index.html at
 * the top.  0, or -1 with ERR_GUARD.
 */
int guard_check_build(const struct manifest *m, struct err *e) MUST_USE;

/*
 * Check a release against what is live: it leaves out no more than
 * `max_delete` percent of the paths that the live build has.  What is
 * carried on is not left out.  0, or -1 with ERR_GUARD.
 */
int guard_check_deletions(const struct manifest *m,
    const struct manifest *live, unsigned int max_delete, struct err *e)
    MUST_USE;

/*
 * Refuse a release whose index.html is a link that shows visitors nothing; the
 * manifest has what is shared and carried, too.  0, or -1 with ERR_GUARD.
 */
int guard_check_index(const struct manifest *m, struct err *e) MUST_USE;

/*
 * Refuse a release with links that show visitors nothing (links.h).  0, or -1
 * with ERR_GUARD.
 */
int guard_check_links(const struct strvec *broken, struct err *e) MUST_USE;

/* The same for what visitors should not get (secrets.h); `what` they are. */
int guard_check_secrets(const struct strvec *paths, const char *what,
    struct err *e) MUST_USE;

/* Bytes and inodes; -1 for what is not known. */
struct guard_room {
	int64_t bytes;
	int64_t inodes;
};

/*
 * Check that a release that needs so much fits into the root, which has so
 * much free.  What is not known refuses nothing.  0, or -1 with ERR_GUARD.
 */
int guard_check_room(const struct guard_room *need,
    const struct guard_room *free, const char *root, struct err *e) MUST_USE;

#endif
