/*
 * What can be said about a root and its machine, for `doctor`: facts, which
 * doctor.h judges.  The lines, as of wire.h, are those of the verb `probe` in
 * deploy-host(7).  Nothing is changed, and nothing has to be in order.
 */
#ifndef PROBE_H
#define PROBE_H

#include "base/buf.h"

/* Add what there is to say about the root at the absolute path. */
void probe(const char *root, struct buf *out);

#endif
