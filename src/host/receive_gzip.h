/*
 * A file of a release that is made here of the one beside it, which is there
 * already: app.js.gz of app.js (EDIT_GZIP, content/edits.h).
 */
#ifndef RECEIVE_GZIP_H
#define RECEIVE_GZIP_H

#include <stdint.h>

#include "base/err.h"
#include "content/manifest.h"
#include "host/receiver.h"

/*
 * `en` is an entry of r->m; its digest is set.  `*may` are the bytes that may
 * still be compressed for this pack, and become less.  0, or -1 with
 * ERR_INTEGRITY for a pack that wants something else, or another size.
 */
int receive_gzip(struct receiver *r, struct entry *en, int64_t *may,
    struct err *e) MUST_USE;

#endif
