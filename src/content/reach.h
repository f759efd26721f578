/*
 * Where visitors come through symbolic links of a release: latest/a.html is
 * v2/a.html where latest leads to v2, and another page when it leads to v3.
 * Pure; no system calls.
 */
#ifndef REACH_H
#define REACH_H

#include <stdbool.h>

#include "content/diff.h"
#include "content/manifest.h"

/*
 * Call `add` for each path that leads through a link to what differs between
 * two sorted manifests; `at` is where that stands in one of them, as a file or
 * a link.  `d` is what differs at its own path (diff.h).  Some paths come more
 * than once.  No path goes twice through what leads to the same; and where links
 * to directories are in one another, so that there is no end of paths, those
 * through the fewest links come first, and false is returned.
 */
bool reach_changes(const struct manifest *a, const struct manifest *b,
    const struct diff *d,
    void (*add)(void *ctx, const char *path, const char *at), void *ctx);

#endif
