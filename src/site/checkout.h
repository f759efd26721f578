/*
 * `git` of a site: a clone of ours in `directory` of the build, of which each
 * build gets exactly the commit that was asked for, or the newest.
 *
 * It is made, and mended after a run that was killed at any point, by the same
 * commands in the same order.  The file .git/deploy.lock, made before all
 * others, says that it is ours: what is changed in it is thrown away.  It is
 * locked (flock(2)) until the build is made; locks of git that are found then
 * are of the dead.
 */
#ifndef CHECKOUT_H
#define CHECKOUT_H

#include "base/err.h"
#include "config/config.h"

struct checkout {
	int lock;		/* -1: none */
	char *commit;		/* what is checked out; NULL: nothing yet */
};

#define CHECKOUT_INIT { .lock = -1 }

/*
 * Check out `ref`, NULL: what deploy.yml names, else the newest.  What git
 * ignores stays, and so does `source` (NULL: none).  0 or -1.
 */
int checkout_make(struct checkout *c, const struct site_config *site,
    const char *ref, const char *source, struct err *e) MUST_USE;

/* The build is made.  Neutral values accepted. */
void checkout_release(struct checkout *c);

#endif
