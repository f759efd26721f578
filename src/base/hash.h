/*
 * SHA-256 (FIPS 180-4) through libcrypto, the only door to it.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

enum { HASH_LEN = 32, HASH_HEX = 64 };

struct hash;			/* a running computation; one per thread */

struct hash *hash_new(void);	/* never NULL; ready to add to */
void hash_free(struct hash *h);		/* NULL accepted */
void hash_add(struct hash *h, const void *data, size_t len);

/* Write the digest and make `h` ready for the next computation. */
void hash_end(struct hash *h, uint8_t out[HASH_LEN]);

/* The HMAC (RFC 2104) of `data` with that key. */
void hash_hmac(const void *key, size_t key_len, const void *data, size_t len,
    uint8_t out[HASH_LEN]);

/* The digest as HASH_HEX lower-case digits and a NUL. */
void hash_hex(const uint8_t digest[HASH_LEN], char out[HASH_HEX + 1]);

/*
 * Read exactly HASH_HEX hexadecimal digits (either case) at `hex`.  Returns
 * 0, or -1 when one of them is none.
 */
int hash_unhex(const char *hex, uint8_t out[HASH_LEN]);

#endif
