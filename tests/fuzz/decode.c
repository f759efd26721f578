/*
 * Compressed files of a build: the first byte of an input says which form it
 * is, and how it is cut into pieces; from 128 on, zstd is against a dictionary.
 * Whatever it is, what comes out is bounded by who takes it, an error says so,
 * and the pieces make no difference.
 */
#include "content/decode.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "must.h"

enum { MOST = 1 << 20, PIECE = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
take(void *ctx, const void *data, size_t len, struct err *e)
{
	struct buf *b = ctx;

	buf_add(b, data, len);
	return b->len > MOST ? err_set(e, ERR_GUARD, "enough") : 0;
}

static int
decode(enum encoding how, bool against, const uint8_t *data, size_t size,
    size_t piece, struct buf *out)
{
	static const char dictionary[] =
	    "what was there before, and more of it";
	struct decoder *d = against ?
	    decoder_new_against(dictionary, sizeof(dictionary), take, out) :
	    decoder_new(how, take, out);
	struct err e = ERR_INIT;
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += piece)
		r = decoder_add(d, data + at,
		    size - at < piece ? size - at : piece, &e);
	if (r == 0)
		r = decoder_end(d, &e);
	decoder_free(d);
	MUST(r == 0 || e.code == ERR_INTEGRITY || e.code == ERR_GUARD);
	MUST(out->len <= MOST + PIECE);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = BUF_INIT, two = BUF_INIT;
	enum encoding how;
	bool against;
	int r;

	if (size == 0)
		return 0;
	how = data[0] % ENCODINGS;
	against = how == ENCODING_ZSTD && data[0] >= 128;
	r = decode(how, against, data + 1, size - 1, size, &one);
	MUST(r ==
	    decode(how, against, data + 1, size - 1, 1 + data[0] / 4, &two));
	MUST(r != 0 ||
	    (one.len == two.len &&
		(one.len == 0 || memcmp(one.data, two.data, one.len) == 0)));
	buf_release(&one);
	buf_release(&two);
	return 0;
}
