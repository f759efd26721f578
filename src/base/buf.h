/*
 * A growing byte string.  `data` always ends in a NUL that `len` does not
 * count, so it can be used as a C string; it may contain other NULs.
 */
#ifndef BUF_H
#define BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;		/* never NULL after the first append */
	size_t len;
	size_t cap;
};

#define BUF_INIT { NULL, 0, 0 }

void buf_release(struct buf *b);		/* neutral values accepted */
void buf_wipe(struct buf *b);			/* the same, for secrets: no trace */
void buf_reset(struct buf *b);			/* len 0, memory kept */
void buf_reserve(struct buf *b, size_t more);	/* room for `more` bytes */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Only the last `max` bytes stay. */
void buf_keep_last(struct buf *b, size_t max);

/* Give the string away: the caller frees it; `b` is empty afterwards. */
char *buf_detach(struct buf *b);

/* The content as a C string; "" when nothing was ever added. */
const char *buf_str(const struct buf *b);

/* Do both hold the same bytes? */
bool buf_eq(const struct buf *a, const struct buf *b);

#endif
