/*
 * Deltas for changed pages that no rule explains (fleet_guess.h): one host
 * tells the hashes of the chunks of its old pages (the verb `signatures`), and
 * what they have in common with the new ones does not travel.
 *
 * Hashes cost bytes themselves.  So a few pages are asked for, and more only
 * as long as what was won pays for them: whatever the pages are, no more is
 * lost than the first few cost.
 */
#ifndef FLEET_DELTA_H
#define FLEET_DELTA_H

#include "fleet/fleet.h"
#include "fleet/fleet_batch.h"

/*
 * For a batch whose hosts take edits, divided, after find_rules(): make
 * EDIT_DELTA of EDIT_WHOLE where it pays, with its delta in b->deltas.  When no
 * host gives signatures, everything stays as it is.
 */
void find_deltas(struct batch *b, struct fleet *f);

#endif
