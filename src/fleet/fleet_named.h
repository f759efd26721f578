/*
 * What a release is called besides its id: the sequence of its build ("#41"),
 * and the commit that it was made of.  fleet.h asks it what a word means.
 */
#ifndef FLEET_NAMED_H
#define FLEET_NAMED_H

#include "base/release.h"
#include "fleet/fleet.h"

/*
 * Add the releases whose meta has, on any host, the sequence or the commit that
 * the word says; of a commit the first four digits do, or more.
 */
void fleet_named(const struct fleet *f, const char *word,
    struct release_ids *out);

#endif
