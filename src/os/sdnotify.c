#include "os/sdnotify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/number.h"

static struct sockaddr_un manager;
static socklen_t manager_len; /* 0: there is none */
static int64_t watchdog;

/* The address, a path or "@name" for an abstract one. */
static void
take_socket(const char *name)
{
	size_t len = name != NULL ? strlen(name) : 0;

	manager_len = 0;
	if (len < 2 || len >= sizeof(manager.sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return;
	manager.sun_family = AF_UNIX;
	memcpy(manager.sun_path, name, len + 1);
	manager_len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	if (name[0] == '@')
		manager.sun_path[0] = '\0';
	else
		manager_len++;
}

/* Is the watchdog for this process? */
static bool
is_for_us(const char *pid)
{
	return pid == NULL ||
	    number_or(pid, 1, INT32_MAX, 0) == (int64_t)getpid();
}

void
sdnotify_init(void)
{
	take_socket(getenv("NOTIFY_SOCKET"));
	watchdog = 0;
	if (manager_len > 0 && is_for_us(getenv("WATCHDOG_PID")))
		watchdog =
		    number_or(getenv("WATCHDOG_USEC"), 1, INT64_MAX, 0) / 2000;
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_PID");
	(void)unsetenv("WATCHDOG_USEC");
}

void
sdnotify(const char *variable, const char *value)
{
	char *text;
	int fd;

	if (manager_len == 0)
		return;
	text = xasprintf("%s=%s", variable, value);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* A manager that does not listen is not our failure, nor our wait. */
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
		    &(struct timeval){ .tv_sec = 2 }, sizeof(struct timeval));
		(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		    (const struct sockaddr *)&manager, manager_len);
		close(fd);
	}
	free(text);
}

int64_t
sdnotify_watchdog(void)
{
	return watchdog;
}
