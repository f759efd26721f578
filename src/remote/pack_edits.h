/*
 * A pack in the form of edits: for hosts that say `has delta` and have the
 * base.  One zstd stream (zstream.h) of
 *
 *	WIRE_EDITS_MAGIC
 *	the meta, JSON		each of the three with its length, a number of
 *	the edits (edits.h)	varint.h, before it
 *	the rules (rewrite.h)
 *	the files that travel (EDIT_WHOLE), and the deltas (delta.h) of others
 *	    (EDIT_DELTA), one after the other, in the order of the new manifest,
 *	    which knows the sizes
 *
 * The host makes the manifest of it, and everything else; host/receive_edits
 * is its other end.
 */
#ifndef PACK_EDITS_H
#define PACK_EDITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "content/delta.h"
#include "content/edits.h"
#include "content/manifest.h"
#include "host/wire.h"
#include "os/dir.h"
#include "root/meta.h"

struct pack_tally;

struct pack_edits_source {
	const struct manifest *m, *base;
	const struct meta *meta;
	const struct edits *edits;
	const struct buf *rules;
	const struct delta *const *deltas;	/* for each entry that has one;
						 * NULL: none has */
	const struct dir *build;	/* the files that travel */
	const struct dir *fetched;	/* others, called by their digests */
	const bool *is_fetched;		/* for each entry; NULL: none is */
	struct pack_tally *tally;	/* as pack.h */
};

/* As pack_write(). */
int pack_edits_write(const struct pack_edits_source *src,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e) MUST_USE;

#endif
