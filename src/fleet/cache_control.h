/*
 * What Cache-Control of an answer says (RFC 9111, 5.2).  Pure.
 */
#ifndef CACHE_CONTROL_H
#define CACHE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Has the field each directive of `wanted`, such as "max-age=31536000,
 * immutable", whole and whatever its case is?
 */
bool cache_control_has(const char *field, const char *wanted);

/*
 * For how many seconds caches may keep the answer without asking: the longest
 * of max-age and s-maxage; INT64_MAX when it is immutable, 0 when it says
 * nothing.
 */
int64_t cache_control_age(const char *field);

#endif
