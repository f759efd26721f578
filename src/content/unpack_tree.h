/*
 * What an archive unpacks to: entries made one after the other below a
 * directory, never through a symbolic link that is in the tree, so that
 * nothing comes to lie outside.  Paths passed path_check(); one that comes
 * twice replaces the earlier one, but for a directory with content.
 */
#ifndef UNPACK_TREE_H
#define UNPACK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/path.h"
#include "os/dir.h"

struct unpack_tree {
	/* The open directories from the top, which is the caller's, down. */
	struct dir stack[PATH_DEPTH_MAX + 1];
	size_t depth;
	char cwd[PATH_LEN_MAX + 1];	/* the path of the last one */
};

/* Close all but the top.  Before: all zeros, but stack[0]. */
void unpack_tree_release(struct unpack_tree *t);

/* Make the directory, and stay in it: what follows is often there.  0 or -1. */
int unpack_tree_dir(struct unpack_tree *t, const char *path, struct err *e)
    MUST_USE;

/* Make the symbolic link; NULL and unsafe targets are refused.  0 or -1. */
int unpack_tree_symlink(struct unpack_tree *t, const char *path,
    const char *target, struct err *e) MUST_USE;

/* Make an empty file, mode 0755 or 0644, open to write.  It, or -1. */
int unpack_tree_create(struct unpack_tree *t, const char *path,
    bool executable, struct err *e) MUST_USE;

/* Open the file that is there to write.  It, or -1. */
int unpack_tree_open(struct unpack_tree *t, const char *path, struct err *e)
    MUST_USE;

/* A file or symbolic link that another name is to be given. */
struct unpack_target {
	char path[PATH_LEN_MAX + 1];
	struct dir dir;			/* above it; close it */
	bool found;			/* it is there */
	int64_t size;
	char link[PATH_LEN_MAX + 1];	/* the target; "": a regular file */
};

/* Look for t->path in the tree; nothing there is no error.  0 or -1. */
int unpack_tree_find(const struct unpack_tree *tree, struct unpack_target *t,
    struct err *e) MUST_USE;

/* Make `path` another name of what was found.  0 or -1. */
int unpack_tree_link(struct unpack_tree *tree, const char *path,
    const struct unpack_target *t, struct err *e) MUST_USE;

#endif
