/*
 * Is a release still what its manifest says?  Every file is hashed again.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "content/manifest.h"
#include "root/store.h"
#include "base/strvec.h"

/*
 * Compare the release with its manifest, and its tree digest with the meta.
 * Adds a line ("path: what is wrong") for each difference to `found` and
 * fills `totals`.  Returns 0 when that could be done, whatever was found; -1
 * with ERR_INTEGRITY when the manifest is missing or damaged, ERR_USAGE when
 * there is no such release.
 */
int verify(const struct store *s, const struct release_id *id,
    struct strvec *found, struct manifest_totals *totals, struct err *e)
    MUST_USE;

#endif
