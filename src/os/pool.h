/*
 * The same work for every item of a list, on all cores this process may use.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

#include "base/err.h"

struct pool_job {
	size_t n;		/* number of items */
	size_t grain;		/* items that one thread takes in a row */
	void *ctx;
	/* State of one thread: made by begin, given to item and end. */
	void *(*begin)(void *ctx);
	int (*item)(void *ctx, void *local, size_t i, struct err *e);
	void (*end)(void *ctx, void *local);
};

/*
 * Call item for each i < n.  Items that follow each other go to the same
 * thread in order, `grain` at a time.  After the first failure, or a signal
 * (intr.h), no new item is begun.  Returns 0, or -1 with the first error.
 */
int pool_run(const struct pool_job *job, struct err *e) MUST_USE;

#endif
