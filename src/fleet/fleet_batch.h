/*
 * One pack, and the hosts that it is for: those with the same base, the same
 * compression, and the same way for files.  It is made once, by a thread, and
 * read by all of them while it grows (spool.h).
 *
 * Hosts that can get it as edits of their base (pack_edits.h).  One for which
 * they do not fit gets the whole pack (pack.h), which is made when the first
 * host wants it.
 */
#ifndef FLEET_BATCH_H
#define FLEET_BATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/release.h"
#include "content/delta.h"
#include "content/edits.h"
#include "content/manifest.h"
#include "fleet/fleet_fetch.h"
#include "fleet/fleet_marks.h"
#include "fleet/fleet_send.h"
#include "os/spool.h"
#include "remote/pack.h"
#include "remote/remote.h"

enum batch_form { BATCH_WHOLE, BATCH_EDITS, BATCH_FORMS };

struct batch {
	struct release_id base;		/* or none */
	enum pack_compression compression;
	bool rsync;			/* it brings the files; the pack has the
					 * rest */
	bool edited;			/* its hosts take edits, */
	bool makes_gzip;		/* and make such forms themselves, */
	int64_t gzip_left;		/* of so many more bytes */
	bool *there;			/* for each entry: rsync brings it */
	struct manifest base_manifest;
	struct digest_index *index;
	struct release_ids common;	/* releases that all its hosts have */
	struct release_ids uses;	/* of them, those that it links to */
	struct edits edits;
	bool *fetched;			/* for each entry: it is in `fetch`,
					 * for the edits */
	struct buf rules;		/* of the edits (rewrite.h) */
	size_t n_rules, ruled;		/* how many, and pages that they make */
	struct delta **deltas;		/* for each entry that has one; NULL:
					 * none has */
	size_t patched;			/* how many have one */
	const struct fleet_send *what;
	const struct hoard *fetch;
	struct guard_room need;		/* on a host */
	struct pack_tally by_rsync;	/* that have to travel */
	pthread_mutex_t lock;		/* of what follows */
	struct batch_pack {
		struct spool *spool;
		pthread_t writer;
		bool running;
		struct pack_tally all;	/* what it will have */
		struct pack_tally has;	/* of its writer */
		struct marks marks;
	} packs[BATCH_FORMS];
};

/* A batch for the host's base; more of them may follow.  0 or -1. */
int batch_open(struct batch *b, struct fleet *f, const struct remote *r,
    const struct fleet_send *what, const struct hoard *fetch, struct err *e)
    MUST_USE;

/* Is it for this host, too? */
bool batch_is_for(const struct batch *b, const struct remote *r);

/* One more host: what it has not is not common any more. */
void batch_add(struct batch *b, const struct remote *r);

/*
 * All hosts are known: find out where each file is from, and the room that it
 * takes; set `wanted` for what the hosts lack and the build does not have.
 */
void batch_divide(struct batch *b, bool *wanted);

/* The pack in that form; it is begun when it is wanted first.  NULL: it cannot. */
struct batch_pack *batch_pack(struct batch *b, enum batch_form form, struct err *e)
    MUST_USE;

/* Wait for the writers, count, and release. */
void batch_close(struct batch *b, struct fleet_sent *out);

#endif
