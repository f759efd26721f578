/*
 * The lock of a root: flock(2) on .deploy/lock, so that it dies with the
 * process that holds it and can never be stale.  Everything that changes what
 * is live, or removes, holds it exclusively; a stage only for the moments in
 * which it begins and ends, see root/staging.h for what it holds meanwhile.
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
 * From now on, while this thread waits in lock_take(), `say` is called about
 * each second, so that who waits for us hears that we live; NULL: nobody does.
 */
void lock_tell_waits(void (*say)(void *ctx), void *ctx);

/*
 * One try, exclusively: 1 with the lock, 0 when somebody has it, or -1.
 */
int lock_try(struct lock *l, const struct dir *state, const char *note,
    struct err *e) MUST_USE;

void lock_drop(struct lock *l);			/* neutral values accepted */

/*
 * Does anybody hold it exclusively?  With `holder` the note is added.  For
 * `status`; takes the lock shared for an instant.
 */
bool lock_is_held(const struct dir *state, struct buf *holder);

/* What a note says of who wrote it; what it does not say is NULL. */
struct lock_note {
	char *who;
	char *command;
	char *since;			/* a time in UTC, as text */
	char *job;			/* URL of the CI job */
	int64_t pid;
};

#define LOCK_NOTE_INIT { NULL, NULL, NULL, NULL, 0 }

/* Whatever the text is, there is an answer; it may know nothing. */
void lock_note_parse(struct lock_note *n, const char *text, size_t len);
void lock_note_release(struct lock_note *n);	/* neutral values accepted */

/* Append for people: "ann@ci1 (activate, process 7, since TIME, URL)". */
void lock_note_print(const struct lock_note *n, struct buf *out);

#endif
