/*
 * Looking now and then whether what is live is still what its manifest says,
 * on all hosts of the sites of a worker: `deploy verify --repair` as a child
 * process, for one site after the other, each as often as `worker.verify` says.
 *
 * When it was done last is the time of the file verify-SITE beside the logs, so
 * that a worker that was not there does it when it is back.  The file is locked
 * meanwhile, by the child, too: of several workers that share the directory
 * one does it.
 */
#ifndef WORKER_VERIFY_H
#define WORKER_VERIFY_H

#include <stdint.h>

#include "queue/jobrun.h"

struct worker;

struct worker_verify {
	struct jobrun run;
	char *site;		/* that is looked at; NULL: none */
	int lock;
	int64_t look_at;	/* of clock_ms(): is one due? */
};

#define WORKER_VERIFY_INIT { .run = JOBRUN_INIT, .lock = -1 }

/* Begin what is due, if nothing runs, or serve what runs. */
void worker_verify_serve(struct worker *w);

/* Milliseconds until that is to be called again, at most `most`. */
int64_t worker_verify_patience(const struct worker *w, int64_t most);

/* The worker is to end: ask the child to end. */
void worker_verify_stop(struct worker *w);

void worker_verify_clear(struct worker_verify *v);

#endif
