/*
 * A release on its way into a root: incoming/<id>, until it is complete.
 *
 *	incoming_open		the lock, held shared from here on
 *	incoming_check_room	as soon as it is known what it takes
 *	incoming_begin		incoming/<id>, which the caller fills
 *	incoming_commit		it is a release
 *	incoming_end		in any case
 */
#ifndef INCOMING_H
#define INCOMING_H

#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/manifest.h"
#include "os/caller.h"
#include "os/lock.h"
#include "root/meta.h"
#include "root/store.h"

struct incoming {
	const struct store *store;
	struct release_id id;		/* "": nothing was begun */
	struct dir dir;			/* incoming/<id> */
	struct lock lock;
};

#define INCOMING_INIT { NULL, { "" }, DIR_INIT, LOCK_INIT }

/*
 * Take the lock shared, waiting `lock_wait` seconds at most.  Whoever finds
 * nobody else there sweeps first what dead runs left; what fails in that is
 * in `swept`, which the caller tells, and stops nothing.  0 or -1.
 */
int incoming_open(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait, struct err *swept,
    struct err *e) MUST_USE;

/* Is there room for so much?  0, or -1 with ERR_GUARD. */
int incoming_check_room(const struct incoming *in, int64_t bytes,
    int64_t inodes, struct err *e) MUST_USE;

/* Make incoming/<id>; it must be new.  0 or -1. */
int incoming_begin(struct incoming *in, const struct release_id *id,
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
 * Close; what was begun and not committed is removed; the lock is dropped.
 * Neutral accepted.
 */
void incoming_end(struct incoming *in);

#endif
