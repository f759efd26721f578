/* Which word was probably meant: for "did you mean".  Pure. */
#ifndef NEAREST_H
#define NEAREST_H

/*
 * The element of `names` (ended by NULL) that `word` was probably meant to
 * be: at most a third of it mistyped; case, and '-' for '_', do not count.
 * NULL when none is near.
 */
const char *nearest_word(const char *word, const char *const *names);

#endif
