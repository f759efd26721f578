#include "ssh/ssh_crypto.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <string.h>

#include "base/base64.h"

enum {
	ED25519 = 32, /* bytes of either half */
	BLOCK = 8,    /* a private key without cipher is a multiple of it */
};

/* The passphrase; without one libcrypto would ask on the terminal. */
static int
give_phrase(char *to, int size, int writing, void *ctx)
{
	const char *phrase = *(const char **)ctx;
	size_t n = phrase != NULL ? strlen(phrase) : 0;

	(void)writing;
	if (n > (size_t)size)
		return -1;
	if (n > 0)
		memcpy(to, phrase, n);
	return n > 0 ? (int)n : -1;
}

static void
put_u32(struct buf *b, uint32_t n)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_addc(b, (char)(n >> shift));
}

/* A string of RFC 4251. */
static void
put_bytes(struct buf *b, const void *data, size_t len)
{
	put_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

static void
put_text(struct buf *b, const char *text)
{
	put_bytes(b, text, strlen(text));
}

/* The part that a cipher would hide. */
static void
put_private(struct buf *b, const uint8_t seed[ED25519],
    const uint8_t public[ED25519])
{
	put_u32(b, 0); /* twice the same: it was opened */
	put_u32(b, 0);
	put_text(b, "ssh-ed25519");
	put_bytes(b, public, ED25519);
	put_u32(b, 2 * ED25519);
	buf_add(b, seed, ED25519);
	buf_add(b, public, ED25519);
	put_text(b, "");
	for (char pad = 1; b->len % BLOCK != 0; pad++)
		buf_addc(b, pad);
}

/* The form that OpenSSH's PROTOCOL.key describes. */
static void
write_key(const uint8_t seed[ED25519], const uint8_t public[ED25519],
    struct buf *out)
{
	struct buf all = BUF_INIT, part = BUF_INIT;

	/* Room before, so that no copy of the secret is left. */
	buf_reserve(&all, 512);
	buf_reserve(&part, 256);
	buf_add(&all, "openssh-key-v1", sizeof("openssh-key-v1"));
	put_text(&all, "none");
	put_text(&all, "none");
	put_text(&all, "");
	put_u32(&all, 1);
	put_text(&part, "ssh-ed25519");
	put_bytes(&part, public, ED25519);
	put_bytes(&all, part.data, part.len);
	buf_reset(&part);
	put_private(&part, seed, public);
	put_bytes(&all, part.data, part.len);
	buf_reserve(out, 1024);
	buf_adds(out, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	base64_encode(all.data, all.len, out);
	buf_adds(out, "-----END OPENSSH PRIVATE KEY-----\n");
	explicit_bzero(all.data, all.cap);
	explicit_bzero(part.data, part.cap);
	buf_release(&all);
	buf_release(&part);
}

bool
ssh_crypto_convert(const char *pem, const char *phrase, struct buf *out)
{
	BIO *in = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = in == NULL ?
	    NULL :
	    PEM_read_bio_PrivateKey(in, NULL, give_phrase, &phrase);
	uint8_t seed[ED25519], public[ED25519];
	size_t n = sizeof(seed), m = sizeof(public);
	bool is = key != NULL && EVP_PKEY_id(key) == EVP_PKEY_ED25519 &&
	    EVP_PKEY_get_raw_private_key(key, seed, &n) == 1 &&
	    EVP_PKEY_get_raw_public_key(key, public, &m) == 1;

	if (is)
		write_key(seed, public, out);
	explicit_bzero(seed, sizeof(seed));
	EVP_PKEY_free(key);
	BIO_free(in);
	return is;
}
