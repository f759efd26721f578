/*
 * What has to be so before anything is adopted: looked at first, by a dry run
 * too, so that nothing is begun that cannot be ended.
 */
#ifndef ADOPT_CHECK_H
#define ADOPT_CHECK_H

#include <stdbool.h>

#include "root/adopt.h"

/*
 * May what is at `path`, a link or not, which is the directory `served` in
 * truth, become a release of the root?  Not where the root is in it, something
 * is mounted in it, a link cannot take its place (ERR_USAGE, ERR_FAILED), a file
 * cannot be read, or a secret that not everybody can read would be shown to all
 * (ERR_GUARD).  What is shared by the rules is not looked at.  0 or -1.
 */
int adopt_check(const struct adopt_options *o, const char *path, bool link,
    const char *served, struct err *e) MUST_USE;

#endif
