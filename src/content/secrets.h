/*
 * What a build has by mistake: keys, passwords, a repository, and the sources
 * that source maps tell.  The names are those of the programs that write such
 * files; deploy.yml(5), guard, lists them.
 */
#ifndef SECRETS_H
#define SECRETS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/strvec.h"
#include "content/manifest.h"
#include "os/dir.h"

/*
 * Add to `out` the paths of the sorted manifest that visitors should not get,
 * through a symbolic link, too.
 * Files that may have a private key (*.pem, *.key) are read, in `files`: one
 * that cannot be read is none.
 */
void secrets_find(const struct manifest *m, const struct dir *files,
    struct strvec *out);

/* Add the source maps. */
void secrets_find_maps(const struct manifest *m, struct strvec *out);

/*
 * Add the first of the paths, and how many more there are, to a sentence; these
 * go to the log of -v.
 */
void secrets_tell(const struct strvec *paths, struct buf *out);

#endif
