/*
 * Send a release to the hosts that lack it: one pack for all that have the
 * same base, the same compression and the same way for files, made once and
 * read by all of them while it grows.
 */
#ifndef FLEET_SEND_H
#define FLEET_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "fleet/fleet.h"
#include "content/hoard.h"
#include "content/manifest.h"
#include "content/plan.h"
#include "root/meta.h"

struct fleet_send {
	const struct manifest *m;
	const struct meta *meta;
	const struct dir *build;	/* has the files that are not carried;
					 * NULL: some host has to */
	struct hoard *made;		/* has those that it makes; what is
					 * fetched comes to them; or NULL */
	const struct plan_step *steps;	/* for each entry; NULL without a
					 * build: nothing is known of it */
	bool *lost;			/* out, when it fails: for each entry,
					 * is it carried, and no host has it
					 * intact?  Or NULL */
};

struct fleet_sent {
	size_t packs;
	int64_t pack_bytes;		/* of all packs together */
	size_t fresh;			/* hosts that lacked it */
	int64_t files, bytes;		/* that they got, all of them together;
					 * not what they had already */
};

/*
 * Send it to all hosts of the fleet (fleet_open, full) that lack it.  What
 * neither they nor the build have is fetched from another host; a host whose
 * releases turn out to be damaged gets everything anew.  Returns 0;
 * or -1 when a host failed, and those that have the whole release keep it.
 */
int fleet_send(struct fleet *f, const struct fleet_send *what,
    struct fleet_sent *out, struct err *e) MUST_USE;

#endif
