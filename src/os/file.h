/*
 * Small files of ours, relative to an open directory (dir.h): read whole,
 * replaced atomically, appended to durably.
 */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "os/dir.h"
#include "base/err.h"

/*
 * Open what a person has named, for reading.  Of a FIFO or a device it does not
 * wait for somebody who writes: without one, it is empty.  The descriptor, or -1
 * and errno.
 */
int file_open_named(const char *path) MUST_USE;

/*
 * Append the content of the regular file `name` in `at` to `out`; more than
 * `max` bytes is an error.  ENOENT stays readable in e->sys.  0 or -1.
 */
int file_read(const struct dir *at, const char *name, size_t max,
    struct buf *out, struct err *e) MUST_USE;

/*
 * Replace `name` by `data`, durably and all at once: written aside under a
 * unique name, fsync, rename, fsync of the directory.  A crash leaves the
 * old or the new content, and perhaps a file named ".tmp-*" that
 * file_sweep() removes.  0 or -1, then the old content is there.
 */
int file_publish(const struct dir *at, const char *name, const void *data,
    size_t len, struct err *e) MUST_USE;

/* The same, with another mode than 0644. */
int file_publish_mode(const struct dir *at, const char *name, const void *data,
    size_t len, mode_t mode, struct err *e) MUST_USE;

/*
 * A file could not be made: where the directory that it is to be in is missing,
 * append to the error what makes it.  Returns -1.
 */
int file_no_place(const char *path, struct err *e);

/* file_publish() for a path; relative ones begin where we are. */
int file_publish_path(const char *path, const void *data, size_t len,
    struct err *e) MUST_USE;

/*
 * Append `data` to `name`, made if absent, and fsync it; when it was made,
 * the directory too.  If the file does not end in a newline (a torn write of
 * a run that died), one is put before.  0 or -1, then the file ends with an
 * unknown part of `data`.
 */
int file_append(const struct dir *at, const char *name, const void *data,
    size_t len, struct err *e) MUST_USE;

/*
 * Remove `name`, fsync the directory.  Nothing there is success, and no less
 * durable.  0 or -1.
 */
int file_remove(const struct dir *at, const char *name, struct err *e) MUST_USE;

/* Remove what dead runs of file_publish() left.  Best effort. */
void file_sweep(const struct dir *at);

/* Write a name that no other process chooses, beginning with ".tmp-". */
void file_tmp_name(char out[64]);

/* Is the name like that? */
bool file_is_tmp(const char *name);

#endif
