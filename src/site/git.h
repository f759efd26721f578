/*
 * git(1), the program: asked, never read behind its back.
 */
#ifndef GIT_H
#define GIT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"

/*
 * Run `git -C DIR ARGS` to its end; what it prints is added to `out`, NULL:
 * dropped, and its status is put into `status`.  `said` gets the first line of
 * what it complained about.  `env` are variables besides, or NULL.  No hook of
 * the repository runs.  0; 1 when there is no git(1); -1.
 */
int git_run(const char *dir, const struct strvec *args,
    const struct strvec *env, struct buf *out, struct buf *said, int *status,
    struct err *e) MUST_USE;

/*
 * The same for a question, which is answered from what is there: git fetches
 * nothing that the repository lacks, however its settings say so.
 */
int git_ask(const char *dir, const struct strvec *args, struct buf *out,
    struct buf *said, int *status, struct err *e) MUST_USE;

/* Is the directory, which is there, in a work tree? */
bool git_has_work_tree(const char *dir);

#endif
