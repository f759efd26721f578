/*
 * Logging in.  Keys only: DEPLOY_SSH_KEY, then the identity files with
 * their certificates, the agent last.  No key and no passphrase is ever
 * printed; fingerprints of public keys are.
 */
#ifndef SSH_AUTH_H
#define SSH_AUTH_H

#include <stdint.h>

#include "base/err.h"
#include "ssh/ssh_link.h"
#include "ssh/ssh_settings.h"

/*
 * Log in, up to `end`.  0, with the key that was good in words in `*words`, the
 * caller's to free; or -1, and the message says what became of each key.
 */
int ssh_auth(struct ssh_link *l, const struct ssh_settings *st, int64_t end,
    char **words, struct err *e) MUST_USE;

#endif
