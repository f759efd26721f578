/*
 * The forms of files against what they were in earlier releases (dcz.h), where
 * the rules say so: the tool that keeps the last releases is the one that can
 * make them.  They are entries of the plan like others from then on.
 *
 * An earlier version of a file is another content at the same path, or at one
 * that differs in a hash only: app.1a2b3c.js of app.9f8e7d.js.  Of the
 * releases that were live last each has at most one, which the build does not
 * have any more; where several might be it, the one whose size is nearest.
 * A wrong guess costs a try: a form that does not save a tenth of the best
 * other one is none.
 *
 * The forms of a content are chosen once: as long as a release that was live
 * has the same file, its forms are those, bytes and all, whatever was pruned
 * meanwhile.  So the same build is the same release.
 */
#ifndef DICTIONARY_H
#define DICTIONARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "content/compress.h"
#include "content/extras.h"
#include "content/hoard.h"
#include "content/manifest.h"
#include "content/plan.h"
#include "content/rules.h"
#include "os/dir.h"

struct dictionary_job {
	const struct rules *rules;
	const struct dir *source;	/* the build */
	const struct manifest *base;	/* that the plan is against; or NULL */
	const struct dir *base_files;	/* of it; NULL: they are on hosts */
	bool anew;			/* also what a release has */
	const struct extras_earlier *earlier;
	size_t n;
	/*
	 * Bring the files of earlier releases that are in `wanted`, which is
	 * not sorted, to where open() has them; NULL: they are there.  Then
	 * open one, from any thread.  Both return -1 with the error, and what
	 * cannot be had is done without.
	 */
	int (*bring)(void *ctx, const struct manifest *wanted, struct err *e);
	int (*open)(void *ctx, const struct release_id *id,
	    const struct entry *en, struct err *e);
	void *ctx;
};

/*
 * Of a plan that has all other files (compress_files), and before plan_end():
 * make what is missing into the hoard, on all cores, and add all to the plan.
 * 0, or -1 with ERR_FAILED for a file that is not what its entry says any more.
 */
int dictionary_files(const struct dictionary_job *job, struct plan *p,
    struct hoard *into, struct compressed *out, struct err *e) MUST_USE;

/*
 * Are these names of two versions of one file?  They differ in one stretch of
 * a word of six characters or more, such as a hash is.
 */
bool dictionary_is_version(const char *a, const char *b);

#endif
