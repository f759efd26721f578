/*
 * How much of a site is in the first bytes of a pack: noted by the thread that
 * makes the pack, asked by those that send it.  So a host that has taken so
 * many bytes is known to have so many files.
 */
#ifndef FLEET_MARKS_H
#define FLEET_MARKS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "remote/pack_file.h"

struct marks {
	pthread_mutex_t lock;
	struct mark *v;
	size_t n, room;
};

void marks_init(struct marks *m);
void marks_release(struct marks *m);

/* The pack has grown to `size` bytes, and has all of this. */
void marks_add(struct marks *m, int64_t size, const struct pack_tally *has);

/* What its first `size` bytes have, more or less: never too much of it all. */
struct pack_tally marks_find(struct marks *m, int64_t size);

#endif
