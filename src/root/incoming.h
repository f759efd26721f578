/*
 * A release on its way into a root: incoming/<id>, until it is complete.
 * The lock is held shared meanwhile (lock.h).
 */
#ifndef INCOMING_H
#define INCOMING_H

#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/manifest.h"
#include "root/meta.h"
#include "root/store.h"

struct incoming {
	const struct store *store;
	struct release_id id;		/* "": nothing was begun */
	struct dir dir;			/* incoming/<id> */
};

#define INCOMING_INIT { NULL, { "" }, DIR_INIT }

/* Make incoming/<id>; it must be new.  0 or -1. */
int incoming_begin(struct incoming *in, const struct store *s,
    const char *id, struct err *e);

/*
 * What is there must be what the manifest says; then write it to disk, write
 * manifest and meta, and publish the release under releases/, each step
 * durable before the next.  A crash leaves incoming/<id> and records of no
 * release, which store_sweep() takes.  `gid` as in fill.h.  0 or -1.
 */
int incoming_commit(struct incoming *in, const struct manifest *m,
    const struct meta *meta, gid_t gid, struct err *e);

/* Close; what was begun and not committed is removed.  Neutral accepted. */
void incoming_end(struct incoming *in);

#endif
