/* What cannot be done in a jail, and what can. */
#include "os/jail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char place[4096];

/* A directory to stand in, with what the tests are about. */
static bool
enter(void)
{
	const char *base = getenv("TEST_DIR");
	int fd;

	snprintf(place, sizeof(place), "%s/jail-XXXXXX",
	    base != NULL ? base : "/tmp");
	if (mkdtemp(place) == NULL || chdir(place) != 0 ||
	    mkdir("in", 0755) != 0 || mkdir("from", 0755) != 0 ||
	    mkdir("out", 0755) != 0 || mkdir("top", 0755) != 0 ||
	    symlink("../out", "in/door") != 0)
		return false;
	for (int i = 0; i < 3; i++) {
		static const char *const files[] = { "in/f", "from/f",
			"out/f" };

		fd = open(files[i], O_WRONLY | O_CREAT, 0755);
		if (fd < 0 || write(fd, "x", 1) != 1)
			return false;
		close(fd);
	}
	return true;
}

static void
leave(void)
{
	char command[5000];

	snprintf(command, sizeof(command), "rm -rf '%s'", place);
	if (chdir("/") != 0 || system(command) != 0)
		perror(place);
}

static int
try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	r = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : errno;
	close(fd);
	return r;
}

static int
try_run(const char *path)
{
	char *argv[] = { (char[]){ "x" }, NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(path, argv);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static int
result(int r)
{
	return r == 0 ? 0 : errno;
}

/* The attempt of that number: its errno, 0 when it worked. */
static int
attempt(int what)
{
	switch (what) {
	/* Inside. */
	case 0:
		return try_open("in/new", O_WRONLY | O_CREAT | O_EXCL);
	case 1:
		return try_open("in/f", O_WRONLY | O_TRUNC);
	case 2:
		return result(mkdir("in/d", 0755));
	case 3:
		return result(symlink("anything", "in/link"));
	case 4:
		return result(rename("in/new", "in/d/new"));
	case 5:
		return result(unlink("in/d/new"));
	case 6:
		return result(rmdir("in/d"));
	case 7:
		return result(link("from/f", "in/linked"));
	case 8:
		return try_open("from/f", O_RDONLY);
	case 9:
		return result(mkdir("top/shared", 0755));
	case 10:
		return try_open("/usr", O_RDONLY | O_DIRECTORY);
	case 11:
		return try_open("/etc/passwd", O_RDONLY);
	case 12:
		return try_open("/dev/null", O_RDWR);
	case 13:
		return try_run("/bin/true");
	/* Outside, or more than is allowed there. */
	case 14:
		return try_open("out/f", O_RDONLY);
	case 15:
		return try_open("out/f", O_WRONLY);
	case 16:
		return try_open("out/new", O_WRONLY | O_CREAT);
	case 17:
		return try_open("in/../out/new", O_WRONLY | O_CREAT);
	case 18:
		return try_open("in/door/new", O_WRONLY | O_CREAT);
	case 19:
		return try_open("in/door", O_RDONLY);
	case 20:
		return result(mkdir("out/d", 0755));
	case 21:
		return result(symlink("x", "out/link"));
	case 22:
		return result(unlink("out/f"));
	case 23:
		return result(link("in/f", "out/linked"));
	case 24:
		return result(rename("in/f", "out/g"));
	case 25:
		return result(rename("out/f", "in/g"));
	case 26:
		return result(link("out/f", "in/g"));
	case 27:
		return try_open("from/new", O_WRONLY | O_CREAT);
	case 28:
		return result(unlink("from/f"));
	case 29:
		return try_open("top/f", O_WRONLY | O_CREAT);
	case 30:
		return result(symlink("x", "top/link"));
	case 31:
		return try_open("/etc/hostname", O_RDONLY);
	case 32:
		return try_open("/tmp/deploy-jail-test", O_WRONLY | O_CREAT);
	case 33:
		return try_open("/proc/1/environ", O_RDONLY);
	case 34:
		return try_run("in/f");
	case 35:
		return result(mkfifo("in/fifo", 0600));
	default:
		return -1;
	}
}

enum { GOOD = 14, ATTEMPTS = 36 };

static int results[ATTEMPTS], connected, privileges;

static int
try_all(void *ctx, struct err *e)
{
	(void)ctx;
	(void)e;
	for (int i = 0; i < ATTEMPTS; i++)
		results[i] = attempt(i);
	connected = try_connect();
	privileges = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	return 7;
}

static void
test_what_is_possible(void)
{
	struct jail_place places[3];
	struct err e = ERR_INIT;

	if (!jail_is_there()) {
		printf("# this kernel has no Landlock\n");
		return;
	}
	REQUIRE(enter());
	places[0] = (struct jail_place){ open("in", O_PATH), JAIL_WRITE };
	places[1] = (struct jail_place){ open("from", O_PATH), JAIL_LINK };
	places[2] = (struct jail_place){ open("top", O_PATH),
		JAIL_LIST | JAIL_MAKE_DIR };
	CHECK(jail_run(places, 3, try_all, NULL, &e) == 7);
	for (int i = 0; i < ATTEMPTS; i++) {
		int r = results[i];

		/* EXDEV is how it says that a link would gain rights. */
		if (!unit_check(i < GOOD ? r == 0 : r == EACCES || r == EXDEV,
			"as it should be", __FILE__, __LINE__))
			printf("# attempt %d: %s\n", i, strerror(r));
	}
	/* Before 6.7 the network is open. */
	CHECK(connected == EACCES || connected == ECONNREFUSED);
	CHECK(privileges == 1);
	/* Who called is outside. */
	CHECK(try_open("out/new", O_WRONLY | O_CREAT | O_EXCL) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	for (int i = 0; i < 3; i++)
		close(places[i].fd);
	leave();
}

/* A place that cannot be had is an error, and nothing is done. */
static void
test_no_such_place(void)
{
	const struct jail_place place_of_none = { -1, JAIL_READ };
	struct err e = ERR_INIT;

	if (!jail_is_there())
		return;
	connected = -2;
	CHECK(jail_run(&place_of_none, 1, try_all, NULL, &e) == -1);
	CHECK(connected == -2);
	CHECK(strstr(e.text, "jail") != NULL);
}

/* The process that entered it takes its children along. */
static void
test_children(void)
{
	int status = 0;
	struct err e = ERR_INIT;
	pid_t pid;

	if (!jail_is_there())
		return;
	pid = fork();
	if (pid == 0) {
		if (jail_enter(NULL, 0, &e) != 0)
			_exit(1);
		pid = fork();
		if (pid == 0)
			_exit(try_open("/etc/hostname", O_RDONLY) == EACCES ?
				0 :
				2);
		waitpid(pid, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	waitpid(pid, &status, 0);
	CHECK(status == 0);
}

UNIT_MAIN(UNIT(test_what_is_possible), UNIT(test_no_such_place),
    UNIT(test_children))
