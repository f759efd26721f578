/*
 * What another program (rsync) has put into a directory that becomes a
 * release: is it what the manifest says?
 */
#ifndef FILL_ADOPT_H
#define FILL_ADOPT_H

#include <stdbool.h>

#include "base/err.h"
#include "content/manifest.h"
#include "content/place.h"

struct fill_adopt {
	struct place place;
	const struct manifest *m;
	const bool *skip;		/* for each entry: not to be looked at */
};

/*
 * Every entry that is not skipped must be there, of its type, and have the
 * content that it says.  Files and links get their attributes; one that other
 * names share (a link to a release) and that has not the right ones is
 * replaced by a copy.  Nothing is followed or changed outside of the place.
 * Returns 0, or -1: ERR_INTEGRITY for what is not as it should be.
 */
int fill_adopt(const struct fill_adopt *a, struct err *e) MUST_USE;

#endif
