#include "content/encode.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "content/libbrotli.h"

enum {
	PIECE = 64 * 1024,
	GZIP_MEMORY = 9,
	BROTLI_WINDOW = 22, /* the usual one; and less for less */
	BROTLI_WINDOW_MIN = 16,
	ZSTD_LEVEL = 19, /* the last whose window browsers take (RFC 9659) */
	ZSTD_WINDOW = 23,
	ZSTD_WINDOW_MIN = 17,
};

struct encoder {
	enum encoding how;
	int (*write)(void *ctx, const void *data, size_t len, struct err *e);
	void *arg;
	union {
		z_stream gzip;
		BrotliEncoderState *brotli;
		ZSTD_CCtx *zstd;
	};
	unsigned char out[PIECE];
};

const char *
encoder_gzip_version(void)
{
	return zlibVersion();
}

/* No larger than the file needs: it takes memory here, and in browsers. */
static bool
set_up_brotli(BrotliEncoderState *b, int64_t size)
{
	uint32_t window = BROTLI_WINDOW_MIN;

	while (window < BROTLI_WINDOW && ((int64_t)1 << window) - 16 < size)
		window++;
	return be.BrotliEncoderSetParameter(b, BROTLI_PARAM_QUALITY,
		   BROTLI_MAX_QUALITY) &&
	    be.BrotliEncoderSetParameter(b, BROTLI_PARAM_LGWIN, window) &&
	    be.BrotliEncoderSetParameter(b, BROTLI_PARAM_SIZE_HINT,
		size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
}

/* By its size it chooses the rest; which is in the file, as it should be. */
static bool
set_up_zstd(ZSTD_CCtx *z, int64_t size)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel,
		   ZSTD_LEVEL)) &&
	    !ZSTD_isError(
		ZSTD_CCtx_setPledgedSrcSize(z, (unsigned long long)size)) &&
	    (size < (int64_t)1 << ZSTD_WINDOW ||
		!ZSTD_isError(
		    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, ZSTD_WINDOW)));
}

struct encoder *
encoder_new(enum encoding how, int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx)
{
	struct encoder *c = xcalloc(1, sizeof(*c));
	bool made = false;

	c->how = how;
	c->write = write;
	c->arg = ctx;
	switch (how) {
	case ENCODING_GZIP:
		made = deflateInit2(&c->gzip, Z_BEST_COMPRESSION, Z_DEFLATED,
			   16 + MAX_WBITS, GZIP_MEMORY,
			   Z_DEFAULT_STRATEGY) == Z_OK;
		break;
	case ENCODING_BROTLI:
		library_must(libbrotlienc_load);
		c->brotli = be.BrotliEncoderCreateInstance(NULL, NULL, NULL);
		made = c->brotli != NULL && set_up_brotli(c->brotli, size);
		break;
	case ENCODING_ZSTD:
		c->zstd = ZSTD_createCCtx();
		made = c->zstd != NULL && set_up_zstd(c->zstd, size);
		break;
	case ENCODINGS:
		break;
	}
	if (!made)
		BUG("an encoder does not take its settings");
	return c;
}

/* The window reaches back to where the dictionary begins, if it may. */
static bool
set_up_against(ZSTD_CCtx *z, const void *dictionary, size_t len, int64_t size)
{
	int window = ZSTD_WINDOW_MIN;

	while (
	    window < ZSTD_WINDOW && (int64_t)1 << window < size + (int64_t)len)
		window++;
	return set_up_zstd(z, size) &&
	    !ZSTD_isError(
		ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window)) &&
	    !ZSTD_isError(ZSTD_CCtx_refPrefix(z, dictionary, len));
}

struct encoder *
encoder_new_against(const void *dictionary, size_t len, int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx)
{
	struct encoder *c = encoder_new(ENCODING_ZSTD, size, write, ctx);

	if (!set_up_against(c->zstd, dictionary, len, size))
		BUG("an encoder does not take its dictionary");
	return c;
}

void
encoder_free(struct encoder *c)
{
	if (c == NULL)
		return;
	if (c->how == ENCODING_GZIP)
		deflateEnd(&c->gzip);
	else if (c->how == ENCODING_BROTLI)
		be.BrotliEncoderDestroyInstance(c->brotli);
	else
		ZSTD_freeCCtx(c->zstd);
	free(c);
}

static int
put(struct encoder *c, size_t len, struct err *e)
{
	return len > 0 ? c->write(c->arg, c->out, len, e) : 0;
}

static int
run_gzip(struct encoder *c, const void *data, size_t len, bool last,
    struct err *e)
{
	z_stream *z = &c->gzip;
	int r;

	/* Pieces are never so large that zlib could not count them. */
	z->next_in = (unsigned char *)(uintptr_t)data;
	z->avail_in = (uInt)len;
	do {
		z->next_out = c->out;
		z->avail_out = PIECE;
		r = deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
		if (put(c, PIECE - z->avail_out, e) != 0)
			return -1;
	} while (z->avail_out == 0 && r != Z_STREAM_END);
	return 0;
}

static int
run_brotli(struct encoder *c, const void *data, size_t len, bool last,
    struct err *e)
{
	const uint8_t *in = data;
	bool more;

	do {
		uint8_t *out = c->out;
		size_t room = PIECE;

		if (!be.BrotliEncoderCompressStream(c->brotli,
			last ? BROTLI_OPERATION_FINISH :
			       BROTLI_OPERATION_PROCESS,
			&len, &in, &room, &out, NULL))
			return err_set(e, ERR_FAILED, "brotli failed");
		if (put(c, PIECE - room, e) != 0)
			return -1;
		more = len > 0 || be.BrotliEncoderHasMoreOutput(c->brotli);
	} while (more || (last && !be.BrotliEncoderIsFinished(c->brotli)));
	return 0;
}

static int
run_zstd(struct encoder *c, const void *data, size_t len, bool last,
    struct err *e)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { c->out, PIECE, 0 };

		left = ZSTD_compressStream2(c->zstd, &out, &in,
		    last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_FAILED, "zstd failed: %s",
			    ZSTD_getErrorName(left));
		if (put(c, out.pos, e) != 0)
			return -1;
	} while (in.pos < in.size || (last && left > 0));
	return 0;
}

static int
run(struct encoder *c, const void *data, size_t len, bool last, struct err *e)
{
	if (c->how == ENCODING_GZIP)
		return run_gzip(c, data, len, last, e);
	return c->how == ENCODING_BROTLI ? run_brotli(c, data, len, last, e) :
					   run_zstd(c, data, len, last, e);
}

int
encoder_add(struct encoder *c, const void *data, size_t len, struct err *e)
{
	return len > 0 ? run(c, data, len, false, e) : 0;
}

int
encoder_end(struct encoder *c, struct err *e)
{
	return run(c, "", 0, true, e);
}
