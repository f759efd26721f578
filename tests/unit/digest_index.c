#include "content/digest_index.h"

#include <stdlib.h>

#include "unit.h"

static struct entry *
add(struct manifest *m, size_t i, const uint8_t digest[HASH_LEN])
{
	struct entry *en;
	char path[32];

	snprintf(path, sizeof(path), "f%07zu", i);
	en = manifest_add(m, path, ENTRY_FILE);
	en->mode = 0644;
	memcpy(en->digest, digest, HASH_LEN);
	return en;
}

/* A digest that differs with i only behind what a hash table looks at. */
static void
make_digest(uint8_t out[HASH_LEN], size_t i, bool collide)
{
	uint64_t x = i * 0x9e3779b97f4a7c15u;

	memset(out, 0xab, HASH_LEN);
	memcpy(out + (collide ? 16 : 0), &x, sizeof(x));
	memcpy(out + 24, &i, sizeof(i));
}

static void
test_empty(void)
{
	struct digest_index *ix = digest_index_new(NULL);
	struct manifest m = MANIFEST_INIT;
	const uint8_t zero[HASH_LEN] = { 0 };

	CHECK(digest_index_find(ix, zero, 0644) == NULL);
	digest_index_free(ix);
	ix = digest_index_new(&m);
	CHECK(digest_index_find(ix, zero, 0644) == NULL);
	digest_index_free(ix);
	digest_index_free(NULL);
}

/* Find each of n digests, and none of others. */
static void
check_many(size_t n, bool collide)
{
	struct manifest m = MANIFEST_INIT;
	struct digest_index *ix;
	uint8_t digest[HASH_LEN];

	for (size_t i = 0; i < n; i++) {
		make_digest(digest, i, collide);
		add(&m, i, digest);
	}
	ix = digest_index_new(&m);
	for (size_t i = 0; i < n; i++) {
		make_digest(digest, i, collide);
		if (!CHECK(digest_index_find(ix, digest, 0644) == &m.v[i]))
			break;
		CHECK(digest_index_find(ix, digest, 0755) == NULL);
	}
	for (size_t i = n; i < 2 * n; i++) {
		make_digest(digest, i, collide);
		CHECK(digest_index_find(ix, digest, 0644) == NULL);
	}
	digest_index_free(ix);
	manifest_release(&m);
}

/* At and around the sizes at which the table grows. */
static void
test_every_size(void)
{
	for (size_t n = 1; n < 70; n++) {
		check_many(n, false);
		check_many(n, true);
	}
}

static void
test_many(void)
{
	check_many(100000, false);
	check_many(1000, true);
}

static void
test_mode_decides(void)
{
	struct manifest m = MANIFEST_INIT;
	struct digest_index *ix;
	uint8_t digest[HASH_LEN];

	make_digest(digest, 1, false);
	add(&m, 0, digest);
	add(&m, 1, digest)->mode = 0755;
	add(&m, 2, digest);
	ix = digest_index_new(&m);
	CHECK(digest_index_find(ix, digest, 0755) == &m.v[1]);
	CHECK(digest_index_find(ix, digest, 0644) == &m.v[0] ||
	    digest_index_find(ix, digest, 0644) == &m.v[2]);
	CHECK(digest_index_find(ix, digest, 0600) == NULL);
	digest_index_free(ix);
	manifest_release(&m);
}

/* Directories and links have a digest of zeros, which means nothing. */
static void
test_files_only(void)
{
	struct manifest m = MANIFEST_INIT;
	struct digest_index *ix;
	const uint8_t zero[HASH_LEN] = { 0 };

	manifest_add(&m, "d", ENTRY_DIR)->mode = 0644;
	manifest_add(&m, "l", ENTRY_LINK)->mode = 0644;
	ix = digest_index_new(&m);
	CHECK(digest_index_find(ix, zero, 0644) == NULL);
	digest_index_free(ix);
	manifest_release(&m);
}

UNIT_MAIN(UNIT(test_empty), UNIT(test_every_size), UNIT(test_many),
    UNIT(test_mode_decides), UNIT(test_files_only))
