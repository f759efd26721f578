/*
 * Which workers there are, and which sites each of them knows: a queue may
 * serve several configurations, and a job is for the workers that know its
 * site.  A worker registers, says from time to time that it is there, and
 * says when it goes; one that has not been heard of for REGISTRY_LAPSE_MS
 * counts as gone.  Of those that are gone the last one of each site is
 * remembered, for who wonders why a job waits.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "queue/queue.h"

enum {
	REGISTRY_BEAT_MS = 25 * 1000,	/* "I am there", so often */
	REGISTRY_LAPSE_MS = 120 * 1000,
};

/* ---- for a worker ------------------------------------------------------- */

struct registry_entry {
	const char *id;		/* of this worker alone */
	const char *name;	/* for people */
	const char *host;
	int64_t since;		/* of clock_now() */
	const struct strvec *sites;
};

/* Register, or register with other sites.  0 or -1. */
int registry_enter(struct queue *q, const struct registry_entry *r,
    struct err *e) MUST_USE;

/*
 * "I am there", with so many sites.  1; 0: not registered any more, or not with
 * all of them, enter again; -1.
 */
int registry_beat(struct queue *q, const char *id, size_t sites,
    struct err *e) MUST_USE;

/* It goes.  0 or -1. */
int registry_leave(struct queue *q, const char *id, struct err *e) MUST_USE;

/* ---- for who asks ------------------------------------------------------- */

struct worker_seen {
	char *name;
	char *host;
	int64_t since, seen;
	bool live;
	struct strvec sites;	/* of one that is gone: those for which there
				 * was none later */
};

struct worker_list {
	struct worker_seen *v;
	size_t n;
};

#define WORKER_LIST_INIT { NULL, 0 }

/* All, those that are there first, and of each kind the last seen first. */
int registry_list(struct queue *q, struct worker_list *out, struct err *e)
    MUST_USE;

void worker_list_release(struct worker_list *l);  /* neutral values accepted */

/* How many are there that know the site? */
size_t worker_list_live(const struct worker_list *l, const char *site);

/* Who knows or knew it last; NULL when none was ever seen. */
const struct worker_seen *worker_list_last(const struct worker_list *l,
    const char *site);

#endif
