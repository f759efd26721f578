/*
 * How far a phase is: a bar at the bottom of a terminal, nothing elsewhere
 * (each phase is told as a line by who runs it).  Safe from many threads.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stddef.h>
#include <stdint.h>

/* Begin a phase; `files` or `bytes` may be 0 when not known. */
void progress_begin(const char *phase, size_t files, int64_t bytes);

/* So much more is done. */
void progress_add(size_t files, int64_t bytes);

/* End the phase and take the bar away.  Without a phase: nothing. */
void progress_end(void);

#endif
