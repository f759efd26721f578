/*
 * ssh.h from the command line, for tests/t/70-ssh.sh.
 *
 * usage: driver [OPTION=VALUE...] HOST MODE [ARGUMENT...]
 *
 * Options: user port identity host_key jump config, and the deadlines
 * connect kex auth exec idle in milliseconds.  A failure is printed as
 * "error CODE: TEXT" on standard error; its code is the exit status.
 *
 * usage: driver listen silent|drop
 *
 * Print a port of this machine that takes connections and says nothing, or
 * that drops them at once; until killed.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/secret.h"
#include "ssh/ssh.h"
#include "ssh/ssh_proc.h"

static struct ssh_options o;

/* Print it; the exit status. */
static int
report(const struct err *e)
{
	fprintf(stderr, "error %d%s: %s\n", e->code,
	    e->sys == ETIMEDOUT ? " timeout" : "", e->text);
	return e->code;
}

/* Print all its output, then "status N" or the error, and its errors. */
static int
finish(struct ssh_proc *p)
{
	struct buf errors = BUF_INIT;
	struct err e = ERR_INIT;
	int status = -1, r;

	r = ssh_finish(p, &status, &errors, &e);
	fputs(buf_str(&errors), stderr);
	buf_release(&errors);
	if (r != 0)
		return report(&e);
	printf("status %d\n", status);
	return 0;
}

/* Copy its output to ours. */
static int
copy(struct ssh_proc *p, struct err *e)
{
	static __thread char data[100000];
	ssize_t n;

	while ((n = ssh_read(p, data, sizeof(data), e)) > 0)
		fwrite(data, 1, (size_t)n, stdout);
	return (int)n;
}

/* exec COMMAND...: one after the other, without input. */
static int
mode_exec(struct ssh *s, char **argv)
{
	struct err e = ERR_INIT;
	int r = 0;

	for (; *argv != NULL && r == 0; argv++) {
		struct ssh_proc *p = ssh_start(s, *argv, &e);

		if (p == NULL)
			return report(&e);
		if (ssh_end_input(p, &e) != 0 || copy(p, &e) != 0)
			r = report(&e);
		else
			r = finish(p);
		ssh_proc_close(p);
	}
	return r;
}

/* Send `total` bytes, a number in each block of 100,000. */
static int
send_bytes(struct ssh_proc *p, long long total, struct err *e)
{
	static __thread char data[100000];
	long long n = 0;

	for (; total > 0; n++) {
		size_t len = total < (long long)sizeof(data) ? (size_t)total :
							       sizeof(data);

		snprintf(data, sizeof(data), "%lld\n", n);
		if (ssh_write(p, data, len, e) != 0)
			return -1;
		total -= (long long)len;
	}
	return ssh_end_input(p, e);
}

/* send BYTES COMMAND */
static int
mode_send(struct ssh *s, char **argv)
{
	struct err e = ERR_INIT;
	struct ssh_proc *p = ssh_start(s, argv[1], &e);
	int r;

	if (p == NULL)
		return report(&e);
	if (send_bytes(p, atoll(argv[0]), &e) != 0 || copy(p, &e) != 0)
		r = report(&e);
	else
		r = finish(p);
	ssh_proc_close(p);
	return r;
}

/* lines TIMEOUT COMMAND: line by line */
static int
mode_lines(struct ssh *s, char **argv)
{
	struct err e = ERR_INIT;
	struct buf line = BUF_INIT;
	struct ssh_proc *p = ssh_start(s, argv[1], &e);
	int r;

	if (p == NULL)
		return report(&e);
	while ((r = ssh_read_line(p, &line, atoll(argv[0]), &e)) > 0)
		printf("<%s>\n", buf_str(&line));
	r = r < 0 ? report(&e) : finish(p);
	ssh_proc_close(p);
	buf_release(&line);
	return r;
}

/* both COMMAND COMMAND: at once, on one connection */
static int
mode_both(struct ssh *s, char **argv)
{
	struct err e = ERR_INIT;
	struct ssh_proc *p = ssh_start(s, argv[0], &e), *q;
	int r = 0;

	if (p == NULL)
		return report(&e);
	q = ssh_start(s, argv[1], &e);
	if (q == NULL || copy(q, &e) != 0 || copy(p, &e) != 0)
		r = report(&e);
	if (r == 0)
		r = finish(q);
	if (r == 0)
		r = finish(p);
	ssh_proc_close(q);
	ssh_proc_close(p);
	return r;
}

/* abandon COMMAND COMMAND: close the first while it talks, run the second */
static int
mode_abandon(struct ssh *s, char **argv)
{
	struct err e = ERR_INIT;
	struct ssh_proc *p = ssh_start(s, argv[0], &e);
	char byte;

	if (p == NULL || ssh_read(p, &byte, 1, &e) != 1)
		return report(&e);
	ssh_proc_close(p);
	return mode_exec(s, argv + 1);
}

struct canceller {
	struct ssh *ssh;
	long ms;
};

static void *
cancel_later(void *arg)
{
	struct canceller *c = arg;
	struct timespec ts = { c->ms / 1000, c->ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
	ssh_cancel(c->ssh);
	return NULL;
}

/* cancel MS BYTES COMMAND: another thread cancels while we send or read */
static int
mode_cancel(struct ssh *s, char **argv)
{
	struct canceller c = { s, atol(argv[0]) };
	pthread_t thread;
	int r;

	if (pthread_create(&thread, NULL, cancel_later, &c) != 0)
		return 99;
	r = mode_send(s, argv + 1);
	pthread_join(thread, NULL);
	/* And it stays so. */
	if (mode_exec(s, (char *[]){ argv[2], NULL }) == 0)
		return 98;
	return r;
}

/* traffic COMMAND: what went over the wire */
static int
mode_traffic(struct ssh *s, char **argv)
{
	uint64_t sent, received;
	int r = mode_exec(s, argv);

	ssh_traffic(s, &sent, &received);
	printf("sent %llu received %llu\n", (unsigned long long)sent,
	    (unsigned long long)received);
	return r;
}

static int
run_mode(struct ssh *s, const char *mode, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct ssh *s, char **argv);
	} modes[] = {
		{ "exec", mode_exec },
		{ "send", mode_send },
		{ "lines", mode_lines },
		{ "both", mode_both },
		{ "abandon", mode_abandon },
		{ "cancel", mode_cancel },
		{ "traffic", mode_traffic },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(mode, modes[i].name) == 0)
			return modes[i].run(s, argv);
	return 99;
}

/* Connect, run, close. */
static int
session(const char *mode, char **argv)
{
	struct err e = ERR_INIT;
	int64_t began = clock_ms();
	struct ssh *s = ssh_open(&o, &e);
	int r;

	if (getenv("DRIVER_TIME") != NULL)
		fprintf(stderr, "open: %lld ms\n",
		    (long long)(clock_ms() - began));
	if (s == NULL)
		return report(&e);
	r = run_mode(s, mode, argv);
	ssh_close(s);
	return r;
}

static void *
session_thread(void *arg)
{
	char **argv = arg;

	return (void *)(intptr_t)session(argv[0], argv + 1);
}

/* many N MODE ARGUMENT...: N connections, each in its own thread */
static int
many(char **argv)
{
	int n = atoi(argv[0]), r = 0;
	pthread_t threads[256];

	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, session_thread,
			argv + 1) != 0)
			return 99;
	for (int i = 0; i < n; i++) {
		void *status;

		pthread_join(threads[i], &status);
		if (status != NULL)
			r = (int)(intptr_t)status;
	}
	return r;
}

/* OPTION=VALUE: 1, or 0 when `arg` is something else. */
static int
take_option(char *arg)
{
	const struct {
		const char *name;
		const char **text;
		int64_t *ms;
	} options[] = {
		{ "user", &o.user, NULL },
		{ "identity", &o.identity, NULL },
		{ "host_key", &o.host_key, NULL },
		{ "jump", &o.jump, NULL },
		{ "config", &o.config, NULL },
		{ "connect", NULL, &o.timeouts.connect },
		{ "kex", NULL, &o.timeouts.kex },
		{ "auth", NULL, &o.timeouts.auth },
		{ "exec", NULL, &o.timeouts.exec },
		{ "idle", NULL, &o.timeouts.idle },
	};
	char *value = strchr(arg, '=');

	if (value == NULL)
		return 0;
	*value++ = '\0';
	if (strcmp(arg, "port") == 0)
		o.port = atoi(value);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(arg, options[i].name) != 0)
			continue;
		if (options[i].text != NULL)
			*options[i].text = value;
		else
			*options[i].ms = atoll(value);
	}
	return 1;
}

/* A server that is none. */
static int
listen_only(int drop)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) != 0)
		return 99;
	printf("%d\n", ntohs(in.sin_port));
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (drop)
			close(peer);
	}
}

int
main(int argc, char **argv)
{
	int i = 1;

	if (argc == 3 && strcmp(argv[1], "listen") == 0)
		return listen_only(strcmp(argv[2], "drop") == 0);

	secret_init();
	intr_init();
	if (getenv("DRIVER_VERBOSE") != NULL)
		log_set_level(LOG_VERBOSE);
	while (i < argc && take_option(argv[i]))
		i++;
	if (argc - i < 3)
		return 99;
	o.host = argv[i];
	if (strcmp(argv[i + 1], "many") == 0)
		return many(argv + i + 2);
	return session(argv[i + 1], argv + i + 2);
}
