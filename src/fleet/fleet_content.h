/*
 * What a change means: of the pages that differ between a base and a release,
 * those that changed by nothing but rules (fleet_guess.h) that hit at least
 * half of all pages (a date, a version, the name of an asset) have the same
 * content as before.  A page is a file .html, .htm or .xhtml that both have.
 * A rule hits what it makes of the old page, and what has its new side where
 * more has changed.
 */
#ifndef FLEET_CONTENT_H
#define FLEET_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/release.h"
#include "content/manifest.h"
#include "content/rewrite.h"
#include "base/err.h"
#include "fleet/fleet.h"
#include "os/dir.h"

struct content {
	struct release_id base;
	bool *same;		/* for each of the n entries of the release */
	size_t n;
	size_t count;		/* how many are the same */
	size_t rules;		/* how many such rules there are */
};

void content_release(struct content *c);	/* neutral values accepted */

/*
 * Which entries of `m`, whose files are here, in `files`, are the same as in the
 * base `id`.  When no host gives samples of the base, nothing is the same.
 */
void fleet_find_content(struct fleet *f, const struct release_id *id,
    const struct manifest *base, const struct manifest *m,
    const struct dir *files, struct content *out);

/*
 * The same for a release `id` of hosts: pages that changed from `base` are
 * fetched from one that has it, unless they are less than half of all (then
 * nothing is the same), or more than `max` bytes (INT64_MAX: any), or, with a
 * `max`, so many that it takes long because no host has more than sh.  0, or
 * -1 when it is not known; `out` is neutral then.
 */
int fleet_fetch_content(struct fleet *f, const struct release_id *base_id,
    const struct manifest *base, const struct release_id *id,
    const struct manifest *m, int64_t max, struct content *out,
    struct err *e) MUST_USE;

/* Keep what was found of the release that is staged; it is the fleet's. */
void fleet_keep_content(struct fleet *f, struct content *c);

/* Forget that. */
void fleet_forget_contents(struct fleet *f);

/* What was found against that base; NULL: nothing. */
const struct content *fleet_content(const struct fleet *f,
    const struct release_id *base);

#endif
