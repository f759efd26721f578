/*
 * The clock for deadlines: it never jumps.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment in the past (CLOCK_MONOTONIC). */
int64_t clock_ms(void);

/* The same in microseconds. */
int64_t clock_us(void);

#endif
