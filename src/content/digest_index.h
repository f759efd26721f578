/*
 * Find the entries of a manifest by digest: has a base this content, perhaps
 * under another path?
 */
#ifndef DIGEST_INDEX_H
#define DIGEST_INDEX_H

#include <stdint.h>

#include "content/manifest.h"

struct digest_index;

/* Index the files of `m`, which must outlive the index; NULL is empty. */
struct digest_index *digest_index_new(const struct manifest *m);
void digest_index_free(struct digest_index *ix);	/* NULL accepted */

/* A file with this digest and mode, or NULL. */
const struct entry *digest_index_find(const struct digest_index *ix,
    const uint8_t digest[HASH_LEN], uint16_t mode);

#endif
