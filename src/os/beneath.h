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

#endif
