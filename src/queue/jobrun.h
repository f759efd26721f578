/*
 * One try of a job: `deploy publish --update` as a child process, which
 * updates, builds, stages, activates, checks and prunes exactly as if somebody
 * had typed it; or the command that is told of its end.
 *
 * A process of its own, because a crash of it is a failed try and not the end
 * of the worker, because it can be ended from outside at any moment with all
 * that it started, and because its talk is the log of the job.  When we die it
 * gets SIGTERM, ends its build and undoes or finishes what it began; it has
 * the claim until then.
 */
#ifndef JOBRUN_H
#define JOBRUN_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "os/dir.h"
#include "base/err.h"
#include "queue/joblog.h"
#include "queue/queue.h"
#include "os/run.h"

struct jobrun_options {
	const struct config *config;
	const struct dir *logs;
	const char *worker;	/* for the log */
	int64_t lock_wait;	/* seconds; -1: the site's */
	int64_t timeout;	/* seconds; 0: the site's */
	bool verbose;
	const struct strvec *items;	/* of the job; none: everything */
};

struct jobrun {
	struct run_child child;	/* child.err is its output, to be polled */
	int pidfd;		/* to be polled; -1: none */
	struct joblog log;
	int64_t began;		/* of clock_ms() */
	int64_t deadline;	/* then it is stopped, or killed */
	int64_t timeout;	/* ms */
	bool stopping;
	char *why;		/* it was stopped; NULL: it was not */
	char *items;		/* the file with its items; NULL: none */
};

#define JOBRUN_INIT { .child = RUN_CHILD_INIT, .pidfd = -1, \
	.log = JOBLOG_INIT }

/* Start a try; `claim` is handed on to it.  0 or -1. */
int jobrun_start(struct jobrun *r, const struct job *job, int claim,
    const struct jobrun_options *o, struct err *e) MUST_USE;

/* Start the command `notify` for a job whose try has ended.  0 or -1. */
int jobrun_notify(struct jobrun *r, const struct job *job,
    const struct jobrun_options *o, struct err *e) MUST_USE;

/* The same: start the program that sends it to `notify_url`.  0 or -1. */
int jobrun_post(struct jobrun *r, const struct job *job,
    const struct jobrun_options *o, struct err *e) MUST_USE;

/*
 * Start `deploy verify --repair` of what is live of the site; `lock` is handed
 * on to it.  Its talk is in no file.  0 or -1.
 */
int jobrun_verify(struct jobrun *r, const char *site, int lock,
    const struct jobrun_options *o, struct err *e) MUST_USE;

/*
 * Start `deploy metrics --file` for these sites, or all, where deploy.yml names
 * a file.  0 or -1.
 */
int jobrun_metrics(struct jobrun *r, const struct strvec *sites,
    const struct jobrun_options *o, struct err *e) MUST_USE;

/* Ask it to end; it is killed if it does not. */
void jobrun_stop(struct jobrun *r, const char *why);

/* Read its output, keep its time.  Has it ended? */
bool jobrun_serve(struct jobrun *r);

/* Milliseconds until it is to be served again at the latest. */
int64_t jobrun_patience(const struct jobrun *r);

/*
 * After its end: reap it, end what it left of processes (all children of ours
 * but the `n` in `keep`), read the rest.  The status, 128 + the signal that
 * ended it, or -1.
 */
int jobrun_reap(struct jobrun *r, const pid_t *keep, size_t n,
    struct err *e) MUST_USE;

/* Why it failed, from what it said last; "" when it did not say. */
void jobrun_reason(const struct jobrun *r, struct buf *out);

/* Close the log.  Neutral values accepted. */
void jobrun_release(struct jobrun *r);

/* End what may be left of the processes of a job whose worker died. */
void jobrun_end_left(const struct job *job);

#endif
