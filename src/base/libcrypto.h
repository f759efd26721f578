/*
 * libcrypto, loaded when something is hashed or a key is read (library.h), and
 * the only door to it.  To be linked with it costs each start 1,300 KB of
 * addresses that are put right, which is a third of all that is paid.
 *
 * The functions of one algorithm, not EVP, which wants a provider first: to
 * load it takes a millisecond.  They are deprecated since 3.0, so they are
 * asked for as 1.1.0 has them; the code behind them is the provider's.
 */
#ifndef LIBCRYPTO_H
#define LIBCRYPTO_H

#define OPENSSL_API_COMPAT 0x10100000L

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/library.h"

#define LIBCRYPTO_FUNCTIONS(DO) \
	DO(BIO_free) DO(BIO_new_mem_buf) DO(EVP_DigestVerify) \
	DO(EVP_DigestVerifyInit) DO(EVP_MD_CTX_free) DO(EVP_MD_CTX_new) \
	DO(EVP_PKEY_free) DO(EVP_PKEY_get_id) \
	DO(EVP_PKEY_get_raw_private_key) DO(EVP_PKEY_get_raw_public_key) \
	DO(EVP_PKEY_new_raw_public_key) DO(EVP_sha256) DO(EVP_sha384) \
	DO(EVP_sha512) DO(HMAC) DO(PEM_read_bio_PrivateKey) \
	DO(SHA256_Final) DO(SHA256_Init) DO(SHA256_Update) DO(d2i_PUBKEY)

/* Its functions, by their names; null until they are loaded. */
extern struct libcrypto {
	LIBCRYPTO_FUNCTIONS(LIBRARY_MEMBER)
} lc;

/* 0, or -1 with ERR_FAILED when it is not installed; as library_load(). */
int libcrypto_load(struct err *e) MUST_USE;

#endif
