#include "ssh/ssh_crypto.h"

#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/libcrypto.h"

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
	buf_wipe(&all);
	buf_wipe(&part);
}

/* The private key, to be freed; NULL. */
static EVP_PKEY *
read_key(const char *pem, const char *phrase)
{
	BIO *in;
	EVP_PKEY *key;

	library_must(libcrypto_load);
	in = lc.BIO_new_mem_buf(pem, -1);
	key = in == NULL ?
	    NULL :
	    lc.PEM_read_bio_PrivateKey(in, NULL, give_phrase, &phrase);
	lc.BIO_free(in);
	return key;
}

bool
ssh_crypto_reads(const char *pem, const char *phrase)
{
	EVP_PKEY *key = read_key(pem, phrase);

	lc.EVP_PKEY_free(key);
	return key != NULL;
}

bool
ssh_crypto_convert(const char *pem, const char *phrase, struct buf *out)
{
	EVP_PKEY *key = read_key(pem, phrase);
	uint8_t seed[ED25519], public[ED25519];
	size_t n = sizeof(seed), m = sizeof(public);
	bool is = key != NULL && lc.EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
	    lc.EVP_PKEY_get_raw_private_key(key, seed, &n) == 1 &&
	    lc.EVP_PKEY_get_raw_public_key(key, public, &m) == 1;

	if (is)
		write_key(seed, public, out);
	explicit_bzero(seed, sizeof(seed));
	lc.EVP_PKEY_free(key);
	return is;
}

/* ------------------------------------------------------------- signatures */

enum {
	DER_INTEGER = 0x02,
	DER_BITS = 0x03,
	DER_SEQUENCE = 0x30,
	RSA_MIN = 128, /* bytes of a modulus that is long enough */
};

/* How a kind of key is told in X.509, and what it signs with. */
static const struct scheme {
	const char *key, *signature;
	const char *algorithm; /* in DER, to its end */
	size_t algorithm_len;
	const char *curve; /* NULL: it is no ECDSA */
	int bits;	   /* of the SHA-2; 0: it hashes by itself */
} schemes[] = {
#define OID(bytes) bytes, sizeof(bytes) - 1
#define RSA OID("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")
#define EC "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
	{ "ssh-ed25519", "ssh-ed25519", NULL, 0, NULL, 0 },
	{ "ssh-rsa", "rsa-sha2-256", RSA, NULL, 256 },
	{ "ssh-rsa", "rsa-sha2-512", RSA, NULL, 512 },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256",
	    OID(EC "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), "nistp256",
	    256 },
	{ "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384",
	    OID(EC "\x06\x05\x2b\x81\x04\x00\x22"), "nistp384", 384 },
	{ "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521",
	    OID(EC "\x06\x05\x2b\x81\x04\x00\x23"), "nistp521", 512 },
};

/* A value of DER. */
static void
put_der(struct buf *b, unsigned char tag, const void *data, size_t n)
{
	buf_addc(b, (char)tag);
	if (n >= 0x100) {
		buf_addc(b, (char)0x82);
		buf_addc(b, (char)(n >> 8));
	} else if (n >= 0x80) {
		buf_addc(b, (char)0x81);
	}
	buf_addc(b, (char)n);
	buf_add(b, data, n);
}

/* A sequence of two integers, which SSH and DER write alike. */
static bool
put_pair(struct buf *b, const struct ssh_bytes *one,
    const struct ssh_bytes *other)
{
	struct buf pair = BUF_INIT;
	bool fits = one->n > 0 && other->n > 0 && one->n + other->n < 0x8000;

	if (fits) {
		put_der(&pair, DER_INTEGER, one->p, one->n);
		put_der(&pair, DER_INTEGER, other->p, other->n);
		put_der(b, DER_SEQUENCE, pair.data, pair.len);
	}
	buf_release(&pair);
	return fits;
}

/* What is in a key behind its type, as X.509 has it in a bit string. */
static bool
put_bits(const struct scheme *s, struct ssh_bytes key, struct buf *bits)
{
	struct ssh_bytes one, other;

	if (!ssh_bytes_take(&key, &one) || !ssh_bytes_take(&key, &other))
		return false;
	buf_addc(bits, '\0');
	/* RSA: the exponent comes first here, and last there. */
	if (s->curve == NULL)
		return other.n >= RSA_MIN && put_pair(bits, &other, &one);
	buf_add(bits, other.p, other.n);
	return one.n == strlen(s->curve) &&
	    memcmp(one.p, s->curve, one.n) == 0 && other.n < 0x100;
}

/* The public key of X.509 that it is; NULL. */
static EVP_PKEY *
public_key(const struct scheme *s, struct ssh_bytes key)
{
	struct buf bits = BUF_INIT, info = BUF_INIT, all = BUF_INIT;
	EVP_PKEY *made = NULL;

	if (s->algorithm == NULL) {
		struct ssh_bytes raw;

		return ssh_bytes_take(&key, &raw) ?
		    lc.EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
			raw.p, raw.n) :
		    NULL;
	}
	if (put_bits(s, key, &bits)) {
		const unsigned char *p;

		put_der(&info, DER_SEQUENCE, s->algorithm, s->algorithm_len);
		put_der(&info, DER_BITS, bits.data, bits.len);
		put_der(&all, DER_SEQUENCE, info.data, info.len);
		p = (const unsigned char *)all.data;
		made = lc.d2i_PUBKEY(NULL, &p, (long)all.len);
	}
	buf_release(&bits);
	buf_release(&info);
	buf_release(&all);
	return made;
}

static const EVP_MD *
hash_of(const struct scheme *s)
{
	switch (s->bits) {
	case 256:
		return lc.EVP_sha256();
	case 384:
		return lc.EVP_sha384();
	case 512:
		return lc.EVP_sha512();
	default:
		return NULL;
	}
}

/* Does it hold?  `raw` is the signature behind the name of its kind. */
static bool
verify(const struct scheme *s, struct ssh_bytes key,
    const struct ssh_bytes *data, struct ssh_bytes raw)
{
	EVP_PKEY *public = public_key(s, key);
	EVP_MD_CTX *ctx = lc.EVP_MD_CTX_new();
	struct buf der = BUF_INIT;
	struct ssh_bytes one, other;
	bool good = public != NULL && ctx != NULL;

	if (good && s->curve != NULL) {
		good = ssh_bytes_take(&raw, &one) &&
		    ssh_bytes_take(&raw, &other) && raw.n == 0 &&
		    put_pair(&der, &one, &other);
		raw = (struct ssh_bytes){ (const unsigned char *)der.data,
			der.len };
	}
	good = good &&
	    lc.EVP_DigestVerifyInit(ctx, NULL, hash_of(s), NULL, public) ==
		1 &&
	    lc.EVP_DigestVerify(ctx, raw.p, raw.n, data->p, data->n) == 1;
	lc.EVP_MD_CTX_free(ctx);
	lc.EVP_PKEY_free(public);
	buf_release(&der);
	return good;
}

static bool
is_word(const struct ssh_bytes *b, const char *word)
{
	return b->n == strlen(word) && memcmp(b->p, word, b->n) == 0;
}

bool
ssh_crypto_verify(const struct ssh_bytes *key, const struct ssh_bytes *data,
    const struct ssh_bytes *signature)
{
	struct ssh_bytes k = *key, s = *signature, type, kind, raw;

	library_must(libcrypto_load);
	if (!ssh_bytes_take(&k, &type) || !ssh_bytes_take(&s, &kind) ||
	    !ssh_bytes_take(&s, &raw) || s.n != 0)
		return false;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (is_word(&type, schemes[i].key) &&
		    is_word(&kind, schemes[i].signature))
			return verify(&schemes[i], k, data, raw);
	return false;
}
