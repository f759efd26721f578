/*
 * The rules of a pack: pages that hosts can make of their old ones need not
 * travel (fleet_guess.h finds them, rewrite.h applies them).
 */
#ifndef FLEET_RULES_H
#define FLEET_RULES_H

#include "fleet/fleet.h"
#include "fleet/fleet_batch.h"

/*
 * For a batch whose hosts take edits, divided: make EDIT_RULES of EDIT_WHOLE
 * where rules do, and print the rules into b->rules.
 */
void find_rules(struct batch *b, struct fleet *f);

#endif
