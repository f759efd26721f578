/*
 * The worker: claims jobs of the queue, one after the other or several side by
 * side, and does them (jobrun.h).  It sleeps until the queue, a child, the
 * FIFO or a signal has something for it.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"

struct worker_options {
	const char *config;	/* the file; NULL: where it is found */
	const struct strvec *sites;	/* do only these; none: all */
	const char *fifo;	/* names of sites come from there; NULL: no */
	const char *who;	/* runs it */
	unsigned int jobs;	/* side by side; 0: as configured */
	int64_t lock_wait;	/* seconds; -1: the site's */
	int64_t timeout;	/* of a silent host, seconds; 0: the site's */
	bool once;		/* end when there is nothing to do */
	bool verbose;
};

/*
 * Work until a signal comes (running jobs are put back then) or, with `once`,
 * until nothing is to be done.  `failed` counts tries that failed.  0 or -1.
 */
int worker_run(const struct worker_options *o, size_t *failed,
    struct err *e) MUST_USE;

#endif
