/*
 * A stream that is made once and read by several: a temporary file without a
 * name, written by one thread and read by others while it grows.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct spool;

/* In $TMPDIR, else /tmp.  NULL on failure. */
struct spool *spool_new(struct err *e) MUST_USE;
void spool_free(struct spool *s);		/* NULL accepted */

/* The one writer: append.  0 or -1. */
int spool_write(struct spool *s, const void *data, size_t len, struct err *e)
    MUST_USE;

/* The writer is done: with NULL all is there, else it failed so. */
void spool_end(struct spool *s, const struct err *why);

/*
 * Any reader: bytes from `at`, waiting for the writer when there are none
 * yet.  0 at the end, -1 when the writer failed.
 */
ssize_t spool_read(struct spool *s, int64_t at, void *data, size_t len,
    struct err *e) MUST_USE;

/* Bytes written so far. */
int64_t spool_size(struct spool *s);

#endif
