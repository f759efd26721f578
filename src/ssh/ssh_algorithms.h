/*
 * Which algorithms a session may use: ours, unless ssh_config(5) says
 * something else than OpenSSH's defaults.  What libssh has not got is left
 * out; a list of which nothing is left is an error that names the option.
 */
#ifndef SSH_ALGORITHMS_H
#define SSH_ALGORITHMS_H


#include "base/err.h"
#include "ssh/libssh.h"

enum ssh_algorithm_list {
	SSH_ALGORITHMS_KEX,
	SSH_ALGORITHMS_HOST_KEY,
	SSH_ALGORITHMS_CIPHERS,
	SSH_ALGORITHMS_MACS,
	SSH_ALGORITHMS_PUBKEY,
	SSH_ALGORITHMS_N,
};

struct ssh_algorithms {
	char *said[SSH_ALGORITHMS_N];	/* NULL: nothing was */
};

/* A line of `ssh -G`, when it is about one of these. */
void ssh_algorithms_take(struct ssh_algorithms *a, const char *key,
    const char *value);

/* What is the same in `defaults` nobody has asked for. */
void ssh_algorithms_leave_out(struct ssh_algorithms *a,
    const struct ssh_algorithms *defaults);

/*
 * The certificates of hosts that it allows, as HostKeyAlgorithms has them; to
 * be freed, "" for none.
 */
char *ssh_algorithms_certificates(const struct ssh_algorithms *a);

/*
 * Have the session use them.  0, or -1 with ERR_USAGE, which names the
 * option of ssh_config whose list libssh has nothing of.
 */
int ssh_algorithms_apply(const struct ssh_algorithms *a, ssh_session session,
    struct err *e) MUST_USE;

/*
 * After an exchange of keys that failed: if both sides have nothing in
 * common, `e` becomes what each offers, and the option that would help.
 */
void ssh_algorithms_explain(ssh_session session, struct err *e);

void ssh_algorithms_release(struct ssh_algorithms *a);	/* neutral: fine */

#endif
