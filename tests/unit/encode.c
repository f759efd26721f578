#include "content/encode.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "unit.h"

static int
into_buf(void *ctx, const void *data, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, data, len);
	return 0;
}

static int
into_nothing(void *ctx, const void *data, size_t len, struct err *e)
{
	(void)ctx;
	(void)data;
	(void)len;
	return err_set(e, ERR_GUARD, "enough");
}

/* So many bytes at a time. */
static void
encode(enum encoding how, const struct buf *in, size_t piece, struct buf *out)
{
	struct encoder *c = encoder_new(how, (int64_t)in->len, into_buf, out);
	struct err e = ERR_INIT;

	for (size_t at = 0; at < in->len; at += piece)
		CHECK(
		    encoder_add(c, in->data + at,
			in->len - at < piece ? in->len - at : piece, &e) == 0);
	CHECK(encoder_end(c, &e) == 0);
	encoder_free(c);
}

static void
decode(enum encoding how, const struct buf *in, struct buf *out)
{
	struct decoder *d = decoder_new(how, into_buf, out);
	struct err e = ERR_INIT;

	CHECK(decoder_add(d, in->data, in->len, &e) == 0);
	CHECK(decoder_end(d, &e) == 0);
	decoder_free(d);
}

static bool
is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* So many bytes: lines, or what nothing can be saved of. */
static void
fill(struct buf *b, size_t len, bool noise)
{
	uint64_t x = 88172645463325252U;

	for (size_t i = 0; b->len < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (noise)
			buf_add(b, &x, sizeof(x));
		else
			buf_addf(b, "line %zu\n", i % 1000);
	}
	b->len = len;
}

/* What comes out is the file again, however it was cut, and always the same. */
static void
test_there_and_back(void)
{
	const size_t sizes[] = { 0, 1, 1000, 65535, 65536, 65537, 200000 };

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++)
		for (enum encoding how = 0; how < ENCODINGS; how++) {
			struct buf in = BUF_INIT, out = BUF_INIT;
			struct buf again = BUF_INIT, back = BUF_INIT;

			buf_reserve(&in, 200016);
			fill(&in, sizes[i / 2], i % 2 == 1);
			encode(how, &in, 65536, &out);
			encode(how, &in, 65536, &again);
			CHECK(is_same(&out, &again));
			decode(how, &out, &back);
			CHECK(is_same(&in, &back));
			CHECK(in.len < 1000 || i % 2 == 1 ||
			    out.len < in.len / 2);
			buf_reset(&again);
			buf_reset(&back);
			encode(how, &in, 777, &again);
			decode(how, &again, &back);
			CHECK(is_same(&in, &back));
			buf_release(&in);
			buf_release(&out);
			buf_release(&again);
			buf_release(&back);
		}
}

/* More than the windows that browsers take. */
static void
test_large(void)
{
	struct buf in = BUF_INIT;

	buf_reserve(&in, 9000016);
	fill(&in, 9000000, false);
	for (enum encoding how = 0; how < ENCODINGS; how++) {
		struct buf out = BUF_INIT, back = BUF_INIT;

		/* Brotli needs ten seconds for it. */
		if (how == ENCODING_BROTLI)
			continue;
		encode(how, &in, 65536, &out);
		decode(how, &out, &back);
		CHECK(is_same(&in, &back));
		buf_release(&out);
		buf_release(&back);
	}
	buf_release(&in);
}

static void
test_who_takes_it_fails(void)
{
	struct buf in = BUF_INIT;

	buf_reserve(&in, 200016);
	fill(&in, 200000, true);
	for (enum encoding how = 0; how < ENCODINGS; how++) {
		struct encoder *c =
		    encoder_new(how, (int64_t)in.len, into_nothing, NULL);
		struct err e = ERR_INIT;
		int r = encoder_add(c, in.data, in.len, &e);

		CHECK(r == -1 || encoder_end(c, &e) == -1);
		CHECK(e.code == ERR_GUARD);
		encoder_free(c);
	}
	encoder_free(NULL);
	buf_release(&in);
}

UNIT_MAIN(UNIT(test_there_and_back), UNIT(test_large),
    UNIT(test_who_takes_it_fails))
