/*
 * What time it is, and how long it takes.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * Milliseconds since 1970, as people count; it may jump.  A clock that is set
 * before that is at 1970: no record of ours has an earlier time.
 */
int64_t clock_now(void);

/*
 * Milliseconds since some moment in the past (CLOCK_MONOTONIC), for
 * deadlines: it never jumps.
 */
int64_t clock_ms(void);

/* The same in microseconds. */
int64_t clock_us(void);

/* The moment in `ms` milliseconds, for pthread_cond_timedwait(3). */
struct timespec clock_in(int64_t ms);

/* Wait so long, or until a signal comes. */
void clock_pause(int64_t ms);

/* Wait until clock_us() is there, whatever signals come. */
void clock_pause_until(int64_t us);

#endif
