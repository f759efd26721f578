#include "content/digest_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Open addressing, at most half full; a digest is its own hash. */
struct digest_index {
	const struct manifest *m;
	uint32_t *slots; /* entry number + 1; 0 is free */
	size_t mask;
};

static size_t
first_slot(const struct digest_index *ix, const uint8_t *digest)
{
	uint64_t h;

	memcpy(&h, digest, sizeof(h));
	return (size_t)h & ix->mask;
}

struct digest_index *
digest_index_new(const struct manifest *m)
{
	struct digest_index *ix = xcalloc(1, sizeof(*ix));
	size_t size = 16, n = m == NULL ? 0 : m->n;

	while (size < n * 2)
		size *= 2;
	ix->m = m;
	ix->mask = size - 1;
	ix->slots = xcalloc(size, sizeof(*ix->slots));
	for (size_t i = 0; i < n; i++) {
		size_t s = first_slot(ix, m->v[i].digest);

		if (m->v[i].type != ENTRY_FILE)
			continue;
		while (ix->slots[s] != 0)
			s = (s + 1) & ix->mask;
		ix->slots[s] = (uint32_t)i + 1;
	}
	return ix;
}

void
digest_index_free(struct digest_index *ix)
{
	if (ix == NULL)
		return;
	free(ix->slots);
	free(ix);
}

const struct entry *
digest_index_find(const struct digest_index *ix,
    const uint8_t digest[HASH_LEN], uint16_t mode)
{
	size_t s = first_slot(ix, digest);

	for (; ix->slots[s] != 0; s = (s + 1) & ix->mask) {
		const struct entry *en = &ix->m->v[ix->slots[s] - 1];

		if (en->mode == mode &&
		    memcmp(en->digest, digest, HASH_LEN) == 0)
			return en;
	}
	return NULL;
}
