/*
 * Paths from outside, opened beneath a directory: nothing on the way, nor the
 * last component, may be a symbolic link, and no ".." leads out, whatever
 * others do to the tree meanwhile.  openat2(2) where the kernel has it, else
 * component by component.
 */
#ifndef BENEATH_H
#define BENEATH_H

#include <sys/types.h>

#include "base/err.h"
#include "os/dir.h"

/*
 * As openat(2), beneath `at`; O_CREAT with `mode`.  Returns the descriptor,
 * close-on-exec, or -1 with errno: ELOOP or ENOTDIR for a symbolic link,
 * EXDEV for a path that is absolute or leads out.
 */
int beneath_open(int at, const char *path, int flags, mode_t mode);

/*
 * Open the directory that the last component of `path` is in; `name`, if not
 * NULL, points at that component then.  0 or -1.
 */
int beneath_open_parent(const struct dir *at, const char *path,
    struct dir *parent, const char **name, struct err *e) MUST_USE;

/*
 * The directory of the last path that was asked for, which is open: paths in
 * order have it in common with the one before.  For one `at` only.
 */
struct beneath_parent {
	struct dir dir;
	char *above;	/* its path; NULL: none is open */
};

#define BENEATH_PARENT_INIT { DIR_INIT, NULL }

/*
 * As beneath_open_parent(), into `k`, unless that is open already: the
 * directory, which is k's; or NULL.
 */
const struct dir *beneath_keep_parent(struct beneath_parent *k,
    const struct dir *at, const char *path, const char **name, struct err *e)
    MUST_USE;

/* Neutral accepted. */
void beneath_parent_close(struct beneath_parent *k);

#endif
