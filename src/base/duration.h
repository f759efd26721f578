/* Durations as users write them, in deploy.yml and on the command line. */
#ifndef DURATION_H
#define DURATION_H

#include <stdint.h>

#include "base/err.h"

/*
 * A duration: a whole number with s, m, h, d or w behind it (without a unit:
 * seconds), at most 100 years.  Returns 0 and the seconds, or -1 with
 * ERR_USAGE; then `seconds` is as it was.
 */
int duration_parse(const char *text, int64_t *seconds, struct err *e) MUST_USE;

/* For people, how long ago, or until then: "4 s", "12 min", "3 h", "2 d". */
enum { DURATION_LEN = 32 };
void duration_format(int64_t ms, char out[DURATION_LEN]);

#endif
