/*
 * The content of the files in an archive: all of it that was announced, no
 * byte more, and no more in all than there may be.
 */
#ifndef UNPACK_DATA_H
#define UNPACK_DATA_H

#include <stdint.h>

#include "base/err.h"
#include "content/reader.h"

struct archive_entry;

struct unpack_data {
	/* In. */
	struct reader *r;	/* stands at the entry */
	const char *top;	/* where the files are, for messages */
	int64_t max_bytes;	/* refuse more than this in all; 0: no bound */
	void (*progress)(void *ctx, int64_t bytes);	/* after each; or NULL */
	void *progress_ctx;
	/* Private. */
	int64_t bytes;		/* so far */
};

/*
 * Write the content of the entry to the open, empty file, which has that
 * path below the top, and close it.  Returns 0, or -1: ERR_INTEGRITY for what
 * is not as announced, ERR_GUARD for too much.
 */
int unpack_data_fill(struct unpack_data *d, const char *path,
    struct archive_entry *en, int fd, struct err *e) MUST_USE;

#endif
