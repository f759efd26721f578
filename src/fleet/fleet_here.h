/*
 * Staging where the only root is on this machine: the build is linked and
 * copied into it directly, hashed on the way, and no pack is made.
 */
#ifndef FLEET_HERE_H
#define FLEET_HERE_H

#include "base/err.h"
#include "fleet/fleet.h"
#include "root/stage.h"

/*
 * As fleet_stage(), for a fleet that is here (f->is_here).  Its store stays
 * open with it: release `st` before the fleet.
 */
int fleet_stage_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e) MUST_USE;

#endif
