/*
 * `clean` of a build: the directory is emptied before each, so that no page
 * stays of which the source is gone.  What is removed is only what builds of
 * ours made: the directory was empty, or not there, before the first of them,
 * and names have not come or gone since the last.  That is remembered in
 *
 *	$XDG_STATE_HOME/deploy/builds/SHA-256-of-the-path
 *
 * as "open" from before it is emptied until the end of the build, whatever
 * becomes of us, and then as the SHA-256 of the names.
 */
#ifndef CLEAN_H
#define CLEAN_H

#include <stddef.h>

#include "base/err.h"

/*
 * Empty the directory `source`, which may not be there.  Refused with
 * ERR_GUARD when something in it is not ours, when git tracks files in it, or
 * when one of the `n` paths in `keep` (NULL: none) is in it or is it.  0 or -1.
 */
int clean_begin(const char *source, const char *const *keep, size_t n,
    struct err *e) MUST_USE;

/* The build has ended, well or not: what is there is ours.  0 or -1. */
int clean_end(const char *source, struct err *e) MUST_USE;

#endif
