/*
 * The host's end of a pack: a stream that is not trusted becomes a complete
 * release, or nothing.
 *
 * It comes in one of two forms: whole, as a tar (remote/pack.h, and
 * receive_tar.h here), or as edits of a release that is here
 * (remote/pack_edits.h, receive_edits.h).  Both know the whole manifest,
 * checked as manifest_parse() does, before they make anything: names therefore
 * cannot leave incoming/<id>.  What is taken from other releases is what is a
 * file in the manifest of a complete release of this root, with the same
 * content, and intact; where link(2) cannot, the file is copied and hashed.
 */
#ifndef RECEIVE_H
#define RECEIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strvec.h"
#include "root/store.h"

struct receive_options {
	const struct release_id *id;
	const struct release_id *base;	/* the pack is edits of it; NULL: it
					 * is whole */
	/*
	 * What comes is to mend a release (root/repair.h), and becomes none of
	 * its own; NULL: it does.
	 */
	const struct release_id *repair;
	bool manifest;		/* it is the manifest of that one that comes */
	gid_t gid;		/* as fill.h */
	/*
	 * Files and directories are there already (rsync put them there):
	 * what the pack lacks is hashed where it lies.
	 */
	bool filled;
	bool limited;		/* by the bounds of limits.h */
	bool may_pin;		/* else the release comes unpinned */
	int64_t seq_max;	/* with a higher sequence it comes without one */
	bool only_preview;	/* it must be marked as a preview's */
	int64_t announced;	/* bytes of contents, at most; -1: any */
};

struct received {
	size_t files;
	size_t linked;
	int64_t bytes;		/* that travelled, uncompressed */
	struct strvec mended;	/* as repair() */
	bool no_seq;		/* its sequence was above o->seq_max */
};

#define RECEIVED_INIT { 0, 0, 0, STRVEC_INIT, false }

struct incoming;
struct wire_in;

/*
 * Read a pack, the rest of the input, into the incoming release that was begun, check it
 * and commit it.  Returns 0; -1 with ERR_INTEGRITY for a pack that is
 * damaged, cut short or hostile, ERR_GUARD when the disk is full.  Nothing
 * is listed then.
 */
int receive(struct incoming *in, struct wire_in *pack,
    const struct receive_options *o, struct received *out, struct err *e)
    MUST_USE;

#endif
