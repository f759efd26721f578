#include "ssh/ssh_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/intake.h"
#include "os/io.h"
#include "ssh/libssh.h"
#include "ssh/ssh.h"
#include "ssh/ssh_link.h"

enum {
	RETRY_MS = 100,	    /* before the second attempt to open a channel */
	SESSION_MS = 3000,  /* for the host to see that a program has ended */
	SSH_PROHIBITED = 1, /* SSH_OPEN_ADMINISTRATIVELY_PROHIBITED */
	PIECE = 64 * 1024,  /* of a write; less is slower */
	ERRORS_MAX = 4096,
	OUTPUT_MAX = 64 * 1024 * 1024, /* kept for a caller */
};

struct ssh_proc {
	struct ssh_link *link;
	const struct ssh_timeouts *timeouts;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	struct intake out; /* its standard output */
	int64_t written;   /* bytes to its input, ever */
	int64_t watched;   /* what it was good for when `taken` came */
	void (*taken)(void *ctx, int64_t bytes); /* NULL: nobody listens */
	void *taken_ctx;
	uint64_t said;	   /* bytes of both its outputs, ever */
	struct buf errors; /* the end of its standard error */
	bool too_much;	   /* `out` would not hold what it says */
	bool eof;	   /* no more output will come */
	bool closed;	   /* it has ended, all is here */
	int64_t asked;	   /* clock_us() when it was to start; 0: it runs */
	bool forwards;	   /* no program: a stream to another host */
	bool exited;	   /* `status` is valid */
	int status;
	char signal[16]; /* that ended it, without SIG; "" none */
};

/* ------------------------------------------------------------- callbacks */

/* Keep the end of what it says on standard error. */
static void
keep_errors(struct ssh_proc *p, const char *data, size_t len)
{
	buf_add(&p->errors, data, len);
	buf_keep_last(&p->errors, ERRORS_MAX);
}

/*
 * All is taken at once, whatever the caller does now: both streams share one
 * window, and a program that waits to say something does not listen.
 */
static int
on_data(ssh_session session, ssh_channel channel, void *data, uint32_t len,
    int is_stderr, void *user)
{
	struct ssh_proc *p = user;

	(void)session;
	(void)channel;
	p->said += len;
	if (is_stderr)
		keep_errors(p, data, len);
	else if (intake_len(&p->out) + len > OUTPUT_MAX)
		p->too_much = true;
	else
		buf_add(&p->out.said, data, len);
	return (int)len;
}

static void
on_eof(ssh_session session, ssh_channel channel, void *user)
{
	struct ssh_proc *p = user;

	(void)session;
	(void)channel;
	p->eof = true;
	/* A forwarded stream that ends is of no use in the other direction. */
	p->closed = p->closed || p->forwards;
}

static void
on_close(ssh_session session, ssh_channel channel, void *user)
{
	struct ssh_proc *p = user;

	(void)session;
	(void)channel;
	p->eof = p->closed = true;
}

static void
on_exit_status(ssh_session session, ssh_channel channel, int status,
    void *user)
{
	struct ssh_proc *p = user;

	(void)session;
	(void)channel;
	p->exited = true;
	p->status = status;
}

static void
on_exit_signal(ssh_session session, ssh_channel channel, const char *signal,
    int core, const char *message, const char *lang, void *user)
{
	struct ssh_proc *p = user;

	(void)session;
	(void)channel;
	(void)core;
	(void)message;
	(void)lang;
	strncpy(p->signal, signal, sizeof(p->signal) - 1);
}

/* -------------------------------------------------------------- programs */

/* Repeat a call of libssh until it does not say "again". */
#define UNTIL_DONE(r, p, call, end, e) \
	while (((r) = (call)) == SSH_AGAIN) \
		if (ssh_link_wait((p)->link, end, e) != 0) \
	break

/* Have it our way from the first word on. */
static int
take_channel(struct ssh_proc *p, ssh_channel channel)
{
	p->channel = channel;
	if (channel == NULL ||
	    ls.ssh_set_channel_callbacks(channel, &p->callbacks) != SSH_OK)
		return SSH_ERROR;
	return SSH_OK;
}

static void
give_channel_back(struct ssh_proc *p)
{
	if (p->channel == NULL)
		return;
	/* It outlives us until the host closes it too. */
	ls.ssh_remove_channel_callbacks(p->channel, &p->callbacks);
	ls.ssh_channel_free(p->channel);
	p->channel = NULL;
}

/* SSH_OK, SSH_AGAIN when the wait failed, or SSH_ERROR. */
static int
open_this(struct ssh_proc *p, ssh_channel channel, int64_t end, struct err *e)
{
	int r = take_channel(p, channel);

	if (r == SSH_OK)
		UNTIL_DONE(r, p, ls.ssh_channel_open_session(p->channel), end,
		    e);
	return r;
}

/* The spare channel, or else, also when it was refused, a new one. */
static int
open_once(struct ssh_proc *p, int64_t end, struct err *e)
{
	struct ssh_link *l = p->link;
	ssh_channel spare = l->spare;
	int r = SSH_ERROR;

	l->spare = NULL;
	if (spare != NULL)
		r = open_this(p, spare, end, e);
	if (r != SSH_ERROR || !ls.ssh_is_connected(l->session))
		return r;
	give_channel_back(p);
	return open_this(p, ls.ssh_channel_new(l->session), end, e);
}

/*
 * The same; a host that says no may still have the program before this one,
 * and allow only one (MaxSessions).
 */
static int
open_channel(struct ssh_proc *p, int64_t end, struct err *e)
{
	const int64_t until = clock_ms() + SESSION_MS;
	int r;

	while ((r = open_once(p, end, e)) == SSH_ERROR &&
	    ls.ssh_is_connected(p->link->session) && clock_ms() < until) {
		give_channel_back(p);
		if (ssh_link_pause(RETRY_MS, e) != 0)
			return SSH_AGAIN;
	}
	return r;
}

/* The host does not open a channel, or starts nothing in it. */
static int
not_started(struct ssh_proc *p, struct err *e)
{
	struct ssh_link *l = p->link;

	if (!ls.ssh_is_connected(l->session))
		return ssh_link_lost(l, e);
	return err_set(e, ERR_FAILED,
	    "the host does not start it: %s;; does sshd there allow enough sessions at once (MaxSessions)?",
	    ls.ssh_get_error(l->session));
}

/*
 * Did the host refuse to start the command?  Asked with every wait: nobody
 * waits for the answer alone, which would be a round trip.
 */
static int
check_started(struct ssh_proc *p, struct err *e)
{
	/* Once it is sent, libssh does not look at the command again. */
	int r;

	if (p->asked == 0)
		return 0;
	r = ls.ssh_channel_request_exec(p->channel, "");
	if (r == SSH_AGAIN)
		return 0;
	if (r == SSH_OK)
		ssh_link_note_trip(p->link, p->asked);
	p->asked = 0;
	if (r == SSH_OK || p->eof)
		return 0;
	not_started(p, e);
	return ssh_link_failed(p->link, "command at", e);
}

/*
 * How many bytes the host has been good for: what was written, and what it
 * would still take (RFC 4254, 5.2).  It gives new room as its program reads.
 */
static int64_t
granted(const struct ssh_proc *p)
{
	return p->written + ls.ssh_channel_window_size(p->channel);
}

void
ssh_watch(struct ssh_proc *p, void (*taken)(void *ctx, int64_t bytes),
    void *ctx)
{
	p->taken = taken;
	p->taken_ctx = ctx;
	p->watched = granted(p);
}

static void
tell_taken(const struct ssh_proc *p)
{
	if (p->taken != NULL)
		p->taken(p->taken_ctx, granted(p) - p->watched);
}

/* Wait until something happens. */
static int
wait_on(struct ssh_proc *p, int64_t end, struct err *e)
{
	int r = check_started(p, e);

	if (r == 0)
		r = ssh_link_wait(p->link, end, e);
	if (r == 0)
		tell_taken(p);
	return r;
}

/* Open the channel and have the command started, as check_started() tells. */
static int
start(struct ssh_proc *p, const char *command, struct err *e)
{
	int64_t end = clock_ms() + p->timeouts->exec;
	int r;

	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	r = open_channel(p, end, e);
	if (r == SSH_AGAIN)
		return -1; /* the wait failed, and said why */
	if (r == SSH_OK)
		r = ls.ssh_channel_request_exec(p->channel, command);
	if (r == SSH_ERROR)
		return not_started(p, e);
	p->asked = r == SSH_AGAIN ? clock_us() : 0;
	ssh_link_ask_for_spare(p->link);
	return 0;
}

static struct ssh_proc *
proc_new(struct ssh_link *l, const struct ssh_timeouts *timeouts)
{
	struct ssh_proc *p = xcalloc(1, sizeof(*p));

	p->link = l;
	p->timeouts = timeouts;
	p->callbacks.userdata = p;
	p->callbacks.channel_data_function = on_data;
	p->callbacks.channel_eof_function = on_eof;
	p->callbacks.channel_close_function = on_close;
	p->callbacks.channel_exit_status_function = on_exit_status;
	p->callbacks.channel_exit_signal_function = on_exit_signal;
	ssh_callbacks_init(&p->callbacks);
	return p;
}

struct ssh_proc *
ssh_proc_start(struct ssh_link *l, const struct ssh_timeouts *timeouts,
    const char *command, struct err *e)
{
	struct ssh_proc *p = proc_new(l, timeouts);

	if (start(p, command, e) == 0)
		return p;
	ssh_link_failed(l, "command at", e);
	ssh_proc_close(p);
	return NULL;
}

/* Has the host the channel refused with that code (RFC 4254, 5.1)? */
static bool
was_refused(struct ssh_proc *p, int code)
{
	char words[16];

	snprintf(words, sizeof(words), "(%d) ", code);
	return strstr(ls.ssh_get_error(p->link->session), words) != NULL;
}

/* It does not connect to there: why, as far as it says. */
static int
not_forwarded(struct ssh_proc *p, const char *host, int port, struct err *e)
{
	struct ssh_link *l = p->link;
	const char *said = ls.ssh_get_error(l->session);
	const char *end = strstr(said, ") ");

	if (!ls.ssh_is_connected(l->session))
		return ssh_link_lost(l, e);
	if (end != NULL)
		said = end + 2;
	if (was_refused(p, SSH_PROHIBITED))
		return err_set(e, ERR_UNREACHABLE,
		    "%s does not let us through to %s port %d;; its sshd_config has to allow that (AllowTcpForwarding, PermitOpen), and so has our key's line in authorized_keys there (port-forwarding behind restrict, and permitopen)",
		    l->name, host, port);
	return err_set(e, ERR_UNREACHABLE,
	    "%s cannot connect to %s port %d: %s;; does sshd there listen at that port, and does the jump host know it by that name?",
	    l->name, host, port, said);
}

/* Have the host connect to there.  0 or -1. */
static int
forward(struct ssh_proc *p, const char *host, int port, struct err *e)
{
	int64_t end = clock_ms() + p->timeouts->connect;
	int r;

	p->forwards = true;
	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	r = take_channel(p, ls.ssh_channel_new(p->link->session));
	if (r == SSH_OK)
		UNTIL_DONE(r, p,
		    ls.ssh_channel_open_forward(p->channel, host, port,
			"127.0.0.1", 0),
		    end, e);
	/* It was there, and is gone already: for whoever reads from it. */
	if (p->closed && ls.ssh_is_connected(p->link->session))
		return 0;
	if (r == SSH_ERROR)
		return not_forwarded(p, host, port, e);
	if (r == SSH_AGAIN && e->sys == ETIMEDOUT && clock_ms() >= end)
		err_set(e, ERR_UNREACHABLE,
		    "%s did not connect to %s port %d in time;; is that host up, and does a firewall let the jump host through?",
		    p->link->name, host, port);
	return r == SSH_OK ? 0 : -1;
}

struct ssh_proc *
ssh_proc_forward(struct ssh_link *l, const struct ssh_timeouts *timeouts,
    const char *host, int port, struct err *e)
{
	struct ssh_proc *p = proc_new(l, timeouts);

	if (forward(p, host, port, e) == 0)
		return p;
	ssh_proc_close(p);
	return NULL;
}

void
ssh_proc_close(struct ssh_proc *p)
{
	if (p == NULL)
		return;
	give_channel_back(p);
	intake_release(&p->out);
	buf_release(&p->errors);
	free(p);
}

/* --------------------------------------------------------------- streams */

/* It does not listen any more: why, as far as it said. */
static int
ended_early(struct ssh_proc *p, struct err *e)
{
	return err_set(e, ERR_FAILED,
	    "the program on %s ended before it had read everything%s%s",
	    p->link->name, p->errors.len > 0 ? ": " : "", buf_str(&p->errors));
}

static int
said_too_much(struct ssh_proc *p, struct err *e)
{
	return err_set(e, ERR_FAILED, "the program on %s says too much",
	    p->link->name);
}

/*
 * Hand libssh as much as the window and one piece allow, when it has nothing
 * unsent.  The number of bytes, 0 when it cannot take any now; -1.
 */
static int
write_piece(struct ssh_proc *p, const char *data, size_t len, struct err *e)
{
	ssh_session session = p->link->session;
	uint32_t n = ls.ssh_channel_window_size(p->channel);
	int written;

	if (n == 0 ||
	    (ls.ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0)
		return 0;
	n = n < PIECE ? n : PIECE;
	n = n < len ? n : (uint32_t)len;
	written = ls.ssh_channel_write(p->channel, data, n);
	if (written >= 0) {
		p->written += written;
		tell_taken(p);
		return written;
	}
	if (!ls.ssh_is_connected(session))
		return ssh_link_lost(p->link, e);
	return ended_early(p, e);
}

int
ssh_write(struct ssh_proc *p, const void *data, size_t len, struct err *e)
{
	const char *from = data;
	int64_t idle = p->timeouts->idle, end = clock_ms() + idle;

	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	while (len > 0) {
		int n;

		if (p->closed)
			return ended_early(p, e);
		if (p->too_much)
			return said_too_much(p, e);
		n = write_piece(p, from, len, e);
		if (n < 0)
			return -1;
		if (n == 0 && wait_on(p, end, e) != 0)
			return -1;
		if (n == 0)
			continue;
		from += n;
		len -= (size_t)n;
		end = clock_ms() + idle;
	}
	return 0;
}

int
ssh_end_input(struct ssh_proc *p, struct err *e)
{
	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	if (p->closed || ls.ssh_channel_send_eof(p->channel) != SSH_ERROR)
		return 0;
	return ssh_link_lost(p->link, e);
}

/* Wait for more output.  1; 0 when there will be none; -1. */
static int
more_output(struct ssh_proc *p, int64_t end, struct err *e)
{
	size_t had = intake_len(&p->out);

	if (p->eof)
		return 0;
	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	while (intake_len(&p->out) == had && !p->eof) {
		if (p->too_much)
			return said_too_much(p, e);
		if (wait_on(p, end, e) != 0)
			return -1;
	}
	return intake_len(&p->out) > had;
}

int
ssh_read_line(struct ssh_proc *p, struct buf *line, int64_t timeout,
    struct err *e)
{
	int64_t end = clock_ms() + timeout;
	int r;

	do {
		if (intake_line(&p->out, line))
			return 1;
		r = more_output(p, end, e);
	} while (r > 0);
	return r;
}

ssize_t
ssh_read(struct ssh_proc *p, void *data, size_t len, struct err *e)
{
	int64_t end = clock_ms() + p->timeouts->idle;
	int r = 1;

	if (intake_len(&p->out) == 0)
		r = more_output(p, end, e);
	return r > 0 ? (ssize_t)intake_take(&p->out, data, len) : r;
}

/* The wire between a program there and one here. */
struct wire_ends {
	int from;     /* -1: at its end */
	int to;	      /* -1: nobody listens any more */
	char *window; /* PIECE bytes */
};

/* Whether it can take input now, and how much at once. */
static size_t
room(const struct ssh_proc *p)
{
	uint32_t n = ls.ssh_channel_window_size(p->channel);

	if ((ls.ssh_get_poll_flags(p->link->session) & SSH_WRITE_PENDING) != 0)
		return 0;
	return n < PIECE ? n : PIECE;
}

/* What `from` has to its input, as far as there is room.  0 or -1. */
static int
carry_there(struct ssh_proc *p, struct wire_ends *w, struct err *e)
{
	while (w->from >= 0 && !p->closed && room(p) > 0) {
		ssize_t n = io_read_some(w->from, w->window, room(p));

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			w->from = -1;
			return ssh_end_input(p, e);
		}
		/* It may have ended meanwhile: its status tells more. */
		if (ssh_write(p, w->window, (size_t)n, e) != 0 && !p->closed)
			return -1;
	}
	return 0;
}

/* What it said to `to`, as far as that takes it. */
static void
carry_back(struct ssh_proc *p, struct wire_ends *w)
{
	while (intake_len(&p->out) > 0) {
		size_t len = intake_len(&p->out);
		ssize_t n = (ssize_t)len;

		if (w->to >= 0)
			n = write(w->to, intake_data(&p->out), len);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			w->to = -1;
		if (n <= 0)
			return;
		intake_drop(&p->out, (size_t)n);
	}
	/* All it will ever say is there. */
	if (p->eof)
		w->to = -1;
}

/* Wait until one of the ends or the connection can go on. */
static int
wait_for_ends(struct ssh_proc *p, const struct wire_ends *w, int64_t end,
    struct err *e)
{
	bool full = p->closed || room(p) == 0,
	     empty = intake_len(&p->out) == 0;
	const struct pollfd fds[2] = {
		{ .fd = full ? -1 : w->from, .events = POLLIN },
		{ .fd = empty ? -1 : w->to, .events = POLLOUT },
	};

	if (check_started(p, e) != 0)
		return -1;
	return ssh_link_wait_also(p->link, fds, 2, end, e);
}

int
ssh_join(struct ssh_proc *p, int from, int to, struct err *e)
{
	struct wire_ends w = { from, to, xmalloc(PIECE) };
	int64_t end = INT64_MAX;
	int r = ssh_link_begin(p->link, e);

	fcntl(from, F_SETFL, O_NONBLOCK);
	fcntl(to, F_SETFL, O_NONBLOCK);
	while (r == 0 && (!p->closed || w.to >= 0)) {
		carry_back(p, &w);
		r = carry_there(p, &w, e);
		if (r == 0 && p->too_much)
			r = said_too_much(p, e);
		if (p->closed && w.to < 0)
			break;
		/* Alone, it has to end soon. */
		if (w.from < 0 && end == INT64_MAX)
			end = clock_ms() + p->timeouts->exec;
		if (r == 0)
			r = wait_for_ends(p, &w, end, e);
	}
	free(w.window);
	return r;
}

/* Wait until it has ended; what it still says is kept. */
static int
wait_for_end(struct ssh_proc *p, struct err *e)
{
	int64_t idle = p->timeouts->idle, end = clock_ms() + idle;
	uint64_t said = p->said;

	if (ssh_link_begin(p->link, e) != 0)
		return -1;
	while (!p->closed) {
		/* Its output is not wanted any more. */
		intake_drop(&p->out, intake_len(&p->out));
		p->too_much = false;
		if (wait_on(p, end, e) != 0)
			return -1;
		if (p->said != said)
			end = clock_ms() + idle;
		said = p->said;
	}
	return 0;
}

const char *
ssh_errors(const struct ssh_proc *p)
{
	return buf_str(&p->errors);
}

int
ssh_finish(struct ssh_proc *p, int *status, struct buf *errors, struct err *e)
{
	int r = p->closed ? 0 : wait_for_end(p, e);

	if (errors != NULL)
		buf_add(errors, buf_str(&p->errors), p->errors.len);
	if (r != 0)
		return -1;
	if (p->signal[0] != '\0')
		return err_set(e, ERR_FAILED,
		    "the program on %s was ended by SIG%s", p->link->name,
		    p->signal);
	if (!p->exited)
		return err_set(e, ERR_FAILED,
		    "the program on %s ended without a status", p->link->name);
	*status = p->status;
	return 0;
}
