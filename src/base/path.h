/*
 * Names that come from outside (a source tree, an archive, a manifest, a
 * pattern).  Pure: nothing here touches the file system.  A path is relative
 * to the top of a release, without a leading "./".
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strvec.h"

enum {
	PATH_NAME_MAX = 255,	/* bytes in one component, as NAME_MAX */
	PATH_LEN_MAX = 4095,	/* bytes in a path, as PATH_MAX less the NUL */
	PATH_DEPTH_MAX = 256,	/* components: bounds every recursion */
};

/*
 * Is `path` fit to be a name inside a release: relative, no empty, "." or
 * ".." component, no control characters, within the limits above?  Returns 0
 * or -1 with ERR_INTEGRITY and what is wrong with it.
 */
int path_check(const char *path, struct err *e) MUST_USE;

/*
 * Does a symbolic link at `path` with target `target` stay inside the
 * release?  ".." is allowed only at the beginning of the target, and no more
 * often than `path` has parents: a ".." that follows a name could leave
 * through another link.  Returns 0 or -1 with ERR_INTEGRITY.
 */
int path_check_link(const char *path, const char *target, struct err *e)
    MUST_USE;

/*
 * Order of manifests: by byte values, with '/' before every other byte, so
 * that what is in a directory follows it directly.  As strcmp(3).
 */
int path_compare(const char *a, const char *b);

/*
 * Does `pattern` match `path`?  As in gitignore(5): without a '/' it matches
 * the last component at any depth, with one the whole path; '*' stays within
 * a component, "**" spans them; a trailing '/' is ignored.
 */
bool path_match(const char *pattern, const char *path);

/*
 * Can it match a name inside a release, as path_check() has these?  A '!'
 * before it, as gitignore(5) has, is not known here.  0, or -1 with ERR_USAGE.
 */
int path_check_pattern(const char *pattern, struct err *e) MUST_USE;

/* Does any of the patterns match `path` or a directory above it? */
bool path_match_any(const struct strvec *patterns, const char *path);

/* Is `path` equal to `dir` or inside it? */
bool path_is_within(const char *path, const char *dir);

/*
 * Is it what rsync(1) and scp(1) take for an address: a ':' before the first
 * '/', as in "user@host:/path" and "ssh://host/path"?
 */
bool path_is_address(const char *path);

/*
 * What in `text` a shell or a template should have filled in: "$", "{{", "%(",
 * "<%" or "#{"; NULL: nothing.
 */
const char *path_unexpanded(const char *text);

/*
 * Is the path, by its first component, what macOS puts beside the files in an
 * archive: "__MACOSX", ".DS_Store", "._NAME"?
 */
bool path_is_of_macos(const char *path);

/* The last component of a path: a pointer into it. */
const char *path_base(const char *path);

#endif
