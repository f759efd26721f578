/*
 * Flip the hosts in batches, one after the other, each checked before the
 * next; when one fails all go back.
 */
#ifndef FLEET_ROLL_H
#define FLEET_ROLL_H

#include <stdbool.h>

#include "base/err.h"
#include "fleet/fleet.h"
#include "fleet/fleet_activate.h"
#include "remote/remote.h"

/*
 * As fleet_activate(), site->batch hosts at once, with site->pause between
 * the batches; `check`: each batch is checked (fleet_check).  The guards of
 * all hosts are asked before the first flips.  0 or -1 as fleet_activate().
 */
int fleet_roll(struct fleet *f, const struct remote_activate *o, bool check,
    struct fleet_activation *out, struct err *e) MUST_USE;

#endif
