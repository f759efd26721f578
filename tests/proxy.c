/*
 * A bad link to one or more TCP ports of this machine: slow, narrow, or cut.
 *
 * usage: proxy [--delay MS] [--rate KBIT] [--cut FILE] [--count FILE]
 *     [--listen ADDRESS] PORT...
 *
 * For each PORT it prints, one a line, the port that it listens on in its
 * place, at ADDRESS (127.0.0.1), then forwards until it is killed.  What comes
 * in leaves:
 *
 *	--delay MS	so many milliseconds later, each way;
 *	--rate KBIT	at most so many kilobits a second, each way, all
 *			connections of this proxy together: they share a link.
 *			One proxy for each host gives each its own;
 *	--cut FILE	not at all while FILE exists: connections stay open,
 *			new ones are taken, and nothing is said.  What was
 *			sent meanwhile arrives when FILE is gone;
 *	--count FILE	FILE has the bytes that went to the PORTs and came
 *			back, as two numbers, at most a TICK_MS old.
 *
 * When one end closes a direction, the other hears of it after the last byte;
 * when the proxy is killed, both ends see their connections closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PORTS_MAX = 64,
	PAIRS_MAX = 512,
	PIECE = 16 * 1024,
	QUEUE_MAX = 8 * 1024 * 1024, /* held back in one direction */
	TICK_MS = 20,		     /* how soon a cut is noticed */
	AHEAD_NS = 20 * 1000000,     /* of a link that is busy */
};

/* Bytes that leave at `due`. */
struct piece {
	struct piece *next;
	int64_t due;
	size_t len, done;
	char data[];
};

/* One direction of a connection: from one socket to the other. */
struct way {
	int from, to;
	struct piece *first, **last;
	size_t held;
	bool ended;  /* `from` has said all */
	bool closed; /* and `to` was told */
};

struct pair {
	struct way ways[2];
};

static int listeners[PORTS_MAX], targets[PORTS_MAX], n_ports;
static struct pair *pairs[PAIRS_MAX];
static int n_pairs;
static int64_t delay, rate; /* ns; bytes a second, 0 is no limit */
static int64_t busy_until[2];
static const char *cut;
static int count = -1;
static long long counted[2];
static in_addr_t address;

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static struct sockaddr_in
place(in_addr_t where, int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = where };
}

/* A socket that does not wait, neither for us nor for more to send. */
static void
tune(int fd)
{
	int on = 1;

	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Listen in place of the port, and say where. */
static void
listen_for(int target)
{
	struct sockaddr_in a = place(address, 0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		die("proxy: listen");
	tune(fd);
	listeners[n_ports] = fd;
	targets[n_ports++] = target;
	printf("%d\n", ntohs(a.sin_port));
}

static void
way_init(struct way *w, int from, int to)
{
	*w = (struct way){ .from = from, .to = to };
	w->last = &w->first;
}

/* A new connection, and one to the target; a refused one is closed. */
static void
take(int i)
{
	struct sockaddr_in a = place(htonl(INADDR_LOOPBACK), targets[i]);
	int in = accept(listeners[i], NULL, NULL), out;
	struct pair *p;

	if (in < 0)
		return;
	out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (n_pairs == PAIRS_MAX || out < 0 ||
	    connect(out, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(in);
		if (out >= 0)
			close(out);
		return;
	}
	tune(in);
	tune(out);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		die("proxy");
	way_init(&p->ways[0], in, out);
	way_init(&p->ways[1], out, in);
	pairs[n_pairs++] = p;
}

/* When what is read now may leave. */
static int64_t
due(size_t len, int which, int64_t now)
{
	int64_t *busy = &busy_until[which];

	if (rate == 0)
		return now + delay;
	*busy = (*busy > now ? *busy : now) + (int64_t)len * 1000000000 / rate;
	return *busy + delay;
}

/* May more be read?  The link is not busy for long, and little is held. */
static bool
wants(const struct way *w, int which, int64_t now)
{
	return !w->ended && w->held < QUEUE_MAX &&
	    busy_until[which] <= now + AHEAD_NS;
}

/* Take in a piece.  False when the connection is broken. */
static bool
fill(struct way *w, int which, int64_t now)
{
	struct piece *p = malloc(sizeof(*p) + PIECE);
	ssize_t n;

	if (p == NULL)
		die("proxy");
	n = read(w->from, p->data, PIECE);
	if (n <= 0) {
		w->ended = n == 0;
		free(p);
		return n == 0 || errno == EAGAIN || errno == EINTR;
	}
	*p = (struct piece){ .len = (size_t)n,
		.due = due((size_t)n, which, now) };
	*w->last = p;
	w->last = &p->next;
	w->held += p->len;
	counted[which] += n;
	return true;
}

/* Let out what is due.  False when the connection is broken. */
static bool
drain(struct way *w, int64_t now)
{
	struct piece *p;

	while ((p = w->first) != NULL && p->due <= now) {
		ssize_t n = write(w->to, p->data + p->done, p->len - p->done);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		p->done += (size_t)n;
		w->held -= (size_t)n;
		if (p->done < p->len)
			return true;
		w->first = p->next;
		if (w->first == NULL)
			w->last = &w->first;
		free(p);
	}
	if (w->first == NULL && w->ended && !w->closed) {
		w->closed = true;
		(void)shutdown(w->to, SHUT_WR);
	}
	return true;
}

/* Do what can be done for a connection; false when it is over. */
static bool
serve(struct pair *p, int64_t now)
{
	for (int i = 0; i < 2; i++) {
		struct way *w = &p->ways[i];

		if ((wants(w, i, now) && !fill(w, i, now)) || !drain(w, now))
			return false;
	}
	return !p->ways[0].closed || !p->ways[1].closed;
}

static void
drop(struct pair *p)
{
	close(p->ways[0].from);
	close(p->ways[1].from);
	for (int i = 0; i < 2; i++)
		for (struct piece *q = p->ways[i].first, *next; q != NULL;
		     q = next) {
			next = q->next;
			free(q);
		}
	free(p);
}

/*
 * What to wait for at each end of a connection; `until` becomes earlier when
 * something is to be done by the clock.
 */
static void
watch(const struct pair *p, struct pollfd fds[2], int64_t now, int64_t *until)
{
	fds[0] = (struct pollfd){ .fd = p->ways[0].from };
	fds[1] = (struct pollfd){ .fd = p->ways[1].from };
	for (int i = 0; i < 2; i++) {
		const struct way *w = &p->ways[i];
		int64_t next = INT64_MAX;

		if (wants(w, i, now))
			fds[i].events |= POLLIN;
		else if (!w->ended && w->held < QUEUE_MAX)
			next = busy_until[i] - AHEAD_NS;
		if (w->first != NULL && w->first->due <= now)
			fds[1 - i].events |= POLLOUT;
		else if (w->first != NULL && w->first->due < next)
			next = w->first->due;
		if (next < *until)
			*until = next;
	}
	/* One that is waited for in no way would wake us by its end. */
	for (int i = 0; i < 2; i++)
		if (fds[i].events == 0)
			fds[i].fd = -1;
}

/* Wait until something can be done.  During a cut that is little. */
static void
wait_for_work(bool is_cut)
{
	static struct pollfd fds[PORTS_MAX + 2 * PAIRS_MAX];
	int64_t now = now_ns(), until = INT64_MAX;
	struct timespec ts = { 0, 0 };
	nfds_t n = 0;

	for (int i = 0; i < n_ports; i++)
		fds[n++] = (struct pollfd){ listeners[i], POLLIN, 0 };
	for (int i = 0; i < n_pairs && !is_cut; i++, n += 2)
		watch(pairs[i], &fds[n], now, &until);
	if ((cut != NULL || count >= 0) && until > now + TICK_MS * 1000000)
		until = now + TICK_MS * 1000000;
	if (until > now && until != INT64_MAX)
		ts = (struct timespec){ (until - now) / 1000000000,
			(until - now) % 1000000000 };
	if (ppoll(fds, n, until == INT64_MAX ? NULL : &ts, NULL) < 0 &&
	    errno != EINTR)
		die("proxy: poll");
	for (int i = 0; i < n_ports; i++)
		if ((fds[i].revents & POLLIN) != 0)
			take(i);
}

/* Another one comes first the next time: a narrow link is shared. */
static void
take_turns(void)
{
	struct pair *first = pairs[0];

	if (n_pairs < 2)
		return;
	memmove(pairs, pairs + 1, (size_t)(n_pairs - 1) * sizeof(first));
	pairs[n_pairs - 1] = first;
}

static void
serve_all(void)
{
	int64_t now = now_ns();

	for (int i = 0; i < n_pairs;) {
		if (serve(pairs[i], now)) {
			i++;
			continue;
		}
		drop(pairs[i]);
		pairs[i] = pairs[--n_pairs];
	}
	take_turns();
}

/* Write down what was counted, now and then. */
static void
tell_count(void)
{
	static int64_t told_at;
	static long long told = -1;
	char text[64];
	int n;

	if (count < 0 || counted[0] + counted[1] == told ||
	    now_ns() < told_at + TICK_MS * 1000000)
		return;
	n = snprintf(text, sizeof(text), "%20lld %20lld\n", counted[0],
	    counted[1]);
	if (pwrite(count, text, (size_t)n, 0) != n)
		die("proxy: count");
	told = counted[0] + counted[1];
	told_at = now_ns();
}

static bool
is_cut(void)
{
	return cut != NULL && access(cut, F_OK) == 0;
}

static void
usage(void)
{
	fprintf(stderr,
	    "usage: proxy [--delay MS] [--rate KBIT] "
	    "[--cut FILE] [--count FILE] [--listen ADDRESS] "
	    "PORT...\n");
	exit(2);
}

static int
open_count(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

/* Read the options; the index of the first port. */
static int
options(int argc, char **argv)
{
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "--delay") == 0)
			delay = atoll(argv[i + 1]) * 1000000;
		else if (strcmp(argv[i], "--rate") == 0)
			rate = atoll(argv[i + 1]) * 1000 / 8;
		else if (strcmp(argv[i], "--cut") == 0)
			cut = argv[i + 1];
		else if (strcmp(argv[i], "--count") == 0)
			count = open_count(argv[i + 1]);
		else if (strcmp(argv[i], "--listen") == 0)
			address = inet_addr(argv[i + 1]);
		else
			usage();
	}
	return i;
}

int
main(int argc, char **argv)
{
	int i;

	address = htonl(INADDR_LOOPBACK);
	i = options(argc, argv);
	if (i >= argc || argc - i > PORTS_MAX)
		usage();
	signal(SIGPIPE, SIG_IGN);
	for (; i < argc; i++)
		listen_for(atoi(argv[i]));
	if (fflush(stdout) != 0)
		die("proxy");
	for (;;) {
		bool quiet = is_cut();

		wait_for_work(quiet);
		if (!is_cut())
			serve_all();
		tell_count();
	}
}
