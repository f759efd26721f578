/*
 * An open directory and its name for messages.  All work on files is done
 * relative to one (openat(2) and friends, never following a symbolic link in
 * the last component), so that a directory that is renamed or replaced
 * meanwhile cannot redirect it.
 */
#ifndef DIR_H
#define DIR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strvec.h"

struct buf;

struct dir {
	int fd;			/* -1 when not open */
	char *path;		/* for messages; owned */
};

#define DIR_INIT { -1, NULL }

/*
 * Open the directory `path`, which the user named: symbolic links are
 * followed.  ENOENT and ENOTDIR stay readable in e->sys.  0 or -1.
 */
int dir_open_path(struct dir *d, const char *path, struct err *e) MUST_USE;

/* Open `name` in `at`; a symbolic link there is refused.  0 or -1. */
int dir_open(struct dir *d, const struct dir *at, const char *name,
    struct err *e) MUST_USE;

/* Close; a directory that is not open is accepted. */
void dir_close(struct dir *d);

/*
 * Make the directory `name` (mode 0755 whatever the umask).  One that is
 * there already is an error with EEXIST.  0 or -1.
 */
int dir_make(const struct dir *at, const char *name, struct err *e) MUST_USE;

/* As dir_make and dir_open; one that is there already is opened. */
int dir_ensure(struct dir *d, const struct dir *at, const char *name,
    struct err *e) MUST_USE;

/* fsync(2): names made, renamed or removed in it survive a power cut. */
int dir_sync(const struct dir *d, struct err *e) MUST_USE;

/*
 * Add the names in the directory to `out`, sorted, without "." and "..".
 * Every error of readdir(3) is one: a list is complete or not given.
 */
int dir_list(const struct dir *d, struct strvec *out, struct err *e) MUST_USE;

/* Is there a directory `name` (not a link to one) in `at`? */
bool dir_has(const struct dir *at, const char *name);

/*
 * The same for decisions in which an error must not pass for a no: 1 for
 * yes, 0 for no, -1 when that cannot be told.
 */
int dir_look(const struct dir *at, const char *name, struct err *e) MUST_USE;

/* Rename from/a to to/b; an existing b is an error with EEXIST.  0 or -1. */
int dir_rename_new(const struct dir *from, const char *a, const struct dir *to,
    const char *b, struct err *e) MUST_USE;

/*
 * Remove the file, link or whole tree `name`.  Goes on after an error and
 * returns -1 with the first one; what could be removed is gone.  Nothing
 * there is success.  Symbolic links are removed, not followed.
 */
int dir_remove_tree(const struct dir *at, const char *name, struct err *e)
    MUST_USE;

/*
 * Write everything below `d` to disk: one syncfs(2) on a descriptor inside
 * it, or fsync(2) of every file where syncfs cannot be trusted to reach the
 * server (NFS, FUSE, CIFS).  0 or -1, and then nothing may be relied on.
 */
int dir_sync_tree(const struct dir *d, struct err *e) MUST_USE;

/*
 * Add to `out` what the place `path`, which need not be there, is called under
 * all names that lead to it: the start of this system, the nearest directory
 * above that is there, and the rest.  Nothing where that cannot be told.
 */
void dir_place(const char *path, struct buf *out);

/*
 * The file system of another machine that the directory is on, as people call
 * it ("NFS"): there locks and shared memory are of one machine, or of none.
 * NULL when it is here, as far as is known.
 */
const char *dir_network(const struct dir *d);

/* Free space for us. */
struct dir_space {
	unsigned long long bytes;	/* LLONG_MAX where not counted */
	unsigned long long inodes;	/* LLONG_MAX where not limited */
	unsigned long long block;	/* bytes that the smallest file takes */
};
int dir_space(const struct dir *d, struct dir_space *out, struct err *e)
    MUST_USE;

#endif
