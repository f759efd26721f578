/*
 * Remove old releases: which ones is retention.h's choice, how is here.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "os/lock.h"
#include "root/store.h"
#include "root/view.h"

struct prune_options {
	unsigned int keep;	/* newest that were live */
	int64_t older_than;	/* seconds: younger ones stay; 0: no such rule */
	bool preview;		/* only say which */
};

/*
 * Prune under the exclusive lock `held`, under which the caller read `v` (a
 * preview needs none); it is dropped when all that is left is to delete, so
 * that no flip waits for that.  Adds the ids of the releases that went to
 * `removed`, and to `kept` a sentence about each that stays because a living
 * stage takes files from it.  Returns 0, or -1: ERR_CLEANUP when
 * some could not be removed (the others are, and each that is in `removed`
 * is out of the list for good, deleted now or swept later).
 */
int prune(const struct store *s, const struct view *v,
    const struct prune_options *o, struct lock *held,
    struct release_ids *removed, struct strvec *kept, struct err *e)
    MUST_USE;

#endif
