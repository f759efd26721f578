/*
 * What a worker is doing: its jobs side by side (worker_slot.h), the queue it
 * has them from, when it looks there again.  For worker.c and worker_slot.c.
 */
#ifndef WORKER_STATE_H
#define WORKER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"
#include "config/config.h"
#include "os/dir.h"
#include "queue/fifo.h"
#include "queue/jobrun.h"
#include "queue/queue.h"
#include "queue/worker.h"
#include "queue/worker_metrics.h"
#include "queue/worker_verify.h"

enum { WORKER_SAFETY_MS = 30 * 1000 };	/* looking without being woken:
					 * somebody died before he could */

struct worker_slot;

struct worker {
	const struct worker_options *o;
	struct config config;
	struct stat config_stat;
	bool broken;		/* the file is: no job is begun */
	char *name, *host;
	struct release_id id;	/* as it is registered */
	int64_t since;		/* of clock_now() */
	struct strvec sites;	/* that it knows */
	bool entered;		/* in the queue that is open, with these */
	int64_t beat_at;	/* of clock_ms(): to be said again then */
	char *where;		/* the queue; NULL: the default */
	char *logs;
	struct queue *queue;	/* NULL: not open */
	struct worker_slot *slots;
	size_t n;
	struct worker_verify verify;
	struct worker_metrics metrics;
	int fifo;
	struct fifo_lines lines;
	size_t dropped;		/* lines, that were told */
	struct strvec barred;	/* sites that cannot be claimed, as was told */
	struct strvec asked;	/* sites that are to be enqueued */
	int64_t partial_at;	/* since when half a line is there; 0: none */
	int64_t look_at;	/* of clock_ms(): look into the queue then */
	struct err trouble;	/* told last, not to repeat it */
	char *told;		/* to the service manager, as status */
	int64_t alive_at;	/* of clock_ms(): tell it that we live then */
	bool drained;		/* the last look found nothing to do */
	bool stopping;
	size_t failed;
	struct err *fatal;	/* with `once` */
	bool has_fatal;
};

/* Look into the queue in `ms` at the latest. */
void worker_look_within(struct worker *w, int64_t ms);

/*
 * The queue cannot be used: say so, once, and open it again later.  What is
 * only done once is not done at all then.
 */
void worker_trouble(struct worker *w, const struct err *e);

/* Open the queue, if it is not.  0 or -1. */
int worker_open_queue(struct worker *w, struct err *e) MUST_USE;

/* Say in the open queue that we are there, and what we know.  0 or -1. */
int worker_enter(struct worker *w, struct err *e) MUST_USE;

/* We go.  Whoever asks later is told when that was. */
void worker_leave(struct worker *w);

/* How a job is to be run; `logs` may be NULL. */
struct jobrun_options worker_run_options(const struct worker *w,
    const struct dir *logs);

#endif
