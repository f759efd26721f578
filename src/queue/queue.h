/*
 * The queue of builds; deploy-queue(7).  A job is one site to be built.  It
 * is waiting, then running, then done or failed.  A site has at most one
 * waiting and one running job: a request while one waits is merged into it,
 * one while a job runs waits for its end.  What of the site is to be built may
 * be said by items; those of merged requests are united.
 *
 * Everything is a transaction: whoever is killed leaves the state before or
 * after.  What only a worker does is in queue_work.h.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "queue/job.h"

enum {
	QUEUE_TRIES = 5,	/* then a job has failed for good */
	QUEUE_DEATHS = 25,	/* of workers that had it: so, too */
	QUEUE_TEXT_MAX = 1000,	/* bytes of a reason */
	QUEUE_ITEM_MAX = 1000,	/* bytes of an item */
	QUEUE_ITEMS_MAX = 100000,	/* of a job; more are everything */
};

struct queue;

/*
 * Open the queue that `where` names: a directory, postgresql://..., NULL for
 * the default directory.  `make`: one that is not there yet; else that is an
 * error with ENOENT in e->sys.  A locked one is waited for `wait` seconds.
 */
struct queue *queue_open(const char *where, bool make, int64_t wait,
    struct err *e) MUST_USE;
void queue_close(struct queue *q);		/* NULL accepted */

/* ---- asking ------------------------------------------------------------- */

struct queue_request {
	const char *site;	/* one that the configuration knows */
	const char *ref;	/* queue_check_ref(); NULL: what is newest */
	const char *reason;	/* NULL: none */
	const char *who;
	int64_t priority;
	int64_t max_waiting;	/* jobs that wait, of all sites; 0: no limit */
	int64_t settle;		/* seconds to wait for further requests */
	const struct strvec *items;	/* queue_check_item(); NULL or none:
					 * everything */
};

/*
 * May it be a ref: a commit, a branch, as git-check-ref-format(1) has it?  It
 * is text for an environment and a parameter of SQL, for no shell.  0, or -1
 * with ERR_USAGE.
 */
int queue_check_ref(const char *ref, struct err *e) MUST_USE;

/* May it be an item: a line of text, no option?  0, or -1 with ERR_USAGE. */
int queue_check_item(const char *item, struct err *e) MUST_USE;

/*
 * Ask for a build.  Refused with ERR_LOCKED when as many others wait as may;
 * what is merged is not one more.  `job` is the one that will do it: a new one, or, when
 * requests > 1, the one that waits already.
 */
int queue_enqueue(struct queue *q, const struct queue_request *r,
    struct job *job, struct err *e) MUST_USE;

/* Would it be refused now?  0; -1 with ERR_LOCKED if so. */
int queue_check_room(struct queue *q, const struct queue_request *r,
    struct err *e) MUST_USE;

/* ---- looking ------------------------------------------------------------ */

/* The job of that number.  0; -1, with ERR_USAGE when there is none. */
int queue_get(struct queue *q, int64_t id, struct job *job, struct err *e)
    MUST_USE;

/* The job of that site that counts: running, else waiting, else the last. */
int queue_find(struct queue *q, const char *site, struct job *job,
    struct err *e) MUST_USE;

/* The last of the site of which a try has ended.  1, 0: there is none, -1. */
int queue_find_tried(struct queue *q, const char *site, struct job *job,
    struct err *e) MUST_USE;

/* How many there are in that state.  0 or -1. */
int queue_count(struct queue *q, enum job_state state, int64_t *n,
    struct err *e) MUST_USE;

/* The items of a job, sorted, are added; none: everything.  0 or -1. */
int queue_items(struct queue *q, int64_t id, struct strvec *out,
    struct err *e) MUST_USE;

/*
 * What runs, what waits in the order in which it will be done, what failed
 * and what is done, the highest number first, because a clock may have jumped;
 * `ended` of these at most.
 */
int queue_list(struct queue *q, int64_t ended, struct job_list *out,
    struct err *e) MUST_USE;

/* ---- changing; `why` not: ERR_USAGE, ERR_LOCKED ------------------------- */

/* Do a failed job again, or one that waits for its next try now. */
int queue_retry(struct queue *q, int64_t id, struct err *e) MUST_USE;

/* Remove one that does not run. */
int queue_remove(struct queue *q, int64_t id, struct err *e) MUST_USE;

/* Ask the worker to end a running one. */
int queue_stop(struct queue *q, int64_t id, const char *who, struct err *e)
    MUST_USE;

/* For one that waits. */
int queue_set_priority(struct queue *q, int64_t id, int64_t priority,
    struct err *e) MUST_USE;

/* ---- for a worker -------------------------------------------------------- */

/*
 * Milliseconds until a waiting job is due that is for the worker `id`; -1:
 * there is none.
 */
int queue_next(struct queue *q, const char *id, int64_t *ms, struct err *e)
    MUST_USE;

/* Forget the oldest of those that are done, and of those that failed. */
int queue_prune(struct queue *q, int64_t keep, struct err *e) MUST_USE;

/*
 * A descriptor for poll(2) that is readable when something has changed, or -1
 * where there is none; and queue_heed() makes it unreadable: 1 when something
 * has changed, to be asked before each wait; 0; -1: open the queue again.
 */
int queue_listen(struct queue *q, struct err *e) MUST_USE;
int queue_heed(struct queue *q, struct err *e) MUST_USE;

/* The directory for logs where no other is configured; the caller frees. */
char *queue_logs(const char *where, struct err *e) MUST_USE;

#endif
