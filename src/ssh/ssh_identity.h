/*
 * Private keys: from a file, or from the text of a CI variable, which often
 * arrives with its line ends changed.  Text that held a key is wiped.
 */
#ifndef SSH_IDENTITY_H
#define SSH_IDENTITY_H


#include "base/err.h"
#include "ssh/libssh.h"

/*
 * The key in `text`; NULL with a sentence that begins with `what` ("is
 * encrypted ...", "the passphrase is wrong", "is no private key").  What is
 * encrypted is opened with DEPLOY_SSH_KEY_PASSPHRASE.
 */
ssh_key ssh_identity_parse(const char *text, const char *what,
    struct err *e);

/* The same from a file; without one e->sys is ENOENT. */
ssh_key ssh_identity_read(const char *path, struct err *e);

/*
 * The key of DEPLOY_SSH_KEY, which has it or the path of its file; NULL when
 * that is not set, or blank.  The path goes to `*path`, the caller's to free;
 * NULL: it has the key, or `path` is NULL.  0 or -1.
 */
int ssh_identity_given(ssh_key *key, char **path, struct err *e) MUST_USE;

#endif
