/*
 * Whole numbers and bytes in a binary record: seven bits a byte, the lowest
 * first, the eighth bit set in all but the last (LEB128); negative numbers
 * interleaved with the others (0, -1, 1, -2, ...).  Pure.
 */
#ifndef VARINT_H
#define VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void varint_add(struct buf *b, uint64_t n);
void varint_add_signed(struct buf *b, int64_t n);

/* What is left of a record that is read. */
struct varint_in {
	const char *p;
	size_t left;
};

/*
 * Take the next number, which must not be more than `max`.  False when it is,
 * or when the record ends, or the number does not; `out` is as it was then.
 */
bool varint_take(struct varint_in *in, uint64_t max, uint64_t *out);

/* The same for any number that is not below zero or above INT64_MAX when
 * `base` is added to it, which `out` gets. */
bool varint_take_from(struct varint_in *in, int64_t base, int64_t *out);

/* Take `len` bytes: a pointer into the record, or NULL. */
const char *varint_take_bytes(struct varint_in *in, size_t len);

#endif
