/*
 * Pages that an earlier build may have left: some generators write all pages
 * each time but remove none, so that a page stays when its source is gone.
 */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include <stdbool.h>
#include <stddef.h>

enum { LEFTOVERS_AGE = 600 };	/* seconds: older than the newest page */

struct leftovers {
	const char *generator;
	size_t n;
	char *example;		/* the path of one in the build */
};

/*
 * Are there some in the build `source`, a directory?  Only of a generator that is known to
 * leave them, as the directory tells in which the build is, or `other` (NULL:
 * none).  What stands in `static` beside is not made by it.  False also when
 * that cannot be told, and for an archive.
 */
bool leftovers_find(const char *source, const char *other,
    struct leftovers *out);
void leftovers_release(struct leftovers *l);

#endif
