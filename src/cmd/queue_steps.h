/*
 * What the commands of the queue have in common.
 */
#ifndef QUEUE_STEPS_H
#define QUEUE_STEPS_H

#include <stdbool.h>

#include "cmd/cmd.h"
#include "base/buf.h"
#include "base/json.h"
#include "queue/queue.h"
#include "queue/registry.h"

enum { QUEUE_LOCK_WAIT = 10 };	/* seconds, without --lock-wait */

/* Load the configuration; refuse what goes without one.  0 or -1. */
int step_queue_config(struct run *run, struct err *e) MUST_USE;

/*
 * The same, and open its queue; `make`: one that is not there yet, else that
 * is no error and `*q` is NULL.  0 or -1.
 */
int step_queue_open(struct run *run, bool make, struct queue **q,
    struct err *e) MUST_USE;

/* A job, for --json. */
json_t *step_job_doc(const struct job *job);

/*
 * When no worker is there that knows the site: since when, by whom.  False
 * when there is one.
 */
bool step_say_nobody(const struct worker_list *workers, const char *site,
    struct buf *out);

/* Put a time, or null for 0. */
void step_put_time(json_t *doc, const char *key, int64_t ms);

#endif
