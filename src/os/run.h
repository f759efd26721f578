/*
 * Child processes.  Fill a struct, start, use the pipes, finish.  A program
 * that cannot be executed is an error of run_start(), with its errno.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "os/environment.h"

struct run_child {
	/* In. */
	char *const *argv;	/* ended by NULL; argv[0] by PATH */
	const char *file;	/* the program, if argv[0] is not it */
	bool pipe_in;		/* give us its standard input */
	bool pipe_out;		/* give us its standard output */
	bool pipe_err;		/* give us its standard error */
	int use[3];		/* its standard input, output and error; -1:
				 * piped, or ours */
	const int *keep;	/* descriptors that it inherits as they are */
	size_t n_keep;
	int dir;		/* where it runs; -1: where we do */
	enum environment kind;	/* which variables of ours it gets, */
	const struct strvec *env;	/* "NAME=value" besides, or NULL */
	bool logs_in;		/* it is this program, and gets the secrets
				 * for hosts (secret.h) */
	bool talk_only;		/* standard input is empty, standard output
				 * goes where standard error goes */
	int death_signal;	/* sent to it when we die; 0: none */
	/* Out: our ends, -1 where none; non-blocking. */
	int in;
	int out;
	int err;
	pid_t pid;		/* 0: not running */
};

#define RUN_CHILD_INIT { .use = { -1, -1, -1 }, .dir = -1, .in = -1,	\
    .out = -1, .err = -1 }

/*
 * Start it, in a process group of its own and with default signals.  What is
 * neither piped nor in `use` is ours.  With `death_signal` the thread that
 * starts it counts as us.  0 or -1.
 */
int run_start(struct run_child *c, struct err *e) MUST_USE;

/*
 * Read what it writes, for at most `ms`, -1: for as long as it takes, until it
 * has closed both outputs.  Both are piped; `out` and `errors` get what comes,
 * NULL: dropped.  0; -1 also when a signal came (intr.h).
 */
int run_read(struct run_child *c, int64_t ms, struct buf *out,
    struct buf *errors, struct err *e) MUST_USE;

/*
 * Close the pipes and wait.  The exit status, or 128 + the signal that ended
 * it, is put into `status`.  0 or -1.
 */
int run_finish(struct run_child *c, int *status, struct err *e) MUST_USE;

/* Kill it with its children (SIGKILL to the group), close, wait. */
void run_kill(struct run_child *c);

#endif
