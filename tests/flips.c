/*
 * When do links get replaced?  For the skew of an activation.
 *
 * usage: flips NAME DIR...
 *
 * Prints "ready", then for each time that something called NAME appears in
 * one of the directories a line: the number of the directory, from 0, and the
 * time in microseconds.  Until it is killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static long long
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

int
main(int argc, char **argv)
{
	static char buf[65536]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	int fd = inotify_init1(IN_CLOEXEC);
	ssize_t n;

	if (argc < 3 || fd < 0)
		die("usage: flips NAME DIR...");
	/* Watch descriptors count from 1. */
	for (int i = 2; i < argc; i++)
		if (inotify_add_watch(fd, argv[i], IN_MOVED_TO | IN_CREATE) !=
		    i - 1)
			die(argv[i]);
	printf("ready\n");
	fflush(stdout);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		long long now = now_us();

		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (void *)(buf + at);

			if (ev->len > 0 && strcmp(ev->name, argv[1]) == 0)
				printf("%d %lld\n", ev->wd - 1, now);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
		fflush(stdout);
	}
	die("read");
}
