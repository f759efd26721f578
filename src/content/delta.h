/*
 * A delta: a new text as bytes of its own and runs of chunks (chunk.h) of an
 * old one, of which the hashes of the chunks are all that is known.  Pure.
 *
 * As text, with numbers of varint.h, up to the size of the new text: how many
 * bytes of its own follow, and these; then, if that is not all, how many
 * chunks of the old text come next, at least one, and the first of them, as
 * the signed difference to the one after the last run.
 */
#ifndef DELTA_H
#define DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "content/chunk.h"

/* A text that is larger has none: the list of its chunks would be, too. */
enum { DELTA_FILE_MAX = 1 << 30 };

/* Bytes of its own, then a run of chunks, unless it is the end. */
struct delta_step {
	uint32_t own;
	uint32_t first, count;
	uint32_t bytes;		/* of the run */
};

struct delta {
	struct delta_step *v;
	size_t n;
	int64_t copied;		/* bytes of all runs */
};

#define DELTA_INIT { NULL, 0, 0 }

void delta_release(struct delta *d);		/* neutral values accepted */

/*
 * The new text, cut and hashed, from an old one that has `n` chunks with these
 * hashes.
 */
void delta_make(struct delta *d, const uint8_t (*old)[CHUNK_HASH], size_t n,
    const struct chunks *new);

/*
 * Append what stands before the bytes of step `i`, and what stands behind
 * them, which may be nothing.
 */
void delta_print_own(const struct delta *d, size_t i, struct buf *out);
void delta_print_run(const struct delta *d, size_t i, struct buf *out);

/* Bytes of its own in all. */
int64_t delta_own(const struct delta *d);

/* Bytes of the whole text, those of its own included. */
int64_t delta_size(const struct delta *d);

#endif
