/*
 * A growing list of strings.  `v` ends in a NULL that `n` does not count, so
 * that it can be passed to execvp(3).
 */
#ifndef STRVEC_H
#define STRVEC_H

#include <stdbool.h>
#include <stddef.h>

struct strvec {
	char **v;		/* owned copies; NULL while empty */
	size_t n;
	size_t cap;
};

#define STRVEC_INIT { NULL, 0, 0 }

void strvec_release(struct strvec *sv);		/* neutral values accepted */
void strvec_add(struct strvec *sv, const char *s);	/* copies */
void strvec_addf(struct strvec *sv, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void strvec_sort(struct strvec *sv);		/* by byte values */
bool strvec_has(const struct strvec *sv, const char *s);

#endif
