/* Deltas between random texts, and what they cost. */
#include "content/delta.h"

#include <stdlib.h>

#include "base/varint.h"
#include "unit.h"

enum { ROUNDS = 400 };

static unsigned int seed = 1;

static unsigned int
any(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void
cut(const struct buf *text, int64_t size, struct chunks *out)
{
	struct cutter *c = cutter_new();

	cutter_begin(c, size, true, out);
	cutter_add(c, buf_str(text), text->len);
	cutter_end(c);
	cutter_free(c);
}

/* The text of the delta, with the bytes of the new text in it. */
static void
print(const struct delta *d, const struct buf *new, struct buf *out)
{
	size_t at = 0;

	for (size_t i = 0; i < d->n; i++) {
		delta_print_own(d, i, out);
		buf_add(out, new->data + at, d->v[i].own);
		delta_print_run(d, i, out);
		at += d->v[i].own + d->v[i].bytes;
	}
	CHECK(at == new->len);
}

/* As delta.h says it. */
static void
apply(const struct buf *text, const struct buf *old, const struct chunks *c,
    size_t size, struct buf *out)
{
	struct varint_in in = { buf_str(text), text->len };
	uint64_t own, count;
	int64_t next = 0;

	while (out->len < size && !unit_failed) {
		const char *p;

		CHECK(varint_take(&in, size - out->len, &own));
		p = varint_take_bytes(&in, own);
		CHECK(p != NULL);
		buf_add(out, p, own);
		if (out->len == size)
			break;
		CHECK(varint_take(&in, c->n, &count) && count > 0);
		CHECK(varint_take_from(&in, next, &next));
		for (; count > 0; count--) {
			size_t at = 0;

			for (int64_t i = 0; i < next; i++)
				at += c->lengths[i];
			buf_add(out, old->data + at, c->lengths[next++]);
		}
	}
	CHECK(in.left == 0);
}

/* How many bytes the delta has. */
static size_t
check_delta(const struct buf *old, const struct buf *new)
{
	struct chunks a = CHUNKS_INIT, b = CHUNKS_INIT;
	struct buf text = BUF_INIT, made = BUF_INIT;
	struct delta d = DELTA_INIT;
	size_t len;

	cut(old, (int64_t)old->len, &a);
	cut(new, (int64_t)old->len, &b);
	delta_make(&d, (const uint8_t(*)[CHUNK_HASH])a.hashes, a.n, &b);
	print(&d, new, &text);
	CHECK(delta_size(&d) == (int64_t)text.len);
	apply(&text, old, &a, new->len, &made);
	CHECK(made.len == new->len &&
	    (made.len == 0 || memcmp(made.data, new->data, made.len) == 0));
	len = text.len;
	chunks_release(&a);
	chunks_release(&b);
	buf_release(&text);
	buf_release(&made);
	delta_release(&d);
	return len;
}

static void
fill(struct buf *b, size_t len, unsigned int letters)
{
	for (size_t i = 0; i < len; i++)
		buf_addc(b, (char)('a' + any(letters)));
}

/* A text of parts of the old one, in any order, and of new words. */
static void
change(const struct buf *old, unsigned int letters, struct buf *new)
{
	for (unsigned int i = any(8); i > 0; i--) {
		size_t from = any((unsigned int)old->len + 1);

		if (any(3) == 0)
			fill(new, any(2000), letters);
		buf_add(new, buf_str(old) + from,
		    any((unsigned int)(old->len - from) + 1));
	}
}

static void
test_random(void)
{
	for (int i = 0; i < ROUNDS && !unit_failed; i++) {
		struct buf old = BUF_INIT, new = BUF_INIT;
		unsigned int letters = 1 + any(4) * any(9);

		fill(&old, any(30000), letters);
		change(&old, letters, &new);
		check_delta(&old, &new);
		buf_release(&old);
		buf_release(&new);
	}
}

static void
test_small(void)
{
	struct buf old = BUF_INIT, new = BUF_INIT;

	fill(&old, 100000, 26);
	CHECK(check_delta(&old, &old) < 8);
	buf_add(&new, old.data, old.len);
	buf_adds(&new, "a word");
	CHECK(check_delta(&old, &new) < 4 * chunk_length(100000));
	/* Moved in itself. */
	buf_reset(&new);
	buf_add(&new, old.data + 50000, 50000);
	buf_add(&new, old.data, 50000);
	CHECK(check_delta(&old, &new) < 12 * chunk_length(100000));
	buf_reset(&new);
	CHECK(check_delta(&old, &new) == 0);
	buf_reset(&old);
	buf_adds(&new, "from nothing");
	CHECK(check_delta(&old, &new) == 1 + new.len);
	buf_release(&old);
	buf_release(&new);
}

/* Whoever names chunks has a say in no more than what they are. */
static void
test_hashes_that_lie(void)
{
	uint8_t same[1000][CHUNK_HASH] = { { 0 } };
	struct chunks c = CHUNKS_INIT;
	struct delta d = DELTA_INIT;
	struct buf text = BUF_INIT;

	fill(&text, 100000, 26);
	cut(&text, 100000, &c);
	memset(same, 0x55, sizeof(same));
	delta_make(&d, (const uint8_t(*)[CHUNK_HASH])same, 1000, &c);
	CHECK(d.n == 1 && d.v[0].own == 100000 && d.copied == 0);
	memcpy(same[999], c.hashes[1], CHUNK_HASH);
	delta_make(&d, (const uint8_t(*)[CHUNK_HASH])same, 1000, &c);
	CHECK(d.n == 2 && d.v[0].first == 999 && d.copied == c.lengths[1]);
	delta_release(&d);
	chunks_release(&c);
	buf_release(&text);
}

UNIT_MAIN(UNIT(test_random), UNIT(test_small), UNIT(test_hashes_that_lie))
