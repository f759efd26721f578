/*
 * What do visitors get while links are replaced?
 *
 * usage: visits PATH OLD NEW PORT...
 *
 * Asks the web servers at these ports of 127.0.0.1 for PATH, one after the
 * other, over connections that stay open, some thousand times a second.  OLD
 * and NEW are files: what is served before and after.  SIGTERM ends it,
 * and it prints four numbers: the requests; the answers that were neither of
 * the two, or none; the old answers that came after another server had given
 * the new one; and for how long these came, in microseconds.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SERVERS_MAX = 16, ANSWER_MAX = 1 << 20, PAUSE_NS = 100000 };

static char request[4096];
static char answer[ANSWER_MAX + 1], pages[2][ANSWER_MAX];
static size_t page_len[2];
static volatile sig_atomic_t over;

struct server {
	struct sockaddr_in at;
	int fd; /* -1: there is no connection */
};

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
stop(int sig)
{
	(void)sig;
	over = 1;
}

static long long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static size_t
read_page(const char *name, char *out)
{
	FILE *f = fopen(name, "r");
	size_t n = f != NULL ? fread(out, 1, ANSWER_MAX, f) : 0;

	if (n == 0 || n == ANSWER_MAX)
		die(name);
	fclose(f);
	return n;
}

/* Send the request, over a new connection if need be. */
static bool
send_request(struct server *s)
{
	if (s->fd < 0) {
		s->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(s->fd, (struct sockaddr *)&s->at, sizeof(s->at)) !=
		    0)
			return false;
	}
	return write(s->fd, request, strlen(request)) ==
	    (ssize_t)strlen(request);
}

/* The body of the answer, or NULL when it is none with status 200. */
static const char *
read_answer(struct server *s, size_t *len)
{
	size_t have = 0, want = ANSWER_MAX;
	const char *body = NULL, *length;

	while (have < want) {
		ssize_t n = read(s->fd, answer + have, ANSWER_MAX - have);

		if (n <= 0)
			return NULL;
		have += (size_t)n;
		answer[have] = '\0';
		if (body != NULL ||
		    (body = strstr(answer, "\r\n\r\n")) == NULL)
			continue;
		body += 4;
		length = strcasestr(answer, "\r\nContent-Length: ");
		if (length == NULL)
			return NULL;
		*len = strtoul(length + 18, NULL, 10);
		want = (size_t)(body - answer) + *len;
		if (want > ANSWER_MAX)
			return NULL;
	}
	return strncmp(answer, "HTTP/1.1 200", 12) == 0 ? body : NULL;
}

/* One request: 0 for the old page, 1 for the new one, 2 for anything else. */
static int
visit(struct server *s)
{
	const char *body = NULL;
	size_t len = 0;

	if (send_request(s))
		body = read_answer(s, &len);
	for (int i = 0; body != NULL && i < 2; i++)
		if (len == page_len[i] && memcmp(body, pages[i], len) == 0)
			return i;
	close(s->fd);
	s->fd = -1;
	return 2;
}

int
main(int argc, char **argv)
{
	static struct server servers[SERVERS_MAX];
	const struct timespec pause = { 0, PAUSE_NS };
	struct sigaction sa = { .sa_handler = stop };
	long long requests = 0, wrong = 0, late = 0, first = 0, last = 0;
	int n = argc - 4;

	if (n < 1 || n > SERVERS_MAX)
		die("usage: visits PATH OLD NEW PORT...");
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[1]);
	for (int i = 0; i < 2; i++)
		page_len[i] = read_page(argv[2 + i], pages[i]);
	for (int i = 0; i < n; i++) {
		servers[i].fd = -1;
		servers[i].at.sin_family = AF_INET;
		servers[i].at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		servers[i].at.sin_port =
		    htons((unsigned short)atoi(argv[4 + i]));
	}
	printf("ready\n");
	fflush(stdout);
	for (int i = 0; !over; i = (i + 1) % n) {
		int got = visit(&servers[i]);

		requests++;
		if (over)
			break;
		wrong += got == 2;
		if (got == 1 && first == 0)
			first = now_us();
		if (got == 0 && first != 0) {
			late++;
			last = now_us();
		}
		nanosleep(&pause, NULL);
	}
	printf("%lld %lld %lld %lld\n", requests, wrong, late,
	    last > first ? last - first : 0);
	return 0;
}
