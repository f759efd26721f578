/*
 * Is a text plain YAML?  One document in UTF-8, of good syntax, not nested
 * too deep, without anchors, aliases and tags: what loads as a tree no larger
 * than the text.  A door of libyaml, with yamlcheck.c.
 */
#ifndef YAMLTEXT_H
#define YAMLTEXT_H

#include <stddef.h>

#include "base/err.h"

enum { YAMLTEXT_MAX = 1024 * 1024 };	/* bytes */

/*
 * Check text[0..len), which need not end in a NUL; `file` is its name in
 * messages.  Returns 0, or -1 with ERR_USAGE, line, column and a cure.
 */
int yamltext_check(const char *file, const char *text, size_t len,
    struct err *e) MUST_USE;

#endif
