/*
 * The worker's side of the queue: claims, and how a try ends.
 *
 * Only the claim (queue_db.h) ends with its holder, and a running job that
 * nobody has a claim for is put back by queue_recover().
 */
#ifndef QUEUE_WORK_H
#define QUEUE_WORK_H

#include "queue/queue.h"

struct queue_worker {
	const char *id;		/* as it has registered (registry.h): it gets
				 * jobs of the sites that it knows, no others */
	const char *name;	/* for people */
	const char *host;	/* where processes of a job can be found */
	int64_t max_jobs;	/* at once, by all workers; 0: no limit */
	/* Has it that job in hand?  Asked of all that run. */
	bool (*has)(void *ctx, const struct job *job);
	/* A site cannot be claimed, for that reason; others can. */
	void (*barred)(void *ctx, const char *site, const struct err *e);
	void *ctx;
};

/*
 * Claim the job that is to be done next.  1, `job` and its claim; 0: there is
 * none, and `busy` says that one was in somebody's hands just now, so that it
 * is worth while to look again in a second; -1.
 */
int queue_claim(struct queue *q, const struct queue_worker *w,
    struct job *job, struct queue_claim *claim, bool *busy, struct err *e)
    MUST_USE;

/*
 * Is the claim lost?  To be asked when its descriptor is readable; only a
 * session can be.
 */
bool queue_claim_is_lost(struct queue_claim *claim);

/*
 * Give the claim up, after queue_finish() or _return(); wakes others, with a
 * queue.  Neutral values accepted.
 */
void queue_unclaim(struct queue *q, struct queue_claim *claim);

/* How a try ended. */
struct queue_result {
	bool good;
	bool last;		/* not to be tried again */
	int64_t status;
	const char *message;	/* NULL: none */
	const char *tail;	/* any bytes */
	size_t tail_len;
	int64_t retry;		/* seconds before the second try */
};

/*
 * Record the end of a try of a claimed job; `job` is what it is afterwards:
 * done, failed, or waiting for the next try.  1; 0: the claim was lost, and
 * somebody else has had the job since, nothing is changed; -1.
 */
int queue_finish(struct queue *q, struct job *job,
    const struct queue_result *r, struct err *e) MUST_USE;

/* Put a claimed job back as if it had not been begun.  1, 0, -1: as above. */
int queue_return(struct queue *q, struct job *job, struct err *e) MUST_USE;

/*
 * Put back what dead workers had.  `left` is called for each before, to end
 * what its processes may have left.  `others`: are there jobs in the hands of
 * other workers, so that it is to be called again in some seconds?
 */
int queue_recover(struct queue *q, const struct queue_worker *w,
    void (*left)(const struct job *job), bool *others, struct err *e) MUST_USE;

#endif
