/*
 * Contents that a host lacks and this machine does not have: carried files
 * of earlier builds, or all of a release.  They are fetched from another host.
 */
#ifndef FLEET_FETCH_H
#define FLEET_FETCH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/release.h"
#include "content/hoard.h"
#include "content/manifest.h"
#include "fleet/fleet.h"

/*
 * Fetch into the hoard the entries of `m`, files, for which `wanted` says so, from hosts
 * that have a release with the same file at the same path: first from those
 * that have `id`, which is that of `m`.  Where one is damaged, the next host
 * is asked.  0, or -1 when one is nowhere.
 */
int fetch_files(struct hoard *x, struct fleet *f, const struct release_id *id,
    const struct manifest *m, bool *wanted, struct err *e) MUST_USE;

#endif
