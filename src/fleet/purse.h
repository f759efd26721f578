/*
 * What questions may cost: samples and signatures that come to nothing must
 * not make a deploy dearer than whole files are.  So many bytes may be lost
 * as are put in; more are earned by what need not travel.
 *
 * How much that is, is measured when more is wanted, and no further than that:
 * a part of the build is compressed as it would travel whole and as it does
 * now.  So what also is in a file beside it, which travels all the same, is
 * not won.
 *
 * Rules and deltas have a purse each: what one wins says nothing of the other.
 * So edits are to take at most 40 KB more than the whole pack, with all
 * questions and answers (tests/bound_pairs.py tries to make them more).
 */
#ifndef PURSE_H
#define PURSE_H

#include <stddef.h>
#include <stdint.h>

#include "fleet/fleet_batch.h"

enum {
	PURSE_RULES = 16 * 1024,
	PURSE_DELTAS = 16 * 1024,
};

struct purse;

/* For the edits of the batch; so many bytes are in it. */
struct purse *purse_new(const struct batch *b, int64_t bytes);
void purse_free(struct purse *p);		/* NULL accepted */

/*
 * Of the entries from..end - 1 of the build some need not travel.  Each call
 * counts what is so by then.
 */
void purse_save(struct purse *p, size_t from, size_t end);

/* The same of all of them, unless that was said before. */
void purse_save_all(struct purse *p);

/* What may be spent; more than `want` is not earned for it. */
int64_t purse_look(struct purse *p, int64_t want);

void purse_take(struct purse *p, int64_t bytes);

/* As large as zstd makes it. */
int64_t purse_weigh(const void *data, size_t len);

#endif
