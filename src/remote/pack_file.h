/*
 * The content of one file on its way into a pack: it must still be what the
 * manifest says, which is known when all of it has been read.
 */
#ifndef PACK_FILE_H
#define PACK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "content/manifest.h"
#include "os/dir.h"

/* Files, and bytes of them, that have gone into a pack. */
struct pack_tally {
	int64_t files, bytes;
};

/* Where files are: in the build by their paths, fetched by their digests. */
struct pack_files {
	const struct dir *build;
	const struct dir *fetched;
	struct hash *hash;
	char *window;
	struct pack_tally *tally;	/* counts; NULL: nobody wants to know */
};

void pack_files_init(struct pack_files *f, const struct dir *build,
    const struct dir *fetched, struct pack_tally *tally);
void pack_files_release(struct pack_files *f);

/* Open the file of the entry.  The descriptor or -1. */
int pack_files_open(const struct pack_files *f, const struct entry *en,
    bool fetched, struct err *e) MUST_USE;

/* All of it that is to be in the pack is there. */
void pack_files_close(struct pack_files *f, int fd);

/*
 * Give all of the open file to `put`, a piece at a time; ERR_FAILED when it is
 * not (any more) what the entry says.  0 or -1.
 */
int pack_files_put(struct pack_files *f, int fd, const struct entry *en,
    int (*put)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e) MUST_USE;

/*
 * The same with `len` bytes from `from` on.  Whether they are those that the
 * entry means is found out by who makes a file of them.
 */
int pack_files_put_part(struct pack_files *f, int fd, const struct entry *en,
    int64_t from, int64_t len,
    int (*put)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e) MUST_USE;

#endif
