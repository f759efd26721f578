/* Paths as users write them in deploy.yml, made absolute.  Pure. */
#ifndef ABSPATH_H
#define ABSPATH_H

#include <stdbool.h>

#include "base/err.h"

/*
 * `text` as an absolute path of at most PATH_LEN_MAX bytes: relative to the
 * absolute path `dir`, which has no symbolic links; "~/" at its beginning
 * stands for `home` (NULL: not known).  Empty and "." components go; a ".."
 * takes one off, but stays behind a name of `text` itself, which may be a
 * symbolic link.  Returns what the caller frees, or NULL with ERR_USAGE.
 */
char *abspath_make(const char *text, const char *dir, const char *home,
    struct err *e) MUST_USE;

/*
 * Are both, as abspath_make() gives them, one path where no name before a ".."
 * is a symbolic link?
 */
bool abspath_is_same(const char *a, const char *b);

#endif
