/*
 * What libssh cannot do with keys, by libcrypto.
 */
#ifndef SSH_CRYPTO_H
#define SSH_CRYPTO_H

#include <stdbool.h>

#include "base/buf.h"

/*
 * An Ed25519 key in PKCS#8, as openssl(1) and Terraform write it and libssh
 * 0.10 cannot sign with it, in the form of OpenSSH.  `phrase` opens one that
 * is encrypted; NULL: none is known.  False when it is none of these.
 */
bool ssh_crypto_convert(const char *pem, const char *phrase, struct buf *out);

#endif
