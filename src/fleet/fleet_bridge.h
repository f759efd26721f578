/*
 * Before the first host has the pages of a new release, all have its assets: a
 * bridge (root/bridge.h) goes live in the place of what each serves.
 *
 *	fleet_bridge_stage(f, id, &b, e)	make those that are needed
 *	fleet_bridge_flip(f, &b, &o, e)		all hosts, in any order
 *	... fleet_activate() or fleet_roll() of `id` ...
 *	fleet_bridge_release(&b)
 *
 * What visitors see does not change with it, so it is no matter which host is
 * first, nor whether all get that far: who comes next goes on from there.
 * Nothing travels: the hosts have the new release, and link its assets.
 */
#ifndef FLEET_BRIDGE_H
#define FLEET_BRIDGE_H

#include <stddef.h>

#include "base/err.h"
#include "base/release.h"
#include "fleet/fleet.h"

struct fleet_bridge {
	struct release_id *v;		/* of each host; none: needs none */
	size_t n;			/* hosts that need one */
	size_t files;			/* that most of them lacked */
};

#define FLEET_BRIDGE_INIT { NULL, 0, 0 }

/*
 * All hosts go back to `to` from what they serve.  Where that went live after a
 * bridge for `to`, the way back leads to this: it has the pages of the one and
 * the assets of both.  Nothing is asked or made for it.
 */
void fleet_bridge_back(struct fleet *f, const struct release_id *to);

/*
 * Stage a bridge on each host that serves something without all the assets of
 * `id` that its site carries; and that knows bridges.  The fleet is open
 * (fleet_open, full), and all hosts have `id`.  0 or -1; `out` is to be
 * released also then.
 */
int fleet_bridge_stage(struct fleet *f, const struct release_id *id,
    struct fleet_bridge *out, struct err *e) MUST_USE;

/*
 * Make them live, for `o->id`, with the overrides of `o` and the hosts that it
 * leaves out.  0, or -1 when a host failed: what visitors see is untouched.
 */
int fleet_bridge_flip(struct fleet *f, const struct fleet_bridge *b,
    const struct remote_activate *o, struct err *e) MUST_USE;

void fleet_bridge_release(struct fleet_bridge *b); /* neutral values accepted */

#endif
