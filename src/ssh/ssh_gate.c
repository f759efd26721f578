#include "ssh/ssh_gate.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/number.h"
#include "config/config.h"
#include "config/config_host.h"
#include "os/io.h"
#include "ssh/ssh_link.h"
#include "ssh/ssh_proc.h"

struct ssh_gate {
	struct ssh_link *link; /* the thread's, while it runs */
	struct ssh_proc *channel;
	int fd; /* the gate's end of the socket */
	pthread_t thread;
	bool runs;
	atomic_bool ended;
	struct err why; /* once it has ended; ERR_OK: both sides are done */
};

int
ssh_gate_last(const char *jump, struct host_config *h, char **before,
    struct err *e)
{
	const char *comma = strrchr(jump, ',');

	*before =
	    comma != NULL ? xstrndup(jump, (size_t)(comma - jump)) : NULL;
	if (host_config_set_address(h, comma != NULL ? comma + 1 : jump, e) ==
	    0)
		return 0;
	return err_prefix(e, "ProxyJump: ");
}

/* Carry until both sides are done, or the connection is lost or cancelled. */
static void *
carry(void *arg)
{
	struct ssh_gate *g = arg;

	err_ignore(ssh_join(g->channel, g->fd, g->fd, &g->why));
	atomic_store(&g->ended, true);
	/* The other end reads what is there, and then that there is no more. */
	(void)shutdown(g->fd, SHUT_RDWR);
	return NULL;
}

/* The socket, and the thread at one end of it.  0 or -1. */
static int
start(struct ssh_gate *g, int *fd, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		pair) != 0)
		return err_sys(e, "cannot make a socket");
	g->fd = pair[0];
	*fd = pair[1];
	g->link->carries = true;
	errno = pthread_create(&g->thread, NULL, carry, g);
	g->runs = errno == 0;
	return g->runs ? 0 : err_sys(e, "cannot start a thread");
}

struct ssh_gate *
ssh_gate_open(struct ssh_link *l, const struct ssh_timeouts *timeouts,
    const char *host, const char *port, int *fd, struct err *e)
{
	struct ssh_gate *g = xcalloc(1, sizeof(*g));
	int64_t number = 0;

	*fd = -1;
	g->link = l;
	g->fd = -1;
	err_ignore(!number_parse(port, 1, UINT16_MAX, &number));
	g->channel = ssh_proc_forward(l, timeouts, host, (int)number, e);
	if (g->channel != NULL && start(g, fd, e) == 0)
		return g;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	ssh_gate_close(g);
	return NULL;
}

bool
ssh_gate_is_to_blame(struct ssh_gate *g, int64_t silence, struct err *e)
{
	int64_t silent = ssh_link_silence(g->link);

	if (atomic_load(&g->ended) && g->why.code != ERR_OK) {
		*e = g->why;
		return true;
	}
	if (silence == 0 || silent < silence / 2)
		return false;
	err_set(e, ERR_FAILED, "nothing was heard from %s for %lld s",
	    g->link->name, (long long)(silent / 1000));
	return true;
}

void
ssh_gate_close(struct ssh_gate *g)
{
	uint64_t one = 1, ignored;

	if (g == NULL)
		return;
	if (g->runs) {
		err_ignore(io_write(g->link->cancel, &one, sizeof(one)));
		pthread_join(g->thread, NULL);
		/* Another one may follow. */
		err_ignore(io_read_some(g->link->cancel, &ignored,
			       sizeof(ignored)) < 0);
	}
	g->link->carries = false;
	ssh_proc_close(g->channel);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}
