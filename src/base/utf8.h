/* Text in UTF-8 (RFC 3629).  Pure. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

#include "base/buf.h"

/* The length of the sequence at `s`, which ends in a NUL; 0: it is none. */
size_t utf8_len(const char *s);

/*
 * Append `len` bytes to `out` as text that a database or a page can take:
 * U+FFFD for what is no UTF-8, and nothing for control characters but for tab
 * and newline.
 */
void utf8_add(struct buf *out, const char *data, size_t len);

#endif
