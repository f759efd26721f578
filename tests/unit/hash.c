#include "base/hash.h"

#include "unit.h"

/* The digest of `text`, `n` times, as hexadecimal digits. */
static const char *
digest_of(struct hash *h, const char *text, size_t n)
{
	static char hex[HASH_HEX + 1];
	uint8_t digest[HASH_LEN];

	while (n-- > 0)
		hash_add(h, text, strlen(text));
	hash_end(h, digest);
	hash_hex(digest, hex);
	return hex;
}

/* From FIPS 180-4 and the NIST examples; one computation after another. */
static void
test_known_digests(void)
{
	struct hash *h = hash_new();

	CHECK_STR(digest_of(h, "abc", 1),
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(digest_of(h, "", 1),
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
	CHECK_STR(
	    digest_of(h,
		"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1),
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	CHECK_STR(digest_of(h, "aaaaaaaaaa", 100000),
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	CHECK_STR(digest_of(h, "abc", 1),
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	hash_free(h);
	hash_free(NULL);
}

static void
test_pieces_make_no_difference(void)
{
	struct hash *h = hash_new();
	char whole[HASH_HEX + 1];

	strcpy(whole, digest_of(h, "0123456789", 10));
	hash_add(h, "", 0);
	hash_add(h, "0", 1);
	hash_add(h, "12345678", 8);
	hash_add(h, "9", 1);
	CHECK_STR(digest_of(h, "0123456789", 9), whole);
	hash_free(h);
}

static void
test_hex(void)
{
	uint8_t digest[HASH_LEN], back[HASH_LEN];
	char hex[HASH_HEX + 1];

	for (size_t i = 0; i < HASH_LEN; i++)
		digest[i] = (uint8_t)(i * 8 + 7);
	hash_hex(digest, hex);
	CHECK(strlen(hex) == HASH_HEX);
	CHECK(strncmp(hex, "070f171f", 8) == 0);
	CHECK(hash_unhex(hex, back) == 0);
	CHECK(memcmp(digest, back, HASH_LEN) == 0);
	for (size_t i = 0; i < HASH_HEX; i++)
		if (hex[i] >= 'a')
			hex[i] = (char)(hex[i] - 'a' + 'A');
	memset(back, 0, sizeof(back));
	CHECK(hash_unhex(hex, back) == 0);
	CHECK(memcmp(digest, back, HASH_LEN) == 0);
}

static void
test_unhex_refuses(void)
{
	static const char wrong[] = "gG/:@`~ \n\0-x\xff";
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	memset(hex, 'f', HASH_HEX);
	hex[HASH_HEX] = '\0';
	CHECK(hash_unhex(hex, digest) == 0);
	for (size_t i = 0; i < HASH_HEX; i++)
		for (size_t k = 0; k < sizeof(wrong) - 1; k++) {
			hex[i] = wrong[k];
			CHECK(hash_unhex(hex, digest) == -1);
			hex[i] = 'f';
		}
	/* Too short: it stops at the NUL. */
	CHECK(hash_unhex("", digest) == -1);
	CHECK(hash_unhex("0", digest) == -1);
	CHECK(hash_unhex("00", digest) == -1);
}

/* RFC 4231, 4.2, 4.3 and 4.7: a key that is longer than a block. */
static void
test_hmac(void)
{
	uint8_t key[131], digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	memset(key, 0x0b, 20);
	hash_hmac(key, 20, "Hi There", 8, digest);
	hash_hex(digest, hex);
	CHECK_STR(hex,
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	hash_hmac("Jefe", 4, "what do ya want for nothing?", 28, digest);
	hash_hex(digest, hex);
	CHECK_STR(hex,
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac(key, sizeof(key),
	    "Test Using Larger Than Block-Size Key - Hash Key First", 54,
	    digest);
	hash_hex(digest, hex);
	CHECK_STR(hex,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

UNIT_MAIN(UNIT(test_known_digests), UNIT(test_pieces_make_no_difference),
    UNIT(test_hex), UNIT(test_unhex_refuses), UNIT(test_hmac))
