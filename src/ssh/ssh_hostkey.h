/*
 * Is it the host that was meant?  Whatever is not known is refused, with the
 * fingerprint and the line that known_hosts would need.
 *
 * libssh decides; what it cannot do is done here: it reads two files and no
 * more, it stops at a line that it cannot parse, it takes '!' for a part of a
 * name, and it ignores @revoked, so that a revoked key that is also listed would
 * be accepted.  So all sources (ssh_config's files and DEPLOY_KNOWN_HOSTS) are
 * read here, the keys of this host go to libssh in one file without a name, as
 * those of SSH_HOSTKEY_NAME, and revoked keys are kept aside.  As with ssh(1) a host on a port of its own for which there is no
 * line may have the key of one that names no port.
 *
 * Nor does libssh know host certificates: where @cert-authority lines are all
 * there is, ssh(1) is made to ask for the host's, which is checked here.
 */
#ifndef SSH_HOSTKEY_H
#define SSH_HOSTKEY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "ssh/libssh.h"
#include "ssh/ssh_revoked.h"
#include "ssh/ssh_settings.h"

/* The host for libssh, which refuses names that resolve, such as "www_1". */
#define SSH_HOSTKEY_NAME "host"

struct ssh_hostkey {
	int fd;			/* memfd: known_hosts lines for this host */
	char path[32];		/* its path, for libssh */
	char *name;		/* the host as known_hosts calls it */
	char *plain;		/* without its port; NULL: that has none */
	bool is_no_list;	/* DEPLOY_KNOWN_HOSTS is something else */
	char *lax;		/* what would have ssh(1) take it; NULL: none */
	struct ssh_revoked revoked;
	ssh_key *authorities;	/* of @cert-authority, for this host */
	size_t n_authorities;
	bool is_listed;		/* lines with keys of its own were found */
	char *rejected;		/* why its certificate is none; NULL */
};

#define SSH_HOSTKEY_INIT { .fd = -1 }

/*
 * What DEPLOY_KNOWN_HOSTS gives, the caller's to free: the path of a file, or
 * lines of known_hosts, out of base64, quotes and spelled-out line ends; NULL
 * when it is not set or empty.
 */
char *ssh_hostkey_given(void);

/* Is that a path?  It begins with '/', and no host's name does. */
bool ssh_hostkey_is_path(const char *given);

/*
 * Read all that is known about the host of `st`.  0, or -1 with
 * ERR_UNREACHABLE.
 */
int ssh_hostkey_load(struct ssh_hostkey *k, const struct ssh_settings *st,
    struct err *e) MUST_USE;

/*
 * Where only authorities are known, ask the host for a certificate of one, for
 * at most `ms`: the key that it is for is known then.  What is wrong with it is
 * told by ssh_hostkey_check().  0, or -1.
 */
int ssh_hostkey_certify(struct ssh_hostkey *k, const struct ssh_options *o,
    const struct ssh_settings *st, int64_t ms, struct err *e) MUST_USE;

void ssh_hostkey_release(struct ssh_hostkey *k);	/* neutral: fine */

/*
 * Append the key that the peer of `session` has shown, as a line of known_hosts.
 * 0, or -1 with ERR_UNREACHABLE.
 */
int ssh_hostkey_show(const struct ssh_hostkey *k, ssh_session session,
    struct buf *out, struct err *e) MUST_USE;

/*
 * Check the key that the peer of `session` has shown: with `pin`
 * ("SHA256:...") against that, else against known_hosts; revoked ones are
 * refused in any case.  0 with the key in words in `*words`, the caller's to
 * free; or -1 with ERR_UNREACHABLE.
 */
int ssh_hostkey_check(const struct ssh_hostkey *k, ssh_session session,
    const char *pin, char **words, struct err *e) MUST_USE;

#endif
