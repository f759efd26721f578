/*
 * The other way of decode.h: a file into a compressed form that web servers
 * give in its place.  The door to libbrotli's encoder, and for this to zlib
 * and libzstd.
 *
 * As small as browsers can undo it (gzip 9, brotli 11, zstd 19), for it is
 * made once and given often.  The same bytes come out of the same file with
 * the same libraries: no times, no names.  Memory grows with the file until
 * the windows are full: 32 KB, 4 MB, 8 MB, and ten times that to look in.
 */
#ifndef ENCODE_H
#define ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "content/decode.h"

struct encoder;

/* Of the library that makes gzip: with the same the same bytes come out. */
const char *encoder_gzip_version(void);

/*
 * For exactly `size` bytes.  What comes out goes to `write`, which returns 0
 * or -1.
 */
struct encoder *encoder_new(enum encoding how, int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx);

/*
 * The same for a frame of zstd against a dictionary (dcz.h) of `len` bytes,
 * which must outlive the encoder; neither is larger than DCZ_MAX.
 */
struct encoder *encoder_new_against(const void *dictionary, size_t len,
    int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx);
void encoder_free(struct encoder *c);		/* NULL accepted */

/* The next bytes.  0, or -1: what `write` failed with. */
int encoder_add(struct encoder *c, const void *data, size_t len,
    struct err *e) MUST_USE;

/* That was all.  0 or -1. */
int encoder_end(struct encoder *c, struct err *e) MUST_USE;

#endif
