/*
 * A relay between libssh and the SSH agent (draft-miller-ssh-agent).
 *
 * libssh waits for an agent without end, offers every key that it has, and
 * cannot be told which to prefer.  So a thread stands between: it gives up at
 * a deadline, on a signal and when it is cancelled, it shows the keys of our
 * identity files first, or only those, and no more than a number of them.
 */
#ifndef SSH_AGENT_H
#define SSH_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

struct ssh_agent_relay;

struct ssh_agent_options {
	const char *socket;		/* of the agent */
	const struct strvec *preferred;	/* public keys in base64 */
	bool only_preferred;
	size_t limit;			/* keys to show at most */
	int64_t end;			/* clock_ms() */
	int cancel;			/* readable: give up */
};

/*
 * Start it.  `fd` gets the socket that behaves as an agent; the caller owns
 * it and closes it after ssh_agent_stop().  The strings of `o` must stay.
 * Returns the relay, or NULL.
 */
struct ssh_agent_relay *ssh_agent_start(const struct ssh_agent_options *o,
    int *fd, struct err *e) MUST_USE;

/*
 * End it.  The number of keys that it has shown, or -1 when the agent did
 * not work.
 */
int ssh_agent_stop(struct ssh_agent_relay *r, struct err *e) MUST_USE;

#endif
