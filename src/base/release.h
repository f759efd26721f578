/*
 * Release ids: UTC time to the millisecond and a random UUID,
 *
 *	20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff
 *
 * They sort by time, are unique without coordination, and hold nothing that
 * would need quoting.  The only door to libuuid.
 */
#ifndef RELEASE_H
#define RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

enum { RELEASE_ID_LEN = 57 };

struct release_id {
	char text[RELEASE_ID_LEN + 1];	/* "" stands for none */
};

/*
 * A new id for now, or for a millisecond after `latest` (may be "") when the
 * clock says that now is not later: a clock that went back is corrected.
 */
void release_id_new(struct release_id *out, const char *latest);

/* Set `out` to the valid id `s`, or to none for "". */
void release_id_copy(struct release_id *out, const char *s);

/* Is `s` the text of a release id? */
bool release_id_is_valid(const char *s);

/* The time in an id: milliseconds since 1970; 0 for what is no id. */
int64_t release_id_time(const char *id);

/* `ms` as "2026-11-21T19:03:05Z", RFC 3339. */
void release_format_time(int64_t ms, char out[32]);

/*
 * Milliseconds of such a text; -1 when it is none.
 */
int64_t release_parse_time(const char *s);

/*
 * How many characters of each id in the sorted list `ids` tell it from all
 * others; at least 15, the time to the second.
 */
size_t release_short_len(const struct strvec *ids);

/*
 * The one id in `ids` that begins with `prefix`.  Returns it (borrowed), or
 * NULL with ERR_USAGE: there is none, or more than one (they are named).
 */
const char *release_match(const struct strvec *ids, const char *prefix,
    struct err *e) MUST_USE;

#endif
