/*
 * What a release has besides the build: links to shared paths, and files
 * that earlier live releases had and that stay for a while (carried), so
 * that a tab that is still open finds its assets.
 */
#ifndef EXTRAS_H
#define EXTRAS_H

#include <stddef.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "root/history.h"
#include "content/manifest.h"
#include "root/store.h"
#include "base/strvec.h"

struct extras {
	/* The carried files and where each is from. */
	struct extras_file {
		char *path;
		struct release_id release;
	} *files;
	size_t n;
	size_t cap;
};

#define EXTRAS_INIT { NULL, 0, 0 }

void extras_release(struct extras *x);		/* neutral values accepted */

/*
 * Add a link to shared/ for each of the paths to the sorted manifest of a
 * build, and the directories above.  A path that the build has too (other
 * than as an empty directory, which gives way) is ERR_USAGE.  0 or -1.
 */
int extras_add_shared(struct manifest *m, const struct strvec *paths,
    int64_t mtime, struct err *e) MUST_USE;

struct extras_carry_rule {
	const struct strvec *patterns;	/* path_match_any() */
	int64_t seconds;		/* since last live in a build */
	int64_t now;			/* ms since 1970 */
	/* Reads the manifest of a release; 0 or -1. */
	int (*read)(void *ctx, const struct release_id *id, struct manifest *m,
	    struct err *e);
	/*
	 * Is the file still there, and as its manifest says?  1, 0, or -1
	 * with the error.  NULL: yes.
	 */
	int (*usable)(void *ctx, const struct release_id *id,
	    const struct entry *en, struct err *e);
	void *ctx;
};

/*
 * Add the files and links that live releases of this root had under the
 * patterns within the time, never over or below a path that is in `m`; where
 * several releases have a path, the one that was live last counts.  What is
 * not usable any more is left out.  0 or -1.
 */
int extras_add_carried(struct extras *x, struct manifest *m,
    const struct release_ids *ids, const struct history *h,
    const struct extras_carry_rule *rule, struct err *e) MUST_USE;

/* The release that the carried `path` is from; NULL: not carried. */
const struct release_id *extras_release_of(const struct extras *x,
    const char *path);

/*
 * Make what was added in the target, whose directories are there; shared/
 * gets the directories that the links point to.  0 or -1.
 */
int extras_place(const struct extras *x, const struct manifest *m,
    const struct store *s, const struct dir *target, gid_t gid,
    struct err *e) MUST_USE;

/*
 * Make the directory in shared/ that the shared link `en` points to, unless
 * something is there.  0 or -1.
 */
int extras_make_shared(const struct store *s, const struct entry *en,
    struct err *e) MUST_USE;

#endif
