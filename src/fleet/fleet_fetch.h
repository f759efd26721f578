/*
 * Contents that a host lacks and this machine does not have: carried files
 * of earlier builds, or all of a release.  They are fetched from another host.
 *
 *	struct fetch x = FETCH_INIT;
 *	r = fetch_files(&x, f, id, m, wanted, &e);
 *	... x.dir has a file for each, called by its digest ...
 *	fetch_release(&x);
 */
#ifndef FLEET_FETCH_H
#define FLEET_FETCH_H

#include <stdbool.h>

#include "os/dir.h"
#include "base/err.h"
#include "fleet/fleet.h"
#include "content/manifest.h"

struct fetch {
	char *path;		/* of a temporary directory; NULL: none */
	struct dir dir;
};

#define FETCH_INIT { NULL, DIR_INIT }

/*
 * Fetch the entries of `m`, files, for which `wanted` says so, from hosts
 * that have a release with the same file at the same path: first from those
 * that have `id`, which is that of `m`.  Where one is damaged, the next host
 * is asked.  0, or -1 when one is nowhere.
 */
int fetch_files(struct fetch *x, struct fleet *f, const struct release_id *id,
    const struct manifest *m, bool *wanted, struct err *e) MUST_USE;

void fetch_release(struct fetch *x);		/* neutral values accepted */

#endif
