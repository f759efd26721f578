/*
 * The commands of a site that make its build: `build` and `update` in
 * deploy.yml.  As shell.h has it, with DEPLOY_SITE, DEPLOY_SOURCE, DEPLOY_REF
 * (where known), DEPLOY_ITEMS_FILE (a worker's, or empty) and DEPLOY_BUILD=1.  To be called while we have no other
 * child: nothing that the command started is left.
 */
#ifndef BUILD_H
#define BUILD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct build_options {
	const char *what;	/* for messages: "build", "update" */
	const char *command;
	const char *directory;	/* where it runs */
	int64_t timeout;	/* seconds */
	bool quiet;
	const char *site;	/* NULL: has no name */
	const char *source;	/* absolute; where the build is to be */
	const char *ref;	/* NULL: not known */
};

/*
 * Run the command to its end.  0 when its status is 0; else -1: it failed,
 * was ended by a signal, took too long, or we were asked to stop (intr.h).
 */
int build_run(const struct build_options *o, struct err *e) MUST_USE;

/*
 * Take the lock (flock(2)) of an open file or directory, that of `dir`, in which
 * one build at a time is made: wait for the other one, until a signal comes.
 * Closing `fd` gives it back.  0 or -1.
 */
int build_lock(int fd, const char *dir, struct err *e) MUST_USE;

#endif
