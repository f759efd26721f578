/*
 * The compressed forms in which web servers give a file, and which a build
 * may have beside it (app.js, app.js.gz): made of pieces into the bytes that
 * they stand for.  The doors to libbrotli, and for this to zlib and libzstd.
 *
 * What comes out is bounded by who takes it: `write` returns -1 when it has
 * enough.  Memory is bounded by the windows that browsers take: 32 KB, 16 MB,
 * and 8 MB (RFC 9659).
 */
#ifndef DECODE_H
#define DECODE_H

#include <stddef.h>

#include "base/err.h"

enum encoding { ENCODING_GZIP, ENCODING_BROTLI, ENCODING_ZSTD, ENCODINGS };

struct encoding_kind {
	const char *suffix;	/* of a file: ".gz" */
	const char *name;	/* of RFC 9110, 8.4.1: "gzip" */
	const char *tool;	/* that makes it, for messages */
};

extern const struct encoding_kind encodings[ENCODINGS];

/*
 * Is `path` by its name the compressed form of another, such as "a.js.br" of
 * "a.js"?  How long the name of that is, and which form; or 0.
 */
size_t encoding_of_path(const char *path, enum encoding *out);

struct decoder;

/* What comes out goes to `write`, which returns 0 or -1. */
struct decoder *decoder_new(enum encoding how,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx);

/*
 * One frame of zstd that was made against a dictionary (dcz.h), which must
 * outlive the decoder.  The header is not taken.
 */
struct decoder *decoder_new_against(const void *dictionary, size_t len,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx);
void decoder_free(struct decoder *d);		/* NULL accepted */

/*
 * The next bytes.  0, or -1: what `write` failed with, or ERR_INTEGRITY with
 * the bare reason why it is no such stream.
 */
int decoder_add(struct decoder *d, const void *data, size_t len,
    struct err *e) MUST_USE;

/* That was all: is it whole?  0 or -1. */
int decoder_end(struct decoder *d, struct err *e) MUST_USE;

#endif
