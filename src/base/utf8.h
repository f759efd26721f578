/* Text in UTF-8 (RFC 3629).  Pure. */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The length of the sequence at `s`, which ends in a NUL; 0: it is none. */
size_t utf8_len(const char *s);

/*
 * Is a control character at `text`, for whatever terminal: of ASCII, of
 * U+0080 to U+009F (C1) in UTF-8 or as a byte that is no part of UTF-8, or one
 * of the separators U+2028 and U+2029?  The NUL at the end is one.
 */
bool utf8_is_control(const char *text);

/*
 * How many columns of a terminal the character at `s` takes, which is no
 * control character: 0 when it stands over the one before it, 2 for those of
 * East Asia and for pictures, else 1.
 */
size_t utf8_width(const char *s);

/*
 * Append `len` bytes to `out` as text that a database or a page can take:
 * U+FFFD for what is no UTF-8, and nothing for control characters but for tab
 * and newline.
 */
void utf8_add(struct buf *out, const char *data, size_t len);

#endif
