/*
 * Manifests of releases on hosts, kept on this machine: an id names its
 * content for ever, so a manifest that is here need not be fetched.  Under
 * $XDG_CACHE_HOME/deploy, else ~/.cache/deploy.  A cache that cannot be used
 * is none: nothing fails because of it.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>

#include "base/release.h"
#include "content/manifest.h"

/* The manifest of a release if it is here and has this tree digest. */
bool cache_get(const struct release_id *id, const char *digest,
    struct manifest *m);

/* Keep it.  The oldest beyond some dozens are removed. */
void cache_put(const struct release_id *id, const struct manifest *m);

/*
 * A file, always the same for `what`, that locks stand for: who makes it holds
 * flock(2) on it.  It stays there, empty.  The descriptor, or -1 where there is no
 * cache.
 */
int cache_lock_file(const char *what);

#endif
