/*
 * Shared libraries that are loaded when they are used.  A program that is
 * linked statically (DEPLOY_STATIC) cannot have any: they would bring a C
 * library of their own.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>

#include "base/err.h"

/*
 * NULL: it is not there; the message begins with `what`, that which needs it,
 * and ends with the Debian package that has it.  It is never closed.
 */
void *library_open(const char *what, const char *name, const char *package,
    struct err *e) MUST_USE;

/* Put the address of a function into *out, NULL and false: there is none. */
bool library_find(void *lib, const char *name, void *out);

#endif
