/*
 * Fill a release that is being staged: hash the build on all cores, link
 * what a base has already, copy the rest.
 *
 * What is stored always matches the manifest (place.h has how).
 *
 * mtimes: content that is the same at the same path keeps the base's, new
 * content gets the release's, so that a web server's ETag and Last-Modified
 * (which come from mtime and size) change exactly when the bytes do.
 * Content that moved is linked with its old mtime only if it was new in the
 * base, and only to a path that the base does not have: anywhere else, other
 * bytes of the same size and time could be in a visitor's cache.
 *
 * Order: fill_init, fill_read, (look at the manifest), fill_place,
 * fill_release.
 */
#ifndef FILL_H
#define FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/manifest.h"
#include "content/place.h"

/* A complete release whose files may be linked. */
struct fill_base {
	const struct dir *dir;		/* not needed for fill_read() */
	const struct manifest *manifest;	/* NULL: no base */
	int64_t mtime;			/* of what was new in it, seconds */
};

struct fill_step;

struct fill {
	/* In; borrowed until fill_release(). */
	const struct dir *source;	/* the build */
	const struct dir *target;	/* where it goes; == source when it was
					 * unpacked there already */
	const struct dir *scratch;	/* for temporary names beside target */
	struct fill_base base;
	struct manifest *m;		/* from tree_read(), sorted; entries
					 * marked carried or shared are left
					 * to the caller */
	int64_t mtime;			/* of new content, seconds */
	gid_t gid;			/* of what is made; -1: as it comes */
	bool distrust;			/* hash what is linked, too */
	bool hashed;			/* fill_hash() was there already */
	/* Out. */
	size_t linked;
	size_t copied;
	int64_t copied_bytes;		/* or to be copied */
	/* Private. */
	struct place place;
	struct fill_step *steps;
	struct fill_index *index;
	bool write;
};

/*
 * Only hash every file of the build: sets size and digest in its manifest.
 * For who does not know the base yet.  0 or -1.
 */
int fill_hash(const struct dir *source, struct manifest *m, struct err *e)
    MUST_USE;

/* Prepare; `f` has the fields under "In". */
void fill_init(struct fill *f);

/*
 * Hash every file; sets size, digest and mtime in the manifest.  With `write`
 * new content is written at once (the directories are made first), which
 * saves reading it again; without, nothing is written.  Sets linked, copied
 * and copied_bytes to what there is to do.  0 or -1.
 */
int fill_read(struct fill *f, bool write, struct err *e) MUST_USE;

/*
 * Make in the target everything that is not there yet.  linked, copied and
 * copied_bytes then say what was done.  0 or -1.
 */
int fill_place(struct fill *f, struct err *e) MUST_USE;

void fill_release(struct fill *f);

/*
 * After fill_read(): the path in the base that has the content of entry i,
 * NULL when it is new.
 */
const char *fill_base_path(const struct fill *f, size_t i);

#endif
