#include "content/decode.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/libbrotli.h"

enum {
	PIECE = 64 * 1024,
	WINDOW_LOG = 23, /* of zstd, for browsers: RFC 9659 */
};

const struct encoding_kind encodings[ENCODINGS] = {
	[ENCODING_GZIP] = { ".gz", "gzip", "gzip" },
	[ENCODING_BROTLI] = { ".br", "br", "brotli" },
	[ENCODING_ZSTD] = { ".zst", "zstd", "zstd" },
};

size_t
encoding_of_path(const char *path, enum encoding *out)
{
	size_t len = strlen(path);

	for (enum encoding i = 0; i < ENCODINGS; i++) {
		size_t end = strlen(encodings[i].suffix);

		/* A name that is nothing else is no file's. */
		if (len > end &&
		    strcmp(path + len - end, encodings[i].suffix) == 0 &&
		    strlen(path_base(path)) > end) {
			*out = i;
			return len - end;
		}
	}
	return 0;
}

struct decoder {
	enum encoding how;
	int (*write)(void *ctx, const void *data, size_t len, struct err *e);
	void *arg;
	bool ended;  /* it may end here */
	bool inside; /* a frame of zstd */
	union {
		z_stream gzip;
		BrotliDecoderState *brotli;
		ZSTD_DCtx *zstd;
	};
	unsigned char out[PIECE];
};

struct decoder *
decoder_new(enum encoding how,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx)
{
	struct decoder *d = xcalloc(1, sizeof(*d));
	bool made = false;

	d->how = how;
	d->write = write;
	d->arg = ctx;
	switch (how) {
	case ENCODING_GZIP:
		made = inflateInit2(&d->gzip, 16 + MAX_WBITS) == Z_OK;
		break;
	case ENCODING_BROTLI:
		library_must(libbrotlidec_load);
		d->brotli = bd.BrotliDecoderCreateInstance(NULL, NULL, NULL);
		made = d->brotli != NULL;
		break;
	case ENCODING_ZSTD:
		d->zstd = ZSTD_createDCtx();
		made = d->zstd != NULL &&
		    !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd,
			ZSTD_d_windowLogMax, WINDOW_LOG));
		break;
	case ENCODINGS:
		break;
	}
	if (!made)
		BUG("a decoder does not take its settings");
	return d;
}

struct decoder *
decoder_new_against(const void *dictionary, size_t len,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx)
{
	struct decoder *d = decoder_new(ENCODING_ZSTD, write, ctx);

	if (ZSTD_isError(ZSTD_DCtx_refPrefix(d->zstd, dictionary, len)))
		BUG("a decoder does not take its dictionary");
	return d;
}

void
decoder_free(struct decoder *d)
{
	if (d == NULL)
		return;
	if (d->how == ENCODING_GZIP)
		inflateEnd(&d->gzip);
	else if (d->how == ENCODING_BROTLI)
		bd.BrotliDecoderDestroyInstance(d->brotli);
	else
		ZSTD_freeDCtx(d->zstd);
	free(d);
}

static int
put(struct decoder *d, size_t len, struct err *e)
{
	return len > 0 ? d->write(d->arg, d->out, len, e) : 0;
}

/* Several members behind each other are one file: RFC 1952, 2.2. */
static int
add_gzip(struct decoder *d, const unsigned char *data, size_t len,
    struct err *e)
{
	z_stream *z = &d->gzip;
	int r = Z_OK;

	/* Pieces are never so large that zlib could not count them. */
	z->next_in = (unsigned char *)(uintptr_t)data;
	z->avail_in = (uInt)len;
	do {
		if (d->ended && z->avail_in > 0) {
			inflateReset(z);
			d->ended = false;
		}
		z->next_out = d->out;
		z->avail_out = PIECE;
		r = inflate(z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, ERR_INTEGRITY, "%s",
			    z->msg != NULL ? z->msg : "damaged");
		d->ended = r == Z_STREAM_END;
		if (put(d, PIECE - z->avail_out, e) != 0)
			return -1;
	} while (z->avail_in > 0 || (z->avail_out == 0 && !d->ended));
	return 0;
}

static int
add_brotli(struct decoder *d, const unsigned char *data, size_t len,
    struct err *e)
{
	BrotliDecoderResult r;

	if (d->ended)
		return err_set(e, ERR_INTEGRITY, "something follows its end");
	do {
		unsigned char *out = d->out;
		size_t room = PIECE;

		r = bd.BrotliDecoderDecompressStream(d->brotli, &len, &data,
		    &room, &out, NULL);
		if (r == BROTLI_DECODER_RESULT_ERROR)
			return err_set(e, ERR_INTEGRITY, "%s",
			    bd.BrotliDecoderErrorString(
				bd.BrotliDecoderGetErrorCode(d->brotli)));
		if (put(d, PIECE - room, e) != 0)
			return -1;
	} while (r == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	d->ended = r == BROTLI_DECODER_RESULT_SUCCESS;
	return d->ended && len > 0 ?
	    err_set(e, ERR_INTEGRITY, "something follows its end") :
	    0;
}

/*
 * Is it the first byte of a frame (RFC 8878, 3.1.1 and 3.1.2)?  The library
 * would also take formats from before the standard, which browsers do not,
 * and with them other windows.
 */
static bool
begins_zstd(unsigned char c)
{
	return c == 0x28 || (c & 0xf0) == 0x50;
}

static int
zstd_failed(size_t code, struct err *e)
{
	if (ZSTD_getErrorCode(code) ==
	    ZSTD_error_frameParameter_windowTooLarge)
		return err_set(e, ERR_INTEGRITY,
		    "its window is larger than the 8 MB that browsers take;; compress it with a level up to 19");
	return err_set(e, ERR_INTEGRITY, "%s", ZSTD_getErrorName(code));
}

/* Several frames behind each other are one file: RFC 8878, 3.1. */
static int
add_zstd(struct decoder *d, const unsigned char *data, size_t len,
    struct err *e)
{
	ZSTD_inBuffer in = { data, len, 0 };
	bool full;

	do {
		ZSTD_outBuffer out = { d->out, PIECE, 0 };
		size_t left;

		if (!d->inside && in.pos < in.size &&
		    !begins_zstd(data[in.pos]))
			return err_set(e, ERR_INTEGRITY, "no frame of zstd");
		left = ZSTD_decompressStream(d->zstd, &out, &in);
		if (ZSTD_isError(left))
			return zstd_failed(left, e);
		full = out.pos == out.size;
		d->ended = left == 0;
		d->inside = !d->ended;
		if (put(d, out.pos, e) != 0)
			return -1;
	} while (in.pos < in.size || (full && !d->ended));
	return 0;
}

int
decoder_add(struct decoder *d, const void *data, size_t len, struct err *e)
{
	const unsigned char *p = data;

	while (len > 0) {
		size_t n = len < PIECE ? len : PIECE;
		int r = d->how == ENCODING_GZIP ? add_gzip(d, p, n, e) :
		    d->how == ENCODING_BROTLI	? add_brotli(d, p, n, e) :
						  add_zstd(d, p, n, e);

		if (r != 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

int
decoder_end(struct decoder *d, struct err *e)
{
	return d->ended ? 0 : err_set(e, ERR_INTEGRITY, "unexpected end");
}
