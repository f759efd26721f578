/*
 * A host that others are reached through (ProxyJump): on a connection of its
 * own, to which we have logged in as to any other, a channel to the next host
 * (direct-tcpip; RFC 4254, 7.2).  A thread carries what comes between that and
 * a socket, which the next connection has in the place of one of TCP.
 *
 * libssh's sessions are for one thread each: from ssh_gate_open() until
 * ssh_gate_close() the gate's connection belongs to that thread alone.  It
 * does not look at signals, for whoever uses the socket does, and may first
 * want to tell the host something.
 */
#ifndef SSH_GATE_H
#define SSH_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct host_config;
struct ssh_gate;
struct ssh_link;
struct ssh_timeouts;

/*
 * The last host of `jump` (ProxyJump: "[user@]host[:port],..."), into address,
 * user and port of `h`; `*before` gets those that lead to it, or NULL.  The
 * caller frees both in any case.  0, or -1 with ERR_USAGE.
 */
int ssh_gate_last(const char *jump, struct host_config *h, char **before,
    struct err *e) MUST_USE;

/*
 * Have the gate at `l` connect to `host`, within timeouts->connect, and carry
 * from then on.  `*fd` gets the socket, the caller's.  `l` and `timeouts` must
 * outlive the gate.  The gate; NULL with ERR_UNREACHABLE, which names it.
 */
struct ssh_gate *ssh_gate_open(struct ssh_link *l,
    const struct ssh_timeouts *timeouts, const char *host, const char *port,
    int *fd, struct err *e) MUST_USE;

/*
 * Is the gate what is wrong?  Then `e` says so: it is gone, or has been silent
 * for half of `silence` ms at least, though it was asked for a sign of life.
 */
bool ssh_gate_is_to_blame(struct ssh_gate *g, int64_t silence, struct err *e);

/* End it at once; NULL accepted.  The connection is the caller's again. */
void ssh_gate_close(struct ssh_gate *g);

#endif
