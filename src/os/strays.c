#include "os/strays.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "os/io.h"

enum {
	PATIENCE_MS = 10000, /* what is killed needs no longer to die */
	PAUSE_MS = 5,
};

void
strays_adopt(bool on)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, on ? 1L : 0L, 0L, 0L, 0L);
}

/* Which processes are meant. */
struct search {
	const pid_t *keep; /* children that are not */
	size_t n;
	const char *variable; /* NULL: our children */
};

/* Read a file of /proc/PID into `out`.  0 or -1. */
static int
read_proc(pid_t pid, const char *name, struct buf *out)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	do {
		buf_reserve(out, 4096);
		n = io_read_some(fd, out->data + out->len, 4096);
		out->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	out->data[out->len] = '\0';
	close(fd);
	return n < 0 ? -1 : 0;
}

/* Is it a child of ours?  `alive`: and no zombie. */
static bool
is_child(pid_t pid, bool *alive)
{
	struct buf text = BUF_INIT;
	const char *end;
	int64_t parent;
	bool ours = false;

	*alive = false;
	/* "PID (NAME) STATE PARENT ...", and a name may have parentheses. */
	if (read_proc(pid, "stat", &text) == 0 &&
	    (end = strrchr(buf_str(&text), ')')) != NULL && strlen(end) > 4) {
		*alive = end[2] != 'Z';
		ours = number_scan(end + 4, 0, INT32_MAX, &parent) != NULL &&
		    parent == getpid();
	}
	buf_release(&text);
	return ours;
}

/* Was it started with this variable?  Of others' processes we cannot tell. */
static bool
is_marked(pid_t pid, const char *variable)
{
	struct buf text = BUF_INIT;
	bool found = false;

	if (read_proc(pid, "environ", &text) == 0)
		for (size_t i = 0; i < text.len && !found;
		     i += strlen(text.data + i) + 1)
			found = strcmp(text.data + i, variable) == 0;
	buf_release(&text);
	return found;
}

/* Is it meant? */
static bool
is_meant(const struct search *what, pid_t pid, bool *alive)
{
	for (size_t i = 0; i < what->n; i++)
		if (what->keep[i] == pid)
			return false;
	if (what->variable == NULL)
		return is_child(pid, alive);
	/* A zombie has no environment. */
	*alive = true;
	return pid != getpid() && is_marked(pid, what->variable);
}

/*
 * Kill, and reap, those that are there now.  Returns one that is still there,
 * 0 when there was none at all, -1 when /proc cannot be read.
 */
static pid_t
end_them(const struct search *what, bool *any)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	pid_t pid, left = 0;
	int64_t n;
	bool alive;

	if (proc == NULL)
		return -1;
	while ((entry = readdir(proc)) != NULL) {
		if (!number_parse(entry->d_name, 1, INT32_MAX, &n))
			continue;
		pid = (pid_t)n;
		if (!is_meant(what, pid, &alive))
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

/* Again and again, because what is killed may leave others.  0 or -1. */
static int
end_all(const struct search *what, bool *any, struct err *e)
{
	int64_t end = clock_ms() + PATIENCE_MS;
	pid_t left;

	while ((left = end_them(what, any)) != 0) {
		if (left < 0)
			return err_sys(e,
			    "cannot end what a command left running: /proc cannot be read");
		if (clock_ms() >= end)
			return err_set(e, ERR_FAILED,
			    "process %ld, which a command left running, cannot be ended",
			    (long)left);
		clock_pause(PAUSE_MS);
	}
	return 0;
}

int
strays_end(const pid_t *keep, size_t n, bool *any, struct err *e)
{
	const struct search what = { .keep = keep, .n = n };

	*any = false;
	if (n > 0)
		return end_all(&what, any, e);
	/* Here the kernel knows whether there is any, and usually says no. */
	while (!is_childless())
		if (end_all(&what, any, e) != 0)
			return -1;
	return 0;
}

int
strays_end_marked(const char *variable, bool *any, struct err *e)
{
	const struct search what = { .variable = variable };

	*any = false;
	return end_all(&what, any, e);
}
