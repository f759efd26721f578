/*
 * Making what a release has besides the build (extras.h): links to shared
 * paths, and files carried from other releases.
 */
#ifndef EXTRAS_PLACE_H
#define EXTRAS_PLACE_H

#include <sys/types.h>

#include "base/err.h"
#include "content/manifest.h"
#include "content/plan.h"
#include "os/dir.h"
#include "root/store.h"

/*
 * Make in the target, whose directories are there, what the plan shares and
 * carries; shared/ gets the directories that the links point to.  0 or -1.
 */
int extras_place(const struct plan *p, const struct store *s,
    const struct dir *target, gid_t gid, struct err *e) MUST_USE;

/*
 * Make the directory in shared/ that the shared link `en` points to, unless
 * something is there.  0 or -1.
 */
int extras_make_shared(const struct store *s, const struct entry *en,
    struct err *e) MUST_USE;

#endif
