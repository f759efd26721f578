/*
 * What questions may cost: samples and signatures that come to nothing must
 * not make a deploy dearer than whole files are.  So many bytes may be lost
 * as are put in; more are earned by what need not travel.
 *
 * How much that is, is measured when more is wanted, and no further than that:
 * the build from its first entry on is compressed as it would travel and as it
 * does now.  What another file has, too, that travels all the same, is not won:
 * a pack finds that as far as its window reaches, so what was measured last
 * counts only when so much behind it was looked at, too.
 *
 * Rules and deltas have a purse each: what rules make does not travel without
 * deltas, either.  So edits are to take at most 40 KB more than the whole pack,
 * with all questions and answers (tests/bound_pairs.py tries to make them more).
 */
#ifndef PURSE_H
#define PURSE_H

#include <stddef.h>
#include <stdint.h>

#include "fleet/fleet_batch.h"

enum purse_kind { PURSE_RULES, PURSE_DELTAS };

struct purse;

/* For the edits of the batch, with what may be lost in it. */
struct purse *purse_new(const struct batch *b, enum purse_kind kind);
void purse_free(struct purse *p);		/* NULL accepted */

/* Some more of the build need not travel: the edits of the batch say so. */
void purse_save(struct purse *p);

/* What may be spent; more than `want` is not earned for it. */
int64_t purse_look(struct purse *p, int64_t want);

void purse_take(struct purse *p, int64_t bytes);

/* As large as zstd makes it. */
int64_t purse_weigh(const void *data, size_t len);

#endif
