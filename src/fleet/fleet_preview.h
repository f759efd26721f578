/*
 * What the previews of all hosts of a site show: fleet.h asks it what a word
 * means.
 */
#ifndef FLEET_PREVIEW_H
#define FLEET_PREVIEW_H

#include <stdbool.h>

#include "base/err.h"
#include "base/release.h"
#include "fleet/fleet.h"

/*
 * Is the release a preview's: was it staged for one, or does one show it on
 * any host, and was it never live?  It does not wait to go live then.
 */
bool fleet_is_preview(const struct fleet *f, const struct release_id *id);

/*
 * What the preview of that name shows on the hosts that have it.  1; 0 when
 * none has it; -1 with ERR_DIFFER when they do not agree.
 */
int fleet_find_preview(const struct fleet *f, const char *name,
    struct release_id *out, struct err *e) MUST_USE;

#endif
