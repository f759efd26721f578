/*
 * A connection to a host over SSH, and programs run through it (ssh_proc.h).
 * The only door to libssh.
 *
 * Every call is made by the one thread that owns the connection, blocks no
 * longer than its deadline, and can be cancelled (intr.h, or ssh_cancel()
 * from another thread).  Inside is a non-blocking state machine with its own
 * poll(2): libssh's blocking calls can hang for ever.  A failure names the
 * phase (resolve, connect, key exchange, host key, authentication, command),
 * the host, the reason and the cure; the code is ERR_UNREACHABLE for all that
 * happens before a command runs, but ERR_USAGE for wrong settings.
 *
 * Jump hosts are connections of the same kind, one inside another; what goes
 * wrong with one names it.
 *
 * The work is divided: ssh_settings.h (ssh_config(5), through `ssh -G`),
 * ssh_dial.h (TCP, ProxyCommand), ssh_gate.h (jump hosts), ssh_link.h (the session and its loop),
 * ssh_hostkey.h (DEPLOY_KNOWN_HOSTS, known_hosts, pins), ssh_auth.h with
 * ssh_identity.h and ssh_agent.h (DEPLOY_SSH_KEY with
 * DEPLOY_SSH_KEY_PASSPHRASE, identity files, certificates, the agent).
 */
#ifndef SSH_H
#define SSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct ssh;			/* an authenticated connection */
struct ssh_proc;		/* a program running on the host, ssh_proc.h */

/* Deadlines of the phases, in milliseconds (notes of the measurement). */
struct ssh_timeouts {
	int64_t connect;	/* TCP: 10,000 */
	int64_t kex;		/* 15,000 */
	int64_t auth;		/* 20,000 */
	int64_t exec;		/* 15,000 */
	int64_t idle;		/* nothing heard, or nothing moved: 60,000 */
};

struct ssh_options {
	const char *host;	/* name or alias, as for ssh(1) */
	const char *user;	/* NULL: ssh_config's, else ours */
	int port;		/* 0: ssh_config's, else 22 */
	const char *identity;	/* NULL: ssh_config's and the defaults */
	const char *spare_identity;	/* after these; may be missing */
	const char *host_key;	/* "SHA256:..." pin; NULL: known_hosts */
	const char *jump;	/* ProxyJump; NULL: ssh_config's */
	const char *config;	/* ssh_config file; NULL: the user's */
	struct ssh_timeouts timeouts;	/* 0: the default above */
};

/*
 * Connect and authenticate.  Returns the connection, or NULL.  At most 8
 * calls are in flight at once in this process (sshd's MaxStartups); the
 * others wait.  A connection that is dropped before its banner is tried
 * again, with jitter, within the deadline.
 */
struct ssh *ssh_open(const struct ssh_options *o, struct err *e) MUST_USE;

/*
 * Append the key that a host shows, as a line of known_hosts.  Nobody logs in to
 * it, only to the jump hosts on the way, which are known as always.  0 or -1, as
 * ssh_open().
 */
int ssh_show_key(const struct ssh_options *o, struct buf *out, struct err *e)
    MUST_USE;

/*
 * Append the public key of DEPLOY_SSH_KEY, as a line of authorized_keys without
 * its end; nothing when that is not set.  0 or -1.
 */
int ssh_given_key(struct buf *out, struct err *e) MUST_USE;

/* End it at once; NULL accepted.  Programs on it must be closed before. */
void ssh_close(struct ssh *s);

/*
 * From any thread, until ssh_close(): make the call in progress, and all
 * later ones that need the host, fail (ERR_FAILED, e->sys is ECANCELED).
 */
void ssh_cancel(struct ssh *s);

/* The name or address that was connected to (HostName of ssh_config(5)). */
const char *ssh_address(const struct ssh *s);

/*
 * The host's key, such as "ssh-ed25519 SHA256:...", and the key that let us
 * in: its file, DEPLOY_SSH_KEY, or that it is the agent's.
 */
void ssh_login(const struct ssh *s, const char **host_key, const char **key);

/* Bytes sent and received on the wire, from the first one on. */
void ssh_traffic(const struct ssh *s, uint64_t *sent, uint64_t *received);

/*
 * A round trip to the host in us, as the last of this connection took: the
 * median of some; 0: not known.
 */
int64_t ssh_round_trip(const struct ssh *s);

/* Does ssh_start() take no time: has the host opened a channel for it? */
bool ssh_starts_at_once(const struct ssh *s);

/*
 * Start `command`, which the user's login shell on the host gets.  Several
 * may run at once (MaxSessions: 10).  Returns the program, or NULL.
 */
struct ssh_proc *ssh_start(struct ssh *s, const char *command, struct err *e)
    MUST_USE;

#endif
