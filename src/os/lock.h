/*
 * The lock of a root: flock(2) on .deploy/lock, so that it dies with the
 * process that holds it and can never be stale.  Staging holds it shared,
 * everything that changes what is live or listed holds it exclusively.
 * lock.note beside it says who took it last; it is only read to name the
 * holder to somebody who has to wait.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "os/dir.h"
#include "base/err.h"

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

struct lock {
	int fd;			/* -1 when not held */
};

#define LOCK_INIT { -1 }

/*
 * Take the lock in the state directory, waiting at most `wait` seconds.
 * `note` is what the waiting are told about us (one line of JSON).  Returns
 * 0, or -1: ERR_LOCKED and who holds it, or why it cannot be taken.
 */
int lock_take(struct lock *l, const struct dir *state, enum lock_kind kind,
    int64_t wait, const char *note, struct err *e) MUST_USE;

/*
 * For a stage.  When nobody holds the lock it is taken exclusively and
 * `*alone` is set: the caller sweeps what dead runs left, then calls
 * lock_share().  Else it is taken shared, waiting as lock_take() does.
 */
int lock_take_alone(struct lock *l, const struct dir *state, int64_t wait,
    const char *note, bool *alone, struct err *e) MUST_USE;

/* From exclusive to shared; others may come in between.  0 or -1. */
int lock_share(struct lock *l, const struct dir *state, int64_t wait,
    struct err *e) MUST_USE;

void lock_drop(struct lock *l);			/* neutral values accepted */

/*
 * Does anybody hold it exclusively?  With `holder` the note is added.  For
 * `status`; takes the lock shared for an instant.
 */
bool lock_is_held(const struct dir *state, struct buf *holder);

#endif
