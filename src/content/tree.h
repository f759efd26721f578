/*
 * A directory tree on disk as a manifest: names, types, modes and sizes, not
 * yet digests.
 */
#ifndef TREE_H
#define TREE_H

#include <stddef.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/manifest.h"
#include "base/strvec.h"

struct tree_walk {
	/* In: patterns of path_match_any() to leave out, or NULL for none. */
	const struct strvec *exclude;
	/*
	 * In: take modes and mtimes as they are, and .git too: the tree is a
	 * release.  Else it is a build: modes become 0755 or 0644, .git is
	 * left out, links must stay inside; an absolute one that leads into
	 * the tree becomes relative.
	 */
	bool exact;
	/*
	 * In: sockets, devices and FIFOs are no error, but links to nothing,
	 * which no manifest has there.
	 */
	bool any;
	/* Out: entries left out; what is below a directory counts as one. */
	size_t excluded;
	/* Out: absolute links that became relative. */
	size_t made_relative;
	/* Out: see tree_stamp(). */
	uint64_t stamp;
};

/*
 * Add everything below `top` to `m`, sorted.  Sockets, devices, FIFOs (but for
 * `any`), names
 * that are unfit (path.h), links out of the tree, and every error of
 * reading a directory are errors: ERR_INTEGRITY or errno's.  0 or -1.
 */
int tree_read(const struct dir *top, struct tree_walk *w, struct manifest *m,
    struct err *e) MUST_USE;

/*
 * A number that changes when a directory of `m` below `top` got, lost or
 * renamed an entry since tree_read() filled `m`, leaving out `exclude`.  0 or
 * -1.
 */
int tree_stamp(const struct dir *top, const struct manifest *m,
    const struct strvec *exclude, uint64_t *stamp, struct err *e) MUST_USE;

/*
 * Is the tree below `top` what `m` says: the same paths, types, link
 * targets, modes, sizes and mtimes, nothing more and nothing less?  Contents
 * are not read.  Adds a line for each difference to `found`, which then is
 * not empty.  Returns 0, or -1 when the tree cannot be read.
 */
int tree_compare(const struct dir *top, const struct manifest *m,
    struct strvec *found, struct err *e) MUST_USE;

#endif
