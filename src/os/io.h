/*
 * Bytes through file descriptors: the only caller of read(2) and write(2).
 * Short counts and EINTR are handled here and nowhere else.
 */
#ifndef IO_H
#define IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Read until `len` bytes are there or the file ends.  Returns the number of
 * bytes, less than `len` only at the end of the file; -1 with errno.
 */
ssize_t io_read(int fd, void *data, size_t len) MUST_USE;

/* One read(2), retried on EINTR: for pipes, where what is there counts. */
ssize_t io_read_some(int fd, void *data, size_t len) MUST_USE;

/* Write all of it.  Returns 0; -1 with errno, an unknown part written. */
int io_write(int fd, const void *data, size_t len) MUST_USE;

/*
 * Close a descriptor that was written to; the result matters, because NFS
 * and quotas report lost writes here.  Returns 0 or -1 with errno.
 */
int io_close(int fd) MUST_USE;

/*
 * Wait until there is something to read, or the end, at most `ms`.  Returns
 * 1, 0 when the time is over, -1 with errno (EINTR: a signal came).
 */
int io_wait(int fd, int64_t ms) MUST_USE;

/*
 * Let a pipe hold as much as everybody may have (1 MiB of pipe(7)): who fills it
 * waits less often, and keeps less.  What is no pipe, or may not grow, stays.
 */
void io_widen(int fd);

/* Has the other end of a connection gone?  A file has none. */
bool io_is_hung_up(int fd);

/* flock(2), again when a signal comes in between. */
int io_flock(int fd, int how);

#endif
