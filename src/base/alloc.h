/*
 * Allocation that does not return on failure: with no memory left there is
 * nothing useful to unwind, and every state on disk is crash-safe anyway.
 * The program ends with status 1 and one line on standard error.
 */
#ifndef ALLOC_H
#define ALLOC_H

#include <stddef.h>

/* As malloc, calloc, reallocarray, strdup, strndup; never NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);

/* As asprintf, but returns the new string, which the caller frees. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* As xstrdup, but NULL for NULL. */
char *xstrdup_opt(const char *s);

/* End the program: something that the code rules out has happened. */
#define BUG(what) bug_at(__FILE__, __LINE__, what)
void bug_at(const char *file, int line, const char *what)
    __attribute__((noreturn));

#endif
