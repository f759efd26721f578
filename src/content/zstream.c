#include "content/zstream.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/alloc.h"

enum {
	PIECE = 64 * 1024,
	WINDOW_LOG = 23, /* of ZSTREAM_WINDOW */
	/* Below so many bytes time does not matter. */
	SMALL = 4 * 1024 * 1024,
	LEVEL_SMALL = 12,
	LEVEL = 3,
};

_Static_assert(1 << WINDOW_LOG == ZSTREAM_WINDOW, "the window's logarithm");

/* ---- writing ----------------------------------------------------------- */

struct zwriter {
	ZSTD_CCtx *ctx;
	int (*write)(void *ctx, const void *data, size_t len, struct err *e);
	void *arg;
	char *out; /* PIECE bytes */
};

struct zwriter *
zwriter_new(int64_t size,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx)
{
	struct zwriter *z = xcalloc(1, sizeof(*z));

	z->ctx = ZSTD_createCCtx();
	z->write = write;
	z->arg = ctx;
	z->out = xmalloc(PIECE);
	/* What is told of the size makes windows and tables no larger. */
	if (z->ctx == NULL ||
	    ZSTD_isError(
		ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_compressionLevel,
		    size < SMALL ? LEVEL_SMALL : LEVEL)) ||
	    ZSTD_isError(
		ZSTD_CCtx_setParameter(z->ctx, ZSTD_c_checksumFlag, 1)) ||
	    ZSTD_isError(
		ZSTD_CCtx_setPledgedSrcSize(z->ctx, (unsigned long long)size)))
		BUG("zstd does not take its settings");
	return z;
}

void
zwriter_free(struct zwriter *z)
{
	if (z == NULL)
		return;
	ZSTD_freeCCtx(z->ctx);
	free(z->out);
	free(z);
}

/* Compress until nothing is left to be done. */
static int
compress(struct zwriter *z, ZSTD_inBuffer *in, ZSTD_EndDirective how,
    struct err *e)
{
	size_t left;

	do {
		ZSTD_outBuffer out = { z->out, PIECE, 0 };

		left = ZSTD_compressStream2(z->ctx, &out, in, how);
		if (ZSTD_isError(left))
			return err_set(e, ERR_FAILED, "cannot compress: %s",
			    ZSTD_getErrorName(left));
		if (out.pos > 0 && z->write(z->arg, z->out, out.pos, e) != 0)
			return -1;
	} while (how == ZSTD_e_continue ? in->pos < in->size : left > 0);
	return 0;
}

int
zwriter_add(struct zwriter *z, const void *data, size_t len, struct err *e)
{
	ZSTD_inBuffer in = { data, len, 0 };

	return len == 0 ? 0 : compress(z, &in, ZSTD_e_continue, e);
}

int
zwriter_flush(struct zwriter *z, struct err *e)
{
	ZSTD_inBuffer in = { "", 0, 0 };

	return compress(z, &in, ZSTD_e_flush, e);
}

int
zwriter_end(struct zwriter *z, struct err *e)
{
	ZSTD_inBuffer in = { "", 0, 0 };

	return compress(z, &in, ZSTD_e_end, e);
}

/* ---- reading ----------------------------------------------------------- */

struct zreader {
	ZSTD_DCtx *ctx;
	ssize_t (*read)(void *ctx, const void **data, struct err *e);
	void *arg;
	ZSTD_inBuffer in;
	bool pending; /* more may come of what was read */
	bool ended;   /* the frame */
};

struct zreader *
zreader_new(ssize_t (*read)(void *ctx, const void **data, struct err *e),
    void *ctx)
{
	struct zreader *z = xcalloc(1, sizeof(*z));

	z->ctx = ZSTD_createDCtx();
	z->read = read;
	z->arg = ctx;
	if (z->ctx == NULL ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax,
		WINDOW_LOG)))
		BUG("zstd does not take its settings");
	return z;
}

void
zreader_free(struct zreader *z)
{
	if (z == NULL)
		return;
	ZSTD_freeDCtx(z->ctx);
	free(z);
}

/* More input: 1, 0 at its end, -1. */
static int
refill(struct zreader *z, struct err *e)
{
	const void *data;
	ssize_t n;

	if (z->in.pos < z->in.size)
		return 1;
	n = z->read(z->arg, &data, e);
	if (n <= 0)
		return n < 0 ? -1 : 0;
	z->in = (ZSTD_inBuffer){ data, (size_t)n, 0 };
	return 1;
}

/* The frame has ended, and so must the input.  0 or -1. */
static int
check_end(struct zreader *z, struct err *e)
{
	int c = refill(z, e);

	return c > 0 ? err_set(e, ERR_INTEGRITY, "something follows its end") :
		       c;
}

ssize_t
zreader_read(struct zreader *z, void *data, size_t len, struct err *e)
{
	ZSTD_outBuffer out = { data, len, 0 };
	size_t left;
	int c;

	while (!z->ended && out.pos == 0) {
		c = z->pending ? 1 : refill(z, e);
		if (c < 0)
			return -1;
		if (c == 0)
			return err_set(e, ERR_INTEGRITY, "unexpected end");
		left = ZSTD_decompressStream(z->ctx, &out, &z->in);
		if (ZSTD_isError(left))
			return err_set(e, ERR_INTEGRITY, "%s",
			    ZSTD_getErrorName(left));
		z->ended = left == 0;
		z->pending = out.pos == out.size;
	}
	return out.pos > 0 ? (ssize_t)out.pos : check_end(z, e);
}
