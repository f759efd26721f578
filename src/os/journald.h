/*
 * systemd's journal, spoken to directly (systemd.io, Native Journal Protocol):
 * an entry is one datagram of fields, so that a line of ours can be found by
 * what it is about.
 */
#ifndef JOURNALD_H
#define JOURNALD_H

#include <stdbool.h>

#include "base/buf.h"

/* Is that descriptor a stream of ours to the journal (systemd.exec(5))? */
bool journald_is(int fd);

/* Add a field to an entry: capital letters and `_`, and any text. */
void journald_add(struct buf *entry, const char *name, const char *value);

/* Send an entry.  Could it be sent? */
bool journald_send(const struct buf *entry);

#endif
