/*
 * Overrides: each word names the one guard that is set aside, and says
 * nothing about the others.  A set is an unsigned int, 0 the empty one; the
 * guards themselves say in their message which word overrides them.  Pure.
 */
#ifndef OVERRIDE_H
#define OVERRIDE_H

#include "base/buf.h"
#include "base/err.h"

enum override {
	OVERRIDE_BUILD = 1,	/* no files, no index.html, too much gone */
	OVERRIDE_FREEZE = 2,	/* the root is frozen */
	OVERRIDE_ORDER = 4,	/* an older sequence than what was live,
				 * content that was rolled back from */
	/* The guards of a flip: what hosts know. */
	OVERRIDE_FLIP = OVERRIDE_FREEZE | OVERRIDE_ORDER,
	OVERRIDE_ALL = OVERRIDE_BUILD | OVERRIDE_FLIP
};

/*
 * Add the words of `text`, separated by commas, to the set `out`; none but
 * those in `known`.  0, or -1 with ERR_USAGE, which lists them.
 */
int override_parse(const char *text, unsigned int known, unsigned int *out,
    struct err *e) __attribute__((warn_unused_result));

/* Add the words of the set, separated by commas. */
void override_print(unsigned int set, struct buf *out);

#endif
