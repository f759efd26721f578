/*
 * Words of a command that is to be pasted into a shell.
 */
#ifndef QUOTE_H
#define QUOTE_H

#include "base/buf.h"

/*
 * Add a blank and the word, in quotes unless every shell of the family of sh
 * takes it as it is.
 */
void quote_add(struct buf *out, const char *word);

#endif
