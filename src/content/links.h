/*
 * Where the symbolic links of a release lead.  Pure; no system calls.
 */
#ifndef LINKS_H
#define LINKS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/strvec.h"
#include "content/manifest.h"

/*
 * Add to `out`, for each link of the sorted manifest that shows visitors
 * nothing, where it leads: "'a' -> 'b', which is not there", or is no directory,
 * or that it goes round in a circle.  What is in shared/ nobody knows here: it
 * counts as there.
 */
void links_find_broken(const struct manifest *m, struct strvec *out);

/*
 * What is wrong with where the link of the sorted manifest leads, as above; NULL:
 * nothing.
 */
const char *links_judge(const struct manifest *m, const struct entry *link);

/*
 * Put into `where` what `path` leads to in the sorted manifest, through links
 * of it and on the way to it; "": the top.  False: to nothing, or to what is in
 * shared/.
 */
bool links_reach(const struct manifest *m, const char *path,
    struct buf *where);

/*
 * What visitors get at `path`, by links_reach(): a file, or a directory.  NULL:
 * nothing, or the top.
 */
const struct entry *links_follow(const struct manifest *m, const char *path);

/* Add the first broken ones, and how many more there are, to a sentence. */
void links_tell(const struct strvec *broken, struct buf *out);

#endif
