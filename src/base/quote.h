/*
 * Words of a command that is to be pasted into a shell.  What a message would
 * not show as it is (control characters, bytes that are no UTF-8) is written
 * as $'...', which bash, zsh and ksh know.
 */
#ifndef QUOTE_H
#define QUOTE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Add a blank and the word, in quotes unless every shell of the family of sh
 * takes it as it is.
 */
void quote_add(struct buf *out, const char *word);

/* Add the word, byte for byte, for a program that runs sh(1). */
void quote_for_sh(struct buf *out, const char *word);

enum { QUOTE_MAX = 8192 };	/* bytes of a word in quotes, with the NUL */

/*
 * The word, or its first `n` bytes, in quotes as for sh(1), for a command in a
 * message that people paste; in memory of the block that the call stands in.
 * What does not fit is "..." instead.
 */
#define QUOTED(word) QUOTED_N(word, SIZE_MAX)
#define QUOTED_N(word, n) \
	quote_text((char[QUOTE_MAX]){ 0 }, (word), (size_t)(n))
const char *quote_text(char out[QUOTE_MAX], const char *word, size_t n);

#endif
