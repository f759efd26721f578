/*
 * One job that a worker does: from its claim to its result, which the queue is
 * told, and the notification of whoever wants to know.
 */
#ifndef WORKER_SLOT_H
#define WORKER_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "queue/job.h"
#include "queue/jobrun.h"
#include "queue/queue_work.h"
#include "queue/worker_state.h"

enum worker_phase {
	SLOT_IDLE,
	SLOT_WORKING,		/* a try runs */
	SLOT_RECORDING,		/* it has ended, and the queue has to be told */
	SLOT_NOTIFYING,		/* a notification runs: the command, or what
				 * sends it to the URL */
};

struct worker_slot {
	enum worker_phase phase;
	struct job job;
	struct queue_claim claim;
	struct jobrun run;
	char *stopped_by;	/* somebody wants it to end */
	bool lost;		/* the claim */
	int status;
	struct buf reason;
	int record_tries;
	bool commanded, posted;	/* notifications that were begun */
};

#define WORKER_SLOT_INIT {						\
	.claim = QUEUE_CLAIM_INIT, .run = JOBRUN_INIT,			\
	.reason = BUF_INIT						\
}

void worker_slot_clear(struct worker_slot *s);

/* Start the job that was claimed. */
void worker_slot_begin(struct worker *w, struct worker_slot *s);

/*
 * The processes of all children but that of `but`, how many in `n`; the caller
 * frees.
 */
pid_t *worker_other_children(const struct worker *w, const struct jobrun *but,
    size_t *n);

/* Do what is to be done now: serve its child, or tell the queue. */
void worker_slot_serve(struct worker *w, struct worker_slot *s);

#endif
