/*
 * Base64 (RFC 4648, section 4).
 */
#ifndef BASE64_H
#define BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/*
 * Add what `text` stands for; white space in it does not count, nor does
 * padding that is missing.  False when it is no base64, or nothing; `out` may
 * have got some then.  Room is made before, so that a secret is not copied.
 */
bool base64_decode(const char *text, struct buf *out);

/* Add the `len` bytes at `data` as base64, in lines of 64 characters. */
void base64_encode(const void *data, size_t len, struct buf *out);

#endif
