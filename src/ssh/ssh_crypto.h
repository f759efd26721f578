/*
 * What libssh cannot do with keys, by libcrypto.
 */
#ifndef SSH_CRYPTO_H
#define SSH_CRYPTO_H

#include <stdbool.h>

#include "base/buf.h"
#include "ssh/ssh_bytes.h"

/*
 * An Ed25519 key in PKCS#8, as openssl(1) and Terraform write it and libssh
 * 0.10 cannot sign with it, in the form of OpenSSH.  `phrase` opens one that
 * is encrypted; NULL: none is known.  False when it is none of these.
 */
bool ssh_crypto_convert(const char *pem, const char *phrase, struct buf *out);

/* Can libcrypto read the private key, of whatever kind it is? */
bool ssh_crypto_reads(const char *pem, const char *phrase);

/*
 * Is `signature` one of `data` by the public `key`, all as SSH has them?
 * Ed25519, ECDSA, and RSA with SHA-2 are known; what else there is, is not.
 */
bool ssh_crypto_verify(const struct ssh_bytes *key,
    const struct ssh_bytes *data, const struct ssh_bytes *signature);

#endif
