/*
 * The logs of jobs: a directory with a file NUMBER.log for each, to which
 * every try appends.  Of each try it holds a limited number of bytes: what
 * came first, and, when the try has ended, the last part of what did not fit.
 */
#ifndef JOBLOG_H
#define JOBLOG_H

#include <stdint.h>

#include "base/buf.h"
#include "os/dir.h"
#include "base/err.h"

struct joblog {
	int fd;			/* -1: none; then only the tail is kept */
	int64_t limit;		/* bytes of a try */
	int64_t written;
	int64_t total;		/* bytes that came */
	struct buf last;	/* the end of it, at most twice limit / 4 */
	int error;		/* errno of what ended the writing */
};

#define JOBLOG_INIT { -1, 0, 0, 0, BUF_INIT, 0 }

/* Open the directory, made if need be; NULL is none, an error.  0 or -1. */
int joblog_no_place(struct err *e);	/* that error: -1 */
int joblog_dir(struct dir *d, const char *path, struct err *e) MUST_USE;

/* Begin a try of job `id`; nowhere, with no directory.  0, or -1, and then it may be used all the same. */
int joblog_open(struct joblog *l, const struct dir *d, int64_t id,
    int64_t limit, struct err *e) MUST_USE;

/* Add output.  An error (no space) ends the writing, not the tail. */
void joblog_add(struct joblog *l, const char *data, size_t len);

/* The last lines, borrowed, at most about `max` bytes. */
const char *joblog_tail(const struct joblog *l, size_t max, size_t *len);

/* The try has ended: write what was held back.  0; -1, once, when the log is cut
 * off. */
int joblog_finish(struct joblog *l, struct err *e) MUST_USE;

/* The same if need be, and close.  Neutral values accepted. */
void joblog_close(struct joblog *l);

/* Append the log of job `id` to `out`; ENOENT stays in e->sys.  0 or -1. */
int joblog_read(const struct dir *d, int64_t id, struct buf *out,
    struct err *e) MUST_USE;

/* The highest number of a job that has a log; 0: none has, as far as we see. */
int64_t joblog_last(const struct dir *d);

/* Remove the log of a job; none is success.  0 or -1. */
int joblog_remove(const struct dir *d, int64_t id, struct err *e) MUST_USE;

/* Remove all but the `keep` newest, by their numbers.  0 or -1. */
int joblog_prune(const struct dir *d, size_t keep, struct err *e) MUST_USE;

#endif
