/*
 * SIGINT, SIGTERM and SIGHUP ask the program to stop.  The handler only
 * remembers the signal; long work asks here between two steps, so that it
 * can undo what it began.  SIGPIPE and SIGXFSZ are ignored: writing reports
 * EPIPE, and EFBIG.
 */
#ifndef INTR_H
#define INTR_H

#include <stdbool.h>

#include "base/err.h"

/* Install the handlers; once, at the start of the program. */
void intr_init(void);

/*
 * Between hold and release a signal is remembered, but intr_check() is
 * silent: for what is finished rather than left half done, because its time
 * is bounded.
 */
void intr_hold(void);
void intr_release(void);

/* Has a signal come that asks to stop? */
bool intr_came(void);

/* Returns 0, or -1 with ERR_FAILED "interrupted by ..." after a signal. */
int intr_check(struct err *e) MUST_USE;

#endif
