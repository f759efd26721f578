#include "content/zstream.h"

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

/* Gives a few bytes at a time. */
struct source {
	const struct buf *b;
	size_t at, piece;
};

static ssize_t
from_buf(void *ctx, const void **data, struct err *e)
{
	struct source *s = ctx;
	size_t n = s->b->len - s->at;

	(void)e;
	if (n > s->piece)
		n = s->piece;
	*data = s->b->data + s->at;
	s->at += n;
	return (ssize_t)n;
}

/* Read all of it: 0 or -1 as zreader_read(). */
static int
read_all(const struct buf *b, size_t piece, size_t room, struct buf *out,
    struct err *e)
{
	struct source s = { b, 0, piece };
	struct zreader *z = zreader_new(from_buf, &s);
	ssize_t n;

	do {
		buf_reserve(out, room);
		n = zreader_read(z, out->data + out->len, room, e);
		out->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	zreader_free(z);
	return (int)n;
}

static void
test_there_and_back(void)
{
	static const size_t sizes[] = { 0, 1, 1000, 70000, 300000, 5000000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct buf text = BUF_INIT, packed = BUF_INIT, out = BUF_INIT;
		struct err e = ERR_INIT;
		struct zwriter *z;

		for (size_t k = 0; k < sizes[i]; k++)
			buf_addc(&text, (char)(k * k >> 7));
		z = zwriter_new((int64_t)sizes[i], into_buf, &packed);
		CHECK(zwriter_add(z, buf_str(&text), text.len / 2, &e) == 0);
		CHECK(zwriter_add(z, buf_str(&text) + text.len / 2,
			  text.len - text.len / 2, &e) == 0);
		CHECK(zwriter_end(z, &e) == 0);
		zwriter_free(z);
		for (size_t piece = 1; piece < 100000; piece += 33333) {
			buf_reset(&out);
			CHECK(read_all(&packed, piece, 10000, &out, &e) == 0);
			CHECK(out.len == text.len &&
			    memcmp(buf_str(&out), buf_str(&text), out.len) ==
				0);
		}
		buf_release(&text);
		buf_release(&packed);
		buf_release(&out);
	}
}

/* What was added is all there behind a flush, though no end is. */
static void
test_flush(void)
{
	struct buf packed = BUF_INIT, out = BUF_INIT;
	struct err e = ERR_INIT;
	struct zwriter *z = zwriter_new(1000, into_buf, &packed);

	CHECK(zwriter_add(z, "hello", 5, &e) == 0);
	CHECK(zwriter_flush(z, &e) == 0 && zwriter_flush(z, &e) == 0);
	CHECK(read_all(&packed, 100, 100, &out, &e) == -1);
	CHECK(out.len == 5 && memcmp(out.data, "hello", 5) == 0);
	CHECK(zwriter_add(z, ", world", 7, &e) == 0);
	CHECK(zwriter_flush(z, &e) == 0);
	zwriter_free(z);
	buf_reset(&out);
	CHECK(read_all(&packed, 100, 100, &out, &e) == -1);
	CHECK(out.len == 12 && memcmp(out.data, "hello, world", 12) == 0);
	buf_release(&packed);
	buf_release(&out);
}

static void
test_what_is_none(void)
{
	struct buf packed = BUF_INIT, out = BUF_INIT, part = BUF_INIT;
	struct err e = ERR_INIT;
	struct zwriter *z = zwriter_new(5, into_buf, &packed);

	CHECK(zwriter_add(z, "hello", 5, &e) == 0 && zwriter_end(z, &e) == 0);
	zwriter_free(z);
	for (size_t i = 0; i < packed.len; i++) {
		buf_reset(&part);
		buf_add(&part, packed.data, i);
		CHECK(read_all(&part, 100, 100, &out, &e) == -1 &&
		    e.code == ERR_INTEGRITY);
	}
	buf_addc(&packed, 'x');
	CHECK(read_all(&packed, 100, 100, &out, &e) == -1 &&
	    e.code == ERR_INTEGRITY);
	/* A window of 128 MiB: magic, descriptor, 17 << 3, a block of RLE. */
	buf_reset(&packed);
	buf_add(&packed, "\x28\xb5\x2f\xfd\x00\x88\x03\x00\x00", 9);
	CHECK(read_all(&packed, 100, 100, &out, &e) == -1 &&
	    e.code == ERR_INTEGRITY);
	buf_release(&packed);
	buf_release(&part);
	buf_release(&out);
}

UNIT_MAIN(UNIT(test_there_and_back), UNIT(test_flush), UNIT(test_what_is_none))
