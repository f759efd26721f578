/*
 * Host keys that are not to be trusted, whatever else is said of them: those
 * that known_hosts marks @revoked, and the file that RevokedHostKeys of
 * ssh_config(5) names, which has a public key a line, or is a list that
 * ssh-keygen(1) made (a KRL) and reads.
 */
#ifndef SSH_REVOKED_H
#define SSH_REVOKED_H

#include <stddef.h>

#include "base/err.h"
#include "ssh/libssh.h"

struct ssh_revoked {
	ssh_key *keys;
	size_t n;
	char *krl;		/* path of a KRL; NULL: none */
};

/* `key` is ours from now on. */
void ssh_revoked_add(struct ssh_revoked *r, ssh_key key);

/* Take what RevokedHostKeys names.  0, or -1 when it cannot be read. */
int ssh_revoked_read(struct ssh_revoked *r, const char *path, struct err *e)
    MUST_USE;

/*
 * Is the key, which `words` name, one of these?  0 when not, or -1 with
 * ERR_UNREACHABLE; also when a KRL cannot be asked.
 */
int ssh_revoked_check(const struct ssh_revoked *r, ssh_key key,
    const char *words, struct err *e) MUST_USE;

void ssh_revoked_release(struct ssh_revoked *r);	/* neutral: fine */

#endif
