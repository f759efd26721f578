/*
 * What an SSH agent says, as the relay hands it on: whole messages, and lists
 * with no more keys than their count says and the limit allows.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "os/io.h"
#include "ssh/ssh_agent.h"

enum { LIMIT = 3, LIST = 12 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int agent;

static void
remove_socket(void)
{
	unlink(path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *dir = getenv("TMPDIR");

	(void)argc;
	(void)argv;
	snprintf(path, sizeof(path), "%s/agent.%ld",
	    dir != NULL && strlen(dir) < 80 ? dir : "/tmp", (long)getpid());
	strcpy(sun.sun_path, path);
	agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(agent, (struct sockaddr *)&sun, sizeof(sun)) != 0 ||
	    listen(agent, 1) != 0) {
		perror(path);
		exit(1);
	}
	atexit(remove_socket);
	return 0;
}

static uint32_t
number(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The strings that follow the count, two for each key. */
static void
check_list(const uint8_t *p, size_t len)
{
	uint32_t count = number(p + 1);
	size_t at = 5;

	if (count > LIMIT)
		abort();
	for (uint32_t i = 0; i < 2 * count; i++) {
		if (len - at < 4 || number(p + at) > len - at - 4)
			abort();
		at += 4 + number(p + at);
	}
	if (at != len)
		abort();
}

/* The messages that came out, the last of which must be whole. */
static void
check_answers(const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t n = len >= 4 ? number(p) : 0;

		if (n == 0 || n > len - 4)
			abort();
		if (p[4] == LIST && n >= 5)
			check_list(p + 4, n);
		p += 4 + n;
		len -= 4 + n;
	}
}

static void
send_all(int fd, const void *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data = (const char *)data + n;
		size -= (size_t)n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char question[] = "\0\0\0\001\013\0\0\0\001\013";
	const struct strvec preferred = STRVEC_INIT;
	struct ssh_agent_options o = { .socket = path,
		.preferred = &preferred,
		.limit = LIMIT,
		.end = clock_ms() + 5000,
		.cancel = -1 };
	struct ssh_agent_relay *r;
	struct buf out = BUF_INIT;
	struct err e = ERR_INIT;
	char piece[4096];
	int fd = -1, peer;
	ssize_t n;

	/* Nobody reads what we write before we have written it. */
	if (size > 32768)
		return 0;
	r = ssh_agent_start(&o, &fd, &e);
	if (r == NULL || (peer = accept(agent, NULL, NULL)) < 0)
		abort();
	send_all(peer, data, size);
	shutdown(peer, SHUT_WR);
	send_all(fd, question, sizeof(question) - 1);
	shutdown(fd, SHUT_WR);
	while ((n = io_read_some(fd, piece, sizeof(piece))) > 0)
		buf_add(&out, piece, (size_t)n);
	if (ssh_agent_stop(r, &e) < 0 && e.text[0] == '\0')
		abort();
	check_answers((const uint8_t *)buf_str(&out), out.len);
	buf_release(&out);
	close(fd);
	close(peer);
	return 0;
}
