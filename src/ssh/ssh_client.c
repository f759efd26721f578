#include "ssh/ssh_client.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/run.h"

enum { TICK_MS = 200 }; /* how soon a signal is noticed */

void
ssh_client_add_host(struct strvec *argv, const struct ssh_options *o)
{
	if (o->config != NULL)
		strvec_addf(argv, "-F%s", o->config);
	if (o->user != NULL)
		strvec_addf(argv, "-l%s", o->user);
	if (o->port > 0)
		strvec_addf(argv, "-p%d", o->port);
	if (o->jump != NULL)
		strvec_addf(argv, "-J%s", o->jump);
	strvec_add(argv, "--");
	strvec_add(argv, o->host);
}

/* Read what is there; false at the end. */
static bool
take(int fd, struct buf *b)
{
	char piece[4096];
	ssize_t n = io_read_some(fd, piece, sizeof(piece));

	if (n > 0)
		buf_add(b, piece, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Read both outputs of `c` until they end or the time is over. */
static int
read_outputs(struct run_child *c, int64_t ms, struct buf *out,
    struct buf *errors, struct err *e)
{
	struct pollfd fds[2] = {
		{ .fd = c->out, .events = POLLIN },
		{ .fd = c->err, .events = POLLIN },
	};
	struct buf *to[2] = { out, errors };
	int64_t end = clock_ms() + ms;

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (intr_check(e) != 0)
			return -1;
		if (clock_ms() >= end)
			return err_set(e, ERR_FAILED,
			    "ssh(1) does not answer");
		if (poll(fds, 2, TICK_MS) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents != 0 && !take(fds[i].fd, to[i]))
				fds[i].fd = -1;
	}
	return 0;
}

int
ssh_client_run(struct strvec *argv, int64_t ms, struct buf *out,
    struct buf *errors, int *status, struct err *e)
{
	struct run_child c = RUN_CHILD_INIT;
	int r;

	c.argv = argv->v;
	c.kind = ENVIRONMENT_PLAIN;
	c.pipe_out = c.pipe_err = true;
	if (run_start(&c, e) != 0)
		return e->sys == ENOENT ? 1 : -1;
	r = read_outputs(&c, ms, out, errors, e);
	if (r == 0)
		r = run_finish(&c, status, e);
	run_kill(&c);
	return r;
}
