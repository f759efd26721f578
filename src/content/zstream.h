/*
 * A stream compressed with zstd, one frame, written and read in pieces.  Its
 * window, and with it the memory that the other end needs, is bounded by
 * ZSTREAM_WINDOW.  The door to libzstd for what we
 * write ourselves; whole packs and archives are libarchive's, and what a build
 * has in it is taken apart by decode.h.
 */
#ifndef ZSTREAM_H
#define ZSTREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum { ZSTREAM_WINDOW = 8 * 1024 * 1024 };

struct zwriter;

/*
 * For exactly `size` bytes, which are compressed the harder the fewer they
 * are.  What comes out goes to `write`, which returns 0 or -1.
 */
struct zwriter *zwriter_new(int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx);
void zwriter_free(struct zwriter *z);		/* NULL accepted */

int zwriter_add(struct zwriter *z, const void *data, size_t len,
    struct err *e) MUST_USE;
/* Write all that was added, so far. */
int zwriter_flush(struct zwriter *z, struct err *e) MUST_USE;

int zwriter_end(struct zwriter *z, struct err *e) MUST_USE;

struct zreader;

/*
 * What is read comes from `read`, which sets the next bytes and returns how
 * many they are, 0 at the end, -1 with the error.
 */
struct zreader *zreader_new(ssize_t (*read)(void *ctx, const void **data,
    struct err *e), void *ctx);
void zreader_free(struct zreader *z);		/* NULL accepted */

/*
 * At most `len` bytes: how many; 0 at the end of the frame, which must be the
 * end of the input; -1, with ERR_INTEGRITY for what is no such stream.
 */
ssize_t zreader_read(struct zreader *z, void *data, size_t len, struct err *e)
    MUST_USE;

#endif
