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

enum { RELEASE_ID_LEN = 57 };

/*
 * A value, to be copied by assignment.  Made by release_id_parse() where text
 * comes in (a command line, a line of the wire, a name on disk, the journal, a
 * meta, a link) and by release_id_new(); so who is given one has no need to
 * look at it again.
 */
struct release_id {
	char text[RELEASE_ID_LEN + 1];	/* "" stands for none */
};

extern const struct release_id release_id_none;

/*
 * Is `text` that of a release id?  Then `out` is it, else none.
 */
bool release_id_parse(struct release_id *out, const char *text);

/* Does `text` begin with an id?  Then the rest of it, else NULL. */
const char *release_id_scan(struct release_id *out, const char *text);

bool release_id_is_none(const struct release_id *id);
bool release_id_eq(const struct release_id *a, const struct release_id *b);

/* As strcmp(): the older is less, and none is less than all. */
int release_id_cmp(const struct release_id *a, const struct release_id *b);

/*
 * A new id for now, or for a millisecond after `latest` (may be none) when the
 * clock says that now is not later: a clock that went back is corrected.  None
 * when that would be after the year 9999.
 */
void release_id_new(struct release_id *out, const struct release_id *latest);

/* A list of ids. */
struct release_ids {
	struct release_id *v;
	size_t n;
	size_t cap;
};

#define RELEASE_IDS_INIT { NULL, 0, 0 }

void release_ids_release(struct release_ids *l); /* neutral values accepted */
void release_ids_add(struct release_ids *l, const struct release_id *id);
bool release_ids_has(const struct release_ids *l, const struct release_id *id);

/* Add it, unless it is there. */
void release_ids_add_once(struct release_ids *l, const struct release_id *id);

void release_ids_sort(struct release_ids *l);	/* oldest first */

/* The last, which is the newest of a sorted list; none when it is empty. */
const struct release_id *release_ids_last(const struct release_ids *l);

/* The time in an id: milliseconds since 1970; 0 for none. */
int64_t release_id_time(const struct release_id *id);

/* `ms` as "2026-11-21T19:03:05Z", RFC 3339. */
void release_format_time(int64_t ms, char out[32]);

/*
 * Milliseconds of such a text; -1 when it is none.
 */
int64_t release_parse_time(const char *s);

/*
 * People see the short form of an id, the time to the millisecond, which is a
 * prefix that names it: in a root, each id is later than those before it.
 */
enum { RELEASE_SHORT_LEN = 19 };

/*
 * Make `text`, which is for people, hold the short form of each id that is a
 * word in it; those in a path, a name or "--id=..." stay whole, and so do two
 * that have the same short form.
 */
void release_shorten(char *text);

/*
 * How many characters of each id in the sorted list `ids` tell it from all
 * others; at least RELEASE_SHORT_LEN.
 */
size_t release_short_len(const struct release_ids *ids);

/*
 * The one id in `ids` that `word` means: it begins so, or it is one of `named`
 * (may be NULL), which the word names in another way.  Returns it (borrowed),
 * or NULL with ERR_USAGE: there is none, or more than one (they are named).
 */
const struct release_id *release_match(const struct release_ids *ids,
    const struct release_ids *named, const char *word, struct err *e) MUST_USE;

#endif
