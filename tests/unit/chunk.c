/* Chunks: where a text is cut, and that this depends on the text alone. */
#include "content/chunk.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "unit.h"

static unsigned int seed = 1;

static unsigned int
any(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void
test_length(void)
{
	static const struct {
		int64_t size;
		size_t length;
	} cases[] = {
		{ 0, 256 },
		{ 1, 256 },
		{ 7000, 256 },
		{ 16900, 390 },
		{ 100000, 948 },
		{ 4194304, 4096 },
		{ 9832799, 4096 },
		{ 9832800, 4097 },
		{ 30000000, 12500 },
		{ INT64_C(1) << 30, 447392 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(chunk_length(cases[i].size) == cases[i].length);
		CHECK(chunk_count_max(cases[i].size) ==
		    cases[i].size / (int64_t)(cases[i].length / 4) + 1);
		CHECK(chunk_hashes_max(cases[i].size) ==
		    2 * (cases[i].size / (int64_t)cases[i].length + 1));
	}
}

/* Cut the text, `piece` bytes at a time, as one of `size`. */
static void
cut(struct cutter *c, const struct buf *text, int64_t size, size_t piece,
    struct chunks *out)
{
	cutter_begin(c, size, true, out);
	for (size_t i = 0; i < text->len; i += piece)
		cutter_add(c, text->data + i,
		    text->len - i < piece ? text->len - i : piece);
	cutter_end(c);
}

static void
fill(struct buf *b, size_t len, unsigned int letters)
{
	for (size_t i = 0; i < len; i++)
		buf_addc(b, (char)('a' + any(letters)));
}

/* What a host that is written anew must find, too. */
static void
test_known(void)
{
	static const uint16_t lengths[] = { 541, 593, 249, 101, 194, 237, 95,
		327 };
	struct cutter *c = cutter_new();
	struct chunks got = CHUNKS_INIT;
	struct buf b = BUF_INIT;

	for (int i = 0; i < 400; i++)
		buf_addf(&b, "%d\n", i * i);
	cut(c, &b, 1, 1000, &got);
	CHECK(got.n == sizeof(lengths) / sizeof(lengths[0]));
	for (size_t i = 0; i < got.n && i < 8; i++)
		CHECK(got.lengths[i] == lengths[i]);
	chunks_release(&got);
	cutter_free(c);
	buf_release(&b);
}

/* Lengths in their bounds, which add up, and hashes that are those. */
static void
check_chunks(const struct chunks *c, const struct buf *text, int64_t size)
{
	struct hash *h = hash_new();
	uint8_t digest[HASH_LEN];
	size_t at = 0, len = chunk_length(size);

	for (size_t i = 0; i < c->n; i++) {
		CHECK(c->lengths[i] <= 4 * len);
		CHECK(c->lengths[i] >= len / 4 || i == c->n - 1);
		hash_add(h, text->data + at, c->lengths[i]);
		hash_end(h, digest);
		CHECK(memcmp(digest, c->hashes[i], CHUNK_HASH) == 0);
		at += c->lengths[i];
	}
	CHECK(at == text->len);
	CHECK((int64_t)c->n <= chunk_count_max(size) ||
	    size < (int64_t)text->len);
	hash_free(h);
}

static void
test_pieces(void)
{
	struct cutter *c = cutter_new();

	for (int i = 0; i < 300 && !unit_failed; i++) {
		struct chunks one = CHUNKS_INIT, two = CHUNKS_INIT;
		struct buf b = BUF_INIT;
		int64_t size = any(40000);

		fill(&b, any(30000), 1 + any(26));
		cut(c, &b, size, 1 << 20, &one);
		cut(c, &b, size, 1 + any(3000), &two);
		check_chunks(&one, &b, size);
		CHECK(one.n == two.n);
		for (size_t k = 0; k < one.n && k < two.n; k++)
			CHECK(one.lengths[k] == two.lengths[k]);
		chunks_release(&one);
		chunks_release(&two);
		buf_release(&b);
	}
	cutter_free(c);
}

/* A word more in the middle changes a chunk or two. */
static void
test_all_but_a_word_is_found_again(void)
{
	struct cutter *c = cutter_new();
	struct chunks old = CHUNKS_INIT, new = CHUNKS_INIT;
	struct buf a = BUF_INIT, b = BUF_INIT;
	size_t same = 0;

	fill(&a, 200000, 26);
	buf_add(&b, a.data, 100000);
	buf_adds(&b, "a word");
	buf_add(&b, a.data + 100000, 100000);
	cut(c, &a, 200000, 5000, &old);
	cut(c, &b, 200000, 7000, &new);
	for (size_t i = 0; i < new.n; i++)
		for (size_t k = 0; k < old.n; k++)
			if (memcmp(new.hashes[i], old.hashes[k], CHUNK_HASH) ==
			    0)
				same++;
	CHECK(new.n - same <= 3);
	/* About as long as they should be. */
	CHECK(old.n > 200000 / chunk_length(200000) * 3 / 4);
	CHECK(old.n < 200000 / chunk_length(200000) * 4 / 3);
	chunks_release(&old);
	chunks_release(&new);
	cutter_free(c);
	buf_release(&a);
	buf_release(&b);
}

/* One list of chunks, first without hashes. */
static void
test_without_hashes(void)
{
	struct cutter *c = cutter_new();
	struct chunks got = CHUNKS_INIT;
	struct buf b = BUF_INIT;

	fill(&b, 20000, 26);
	cutter_begin(c, 20000, false, &got);
	cutter_add(c, b.data, b.len);
	cutter_end(c);
	CHECK(got.n > 0 && got.hashes == NULL);
	cut(c, &b, 20000, 100, &got);
	check_chunks(&got, &b, 20000);
	chunks_release(&got);
	cutter_free(c);
	buf_release(&b);
}

UNIT_MAIN(UNIT(test_length), UNIT(test_known), UNIT(test_pieces),
    UNIT(test_all_but_a_word_is_found_again), UNIT(test_without_hashes))
