/*
 * Processes that a child leaves behind: what it forked and did not wait for,
 * also when that moved to another process group or session.  While we adopt,
 * such orphans become our children instead of those of process 1 (a "child
 * subreaper", prctl(2)), so that they can be found and ended.
 *
 * A process group is left with one call, and control groups, which cannot be
 * left, need rights that a CI job or a container seldom has; this needs none.
 * What is out of reach is a process that another user's rights protect.
 */
#ifndef STRAYS_H
#define STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Adopt orphans from now on, or no longer. */
void strays_adopt(bool on);

/*
 * End (SIGKILL) and reap every child but the `n` in `keep`, and what they
 * leave in turn, within some seconds.  `any` says whether there was one.  0,
 * or -1 when there is one that does not end.
 */
int strays_end(const pid_t *keep, size_t n, bool *any, struct err *e) MUST_USE;

/*
 * The same for every process of this machine, of whatever parent, that has
 * `variable` ("NAME=value") in the environment it was started with: what is
 * left of a tree whose root and adopter were killed together.
 */
int strays_end_marked(const char *variable, bool *any, struct err *e) MUST_USE;

#endif
