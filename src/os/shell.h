/*
 * Commands of deploy.yml: text for sh(1), run with an empty standard input;
 * what it prints goes to our standard error, or, when `quiet`, is shown only
 * if it fails, the last 64 KB of it.  Its environment is ENVIRONMENT_USER, and
 * what `env` adds.
 *
 * When it returns nothing of the command's process group is left running;
 * with `alone` neither is what left that (strays.h).  If we are killed the
 * kernel kills its shell.
 */
#ifndef SHELL_H
#define SHELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

struct shell_options {
	const char *what;	/* for messages: "build", "post_activate" */
	const char *command;
	const char *directory;	/* where it runs */
	int64_t timeout;	/* seconds */
	bool quiet;
	bool last_words;	/* its last line goes into the error */
	bool alone;		/* we have no other child */
	const struct strvec *env;	/* "NAME=value" each */
};

/*
 * Run the command to its end.  0 when its status is 0; else -1: it failed,
 * was ended by a signal, took too long, or we were asked to stop (intr.h).
 */
int shell_run(const struct shell_options *o, struct err *e) MUST_USE;

#endif
