/*
 * A directory for one build, made for it and removed after the run: what a
 * build writes into the same directory each time keeps pages of which the
 * source is gone, for ever.
 *
 * It is TMPDIR/deploy-build-XXXXXX/site.  The file `lock` beside `site` is
 * locked (flock(2)) as long as we live; what is without that lock was left by
 * a run that was killed, and the next run of the same user removes it.
 */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "base/err.h"
#include "os/dir.h"

struct scratch {
	struct dir dir;
	int lock;		/* -1: none */
	char *path;		/* of the empty directory; NULL: not made */
};

#define SCRATCH_INIT { .dir = DIR_INIT, .lock = -1 }

int scratch_make(struct scratch *s, struct err *e) MUST_USE;	/* 0 or -1 */
void scratch_remove(struct scratch *s);		/* neutral values accepted */

#endif
