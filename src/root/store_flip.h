/*
 * The flip: `current` becomes a link to another release, by one rename(2).
 */
#ifndef STORE_FLIP_H
#define STORE_FLIP_H

#include "root/store.h"

/* A link to a release that waits to become `current`. */
struct store_link {
	char name[64];			/* in .deploy; "": none */
};

/*
 * Make the link, under a name of its own; those of dead runs are removed.
 * What it names is on disk then.  Under the exclusive lock.
 */
int store_prepare_flip(const struct store *s, const struct release_id *id,
    struct store_link *l, struct err *e) MUST_USE;

/*
 * Rename the prepared link over `current`, durably: one system call for the
 * visitors, one for the disk.  Under the exclusive lock, after the journal
 * has the line.  Returns 0; -1 with ERR_FAILED when visitors still get what
 * they got, or with ERR_CLEANUP when the release is live but may not survive
 * a power cut.
 */
int store_flip(const struct store *s, const struct release_id *id,
    struct store_link *l, struct err *e) MUST_USE;

/* Remove a prepared link that is not wanted any more; none is fine. */
void store_drop_flip(const struct store *s, struct store_link *l);

/*
 * A directory and a link could not be exchanged: say in the error what stands
 * in the way, and what to do then.  Returns -1.
 */
int store_tell_exchange(struct err *e);

#endif
