/*
 * Names from a FIFO, one a line.  Whoever writes there may write anything:
 * garbage, a line without end, half a line before he vanishes.
 *
 * The splitting is pure: bytes in, names out.
 */
#ifndef FIFO_H
#define FIFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { FIFO_LINE_MAX = 255 };	/* bytes; what is longer is no name */

struct fifo_lines {
	struct buf part;	/* of a line that has no end yet */
	bool overlong;		/* the line that has no end is dropped */
	size_t dropped;		/* lines, so far */
};

#define FIFO_LINES_INIT { BUF_INIT, false, 0 }

/*
 * Take in some bytes.  `name` is called for each line that has an end, without
 * the blanks around it, if anything is left: 1 to FIFO_LINE_MAX bytes, no
 * control characters.  Others are dropped and counted.
 */
void fifo_feed(struct fifo_lines *l, const char *data, size_t len,
    void (*name)(void *ctx, const char *name), void *ctx);

/* Is there half a line? */
bool fifo_is_partial(const struct fifo_lines *l);

/* Nobody has gone on with it: take it as a line. */
void fifo_flush(struct fifo_lines *l,
    void (*name)(void *ctx, const char *name), void *ctx);

void fifo_lines_release(struct fifo_lines *l);	/* neutral accepted */

/*
 * Open the FIFO, made (0660) if need be, so that it has no end when all its
 * writers are gone.  One that another user could have planted is refused.  The
 * descriptor, non-blocking, or -1.
 */
int fifo_open(const char *path, struct err *e) MUST_USE;

#endif
