/*
 * The name of a preview: one label of a host name (RFC 1123, 2.1), in lower
 * case, and no word that means a release already.  Pure.
 */
#ifndef LABEL_H
#define LABEL_H

#include "base/err.h"

enum { LABEL_MAX = 63 };	/* bytes */

/* 0, or -1 with ERR_USAGE and what would be right. */
int label_check(const char *name, struct err *e) MUST_USE;

#endif
