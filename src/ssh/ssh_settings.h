/*
 * What ssh_config(5) says about a host, as `ssh -G` resolves it: every
 * Match, Include and pattern works as for ssh(1), because ssh(1) does it.
 * Without an ssh(1), and without a file that it would have read, OpenSSH's
 * defaults hold.
 */
#ifndef SSH_SETTINGS_H
#define SSH_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "ssh/ssh.h"
#include "ssh/ssh_algorithms.h"

struct ssh_settings {
	char *host;		/* as it was asked for */
	char *hostname;		/* the name or address to connect to */
	char *user;
	bool user_is_ours;	/* nobody names one: it is who runs this */
	char *port;		/* decimal, 1 to 65535 */
	char *home;		/* ours, "" when we have none */
	char *alias;		/* HostKeyAlias; NULL: none */
	char *family;		/* "any", "inet", "inet6" */
	char *agent;		/* its socket; NULL: no agent */
	char *jump;		/* ProxyJump; NULL: none */
	char *proxy;		/* ProxyCommand, expanded; NULL: none */
	char *revoked;		/* RevokedHostKeys, a file; NULL: none */
	char *signatures;	/* CASignatureAlgorithms; NULL: any */
	char *bind;		/* BindAddress, ours; NULL: any */
	char *interface;	/* BindInterface; NULL: any */
	char *lax;		/* what would have ssh(1) take any host; NULL */
	char *config;		/* the file that was asked for; NULL */
	struct strvec identities;	/* paths */
	struct strvec certificates;	/* paths */
	struct strvec known_hosts;	/* paths, the user's first */
	struct ssh_algorithms algorithms;
	int64_t connect_ms;		/* ConnectTimeout; 0: none */
	int64_t attempts;		/* ConnectionAttempts, at least 1 */
	char *pkcs11;			/* PKCS11Provider; NULL: none */
	int rsa_bits;			/* RequiredRSASize; 0: libssh's */
	bool identities_only;
	bool identity_given;	/* the first identity is not a default */
};

/*
 * Ask.  Returns 0, or -1 with ERR_USAGE (a wrong ssh_config, an option in it
 * without which the host is another or cannot be reached and that is not
 * followed, a host name with characters that a shell would read) or
 * ERR_FAILED.  On failure `st` is empty.
 */
int ssh_settings_load(struct ssh_settings *st, const struct ssh_options *o,
    struct err *e) MUST_USE;

void ssh_settings_release(struct ssh_settings *st);	/* neutral: fine */

#endif
