#include "content/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum {
	WINDOW = 64,  /* bytes that the sum knows */
	SHORTEST = 4, /* a chunk has at least the length divided by it */
	LONGEST = 4,  /* and at most so many times the length */
};

_Static_assert(CHUNK_LEAST / SHORTEST >= WINDOW, "the sum is full");

static int64_t
square_root(int64_t n)
{
	int64_t root = 0;

	for (int64_t bit = INT64_C(1) << 30; bit > 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= n)
			root += bit;
	return root;
}

size_t
chunk_length(int64_t size)
{
	int64_t len = 3 * square_root(size), least = size / CHUNK_COUNT;

	if (len > CHUNK_MOST)
		len = CHUNK_MOST;
	if (least < CHUNK_LEAST)
		least = CHUNK_LEAST;
	return (size_t)(len > least ? len : least);
}

int64_t
chunk_count_max(int64_t size)
{
	return size / (int64_t)(chunk_length(size) / SHORTEST) + 1;
}

int64_t
chunk_hashes_max(int64_t size)
{
	return 2 * (size / (int64_t)chunk_length(size) + 1);
}

void
chunks_release(struct chunks *c)
{
	free(c->hashes);
	free(c->lengths);
	*c = (struct chunks)CHUNKS_INIT;
}

struct cutter {
	uint64_t table[256];
	uint64_t sum, below;
	size_t least, most;
	size_t len; /* of the chunk that has not ended */
	bool hashed;
	struct hash *hash;
	struct chunks *out;
};

static uint64_t
splitmix64(uint64_t *state)
{
	uint64_t n = *state += UINT64_C(0x9e3779b97f4a7c15);

	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

struct cutter *
cutter_new(void)
{
	struct cutter *c = xcalloc(1, sizeof(*c));
	uint64_t state = 0;

	for (size_t i = 0; i < 256; i++)
		c->table[i] = splitmix64(&state);
	c->hash = hash_new();
	return c;
}

void
cutter_free(struct cutter *c)
{
	if (c == NULL)
		return;
	hash_free(c->hash);
	free(c);
}

void
cutter_begin(struct cutter *c, int64_t size, bool hashed, struct chunks *out)
{
	size_t len = chunk_length(size);

	c->least = len / SHORTEST;
	c->most = len * LONGEST;
	c->below = UINT64_MAX / (len - c->least);
	c->sum = 0;
	c->len = 0;
	c->hashed = hashed;
	c->out = out;
	if (hashed && out->hashes == NULL)
		chunks_release(out);
	out->n = 0;
}

static void
grow(struct cutter *c)
{
	struct chunks *out = c->out;

	if (out->n < out->cap)
		return;
	out->cap = out->cap > 0 ? 2 * out->cap : 64;
	out->lengths =
	    xreallocarray(out->lengths, out->cap, sizeof(*out->lengths));
	if (c->hashed)
		out->hashes =
		    xreallocarray(out->hashes, out->cap, sizeof(*out->hashes));
}

static void
end_chunk(struct cutter *c)
{
	uint8_t digest[HASH_LEN];

	grow(c);
	if (c->hashed) {
		hash_end(c->hash, digest);
		memcpy(c->out->hashes[c->out->n], digest, CHUNK_HASH);
	}
	c->out->lengths[c->out->n++] = (uint32_t)c->len;
	c->sum = 0;
	c->len = 0;
}

/* How many of the bytes belong to the chunk; has it ended with them? */
static size_t
scan(struct cutter *c, const unsigned char *p, size_t len, bool *ended)
{
	size_t skip = c->least - WINDOW, i = 0;

	*ended = false;
	/* The sum forgets them before it counts. */
	if (c->len < skip)
		i = len < skip - c->len ? len : skip - c->len;
	c->len += i;
	while (i < len && !*ended) {
		c->sum = (c->sum << 1) + c->table[p[i++]];
		c->len++;
		*ended = (c->sum < c->below && c->len >= c->least) ||
		    c->len == c->most;
	}
	return i;
}

void
cutter_add(struct cutter *c, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len > 0) {
		bool ended;
		size_t n = scan(c, p, len, &ended);

		if (c->hashed)
			hash_add(c->hash, p, n);
		if (ended)
			end_chunk(c);
		p += n;
		len -= n;
	}
}

void
cutter_end(struct cutter *c)
{
	if (c->len > 0)
		end_chunk(c);
}
