/*
 * Who stages.  Every stage holds flock(2) on a file of its own,
 * .deploy/incoming/<id>.lock, from before incoming/<id> is made until that is
 * a release or gone; so it dies with the stage's process and can never be
 * stale.  The file says who it is, in its first line, as lock.note does, in
 * the next the time of its new content, "time SECONDS", if that is known, and
 * in a line each from which releases the stage takes files.  Who removes
 * something, under the exclusive lock of the root, leaves alone what a living
 * stage has.
 *
 * The file gets its name when it is locked and complete, under the exclusive
 * lock of the root: one whose name is there and that nobody holds is of a run
 * that died.
 */
#ifndef STAGING_H
#define STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/release.h"
#include "root/store.h"

/* A stage that lives. */
struct staging {
	struct release_id id;
	char *note;			/* one line of JSON */
	int64_t mtime;			/* of its new content; 0: not known */
	struct release_ids uses;
};

struct stagings {
	struct staging *v;
	size_t n;
};

#define STAGINGS_INIT { NULL, 0 }

enum { STAGING_USES_MAX = 64 };		/* releases; more are not kept */

/* Add all that live, of a root's incoming/.  Takes no lock.  0 or -1. */
int stagings_read(const struct dir *incoming, struct stagings *out,
    struct err *e) MUST_USE;
void stagings_release(struct stagings *all);	/* neutral values accepted */

/*
 * The living stage that `name` in incoming/ is of, "<id>" or "<id>.<what>";
 * or that takes files from the release.  NULL: none.
 */
const struct staging *stagings_owner(const struct stagings *all,
    const char *name);
const struct staging *stagings_user(const struct stagings *all,
    const struct release_id *release);

/* The newest time of new content that one of them has; 0: none is known. */
int64_t stagings_newest(const struct stagings *all);

/* Append who it is, for people. */
void staging_print(const struct staging *st, struct buf *out);

/* The lock of this run's own stage. */
struct staging_lock {
	int fd;				/* -1 when not held */
	struct release_id id;
};

#define STAGING_LOCK_INIT { -1, { "" } }

/*
 * Begin to be one, under the exclusive lock of the root, and before
 * incoming/<id> is made.  `note` is a line with its newline, and `mtime` the
 * time of its new content, or 0.  0 or -1.
 */
int staging_begin(struct staging_lock *l, const struct store *s,
    const struct release_id *id, const char *note, int64_t mtime,
    const struct release_ids *uses, struct err *e) MUST_USE;

/* Take files from these, too; under the lock of the root.  0 or -1. */
int staging_use(struct staging_lock *l, const struct store *s,
    const struct release_ids *uses, struct err *e) MUST_USE;

/* When incoming/<id> is not there any more; neutral accepted. */
void staging_end(struct staging_lock *l, const struct store *s);

#endif
