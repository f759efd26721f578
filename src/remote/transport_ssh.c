#include "remote/transport_ssh.h"

#include "ssh/ssh.h"
#include "ssh/ssh_proc.h"

static void
close_session(void *self)
{
	ssh_close(self);
}

static void
traffic(const void *self, uint64_t *sent, uint64_t *received)
{
	ssh_traffic(self, sent, received);
}

static int64_t
round_trip(const void *self)
{
	return ssh_round_trip(self);
}

static const char *
address(const void *self)
{
	return ssh_address(self);
}

static void
login(const void *self, const char **host_key, const char **key)
{
	ssh_login(self, host_key, key);
}

static bool
starts_at_once(const void *self)
{
	return ssh_starts_at_once(self);
}

static void *
start(void *self, const char *command, struct err *e)
{
	return ssh_start(self, command, e);
}

static int
write_all(void *proc, const void *data, size_t len, struct err *e)
{
	return ssh_write(proc, data, len, e);
}

static int
end_input(void *proc, struct err *e)
{
	return ssh_end_input(proc, e);
}

static void
watch(void *proc, void (*taken)(void *ctx, int64_t bytes), void *ctx)
{
	ssh_watch(proc, taken, ctx);
}

static int
read_line(void *proc, struct buf *line, int64_t timeout, struct err *e)
{
	return ssh_read_line(proc, line, timeout, e);
}

static ssize_t
read_some(void *proc, void *data, size_t len, struct err *e)
{
	return ssh_read(proc, data, len, e);
}

static int
finish(void *proc, int *status, struct buf *errors, struct err *e)
{
	return ssh_finish(proc, status, errors, e);
}

static const char *
errors_so_far(const void *proc)
{
	return ssh_errors(proc);
}

static int
join(void *proc, int from, int to, struct err *e)
{
	return ssh_join(proc, from, to, e);
}

static void
close_proc(void *proc)
{
	ssh_proc_close(proc);
}

static const struct transport_ops ops = {
	.close = close_session,
	.traffic = traffic,
	.round_trip = round_trip,
	.address = address,
	.login = login,
	.starts_at_once = starts_at_once,
	.start = start,
	.write = write_all,
	.end_input = end_input,
	.watch = watch,
	.read_line = read_line,
	.read = read_some,
	.finish = finish,
	.errors = errors_so_far,
	.join = join,
	.close_proc = close_proc,
};

/* Each phase as long as it may take, but no longer than a silent host may. */
static struct ssh_timeouts
timeouts(int64_t silence)
{
	const int64_t max[] = { 10000, 15000, 20000, 15000 };

	return (struct ssh_timeouts){ .connect =
					  silence < max[0] ? silence : max[0],
		.kex = silence < max[1] ? silence : max[1],
		.auth = silence < max[2] ? silence : max[2],
		.exec = silence < max[3] ? silence : max[3],
		.idle = silence };
}

int
transport_ssh_open(struct transport *t, const struct host_config *h,
    int64_t silence, struct err *e)
{
	struct ssh_options o = {
		.host = h->address,
		.user = h->user,
		.port = (int)h->port,
		.identity = h->identity,
		.host_key = h->host_key,
		.jump = h->jump,
		.timeouts = timeouts(silence),
	};
	struct ssh *s = ssh_open(&o, e);

	if (s == NULL)
		return -1;
	t->ops = &ops;
	t->self = s;
	return 0;
}
