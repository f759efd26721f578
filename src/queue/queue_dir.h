/*
 * The directory of a queue: the database of an embedded one, claims and logs.
 * What is made in it is for those who may write to the directory: for its
 * owner, also when root makes it, or for its group too.  So the user who enqueues, of a web server say,
 * and the one who builds share it by a directory with mode 2770.
 */
#ifndef QUEUE_DIR_H
#define QUEUE_DIR_H

#include "os/dir.h"
#include "base/err.h"

/*
 * The default, which the caller frees: deploy/ below $XDG_STATE_HOME or
 * ~/.local/state.  NULL with ERR_USAGE when there is no home.
 */
char *queue_dir_default(struct err *e) MUST_USE;

/*
 * Open `path`; `make` it, for us alone, with what is above it.  One that
 * everybody may write to is refused.  d->path has no symbolic links.  ENOENT
 * stays readable in e->sys.  0 or -1.
 */
int queue_dir_open(struct dir *d, const char *path, bool make,
    struct err *e) MUST_USE;

/* Open the directory `name` in it, made if need be.  0 or -1. */
int queue_dir_enter(struct dir *d, const struct dir *at, const char *name,
    struct err *e) MUST_USE;

/*
 * Open the regular file `name`, made if need be, for the same users as the
 * directory; `flags` as for open(2).  The descriptor or -1.
 */
int queue_dir_file(const struct dir *at, const char *name, int flags,
    struct err *e) MUST_USE;

#endif
