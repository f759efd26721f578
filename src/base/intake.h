/*
 * What somebody says, kept until it is taken, by lines or by bytes.  New bytes
 * are appended to `said`.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct intake {
	struct buf said;
	size_t taken;		/* of that */
	size_t seen;		/* bytes behind that without a newline */
};

#define INTAKE_INIT { BUF_INIT, 0, 0 }

void intake_release(struct intake *t);		/* neutral values accepted */

/* What was not taken yet: how much, and where. */
size_t intake_len(const struct intake *t);
const char *intake_data(const struct intake *t);

/* Take the next `n` bytes. */
void intake_drop(struct intake *t, size_t n);

/* The same into `data`, at most `len`; how many there were. */
size_t intake_take(struct intake *t, void *data, size_t len);

/* Take the next line, without its newline; false when it has no end yet. */
bool intake_line(struct intake *t, struct buf *line);

#endif
