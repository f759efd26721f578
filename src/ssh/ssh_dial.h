/*
 * The stream to a host: TCP to the first of its addresses that answers, a
 * program (ProxyCommand) that carries it, or a gate (ssh_gate.h).
 */
#ifndef SSH_DIAL_H
#define SSH_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "os/run.h"
#include "ssh/ssh_settings.h"

struct ssh_gate;

struct ssh_dial {
	int fd;			/* non-blocking; -1: none, or given away */
	struct run_child proxy;	/* running when there is one */
	struct ssh_gate *gate;	/* that carries it; NULL: none does */
	/* What it can do, ssh_gate.h; that needs this module, not this it. */
	bool (*blame_gate)(struct ssh_gate *g, int64_t silence, struct err *e);
	void (*close_gate)(struct ssh_gate *g);
	struct buf said;	/* the end of its standard error */
};

#define SSH_DIAL_INIT { .fd = -1, .proxy = RUN_CHILD_INIT, .said = BUF_INIT }

/*
 * Connect within `timeout` ms; what stays unacknowledged for `silence` ms
 * later ends the connection.  With a proxy it has only been started.  Whoever
 * has a gate sets `fd` and what is of the gate instead.  0, or -1 with ERR_UNREACHABLE.
 */
int ssh_dial_open(struct ssh_dial *d, const struct ssh_settings *st,
    int64_t timeout, int64_t silence, struct err *e) MUST_USE;

/* Close what is left, end proxy and gate; neutral values accepted. */
void ssh_dial_close(struct ssh_dial *d);

/*
 * Take what the proxy says on its standard error, so that it does not wait
 * for us, and keep the end of it.
 */
void ssh_dial_listen(struct ssh_dial *d);

#endif
