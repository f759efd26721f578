/*
 * Stage a build on all hosts: hashed once, packed once for all hosts that
 * have the same base, verified by each host.
 */
#ifndef FLEET_STAGE_H
#define FLEET_STAGE_H

#include <stdbool.h>

#include "base/err.h"
#include "fleet/fleet.h"
#include "fleet/fleet_send.h"
#include "root/stage.h"

/*
 * Connect to the hosts and read the build meanwhile; then ask them for their
 * state, or those where this content is live for hardly anything.  0 or -1.
 */
int fleet_stage_open(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e) MUST_USE;

/*
 * Stage on every host of the fleet, which is open (fleet_open, full; or
 * fleet_stage_open).  st->id, outcome and plan tell what came of it.  A release
 * that some host has staged already with this content is meant, and sent only
 * where it is missing.  Returns 0, or -1 when a host failed: hosts that have
 * the whole release keep it, staged.
 */
int fleet_stage(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct fleet_sent *out, struct err *e)
    MUST_USE;

/* Only say what would be staged: nothing is sent. */
int fleet_preview(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e) MUST_USE;

/* How many hosts of the open fleet lack a release? */
size_t fleet_count_lacking(const struct fleet *f, const struct release_id *id);

/*
 * Stage a release that some host has on all that lack it, without a build:
 * contents come from the hosts that have it.  The fleet is open (fleet_open,
 * full).  st->id, outcome and plan.m tell about the release; `preview`:
 * nothing is sent.  0 or -1.
 */
int fleet_stage_release(struct fleet *f, const struct release_id *id,
    bool preview, struct stage *st, struct fleet_sent *out, struct err *e)
    MUST_USE;

/*
 * What was staged before others went live lacks their assets, which visitors
 * still ask for: stage a release that has those beside what `id` has, from
 * what the hosts have.  The fleet is open (fleet_open, full), and all hosts
 * have `id`.  st->id is the release that has them, st->plan.carried how many
 * `id` lacks, st->outcome whether such a release was there; nothing is lacking:
 * 0, and st->id is `id`.  `preview`: nothing is sent.  0 or -1.
 */
int fleet_stage_carried(struct fleet *f, const struct release_id *id,
    bool preview, struct stage *st, struct err *e) MUST_USE;

#endif
