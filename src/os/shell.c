#include "os/shell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/strvec.h"
#include "os/dir.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/run.h"
#include "os/strays.h"

enum {
	TICK_MS = 1000,	    /* how late a signal may be noticed */
	BLIND_TICK_MS = 50, /* where the kernel has no pidfd_open(2) */
	GRACE_MS = 5000,    /* between SIGTERM and SIGKILL */
	SHOWN = 64 * 1024,  /* of the output of one that failed */
};

/* A command that runs. */
struct shell {
	const struct shell_options *o;
	char *argv[4];
	struct run_child child;
	int pidfd;	   /* readable when it has ended; -1: none */
	struct buf output; /* the end of it, when quiet */
};

static int
start(struct shell *b, const struct dir *dir, struct err *e)
{
	int r;

	b->child.argv = b->argv;
	b->child.kind = ENVIRONMENT_USER;
	b->child.env = b->o->env;
	b->child.dir = dir->fd;
	b->child.talk_only = true;
	b->child.pipe_err = b->o->quiet || b->o->last_words;
	b->child.death_signal = SIGKILL;
	r = run_start(&b->child, e);
	if (r == 0)
		b->pidfd = pidfd_open(b->child.pid, 0);
	return r;
}

/* Read what is there; remember the end of it. */
static void
read_output(struct shell *b)
{
	char data[16384];
	ssize_t n;

	while (b->child.err >= 0 &&
	    (n = io_read_some(b->child.err, data, sizeof(data))) != 0) {
		if (n < 0)
			return;
		if (!b->o->quiet)
			err_ignore(io_write(STDERR_FILENO, data, (size_t)n));
		buf_add(&b->output, data, (size_t)n);
		if (b->output.len > 2 * SHOWN)
			buf_keep_last(&b->output, SHOWN);
	}
	/* The end: nobody has the pipe any more. */
	if (b->child.err >= 0)
		close(b->child.err);
	b->child.err = -1;
}

/* Wait for its end, until `until`.  1 when it ended, 0 when not, -1 error. */
static int
wait_until(struct shell *b, int64_t until, bool heed, struct err *e)
{
	siginfo_t info = { 0 };
	int64_t left;

	for (;;) {
		struct pollfd fds[] = { { .fd = b->pidfd, .events = POLLIN },
			{ .fd = b->child.err, .events = POLLIN } };
		int tick = b->pidfd >= 0 ? TICK_MS : BLIND_TICK_MS;

		if (waitid(P_PID, (id_t)b->child.pid, &info,
			WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid != 0)
			return 1;
		left = until - clock_ms();
		if (left <= 0)
			return 0;
		if (heed && intr_check(e) != 0)
			return -1;
		(void)poll(fds, 2, left < tick ? (int)left : tick);
		read_output(b);
	}
}

/* Ask the process group to end, then make it. */
static void
stop(struct shell *b)
{
	struct err ignored = ERR_INIT;

	(void)kill(-b->child.pid, SIGTERM);
	(void)wait_until(b, clock_ms() + GRACE_MS, false, &ignored);
	(void)kill(-b->child.pid, SIGKILL);
}

/* What its end means; `status` as of waitpid(2).  0 or -1. */
static int
judge(const struct shell *b, int status, struct err *e)
{
	const char *what = b->o->what;

	if (status == 0)
		return 0;
	if (status > 128 && sigabbrev_np(status - 128) != NULL)
		return err_set(e, ERR_FAILED,
		    "the %s command was ended by SIG%s", what,
		    sigabbrev_np(status - 128));
	err_set(e, ERR_FAILED, "the %s command failed with status %d", what,
	    status);
	if (status == 126 || status == 127)
		err_append(e, ";; is everything that it runs in PATH?");
	return -1;
}

/* The last line of what it printed. */
static void
add_last_words(const struct shell *b, struct err *e)
{
	const char *start = buf_str(&b->output), *end = start + b->output.len;

	while (end > start && end[-1] == '\n')
		end--;
	for (const char *at = start; at < end; at++)
		if (*at == '\n')
			start = at + 1;
	if (end > start)
		err_append(e, ": %.*s", (int)(end - start), start);
}

/* From start to end, whatever comes.  0 or -1. */
static int
attend(struct shell *b, struct err *e)
{
	int64_t end = clock_ms() + b->o->timeout * 1000;
	int r = wait_until(b, end, true, e), status;
	struct err why = ERR_INIT;

	if (r == 0)
		err_set(e, ERR_FAILED,
		    "the %s command was ended after %lld s (timeout)",
		    b->o->what, (long long)b->o->timeout);
	if (r != 1)
		stop(b);
	else
		(void)kill(-b->child.pid, SIGKILL);
	read_output(b);
	if (run_finish(&b->child, &status, &why) != 0) {
		*e = why;
		return -1;
	}
	return r == 1 ? judge(b, status, e) : -1;
}

/* End what the command left running; say so. */
static int
end_strays(const struct shell *b, struct err *e)
{
	bool any;

	if (strays_end(NULL, 0, &any, e) != 0)
		return -1;
	if (any)
		log_info("ended what the %s command left running", b->o->what);
	return 0;
}

static void
show_output(const struct shell *b)
{
	if (b->output.len == 0 || !b->o->quiet)
		return;
	fflush(stderr);
	err_ignore(io_write(STDERR_FILENO, b->output.data, b->output.len));
	if (b->output.data[b->output.len - 1] != '\n')
		err_ignore(io_write(STDERR_FILENO, "\n", 1));
}

int
shell_run(const struct shell_options *o, struct err *e)
{
	struct shell b = { .o = o,
		.child = RUN_CHILD_INIT,
		.pidfd = -1,
		.argv = { (char[]){ "sh" }, (char[]){ "-c" },
		    xstrdup(o->command), NULL } };
	struct dir dir = DIR_INIT;
	struct err left = ERR_INIT;
	int64_t began = clock_ms();
	int r = dir_open_path(&dir, o->directory, e);

	if (r != 0)
		err_prefix(e, "the %s command cannot run: ", o->what);
	else
		log_info("%s: %s", o->what, o->command);
	if (o->alone)
		strays_adopt(true);
	if (r == 0)
		r = start(&b, &dir, e);
	if (r == 0)
		r = attend(&b, e);
	if (o->alone) {
		if (end_strays(&b, &left) != 0 && r == 0) {
			*e = left;
			r = -1;
		}
		strays_adopt(false);
	}
	if (r != 0 && o->last_words)
		add_last_words(&b, e);
	if (r != 0)
		show_output(&b);
	else
		log_info("%s: done in %.1f s", o->what,
		    (double)(clock_ms() - began) / 1000);
	if (b.pidfd >= 0)
		close(b.pidfd);
	buf_release(&b.output);
	dir_close(&dir);
	free(b.argv[2]);
	return r;
}
