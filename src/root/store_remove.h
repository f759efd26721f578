/*
 * What leaves a root: releases that are pruned, stages that failed, and what
 * dead runs left.
 */
#ifndef STORE_REMOVE_H
#define STORE_REMOVE_H

#include "base/err.h"
#include "root/store.h"

/*
 * Take a release out of the list: into the trash, durably, then its manifest
 * and meta away.  Where a full disk has no room for the rename, it is removed
 * where it lies.  Under the exclusive lock.  store_empty_trash() deletes.
 */
int store_discard(const struct store *s, const struct release_id *id,
    struct err *e) MUST_USE;

/*
 * Delete what is in the trash.  No lock is needed: it is in nobody's way, and
 * several may do it at once.  0 or -1.
 */
int store_empty_trash(const struct store *s, struct err *e) MUST_USE;

/*
 * Take away what dead runs left: incoming releases, which go to the trash,
 * temporary files and links, manifests and metas of no release.  What goes with
 * a release goes after its name has, on disk: the caller has synced releases/.
 * Under the exclusive lock; what living stages have (staging.h) stays.  0 or -1
 * with the first error; what could be taken away is gone.
 */
int store_sweep(const struct store *s, struct err *e) MUST_USE;

/* Remove incoming/<id> and its manifest and meta: a stage that failed. */
int store_abort(const struct store *s, const struct release_id *id,
    struct err *e) MUST_USE;

#endif
