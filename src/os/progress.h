/*
 * How far a phase is: one line at the bottom of a terminal, drawn each half
 * second whatever happens, and when the terminal changes its size; elsewhere,
 * as in the log of a CI system, a plain line each ten seconds.  Safe from many
 * threads.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdint.h>

/*
 * Begin a phase; `files` or `bytes` may be 0 when not known.  A phase that
 * begins while one goes on is part of that.
 */
void progress_begin(const char *phase, int64_t files, int64_t bytes);

/* So much more, or less, has to be done. */
void progress_expect(int64_t files, int64_t bytes);

/* So much more is done; less: it has to be done again. */
void progress_add(int64_t files, int64_t bytes);

/*
 * End the phase; its line, which was true to the last, goes away.  Without a
 * phase: nothing.
 */
void progress_end(void);

/* Never tell: whoever reads standard error is no person. */
void progress_forbid(void);

#endif
