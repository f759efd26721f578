/*
 * MUST(expr): what has to hold whatever the input is.  If it does not, the
 * target says which and aborts, and libFuzzer keeps the input.
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(expr) ((expr) ? (void)0 : broken(#expr, __LINE__))

static void __attribute__((noreturn))
broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n", line, what);
	abort();
}

#endif
