/*
 * What the two halves of the text of a manifest share: manifest_read.c and
 * manifest_write.c.  The text itself is described in manifest.h.
 */
#ifndef MANIFEST_TEXT_H
#define MANIFEST_TEXT_H

#define MANIFEST_SIGNATURE "#mtree v2.0"

enum { MANIFEST_PIECE = 64 * 1024 };	/* read and written at a time */

extern const char *const manifest_types[];	/* by enum entry_type */

#endif
