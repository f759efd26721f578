/*
 * The previews of a root: links previews/NAME -> ../releases/ID, which a web
 * server shows under a name of their own.  Until when one is wanted, its own
 * time of modification says: it is replaced together with what it shows, by
 * one rename.  Whoever changes them has the exclusive lock.
 */
#ifndef PREVIEWS_H
#define PREVIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"
#include "root/store.h"

struct preview {
	char *name;
	struct release_id id;
	int64_t until;			/* seconds since 1970 */
};

struct previews {
	struct preview *v;		/* by name */
	size_t n;
};

#define PREVIEWS_INIT { NULL, 0 }

void previews_release(struct previews *p);	/* neutral values accepted */

/* Add one; the name is copied. */
void previews_add(struct previews *p, const char *name,
    const struct release_id *id, int64_t until);

/*
 * "NAME<TAB>ID<TAB>UNTIL", as hosts tell it: add that; what is none is left
 * out.
 */
void previews_parse(struct previews *p, const char *text);

/* All that the root has; what is no preview is somebody's.  0 or -1. */
int previews_read(const struct store *s, struct previews *out, struct err *e)
    MUST_USE;

/* The one of that name, or NULL. */
const struct preview *previews_find(const struct previews *p,
    const char *name);

/* Does one show the release that is wanted after `now` (seconds)? */
bool previews_show(const struct previews *p, const struct release_id *id,
    int64_t now);

/*
 * Let the preview show a complete release until then, durably: those who look
 * get the old one or the new one.  0; -1 with ERR_USAGE when there is no such
 * release.
 */
int previews_point(const struct store *s, const char *name,
    const struct release_id *id, int64_t until, struct err *e) MUST_USE;

/* Remove the preview, durably; none is fine.  0 or -1. */
int previews_remove(const struct store *s, const char *name, struct err *e)
    MUST_USE;

/* Remove those that are wanted no more at `now`, and add their names. */
int previews_expire(const struct store *s, int64_t now,
    struct strvec *removed, struct err *e) MUST_USE;

#endif
