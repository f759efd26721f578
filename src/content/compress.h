/*
 * The compressed forms that a release gets besides its build, where the rules
 * say so: app.js.gz beside app.js, for web servers that give files as they
 * are.  They are entries of the plan like others from then on.
 *
 * A form is made once for each content: while the file at a path stays what
 * it is, so do those that the base has beside it, bytes and times.  One that
 * does not save a tenth of its file is none; and what gzip does not make a
 * tenth smaller, the others need not try.  What the build has itself beside
 * a file, it keeps (sibling.h looks at that).
 */
#ifndef COMPRESS_H
#define COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "content/hoard.h"
#include "content/manifest.h"
#include "content/plan.h"
#include "content/rules.h"
#include "os/dir.h"

struct compress_job {
	const struct rules *rules;
	const struct dir *source;	/* the build */
	const struct manifest *base;	/* that the plan is against; or NULL */
	const struct dir *base_files;	/* of it; NULL: they are on hosts */
	bool anew;			/* also what the base has */
};

struct compressed {
	size_t made;		/* files, */
	int64_t bytes;		/* and their bytes; */
	size_t kept;		/* that the base has; */
	size_t spared;		/* that would not save a tenth */
};

/*
 * Of a plan whose files are all planned (plan_files), and before plan_end():
 * make what is missing into the hoard, on all cores, and add all to the plan.
 * 0, or -1 with ERR_FAILED for a file that is not what its entry says any more.
 */
int compress_files(const struct compress_job *job, struct plan *p,
    struct hoard *into, struct compressed *out, struct err *e) MUST_USE;

#endif
