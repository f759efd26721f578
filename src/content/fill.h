/*
 * Fill a release that is being staged, as its plan (plan.h) says: hash the
 * build on all cores, link what the base has already, copy the rest.
 *
 * What is stored always matches the manifest (place.h has how).
 *
 *	fill_init
 *	fill_store	hash, plan and store in one pass; or, where it is not
 *			yet known whether that fits, fill_hash() and
 *			plan_files()
 *	fill_place	the rest
 */
#ifndef FILL_H
#define FILL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/hoard.h"
#include "content/manifest.h"
#include "content/place.h"
#include "content/plan.h"

struct fill {
	/* In; borrowed. */
	const struct dir *source;	/* the build */
	const struct dir *target;	/* where it goes; == source when it was
					 * unpacked there already */
	const struct dir *scratch;	/* for temporary names beside target */
	const struct dir *base;		/* the release that the plan is
					 * against; NULL: none */
	struct plan *plan;		/* after plan_compare(); what it shares
					 * and carries is left to the caller */
	const struct hoard *made;	/* what it makes is in it, or else in
					 * the base */
	gid_t gid;			/* of what is made; -1: as it comes */
	bool distrust;			/* hash what is linked, too */
	/* Private. */
	struct place place;
	bool begun;			/* the directories are there */
};

/*
 * Hash every file of the build: sets size and digest in its manifest, which
 * may have marked entries besides.  0 or -1.
 */
int fill_hash(const struct dir *source, struct manifest *m, struct err *e)
    MUST_USE;

/* Prepare; `f` has the fields under "In". */
void fill_init(struct fill *f);

/*
 * Make the directories, then hash and plan every file of the build, and store
 * what is new while it is at hand, which saves reading it again.  0 or -1.
 */
int fill_store(struct fill *f, struct err *e) MUST_USE;

/*
 * Make in the target everything that is not there yet.  What cannot be linked
 * is copied, and the plan's steps and counts say so then.  0 or -1.
 */
int fill_place(struct fill *f, struct err *e) MUST_USE;

#endif
