/*
 * Staging where the only root is on this machine: the build is linked and
 * copied into it directly, hashed on the way, and no pack is made.
 */
#ifndef FLEET_HERE_H
#define FLEET_HERE_H

#include "base/err.h"
#include "fleet/fleet.h"
#include "root/stage.h"

/* As fleet_stage() and fleet_preview(), for a fleet that is here (is_here). */
int fleet_stage_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e) MUST_USE;
int fleet_preview_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e) MUST_USE;

#endif
