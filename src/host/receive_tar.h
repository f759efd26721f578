/*
 * A whole pack (pack.h) on the host: its manifest comes first and is checked
 * as manifest_parse() does; every entry that follows must be in it, once,
 * with the announced type and size, and a file's bytes must have the
 * announced SHA-256.  A door to libarchive.
 */
#ifndef RECEIVE_TAR_H
#define RECEIVE_TAR_H

#include "base/err.h"
#include "host/receiver.h"

/* Fill incoming/<id>, r->m and r->meta.  0 or -1. */
int receive_tar(struct receiver *r, struct err *e) MUST_USE;

#endif
