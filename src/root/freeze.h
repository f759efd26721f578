/*
 * A freeze: staging goes on, activation is refused.  It is an explicit
 * record, .deploy/frozen, not a lock: it outlives the process that made it.
 */
#ifndef FREEZE_H
#define FREEZE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "root/store.h"

struct freeze {
	char *who;
	char *why;			/* NULL when not said */
	int64_t since;			/* ms since 1970 */
	int64_t until;			/* ms; 0: until thawed */
	struct strvec skipped;		/* hosts that --skip left out of it */
};

#define FREEZE_INIT { NULL, NULL, 0, 0, STRVEC_INIT }

void freeze_release(struct freeze *f);		/* neutral values accepted */

/*
 * What a record says, as far as it can be understood; `out` is released by
 * the caller.  0, or -1 when it says nothing.
 */
int freeze_parse(const char *text, size_t len, struct freeze *out);

/*
 * Is the root frozen now?  Returns 1 and fills `out`, 0 when it is not (any
 * more), -1 when that cannot be found out.  A record that cannot be
 * understood counts as a freeze: it was meant as one.
 */
int freeze_read(const struct store *s, struct freeze *out, struct err *e)
    MUST_USE;

/* Fill `e` with ERR_LOCKED and what the freeze of the root says.  Returns -1. */
int freeze_refuse(const char *root, const struct freeze *f,
    struct err *e) MUST_USE;

/* Append its record, JSON without a newline, to `out`. */
void freeze_print(const struct freeze *f, struct buf *out);

/* Freeze, or replace the freeze that is there.  0 or -1. */
int freeze_write(const struct store *s, const struct freeze *f,
    struct err *e) MUST_USE;

/* End the freeze; none is success.  0 or -1. */
int freeze_end(const struct store *s, struct err *e) MUST_USE;

#endif
