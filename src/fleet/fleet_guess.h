/*
 * Guess and check: the rules by which the pages of a build were made from
 * those of the base, which nobody here has.
 *
 * A few small old pages are asked of one host, held against their digests, and
 * compared with the new ones: rules (learn.h).  Applied backwards to a changed
 * page they give a text; if that has the digest that the base's manifest says,
 * it is the old page, byte for byte, and if the rules, applied to it, give the
 * new page, that need not travel.  What no rule explains is tried again with
 * other samples, a few times.
 */
#ifndef FLEET_GUESS_H
#define FLEET_GUESS_H

#include "fleet/fleet.h"
#include "fleet/fleet_batch.h"

/*
 * For a batch whose hosts take edits, divided: make EDIT_RULES of EDIT_WHOLE
 * where rules do, and print the rules into b->rules.  When nothing can be
 * learnt, or no host gives samples, everything stays as it is.
 */
void guess_rules(struct batch *b, struct fleet *f);

#endif
