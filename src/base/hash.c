#include "base/hash.h"

#include <limits.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/libcrypto.h"

struct hash {
	SHA256_CTX ctx;
};

struct hash *
hash_new(void)
{
	struct hash *h = xmalloc(sizeof(*h));

	library_must(libcrypto_load);
	lc.SHA256_Init(&h->ctx);
	return h;
}

void
hash_free(struct hash *h)
{
	free(h);
}

void
hash_add(struct hash *h, const void *data, size_t len)
{
	lc.SHA256_Update(&h->ctx, data, len);
}

void
hash_end(struct hash *h, uint8_t out[HASH_LEN])
{
	lc.SHA256_Final(out, &h->ctx);
	lc.SHA256_Init(&h->ctx);
}

void
hash_hmac(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t out[HASH_LEN])
{
	library_must(libcrypto_load);
	if (key_len > INT_MAX ||
	    lc.HMAC(lc.EVP_sha256(), key, (int)key_len, data, len, out,
		NULL) == NULL)
		BUG("libcrypto makes no HMAC");
}

void
hash_hex(const uint8_t digest[HASH_LEN], char out[HASH_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < HASH_LEN; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[HASH_HEX] = '\0';
}

/* The value of a hexadecimal digit, or -1. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int
hash_unhex(const char *hex, uint8_t out[HASH_LEN])
{
	for (size_t i = 0; i < HASH_LEN; i++) {
		int hi = digit(hex[2 * i]), lo;

		if (hi < 0)
			return -1;
		lo = digit(hex[2 * i + 1]);
		if (lo < 0)
			return -1;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
