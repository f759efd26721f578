#include "strays.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "io.h"

enum {
	PATIENCE_MS = 10000, /* what is killed needs no longer to die */
	PAUSE_MS = 5,
};

void
strays_adopt(bool on)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, on ? 1L : 0L, 0L, 0L, 0L);
}

/* Is it a child of ours?  `alive`: and no zombie. */
static bool
is_child(pid_t pid, bool *alive)
{
	char path[64], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = io_read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* "PID (NAME) STATE PARENT ...", and a name may have parentheses. */
	end = strrchr(text, ')');
	if (end == NULL || strlen(end) < 5)
		return false;
	*alive = end[2] != 'Z';
	return strtol(end + 4, NULL, 10) == getpid();
}

static bool
is_kept(pid_t pid, const pid_t *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == pid)
			return true;
	return false;
}

/*
 * Kill and reap the children that are there now.  Returns one that is still
 * there, 0 when there was none at all, -1 when /proc cannot be read.
 */
static pid_t
end_children(const pid_t *keep, size_t n, bool *any)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t pid, left = 0;
	bool alive;

	if (proc == NULL)
		return -1;
	while ((entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (is_kept(pid, keep, n) || !is_child(pid, &alive))
			continue;
		*any |= alive;
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, WNOHANG);
		left = pid;
	}
	closedir(proc);
	return left;
}

/* Have we no child at all?  Reaps those that ended by themselves. */
static bool
is_childless(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid < 0 && errno == ECHILD;
}

int
strays_end(const pid_t *keep, size_t n, bool *any, struct err *e)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	int64_t end = clock_ms() + PATIENCE_MS;
	pid_t left;

	*any = false;
	while (n > 0 || !is_childless()) {
		left = end_children(keep, n, any);
		if (left == 0 && n > 0)
			return 0;
		if (left < 0)
			return err_sys(e,
			    "cannot end what a command left "
			    "running: /proc cannot be read");
		if (clock_ms() >= end)
			return err_set(e, ERR_FAILED,
			    "process %ld, which a "
			    "command left running, cannot be ended",
			    (long)left);
		nanosleep(&pause, NULL);
	}
	return 0;
}
