#include "ssh/ssh_dial.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/io.h"

enum {
	AGAIN_MS = 1000, /* between two attempts */
	TICK_MS = 200,	 /* how soon a signal is noticed */
	SAID_MAX = 1024,
};

/* ------------------------------------------------------------------ names */

/*
 * getaddrinfo(3) knows no deadline, so a thread asks.  Whoever lets go last,
 * the thread or we, frees.
 */
struct lookup {
	atomic_int holders;
	int done; /* eventfd: the answer is there */
	char *name, *port;
	struct addrinfo hints;
	struct addrinfo *found;
	int error; /* of getaddrinfo() */
};

static void
lookup_drop(struct lookup *l)
{
	if (atomic_fetch_sub(&l->holders, 1) != 1)
		return;
	if (l->found != NULL)
		freeaddrinfo(l->found);
	if (l->done >= 0)
		close(l->done);
	free(l->name);
	free(l->port);
	free(l);
}

static void *
lookup_run(void *arg)
{
	struct lookup *l = arg;
	uint64_t one = 1;

	l->error = getaddrinfo(l->name, l->port, &l->hints, &l->found);
	err_ignore(io_write(l->done, &one, sizeof(one)));
	lookup_drop(l);
	return NULL;
}

/* Start the thread.  0 or -1 with errno. */
static int
lookup_start(struct lookup *l)
{
	pthread_t thread;
	int error;

	l->done = eventfd(0, EFD_CLOEXEC);
	if (l->done < 0)
		return -1;
	atomic_store(&l->holders, 2);
	error = pthread_create(&thread, NULL, lookup_run, l);
	if (error != 0) {
		atomic_store(&l->holders, 1);
		errno = error;
		return -1;
	}
	pthread_detach(thread);
	return 0;
}

static struct lookup *
lookup_new(const struct ssh_settings *st)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	atomic_init(&l->holders, 1);
	l->done = -1;
	l->name = xstrdup(st->hostname);
	l->port = xstrdup(st->port);
	l->hints.ai_socktype = SOCK_STREAM;
	l->hints.ai_flags = AI_NUMERICSERV;
	if (st->family != NULL && strcmp(st->family, "inet") == 0)
		l->hints.ai_family = AF_INET;
	else if (st->family != NULL && strcmp(st->family, "inet6") == 0)
		l->hints.ai_family = AF_INET6;
	return l;
}

/* Wait for `fd` until `end`.  1; 0 when the time is over; -1 for a signal. */
static int
wait_for(int fd, short events, int64_t end, struct err *e)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		int64_t left = end - clock_ms();

		if (intr_check(e) != 0)
			return -1;
		if (left <= 0)
			return 0;
		if (poll(&p, 1, left < TICK_MS ? (int)left : TICK_MS) > 0)
			return 1;
	}
}

/* The addresses of the host; lookup_drop() frees them. */
static struct lookup *
look_up(const struct ssh_settings *st, int64_t end, struct err *e)
{
	struct lookup *l = lookup_new(st);
	uint64_t ignored;
	int r = 1;

	if (lookup_start(l) != 0)
		r = err_sys(e, "cannot look up '%s'", st->hostname);
	else if ((r = wait_for(l->done, POLLIN, end, e)) == 0)
		err_set(e, ERR_UNREACHABLE,
		    "resolve: '%s' was not found in time;; check the DNS of this machine",
		    st->hostname);
	if (r > 0)
		err_ignore(io_read(l->done, &ignored, sizeof(ignored)));
	if (r > 0 && l->error != 0)
		r = err_set(e, ERR_UNREACHABLE,
		    "resolve: '%s': %s;; check the spelling, or name the address in ssh_config",
		    st->hostname, gai_strerror(l->error));
	if (r > 0)
		return l;
	lookup_drop(l);
	return NULL;
}

/* -------------------------------------------------------------------- TCP */

/* Small packets at once; a peer that is gone is noticed. */
static void
tune(int fd, int64_t silence)
{
	unsigned int ms = (unsigned int)silence;
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* The address of the interface that BindInterface names, if it has one. */
static int
bind_interface(int fd, int family, const char *name)
{
	struct ifaddrs *all = NULL;
	int r = -1;

	if (getifaddrs(&all) != 0)
		return -1;
	errno = EADDRNOTAVAIL;
	for (const struct ifaddrs *a = all; a != NULL && r != 0;
	     a = a->ifa_next) {
		socklen_t len = family == AF_INET ?
		    sizeof(struct sockaddr_in) :
		    sizeof(struct sockaddr_in6);

		if (a->ifa_addr != NULL && strcmp(a->ifa_name, name) == 0 &&
		    a->ifa_addr->sa_family == family)
			r = bind(fd, a->ifa_addr, len);
	}
	freeifaddrs(all);
	return r;
}

/* The address that BindAddress names. */
static int
bind_address(int fd, int family, const char *name)
{
	const struct addrinfo hints = { .ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	int r = -1;

	if (getaddrinfo(name, NULL, &hints, &found) != 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	for (const struct addrinfo *a = found; a != NULL && r != 0;
	     a = a->ai_next)
		r = bind(fd, a->ai_addr, a->ai_addrlen);
	freeaddrinfo(found);
	return r;
}

/* Connect from where ssh_config says.  0, or -1 with errno in e->sys. */
static int
bind_here(int fd, int family, const struct ssh_settings *st, struct err *e)
{
	if (st->bind != NULL && bind_address(fd, family, st->bind) != 0)
		return err_sys(e, "BindAddress of ssh_config, %s", st->bind);
	if (st->bind == NULL && st->interface != NULL &&
	    bind_interface(fd, family, st->interface) != 0)
		return err_sys(e, "BindInterface of ssh_config, %s",
		    st->interface);
	return 0;
}

/* The state of a socket that connects, in `e` when it failed. */
static int
connect_result(int fd, struct err *e)
{
	socklen_t len = sizeof(errno);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0)
		return 0;
	errno = error;
	return err_sys(e, "connect");
}

/* Connect to one address.  The socket; -1 with errno in e->sys. */
static int
connect_to(const struct addrinfo *a, const struct ssh_settings *st,
    int64_t end, int64_t silence, struct err *e)
{
	int fd = socket(a->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return err_sys(e, "socket");
	tune(fd, silence);
	if (bind_here(fd, a->ai_family, st, e) != 0) {
		close(fd);
		return -1;
	}
	r = connect(fd, a->ai_addr, a->ai_addrlen);
	if (r != 0 && errno == EINPROGRESS) {
		r = wait_for(fd, POLLOUT, end, e);
		if (r == 0) {
			errno = ETIMEDOUT;
			r = err_sys(e, "connect");
		} else if (r > 0) {
			r = connect_result(fd, e);
		}
	} else if (r != 0) {
		r = err_sys(e, "connect");
	}
	if (r == 0)
		return fd;
	close(fd);
	return -1;
}

/* What to do about a refused connection. */
static const char *
cure(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return "is sshd running there, and is the port right?";
	case ETIMEDOUT:
		return "is the host up, and does a firewall let this port through?";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "is there a route to it?";
	default:
		return "is the host up?";
	}
}

/* Say which address failed; the errno is in e->sys. */
static void
describe(const struct addrinfo *a, const char *port, struct err *e)
{
	char name[64] = "?";
	int error = e->sys;

	(void)getnameinfo(a->ai_addr, a->ai_addrlen, name, sizeof(name), NULL,
	    0, NI_NUMERICHOST);
	/* Bind..., which names itself. */
	if (strncmp(e->text, "Bind", 4) == 0)
		err_prefix(e, "connect: %s port %s: ", name, port);
	else
		err_set(e, ERR_UNREACHABLE, "connect: %s port %s: %s;; %s",
		    name, port, strerror(error), cure(error));
	e->sys = error;
}

/* Connect to the first address that answers; each has its share of time. */
static int
connect_any(const struct lookup *l, const struct ssh_settings *st, int64_t end,
    int64_t silence, struct err *e)
{
	int64_t n = 0;

	for (const struct addrinfo *a = l->found; a != NULL; a = a->ai_next)
		n++;
	for (const struct addrinfo *a = l->found; a != NULL; a = a->ai_next) {
		int64_t now = clock_ms();
		int fd =
		    connect_to(a, st, now + (end - now) / n--, silence, e);

		if (fd >= 0)
			return fd;
		if (e->sys == 0)
			return -1; /* interrupted */
		describe(a, l->port, e);
	}
	return -1;
}

static int
dial_tcp(struct ssh_dial *d, const struct ssh_settings *st, int64_t timeout,
    int64_t silence, struct err *e)
{
	int64_t end = clock_ms() + timeout;
	struct lookup *l = look_up(st, end, e);

	if (l == NULL)
		return -1;
	d->fd = connect_any(l, st, end, silence, e);
	/* A second apart, as ssh(1) does, while there is time. */
	for (int64_t n = 1; d->fd < 0 && n < st->attempts && e->sys != 0 &&
	     clock_ms() + AGAIN_MS < end;
	     n++) {
		if (wait_for(-1, POLLIN, clock_ms() + AGAIN_MS, e) != 0)
			break;
		d->fd = connect_any(l, st, end, silence, e);
	}
	lookup_drop(l);
	return d->fd < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------ proxy */

/* The program that ProxyCommand names. */
static int
dial_proxy(struct ssh_dial *d, const struct ssh_settings *st, struct err *e)
{
	struct strvec argv = STRVEC_INIT;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, "cannot make a socket");
	strvec_add(&argv, "sh");
	strvec_add(&argv, "-c");
	strvec_addf(&argv, "exec %s", st->proxy);
	d->proxy.argv = argv.v;
	d->proxy.kind = ENVIRONMENT_PLAIN;
	d->proxy.use[0] = d->proxy.use[1] = pair[1];
	d->proxy.pipe_err = true;
	r = run_start(&d->proxy, e);
	d->proxy.argv = NULL;
	d->proxy.use[0] = d->proxy.use[1] = -1;
	close(pair[1]);
	strvec_release(&argv);
	d->fd = pair[0];
	return r;
}

void
ssh_dial_listen(struct ssh_dial *d)
{
	char piece[1024];
	ssize_t n;

	while (d->proxy.err >= 0 &&
	    (n = io_read_some(d->proxy.err, piece, sizeof(piece))) > 0) {
		buf_add(&d->said, piece, (size_t)n);
		buf_keep_last(&d->said, SAID_MAX);
	}
}

int
ssh_dial_open(struct ssh_dial *d, const struct ssh_settings *st,
    int64_t timeout, int64_t silence, struct err *e)
{
	int r = st->proxy != NULL ? dial_proxy(d, st, e) :
				    dial_tcp(d, st, timeout, silence, e);

	if (r != 0 && intr_check(e) == 0)
		e->code = ERR_UNREACHABLE;
	if (r != 0)
		ssh_dial_close(d);
	return r;
}

void
ssh_dial_close(struct ssh_dial *d)
{
	char name[] = "proxy", *argv[] = { name, NULL };

	d->proxy.argv = argv;
	run_kill(&d->proxy);
	if (d->gate != NULL)
		d->close_gate(d->gate);
	if (d->fd >= 0)
		close(d->fd);
	buf_release(&d->said);
	*d = (struct ssh_dial)SSH_DIAL_INIT;
}
