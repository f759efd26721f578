/*
 * Whole numbers in text: from the command line, the environment, deploy.yml,
 * what another program or a host says.  Digits and nothing else, but for a
 * '-' before them where `min` is below zero: no space, no '+', no exponent.
 * What does not fit is none; nothing is cut or wraps around.  Pure.
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is all of `s` (NULL: no) a decimal number from `min` to `max`?  Sets `out`;
 * when it is none, `out` is as it was.
 */
bool number_parse(const char *s, int64_t min, int64_t max, int64_t *out);

/* The same number, or `otherwise` where there is none. */
int64_t number_or(const char *s, int64_t min, int64_t max, int64_t otherwise);

/*
 * The decimal number that `s` begins with.  Returns what follows it, or NULL
 * for none from `min` to `max`; then `out` is as it was.
 */
const char *number_scan(const char *s, int64_t min, int64_t max,
    int64_t *out);

/*
 * Are s[0..len) digits of a number in `base`, 2 to 16, that is at most `max`?
 * Sets `out`, or leaves it as it was.
 */
bool number_digits(const char *s, size_t len, unsigned int base, int64_t max,
    int64_t *out);

#endif
