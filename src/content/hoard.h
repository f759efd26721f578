/*
 * Contents that are at hand and in no tree: files of a temporary directory,
 * called by their digests.
 *
 *	struct hoard h = HOARD_INIT;
 *	r = hoard_open(&h, &e);
 *	... h.dir ...
 *	hoard_release(&h);
 */
#ifndef HOARD_H
#define HOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "os/dir.h"

struct hoard {
	char *path;		/* of the directory; NULL: none */
	struct dir dir;
};

#define HOARD_INIT { NULL, DIR_INIT }

/* Make the directory, unless it is there.  0 or -1. */
int hoard_open(struct hoard *h, struct err *e) MUST_USE;

/* Remove it with what is in it.  Neutral values accepted. */
void hoard_release(struct hoard *h);

/* Is a content with that digest in it?  Also of a neutral value: no. */
bool hoard_has(const struct hoard *h, const uint8_t digest[HASH_LEN]);

/* Put a content with that digest into it, which is open.  0 or -1. */
int hoard_put(const struct hoard *h, const uint8_t digest[HASH_LEN],
    const void *data, size_t len, struct err *e) MUST_USE;

#endif
