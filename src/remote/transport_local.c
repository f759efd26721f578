#include "remote/transport_local.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/intake.h"
#include "host/host.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/run.h"

enum {
	TICK_MS = 200, /* how soon a signal is noticed */
	ERRORS_MAX = 4096,
	LINE_MAX_LEN = 64 * 1024 * 1024, /* a line of `info` */
};

struct local {
	int64_t silence;
	uint64_t sent, received;
};

/* A root of this machine that a thread serves, and the far end of its line. */
struct server {
	pthread_t thread;
	char *root;
	int fd;
	struct err err;
};

struct local_proc {
	struct local *local;
	struct run_child child; /* its pipes; of the thread, our end */
	struct server *server;	/* NULL: it is a child */
	struct intake out;	/* read */
	struct buf errors;	/* the last of standard error */
	bool out_ended;
	void (*taken)(void *ctx, int64_t bytes); /* NULL: nobody listens */
	void *taken_ctx;
	int64_t written; /* since then */
};

static void
local_close(void *self)
{
	free(self);
}

static void
local_traffic(const void *self, uint64_t *sent, uint64_t *received)
{
	const struct local *l = self;

	*sent = l->sent;
	*received = l->received;
}

static const char *
local_address(const void *self)
{
	(void)self;
	return NULL;
}

static void
local_login(const void *self, const char **host_key, const char **key)
{
	(void)self;
	*host_key = *key = NULL;
}

static void *
local_start(void *self, const char *command, struct err *e)
{
	char sh[] = "sh", c[] = "-c";
	char *argv[] = { sh, c, (char *)(uintptr_t)command, NULL };
	struct local_proc *p = xcalloc(1, sizeof(*p));

	p->local = self;
	p->child = (struct run_child)RUN_CHILD_INIT;
	p->child.argv = argv;
	/* A root's hooks run in it. */
	p->child.kind = ENVIRONMENT_USER;
	p->child.pipe_in = p->child.pipe_out = p->child.pipe_err = true;
	if (run_start(&p->child, e) != 0) {
		free(p);
		return NULL;
	}
	p->child.argv = NULL;
	return p;
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	const struct host_limits all = { NULL, NULL };
	const struct host_io io = { s->fd, s->fd };

	err_ignore(host_serve(s->root, NULL, &all, &io, &s->err));
	/* The client hears the end. */
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

/* Start it with all signals blocked: they are for who asks. */
static int
start_thread(struct server *s, struct err *e)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&s->thread, NULL, serve, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return errno == 0 ? 0 : err_sys(e, "cannot start a thread");
}

static void
server_free(struct server *s)
{
	close(s->fd);
	free(s->root);
	free(s);
}

static void *
local_serve(void *self, const char *root, struct err *e)
{
	struct local_proc *p;
	struct server *s;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		err_sys(e, "cannot make a socket pair");
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	s->root = xstrdup(root);
	s->fd = pair[1];
	s->err = (struct err)ERR_INIT;
	if (start_thread(s, e) != 0) {
		close(pair[0]);
		server_free(s);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->local = self;
	p->child = (struct run_child)RUN_CHILD_INIT;
	p->child.in = p->child.out = pair[0];
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	p->server = s;
	return p;
}

/* Its end: what it began is finished or given up within its own deadlines. */
static void
end_server(struct local_proc *p)
{
	if (p->server == NULL)
		return;
	shutdown(p->child.out, SHUT_RDWR);
	pthread_join(p->server->thread, NULL);
	server_free(p->server);
	p->server = NULL;
	close(p->child.out);
	p->child.in = p->child.out = -1;
}

/* Take what the descriptor has; false at its end. */
static bool
take(int fd, struct buf *b)
{
	ssize_t n;

	buf_reserve(b, 65536);
	n = io_read_some(fd, b->data + b->len, 65536);
	if (n < 0)
		return errno == EAGAIN;
	b->len += (size_t)n;
	b->data[b->len] = '\0';
	return n > 0;
}

/* Keep the end of what it says on standard error. */
static void
take_errors(struct local_proc *p)
{
	if (!take(p->child.err, &p->errors)) {
		close(p->child.err);
		p->child.err = -1;
	}
	buf_keep_last(&p->errors, ERRORS_MAX);
}

/*
 * Wait until something can be done, at most until `end`; take what there is
 * to read.  1: the input takes data; 0: look again; -1.
 */
static int
step(struct local_proc *p, bool writing, int64_t end, struct err *e)
{
	struct pollfd fds[3] = {
		{ .fd = p->out_ended ? -1 : p->child.out, .events = POLLIN },
		{ .fd = p->child.err, .events = POLLIN },
		{ .fd = writing ? p->child.in : -1, .events = POLLOUT },
	};
	int64_t left = end - clock_ms();

	if (intr_check(e) != 0)
		return -1;
	if (left <= 0) {
		err_set(e, ERR_FAILED, "no answer in time");
		e->sys = ETIMEDOUT;
		return -1;
	}
	if (poll(fds, 3, left < TICK_MS ? (int)left : TICK_MS) < 0 &&
	    errno != EINTR)
		return err_sys(e, "cannot wait for a program");
	if ((fds[0].revents & (POLLIN | POLLHUP)) != 0) {
		size_t before = p->out.said.len;

		p->out_ended = !take(p->child.out, &p->out.said);
		if (p->server == NULL)
			p->local->received += p->out.said.len - before;
	}
	if ((fds[1].revents & (POLLIN | POLLHUP)) != 0)
		take_errors(p);
	return (fds[2].revents & (POLLOUT | POLLERR)) != 0;
}

/* What a pipe holds is as good as there. */
static void
tell_taken(struct local_proc *p, int64_t n)
{
	p->written += n;
	if (p->taken != NULL)
		p->taken(p->taken_ctx, p->written);
}

static void
local_watch(void *proc, void (*taken)(void *ctx, int64_t bytes), void *ctx)
{
	struct local_proc *p = proc;

	p->taken = taken;
	p->taken_ctx = ctx;
	p->written = 0;
}

static int
local_write(void *proc, const void *data, size_t len, struct err *e)
{
	struct local_proc *p = proc;
	const char *from = data;
	int64_t end = clock_ms() + p->local->silence;

	while (len > 0) {
		int ready = step(p, true, end, e);
		ssize_t n;

		if (ready < 0)
			return -1;
		if (ready == 0)
			continue;
		n = write(p->child.in, from, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(e, "the program ended early");
		if (n > 0) {
			from += n;
			len -= (size_t)n;
			p->local->sent += p->server == NULL ? (uint64_t)n : 0;
			end = clock_ms() + p->local->silence;
			tell_taken(p, n);
		}
	}
	return 0;
}

static int
local_end_input(void *proc, struct err *e)
{
	struct local_proc *p = proc;

	(void)e;
	if (p->server != NULL)
		shutdown(p->child.in, SHUT_WR);
	else if (p->child.in >= 0)
		close(p->child.in);
	p->child.in = -1;
	return 0;
}

static int
local_read_line(void *proc, struct buf *line, int64_t timeout, struct err *e)
{
	struct local_proc *p = proc;
	int64_t end = clock_ms() + timeout;

	while (!intake_line(&p->out, line)) {
		if (p->out_ended)
			return 0;
		if (intake_len(&p->out) > LINE_MAX_LEN)
			return err_set(e, ERR_FAILED, "an answer is too long");
		if (step(p, false, end, e) < 0)
			return -1;
	}
	return 1;
}

static ssize_t
local_read(void *proc, void *data, size_t len, struct err *e)
{
	struct local_proc *p = proc;
	int64_t end = clock_ms() + p->local->silence;

	while (intake_len(&p->out) == 0 && !p->out_ended)
		if (step(p, false, end, e) < 0)
			return -1;
	return (ssize_t)intake_take(&p->out, data, len);
}

static int
local_finish(void *proc, int *status, struct buf *errors, struct err *e)
{
	struct local_proc *p = proc;
	int64_t end = clock_ms() + p->local->silence;
	char name[] = "deploy", *argv[] = { name, NULL };

	(void)local_end_input(p, e);
	while (!p->out_ended || p->child.err >= 0)
		if (step(p, false, end, e) < 0)
			return -1;
	if (p->server != NULL) {
		end_server(p);
		*status = 0;
		return 0;
	}
	if (errors != NULL)
		buf_adds(errors, buf_str(&p->errors));
	p->child.argv = argv;
	return run_finish(&p->child, status, e);
}

static const char *
local_errors(const void *proc)
{
	return buf_str(&((const struct local_proc *)proc)->errors);
}

static void
local_close_proc(void *proc)
{
	struct local_proc *p = proc;

	if (p->server != NULL)
		end_server(p);
	else
		run_kill(&p->child);
	intake_release(&p->out);
	buf_release(&p->errors);
	free(p);
}

static const struct transport_ops ops = {
	local_close,
	local_traffic,
	NULL,
	local_address,
	local_login,
	NULL,
	local_start,
	local_serve,
	local_write,
	local_end_input,
	local_watch,
	local_read_line,
	local_read,
	local_finish,
	local_errors,
	NULL,
	local_close_proc,
};

int
transport_local_open(struct transport *t, int64_t silence, struct err *e)
{
	struct local *l = xcalloc(1, sizeof(*l));

	(void)e;
	l->silence = silence;
	t->ops = &ops;
	t->self = l;
	return 0;
}
