/*
 * One file, link or directory into its place: read so that it holds still,
 * stored so that it is what its entry says, with mode, group and mtime; or
 * linked from a release that has it.
 *
 * A file that is stored always has the digest of its entry: it is taken of
 * the very bytes that are written, or, for large files that the kernel copied
 * (copy_file_range(2), which shares blocks on XFS and btrfs), of the copy.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "content/manifest.h"
#include "os/dir.h"

enum { PLACE_WINDOW = 1024 * 1024 };	/* a file below it is read once */

/* Where files go. */
struct place {
	const struct dir *dir;
	const struct dir *scratch;	/* for temporary names beside it */
	gid_t gid;			/* of what is made; -1: as it comes */
};

/* A file of a complete release. */
struct place_origin {
	const struct dir *dir;
	const char *path;
	gid_t gid;			/* that it must have; -1: any */
};

/* What one thread works with: for struct pool_job. */
struct placer;
void *placer_begin(void *ctx);
void placer_end(void *ctx, void *placer);

/* Open a regular file of a tree to read.  The descriptor or -1. */
int place_open(const struct dir *d, const char *path, struct err *e) MUST_USE;

/*
 * Hash the open file en->path of `d`, which holds still; one that changes
 * meanwhile is read again, and refused when it does not come to rest.  Sets
 * size and digest; the window holds all of a file below PLACE_WINDOW then.
 * 0 or -1.
 */
int place_hash(struct placer *w, int fd, const struct dir *d,
    struct entry *en, struct err *e) MUST_USE;

/*
 * Has the origin the content that the entry says?  Read again.  1 or 0; -1
 * when that cannot be found out.
 */
int place_has_content(struct placer *w, const struct place_origin *o,
    const struct entry *en, struct err *e) MUST_USE;

/*
 * The same for what place_hash() has just left whole in the window: the bytes
 * are compared, which costs less than to hash them.
 */
int place_has_window(struct placer *w, const struct place_origin *o,
    const struct entry *en, struct err *e) MUST_USE;

/*
 * Make the new file en->path in `d` from the open source, or from the
 * window where that holds its content (`in_window`).  0 or -1.
 */
int place_store(struct placer *w, int in, const struct dir *d,
    const struct entry *en, gid_t gid, bool in_window, struct err *e) MUST_USE;

/*
 * The open file lies there already: give it its attributes, and an inode of
 * its own when it has other names (each path has its own mtime).  0 or -1.
 */
int place_keep(struct placer *w, int fd, const struct place *p,
    const struct entry *en, struct err *e) MUST_USE;

/* Give the open file its mode, group and mtime.  0, or -1 with errno. */
int place_dress(int fd, const struct entry *en, gid_t gid) MUST_USE;

/* Make the symbolic link; or give it, which is there, its mtime.  0 or -1. */
int place_symlink(const struct dir *d, const struct entry *en,
    struct err *e) MUST_USE;
int place_dress_symlink(const struct dir *d, const struct entry *en,
    struct err *e) MUST_USE;

/* Modes and groups of the directories, when nothing is made in them more. */
int place_directories(const struct dir *d, const struct manifest *m,
    gid_t gid, struct err *e) MUST_USE;

/*
 * Link the origin as the new name `path` in `d`.  Returns 0; 1 when the
 * content must be copied instead (it was touched, or link(2) cannot: another
 * owner, too many links, another file system); -1 on an error.
 */
int place_link(const struct place_origin *o, const struct dir *d,
    const char *path, const struct entry *en, struct err *e) MUST_USE;

/* The same in the place of the file that is there. */
int place_link_over(const struct place *p, const struct place_origin *o,
    const struct entry *en, struct err *e) MUST_USE;

/*
 * Can place_bring() bring the file: is it there, and what `en` says?  It is
 * read only when a stat tells that it was touched.  1 or 0; -1 when that
 * cannot be found out.
 */
int place_can_bring(const struct dir *release, const char *path,
    const struct entry *en, struct err *e) MUST_USE;

/*
 * err_sys() has told why something of a complete release cannot be read: that
 * release is not what its manifest says then, which is ERR_INTEGRITY, unless it
 * is this process that lacks memory or descriptors.  Returns -1.
 */
int place_lost(struct err *e);

/*
 * Bring one file into `d` from `path` in another complete release: a link, or
 * a copy where link(2) cannot, checked against the entry.  0, or -1, with
 * ERR_INTEGRITY when it is not there as the entry says, or cannot be read.
 */
int place_bring(const struct dir *release, const char *path,
    const struct entry *en, const struct dir *d, gid_t gid, struct err *e)
    MUST_USE;

#endif
