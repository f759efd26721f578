/*
 * OpenSSH's certificates (PROTOCOL.certkeys): a public key, for whom and how
 * long it is good, and the signature of an authority.
 */
#ifndef SSH_CERTIFICATE_H
#define SSH_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "ssh/ssh_bytes.h"

enum ssh_certificate_kind { SSH_CERTIFICATE_USER = 1, SSH_CERTIFICATE_HOST };

struct ssh_certificate {
	struct buf blob;		/* all of it; the others point there */
	struct buf key;			/* the public key alone, as a blob */
	char *type;			/* of that, such as "ssh-ed25519" */
	uint32_t kind;
	uint64_t after, before;		/* seconds since 1970; before: excluded */
	struct strvec principals;	/* names; none: all */
	bool critical;			/* there are options that must hold */
	struct ssh_bytes authority;	/* its public key, as a blob */
	struct ssh_bytes body;		/* what is signed */
	struct ssh_bytes signature;
};

#define SSH_CERTIFICATE_INIT { .blob = BUF_INIT, .key = BUF_INIT,	\
    .principals = STRVEC_INIT }

/* The certificate in base64.  False, and `c` is neutral, when it is none. */
bool ssh_certificate_parse(struct ssh_certificate *c, const char *base64);

void ssh_certificate_release(struct ssh_certificate *c);

/*
 * Is it good for that, at `now` (ms since 1970)?  0, or -1 with ERR_USAGE and
 * words that go behind "the certificate ": "has expired ...".
 */
int ssh_certificate_check(const struct ssh_certificate *c,
    enum ssh_certificate_kind kind, int64_t now, struct err *e) MUST_USE;

/* The same for the host of that name, which it has to be for. */
int ssh_certificate_check_host(const struct ssh_certificate *c,
    const char *name, int64_t now, struct err *e) MUST_USE;

/* Is it signed by whom it says? */
bool ssh_certificate_is_signed(const struct ssh_certificate *c);

/* The algorithm of its signature, such as "rsa-sha2-512"; to be freed. */
char *ssh_certificate_algorithm(const struct ssh_certificate *c);

#endif
