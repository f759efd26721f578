#include "remote/rsh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "os/intr.h"
#include "os/io.h"

enum {
	COMMAND_MAX = 64 * 1024,
	TICK_MS = 200, /* how soon a signal is noticed */
};

int
rsh_pair(int pair[2], struct err *e)
{
	/* Messages with bounds: the command is one, with both descriptors. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, "cannot make a pair of sockets");
	return 0;
}

/* Room for two descriptors beside a message. */
union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/* Send the command with our standard input and output. */
static int
send_command(int fd, const struct buf *command, struct err *e)
{
	const int fds[2] = { STDIN_FILENO, STDOUT_FILENO };
	union ancillary room = { .bytes = { 0 } };
	struct iovec data = { command->data, command->len };
	struct msghdr msg = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		return err_sys(e, "cannot hand over '%s'", command->data);
	return 0;
}

int
rsh_hand_over(int fd, char *const *words, struct err *e)
{
	struct buf command = BUF_INIT;
	int status = -1, null;

	for (; *words != NULL; words++)
		buf_addf(&command, "%s%s", command.len > 0 ? " " : "", *words);
	if (command.len == 0 || command.len > COMMAND_MAX)
		err_set(e, ERR_USAGE, "no command, or one that is too long");
	else if (send_command(fd, &command, e) == 0)
		status = 0;
	buf_release(&command);
	if (status != 0)
		return -1;
	/* They are the other's now: rsync shall see when he closes them. */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0)
		return err_sys(e, "cannot open /dev/null");
	if (io_read_some(fd, &status, sizeof(status)) !=
	    (ssize_t)sizeof(status))
		return err_set(e, ERR_FAILED, "the connection was lost");
	return status;
}

/* Take the descriptors that came with the message. */
static void
take_descriptors(struct msghdr *msg, struct rsh_call *call)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		int fds[2];

		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len != CMSG_LEN(sizeof(fds)))
			continue;
		memcpy(fds, CMSG_DATA(c), sizeof(fds));
		call->in = fds[0];
		call->out = fds[1];
	}
}

/* A message is there, or the end. */
static int
receive_command(int fd, struct rsh_call *call, struct err *e)
{
	union ancillary room;
	struct iovec data;
	struct msghdr msg = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = room.bytes,
		.msg_controllen = sizeof(room.bytes) };
	ssize_t n;

	buf_reserve(&call->command, COMMAND_MAX);
	data = (struct iovec){ call->command.data, COMMAND_MAX };
	n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return err_sys(e, "cannot hear from rsync");
	if (n == 0)
		return 0;
	call->command.len = (size_t)n;
	call->command.data[n] = '\0';
	take_descriptors(&msg, call);
	if (call->in < 0)
		return err_set(e, ERR_FAILED,
		    "rsync's remote shell handed nothing over");
	return 1;
}

int
rsh_take(int fd, struct rsh_call *call, int64_t timeout, struct err *e)
{
	int64_t end = clock_ms() + timeout;
	int ready = 0;

	while (ready <= 0) {
		int64_t left = end - clock_ms();

		if (intr_check(e) != 0)
			return -1;
		if (left <= 0) {
			err_set(e, ERR_FAILED, "rsync did not begin in time");
			e->sys = ETIMEDOUT;
			return -1;
		}
		ready = io_wait(fd, left < TICK_MS ? left : TICK_MS);
		if (ready < 0 && errno != EINTR)
			return err_sys(e, "cannot wait for rsync");
	}
	return receive_command(fd, call, e);
}

void
rsh_tell(int fd, int status)
{
	(void)send(fd, &status, sizeof(status), MSG_NOSIGNAL);
}

void
rsh_call_release(struct rsh_call *c)
{
	buf_release(&c->command);
	if (c->in >= 0)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	*c = (struct rsh_call)RSH_CALL_INIT;
}
