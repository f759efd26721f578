/*
 * Numbers for whoever watches: `deploy metrics --file` as a child process,
 * after each job and once a minute, where deploy.yml names a file.
 */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/jobrun.h"

struct worker;

struct worker_metrics {
	struct jobrun run;
	bool runs;
	int64_t look_at;	/* of clock_ms(): begin then; 0 when a job
				 * has ended */
};

#define WORKER_METRICS_INIT { .run = JOBRUN_INIT }

/* Begin what is due, if nothing runs, or serve what runs. */
void worker_metrics_serve(struct worker *w);

/* Milliseconds until it is to be served again, at most `most`. */
int64_t worker_metrics_patience(const struct worker *w, int64_t most);

/* The worker is to end: ask the child to end. */
void worker_metrics_stop(struct worker *w);

void worker_metrics_clear(struct worker_metrics *m);

#endif
