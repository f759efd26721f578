#include "ssh/ssh_agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/io.h"

enum {
	TICK_MS = 200,
	FRAME_MAX = 256 * 1024, /* as libssh and OpenSSH have it */
	IDENTITIES_ANSWER = 12, /* SSH_AGENT_IDENTITIES_ANSWER */
};

struct ssh_agent_relay {
	struct ssh_agent_options o;
	pthread_t thread;
	int client; /* our end of what libssh talks to */
	int agent;
	int stop; /* eventfd */
	int shown;
	bool failed;
	struct err err;
};

/* ----------------------------------------------------------------- bytes */

static uint32_t
get_u32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 |
	    (uint32_t)u[2] << 8 | u[3];
}

static void
put_u32(char *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(n >> (24 - 8 * i));
}

/* Does the blob `p` stand in the list, as base64? */
static bool
is_listed(const struct strvec *list, const char *p, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *u = (const unsigned char *)p;
	struct buf b = BUF_INIT;
	bool listed;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t n = (uint32_t)u[i] << 16 |
		    (i + 1 < len ? (uint32_t)u[i + 1] << 8 : 0) |
		    (i + 2 < len ? (uint32_t)u[i + 2] : 0);

		buf_addc(&b, digits[n >> 18]);
		buf_addc(&b, digits[n >> 12 & 63]);
		buf_addc(&b, i + 1 < len ? digits[n >> 6 & 63] : '=');
		buf_addc(&b, i + 2 < len ? digits[n & 63] : '=');
	}
	listed = strvec_has(list, buf_str(&b));
	buf_release(&b);
	return listed;
}

/* ----------------------------------------------------------------- keys */

/*
 * The length of the string (RFC 4251, 5) at `at` with its length before it;
 * 0 when it does not fit in the frame.
 */
static size_t
string_size(const struct buf *frame, size_t at)
{
	size_t left = frame->len - at, n;

	if (at > frame->len || left < 4)
		return 0;
	n = get_u32(frame->data + at);
	return n > left - 4 ? 0 : n + 4;
}

/*
 * Copy the keys that are preferred, or those that are not, to `out` until
 * the limit is reached.  The answer is: type, count, count times (blob,
 * comment).
 */
static void
copy_keys(struct ssh_agent_relay *r, const struct buf *frame, bool preferred,
    struct buf *out)
{
	uint32_t count = get_u32(frame->data + 1);
	size_t at = 5;

	for (uint32_t i = 0; i < count; i++) {
		size_t blob = string_size(frame, at);
		size_t comment = blob > 0 ? string_size(frame, at + blob) : 0;

		if (comment == 0 || (size_t)r->shown >= r->o.limit)
			return;
		if (is_listed(r->o.preferred, frame->data + at + 4,
			blob - 4) == preferred) {
			buf_add(out, frame->data + at, blob + comment);
			r->shown++;
		}
		at += blob + comment;
	}
}

/* Replace a list of keys by what may be shown. */
static void
choose_keys(struct ssh_agent_relay *r, struct buf *frame)
{
	struct buf out = BUF_INIT;

	r->shown = 0;
	buf_add(&out, "\014\0\0\0\0", 5);
	copy_keys(r, frame, true, &out);
	if (!r->o.only_preferred)
		copy_keys(r, frame, false, &out);
	put_u32(out.data + 1, (uint32_t)r->shown);
	buf_release(frame);
	*frame = out;
}

/* --------------------------------------------------------------- frames */

/* Why the relay has to give up, in r->err. */
static int
give_up(struct ssh_agent_relay *r, const char *why)
{
	r->failed = true;
	return err_set(&r->err, ERR_UNREACHABLE, "the agent %s %s",
	    r->o.socket, why);
}

/* Wait for `fd`.  1; 0 when it is time to end; -1 in r->err. */
static int
wait_for(struct ssh_agent_relay *r, int fd)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = r->stop, .events = POLLIN },
			{ .fd = r->o.cancel, .events = POLLIN },
		};

		(void)poll(p, 3, TICK_MS);
		if (p[1].revents != 0 || p[2].revents != 0)
			return 0;
		if (p[0].revents != 0)
			return 1;
		if (intr_check(&r->err) != 0)
			return 0;
		if (clock_ms() >= r->o.end)
			return give_up(r,
			    "does not answer (does it wait for somebody to confirm?)");
	}
}

/* Read `len` bytes more.  1, 0 at the end, -1. */
static int
read_more(struct ssh_agent_relay *r, int fd, struct buf *b, size_t len)
{
	buf_reserve(b, len);
	while (len > 0) {
		int c = wait_for(r, fd);
		ssize_t n;

		if (c <= 0)
			return c;
		n = io_read_some(fd, b->data + b->len, len);
		if (n <= 0)
			return 0;
		b->len += (size_t)n;
		len -= (size_t)n;
	}
	return 1;
}

/* Read a message, without its length, into `b`.  1, 0 at the end, -1. */
static int
read_frame(struct ssh_agent_relay *r, int fd, struct buf *b)
{
	int c;
	uint32_t len;

	buf_reset(b);
	c = read_more(r, fd, b, 4);
	if (c <= 0)
		return c;
	len = get_u32(b->data);
	if (len == 0 || len > FRAME_MAX)
		return give_up(r, "speaks another language");
	b->len = 0;
	return read_more(r, fd, b, len);
}

static int
write_frame(struct ssh_agent_relay *r, int fd, const struct buf *b)
{
	char len[4];

	put_u32(len, (uint32_t)b->len);
	if (io_write(fd, len, 4) != 0 || io_write(fd, b->data, b->len) != 0)
		return give_up(r, "went away");
	return 1;
}

/* Carry questions and answers until either side ends. */
static void *
relay(void *arg)
{
	struct ssh_agent_relay *r = arg;
	struct buf b = BUF_INIT;
	int c;

	while ((c = read_frame(r, r->client, &b)) > 0 &&
	    (c = write_frame(r, r->agent, &b)) > 0) {
		c = read_frame(r, r->agent, &b);
		if (c == 0)
			(void)give_up(r, "went away");
		if (c <= 0)
			break;
		if (b.data[0] == IDENTITIES_ANSWER && b.len >= 5)
			choose_keys(r, &b);
		if (write_frame(r, r->client, &b) < 0)
			break;
	}
	/* libssh waits for an answer: it gets an end. */
	shutdown(r->client, SHUT_RDWR);
	buf_release(&b);
	return NULL;
}

/* ---------------------------------------------------------- start, stop */

static void
relay_free(struct ssh_agent_relay *r)
{
	int *const fds[] = { &r->client, &r->agent, &r->stop };

	for (size_t i = 0; i < 3; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	free(r);
}

/* Connect to the agent.  0 or -1 with errno. */
static int
connect_agent(struct ssh_agent_relay *r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlen(r->o.socket) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(sun.sun_path, r->o.socket);
	r->agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r->agent < 0)
		return -1;
	return connect(r->agent, (struct sockaddr *)&sun, sizeof(sun));
}

struct ssh_agent_relay *
ssh_agent_start(const struct ssh_agent_options *o, int *fd, struct err *e)
{
	struct ssh_agent_relay *r = xcalloc(1, sizeof(*r));
	int pair[2], error;

	r->o = *o;
	r->client = r->agent = r->stop = -1;
	if (connect_agent(r) != 0) {
		err_sys(e, "the agent %s", o->socket);
	} else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) !=
	    0) {
		err_sys(e, "cannot make a socket");
	} else {
		r->client = pair[0];
		*fd = pair[1];
		r->stop = eventfd(0, EFD_CLOEXEC);
		error = r->stop < 0 ?
		    errno :
		    pthread_create(&r->thread, NULL, relay, r);
		if (error == 0)
			return r;
		close(*fd);
		errno = error;
		err_sys(e, "cannot start a thread");
	}
	relay_free(r);
	return NULL;
}

int
ssh_agent_stop(struct ssh_agent_relay *r, struct err *e)
{
	uint64_t one = 1;
	int shown;

	err_ignore(io_write(r->stop, &one, sizeof(one)));
	pthread_join(r->thread, NULL);
	shown = r->failed ? -1 : r->shown;
	if (r->failed)
		*e = r->err;
	relay_free(r);
	return shown;
}
