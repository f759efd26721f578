/*
 * Chunks: a text is cut where its own bytes say so, so that two texts that
 * have much in common have chunks in common, wherever these are.  How long
 * they are, about, follows from the size of one text, the old one; the new one
 * is cut as if it had that size, too.  Pure.
 *
 * With the length L = 3 * sqrt(size), but 256 to 4096, or size / 2400 where that
 * is more, so that a list of hashes is never long: a chunk ends behind the first
 * byte, from its L/4th on, at which the sum of the last 64 bytes is
 * below 2^64 / (L - L/4), and behind its 4*Lth at the latest; the text's end
 * ends the last one.  The sum: for each byte, twice what it was, plus the
 * number of the byte in a table, modulo 2^64.  The table has the first 256
 * numbers of splitmix64 with the seed 0.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHUNK_HASH = 5,			/* the first bytes of its SHA-256: a
					 * few chunks of a page are compared
					 * with those of one other */
	CHUNK_LEAST = 256, CHUNK_MOST = 4096,	/* of L, up to so many */
	CHUNK_COUNT = 2400,			/* chunks, about */
};

/* L, for an old text of that size. */
size_t chunk_length(int64_t size);

/* The most chunks that such a text can have. */
int64_t chunk_count_max(int64_t size);

/*
 * The hashes that are told of such a text, of its first chunks: twice as many
 * as most texts have, so that none is dear.  What is behind them is not found.
 */
int64_t chunk_hashes_max(int64_t size);

/* The chunks of a text. */
struct chunks {
	uint8_t (*hashes)[CHUNK_HASH];	/* NULL: they are not wanted */
	uint32_t *lengths;
	size_t n, cap;
};

#define CHUNKS_INIT { NULL, NULL, 0, 0 }

void chunks_release(struct chunks *c);		/* neutral values accepted */

struct cutter;			/* one for each thread */

struct cutter *cutter_new(void);
void cutter_free(struct cutter *c);		/* NULL accepted */

/*
 * Cut a text that comes in pieces; `size` is that of the old one.  What was in
 * `out` goes; it has all chunks at the end.
 */
void cutter_begin(struct cutter *c, int64_t size, bool hashed,
    struct chunks *out);
void cutter_add(struct cutter *c, const void *data, size_t len);
void cutter_end(struct cutter *c);

#endif
