/*
 * The symbolic links in a directory that others laid out.  The tools that
 * share files between releases (Capistrano, Deployer, Ansistrano, Mina) link
 * them from the root's shared/, as deploy does, but by absolute paths, too.
 */
#ifndef ADOPT_LINKS_H
#define ADOPT_LINKS_H

#include "base/err.h"
#include "base/strvec.h"
#include "content/rules.h"

/*
 * Look at the links of the directory `dir`, without links itself, which
 * becomes a release of `root`.  `rules` has lists `exclude` and `shared` of its
 * own: what is shared is left out of the release, as are links that show
 * nothing and lead out; a link to its own path in shared/ becomes shared,
 * and its path is added to `found`.
 * Returns 0, or -1 with ERR_USAGE: what is shared by the rules is not in
 * shared/, or another link leads out of the directory.
 */
int adopt_links(const char *root, const char *dir, struct rules *rules,
    struct strvec *found, struct err *e) MUST_USE;

#endif
