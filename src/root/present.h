/*
 * Is a release there?  What is asked of every release that somebody names.
 */
#ifndef PRESENT_H
#define PRESENT_H

#include "base/err.h"
#include "base/release.h"
#include "root/store.h"

/* It must be listed.  0, or -1 with ERR_USAGE. */
int present(const struct store *s, const struct release_id *id,
    struct err *e) MUST_USE;

/* And have its manifest, as what is shown to visitors has.  0, or -1, with
 * ERR_INTEGRITY when that is not so. */
int present_complete(const struct store *s, const struct release_id *id,
    struct err *e) MUST_USE;

#endif
