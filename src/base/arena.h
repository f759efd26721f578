/*
 * Memory for many small strings that die together: no per-string overhead,
 * which is what keeps 100,000 paths small.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);		/* NULL accepted */

/* A copy of s[0..len) and a NUL; valid until arena_free(). */
char *arena_strndup(struct arena *a, const char *s, size_t len);

#endif
