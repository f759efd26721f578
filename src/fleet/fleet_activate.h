/*
 * Flip all hosts or none.
 *
 * Arm: every host takes its lock, checks all guards and waits.  One that
 * cannot disarms all: nothing has changed.  Go: one line to every host at
 * once.  A host that fails now, or is lost, makes the flipped ones go back,
 * by compare-and-swap on what they serve.  The lost one is asked again when
 * its deadline is over: armed hosts disarm themselves, so that what it says
 * then is final.
 */
#ifndef FLEET_ACTIVATE_H
#define FLEET_ACTIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fleet/fleet.h"
#include "remote/remote.h"

struct fleet_activation {
	bool changed;		/* false: all had it live already */
	int64_t skew_us;	/* between the first and the last flip, as
				 * far as can be told from here */
};

/*
 * Activate `o->id` on every host (fleet_open before), and wait for the hooks
 * of the roots, whatever comes of them.  Returns 0; or -1:
 *	ERR_REVERTED	a host failed, all serve what they served
 *	ERR_DIFFER	hosts differ: the message says which
 *	others		nothing was flipped
 */
int fleet_activate(struct fleet *f, const struct remote_activate *o,
    struct fleet_activation *out, struct err *e) MUST_USE;

/*
 * Put a host that serves `id` back to `to`, or to the bridge that stood for it
 * (r->before_bridge), for the reason `why`, which its journal gets.  To be
 * called for a flipped host by its own thread (fleet_each), before
 * fleet_await_hooks().  0 or -1.
 */
int fleet_put_back(struct remote *r, const struct release_id *to,
    const struct release_id *id, const char *why, struct err *e) MUST_USE;

/*
 * Wait for the hooks that the flips have started on the hosts.  What failed is
 * in r->hook_failure of each.  fleet_activate() has done so.
 */
void fleet_await_hooks(struct fleet *f);

/*
 * All hosts serve r->before again, and the error says so: that is
 * ERR_REVERTED, or ERR_DIFFER with the command that makes them alike where
 * that is not the same on all; such as serve `id` have served it all along.
 */
void fleet_are_back(struct fleet *f, const struct release_id *id,
    struct err *e);

#endif
