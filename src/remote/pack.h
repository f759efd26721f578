/*
 * A pack: the stream that carries a release to a host.  It is a plain tar
 * (ustar headers, GNU long names, no pax) that every tar can extract in the
 * root, compressed with zstd, gzip or not:
 *
 *	.deploy/incoming/<id>.manifest	the whole manifest, mtree(5)
 *	.deploy/incoming/<id>.meta	the meta, JSON
 *	.deploy/incoming/<id>/...	directories, files, links; a file that
 *					a release of the host has already is a
 *					hard link to releases/<release>/<path>
 *
 * One pack serves all hosts that have the same base.  The door to libarchive
 * for writing.
 */
#ifndef PACK_H
#define PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/dir.h"
#include "base/err.h"
#include "content/manifest.h"
#include "root/meta.h"

/* What the host can undo. */
enum pack_compression { PACK_PLAIN, PACK_GZIP, PACK_ZSTD };

/* Its name in a request: "none", "gzip", "zstd". */
const char *pack_compression_name(enum pack_compression c);

/* Where the content of an entry comes from, when the host has it. */
struct pack_origin {
	const struct release_id *release; /* NULL: the host does not have it */
	const char *path;
	bool fetched;		/* nor does the build: from `fetched` */
};

struct pack_tally;

struct pack_source {
	const struct manifest *m;
	const struct meta *meta;
	const struct dir *build;	/* the files that travel */
	const struct dir *fetched;	/* others, called by their digests */
	/* The origin of entry i (a file). */
	void (*origin)(void *ctx, size_t i, struct pack_origin *out);
	void *ctx;
	const bool *there;	/* for each entry: it is in incoming/<id>
				 * already and stays out; NULL: none is */
	enum pack_compression compression;
	bool thorough;		/* smaller, for two or three times the CPU */
	struct pack_tally *tally;	/* grows before `write` is called; or
					 * NULL */
};

/*
 * Write the pack, a piece at a time, through `write`, which returns 0 or -1
 * with the error.  A file that is not (any more) what the manifest says is
 * ERR_FAILED.  Memory does not grow with the size of files.  0 or -1.
 */
int pack_write(const struct pack_source *src,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e) MUST_USE;

#endif
