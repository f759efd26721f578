#include "content/decode.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "unit.h"

/* 3000 lines, "line 0" to "line 6" again and again, by brotli 1.0.9. */
static const unsigned char lines_br[] = { 0x1b, 0x07, 0x52, 0xf8, 0x1d, 0x09,
	0x36, 0x4e, 0x72, 0xbb, 0x06, 0xd2, 0x8f, 0xb5, 0x42, 0x59, 0x1a, 0x1b,
	0xd8, 0x80, 0xb1, 0x79, 0x31, 0x0b, 0xc4, 0x2d, 0x19, 0x98, 0xe5, 0xb2,
	0x4a, 0x00, 0x88, 0x5e, 0x01, 0x62, 0x51, 0x3b, 0x32, 0x09, 0xe0,
	0x04 };

static int
into_buf(void *ctx, const void *data, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, data, len);
	return 0;
}

/* Takes a thousand bytes and a piece. */
static int
into_little(void *ctx, const void *data, size_t len, struct err *e)
{
	into_buf(ctx, data, len, e);
	return ((struct buf *)ctx)->len > 1000 ?
	    err_set(e, ERR_GUARD, "enough") :
	    0;
}

/* So many bytes at a time.  0 or -1. */
static int
decode(enum encoding how, const void *data, size_t len, size_t piece,
    struct buf *out, struct err *e)
{
	struct decoder *d = decoder_new(how, into_buf, out);
	int r = 0;

	for (size_t at = 0; r == 0 && at < len; at += piece)
		r = decoder_add(d, (const char *)data + at,
		    len - at < piece ? len - at : piece, e);
	if (r == 0)
		r = decoder_end(d, e);
	decoder_free(d);
	return r;
}

/* Of each form: empty, small, and much more than comes out at a time. */
static void
add_lines(struct buf *b, int n)
{
	for (int i = 0; i < n; i++)
		buf_addf(b, "line %d\n", i % 7);
}

static void
pack(enum encoding how, const struct buf *in, struct buf *out)
{
	buf_reserve(out, compressBound(in->len) + ZSTD_compressBound(in->len));
	if (how == ENCODING_ZSTD) {
		out->len =
		    ZSTD_compress(out->data, ZSTD_compressBound(in->len),
			in->len > 0 ? in->data : "", in->len, 19);
	} else {
		z_stream z = { .next_in = (unsigned char *)in->data,
			.avail_in = (uInt)in->len,
			.next_out = (unsigned char *)out->data,
			.avail_out = (uInt)compressBound(in->len) + 64 };

		deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, 0);
		deflate(&z, Z_FINISH);
		out->len = z.total_out;
		deflateEnd(&z);
	}
}

static void
test_there_and_back(void)
{
	static const int lines[] = { 0, 1, 3000, 100000 };
	static const enum encoding hows[] = { ENCODING_GZIP, ENCODING_ZSTD };

	for (size_t k = 0; k < 8; k++) {
		struct buf in = BUF_INIT, packed = BUF_INIT, out = BUF_INIT;
		enum encoding how = hows[k % 2];
		struct err e = ERR_INIT;

		add_lines(&in, lines[k / 2]);
		pack(how, &in, &packed);
		CHECK(decode(how, packed.data, packed.len, 1 << 20, &out,
			  &e) == 0);
		CHECK(out.len == in.len &&
		    (in.len == 0 || memcmp(out.data, in.data, in.len) == 0));
		buf_reset(&out);
		CHECK(decode(how, packed.data, packed.len, 1, &out, &e) == 0);
		CHECK(out.len == in.len);
		/* Two behind each other are one. */
		buf_reset(&out);
		buf_add(&packed, packed.data, packed.len);
		CHECK(decode(how, packed.data, packed.len, 7, &out, &e) == 0);
		CHECK(out.len == 2 * in.len);
		/* Half of it is none, nor is what has a tail. */
		CHECK(decode(how, packed.data, packed.len - 3, 7, &out, &e) ==
		    -1);
		CHECK(e.code == ERR_INTEGRITY);
		buf_addf(&packed, "tail");
		CHECK(decode(how, packed.data, packed.len, 7, &out, &e) == -1);
		CHECK(e.code == ERR_INTEGRITY);
		buf_release(&in);
		buf_release(&packed);
		buf_release(&out);
	}
}

static void
test_brotli(void)
{
	struct buf in = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	unsigned char tail[sizeof(lines_br) + 1] = { 0 };

	add_lines(&in, 3000);
	for (size_t piece = 1; piece <= sizeof(lines_br); piece += 9) {
		buf_reset(&out);
		CHECK(decode(ENCODING_BROTLI, lines_br, sizeof(lines_br),
			  piece, &out, &e) == 0);
		CHECK(out.len == in.len &&
		    memcmp(out.data, in.data, in.len) == 0);
		memcpy(tail, lines_br, sizeof(lines_br));
		CHECK(decode(ENCODING_BROTLI, tail, sizeof(tail), piece, &out,
			  &e) == -1);
		CHECK_STR(e.text, "something follows its end");
	}
	CHECK(decode(ENCODING_BROTLI, lines_br, sizeof(lines_br) - 1, 5, &out,
		  &e) == -1);
	CHECK_STR(e.text, "unexpected end");
	/* The empty one. */
	buf_reset(&out);
	CHECK(decode(ENCODING_BROTLI, "\x06", 1, 1, &out, &e) == 0);
	CHECK(out.len == 0);
	CHECK(decode(ENCODING_BROTLI, "", 0, 1, &out, &e) == -1);
	buf_release(&in);
	buf_release(&out);
}

/* What does not take any more ends it soon. */
static void
test_bounded(void)
{
	struct buf in = BUF_INIT, packed = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	struct decoder *d;

	buf_reserve(&in, 20 << 20);
	memset(in.data, 0, 20 << 20);
	in.len = 20 << 20;
	for (enum encoding how = 0; how < ENCODINGS; how += 2) {
		buf_reset(&packed);
		buf_reset(&out);
		pack(how, &in, &packed);
		d = decoder_new(how, into_little, &out);
		CHECK(decoder_add(d, packed.data, packed.len, &e) == -1);
		CHECK(e.code == ERR_GUARD);
		CHECK(out.len <= 1000 + 65536);
		decoder_free(d);
	}
	buf_release(&in);
	buf_release(&packed);
	buf_release(&out);
}

/* More than browsers take. */
static void
test_a_large_window(void)
{
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	ZSTD_CCtx *z = ZSTD_createCCtx();
	char packed[100], data[] = "small";
	ZSTD_inBuffer in = { data, 5, 0 };
	ZSTD_outBuffer to = { packed, sizeof(packed), 0 };

	ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, 24);
	ZSTD_compressStream2(z, &to, &in, ZSTD_e_flush);
	ZSTD_compressStream2(z, &to, &in, ZSTD_e_end);
	CHECK(decode(ENCODING_ZSTD, packed, to.pos, 100, &out, &e) == -1);
	CHECK(strstr(e.text, "larger than the 8 MB") != NULL);
	CHECK_STR(err_cure(&e), "compress it with a level up to 19");
	ZSTD_freeCCtx(z);
	buf_release(&out);
}

static void
test_names(void)
{
	static const struct {
		const char *path;
		size_t len;
		enum encoding how;
	} names[] = { { "a.gz", 1, ENCODING_GZIP },
		{ "d/app.js.br", 8, ENCODING_BROTLI },
		{ "d.br/x.zst", 6, ENCODING_ZSTD },
		{ "a.gz.br", 4, ENCODING_BROTLI }, { ".gz", 0, 0 },
		{ "d/.br", 0, 0 }, { "a.GZ", 0, 0 }, { "a.gzip", 0, 0 },
		{ "gz", 0, 0 }, { "a.zst/b", 0, 0 } };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		enum encoding how = ENCODINGS;

		CHECK(encoding_of_path(names[i].path, &how) == names[i].len);
		CHECK(names[i].len == 0 || how == names[i].how);
	}
}

UNIT_MAIN(UNIT(test_there_and_back), UNIT(test_brotli), UNIT(test_bounded),
    UNIT(test_a_large_window), UNIT(test_names))
