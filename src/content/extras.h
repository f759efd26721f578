/*
 * What a release has besides the build: links to shared paths, and files
 * that earlier live releases had and that stay for a while (carried), so
 * that a tab that is still open finds its assets.  Here they come into the
 * manifest; extras_place.h makes them.  Pure; no system calls.
 */
#ifndef EXTRAS_H
#define EXTRAS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/release.h"
#include "content/manifest.h"
#include "content/rules.h"

/* A release that was live, from which files may be carried. */
struct extras_earlier {
	struct release_id id;
	int64_t until;			/* its last time live ended: ms, or
					 * INT64_MAX when it is live */
	struct manifest m;
};

struct extras_carry {
	int64_t now;			/* ms since 1970 */
	const struct extras_earlier *earlier;	/* oldest first */
	size_t n;
	/*
	 * Is the file of that release still there, and as its manifest says?
	 * 1, 0, or -1 with the error.  NULL: yes.
	 */
	int (*usable)(void *ctx, const struct release_id *id,
	    const struct entry *en, struct err *e);
	void *ctx;
};

/* For each file and link that is carried, as the manifest has them. */
struct extras_from {
	size_t *v;			/* the number of its release */
	size_t n;
	size_t cap;
};

#define EXTRAS_FROM_INIT { NULL, 0, 0 }

/*
 * Add a link to shared/ for each shared path of the rules to the sorted
 * manifest of a build, and the directories above.  A path that the build has
 * too (other than as an empty directory, which gives way) is ERR_USAGE.  0 or
 * -1.
 */
int extras_add_shared(struct manifest *m, const struct rules *rules,
    struct err *e) MUST_USE;

/*
 * Add the files and links that earlier releases had under the `carry`
 * patterns of the rules within their time, never over or below a path that is
 * in `m`; where several releases have a path, the one that was live last
 * counts.  A compressed form (decode.h, dcz.h) never comes to stand beside a
 * file of the build, nor one that is carried from where it had other content,
 * nor a file beside a form of the build that it did not have.  What is not
 * usable any more is left out.  The caller frees from->v.
 * 0 or -1.
 */
int extras_add_carried(struct manifest *m, const struct rules *rules,
    const struct extras_carry *c, struct extras_from *from, struct err *e)
    MUST_USE;

#endif
