/*
 * A release on its way into a root: incoming/<id>, until it is complete.
 *
 *	incoming_open		what dead runs left is swept
 *	incoming_check_room	as soon as it is known what it takes
 *	incoming_lock		if the caller looks at the root first
 *	incoming_begin		incoming/<id>, which the caller fills
 *	incoming_use		when it takes files from more releases
 *	incoming_commit		it is a release
 *	incoming_end		in any case
 *
 * The lock of the root is held for moments only, in which nobody is waited
 * for; from begin to end this stage holds its own (staging.h).
 */
#ifndef INCOMING_H
#define INCOMING_H

#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/strvec.h"
#include "content/manifest.h"
#include "os/caller.h"
#include "os/lock.h"
#include "root/meta.h"
#include "root/staging.h"
#include "root/store.h"

struct incoming {
	const struct store *store;
	const struct caller *caller;
	int64_t lock_wait;		/* seconds, each time */
	int64_t mtime;			/* of its new content; 0: not known */
	struct release_id id;		/* "": nothing was begun */
	struct dir dir;			/* incoming/<id> */
	struct lock lock;		/* of the root */
	struct staging_lock own;
};

#define INCOMING_INIT { NULL, NULL, 0, 0, { "" }, DIR_INIT, LOCK_INIT,	\
    STAGING_LOCK_INIT }

/*
 * Who finds the lock free sweeps what dead runs left; what fails in that is
 * in `swept`, which the caller tells, and stops nothing.  `caller` is
 * borrowed, and the lock is waited for `lock_wait` seconds at most, now and
 * later.  0 or -1.
 */
int incoming_open(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait, struct err *swept,
    struct err *e) MUST_USE;

/* Is there room for so much?  0, or -1 with ERR_GUARD. */
int incoming_check_room(const struct incoming *in, int64_t bytes,
    int64_t inodes, struct err *e) MUST_USE;

/*
 * Take the lock of the root, until incoming_begin(): what the caller finds
 * there, its base say, stays.  0 or -1.
 */
int incoming_lock(struct incoming *in, struct err *e) MUST_USE;

/*
 * Make incoming/<id>, which must be new; nobody removes it, or the releases
 * in `uses`, which must be there, until incoming_end().  Others who stage see
 * in->mtime.  The lock of the root is free afterwards.  0 or -1.
 */
int incoming_begin(struct incoming *in, const struct release_id *id,
    const struct release_ids *uses, struct err *e) MUST_USE;

/* The same for more releases.  0 or -1. */
int incoming_use(struct incoming *in, const struct release_ids *uses,
    struct err *e) MUST_USE;

/*
 * What is there must be what the manifest says; then write it to disk, write
 * manifest and meta, and publish the release under releases/, each step
 * durable before the next.  A crash leaves incoming/<id> and records of no
 * release, which store_sweep() takes.  `gid` as in fill.h.  0 or -1.
 */
int incoming_commit(struct incoming *in, const struct manifest *m,
    const struct meta *meta, gid_t gid, struct err *e) MUST_USE;

/*
 * Close; what was begun and not committed is removed; the locks are dropped.
 * Neutral accepted.
 */
void incoming_end(struct incoming *in);

#endif
