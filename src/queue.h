/*
 * The queue of builds; deploy-queue(7).  A job is one site to be built.  It
 * is waiting, then running, then done or failed.  A site has at most one
 * waiting and one running job: a request while one waits is merged into it,
 * one while a job runs waits for its end.
 *
 * Everything is a transaction: whoever is killed leaves the state before or
 * after.  Only the claim (queue_db.h) ends with its holder, and a running job
 * that nobody has a claim for is put back by queue_recover().
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "queue_db.h"

enum {
	QUEUE_TRIES = 5,	/* then a job has failed for good */
	QUEUE_DEATHS = 25,	/* of workers that had it: so, too */
	QUEUE_TEXT_MAX = 1000,	/* bytes of a reason */
};

enum job_state {
	JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED,
	JOB_MERGED,		/* put back while another one waited */
};

/* The word for it in tables, JSON and the database. */
const char *job_state_name(enum job_state state);

struct job {
	int64_t id;
	char *site;
	enum job_state state;
	int64_t priority;	/* higher is sooner */
	char *ref;		/* what to build; NULL: what is newest */
	char *reason;
	char *who;		/* who asked last */
	int64_t requests;	/* that it stands for */
	int64_t created;	/* ms since 1970, as all times: first request */
	int64_t due;		/* not before */
	int64_t started;	/* 0: never */
	int64_t ended;		/* 0: never */
	int64_t tries;		/* that failed */
	int64_t deaths;		/* of workers that had it */
	int64_t status;		/* of the last try */
	char *message;		/* why it failed */
	char *tail;		/* the last lines of its log */
	char *worker;		/* who has or had it: "ann@ci1 (4711)" */
	char *host;
	char *token;		/* of its claim */
	char *stopped_by;	/* who wants it to end; NULL: nobody */
	int64_t merged_into;	/* 0: into none */
};

#define JOB_INIT { .id = 0 }

void job_release(struct job *j);		/* neutral values accepted */

struct job_list {
	struct job *v;
	size_t n;
};

#define JOB_LIST_INIT { NULL, 0 }

void job_list_release(struct job_list *l);	/* neutral values accepted */

struct queue;

/*
 * Open the queue that `where` names: a directory, postgresql://..., NULL for
 * the default directory.  `make`: one that is not there yet; else that is an
 * error with ENOENT in e->sys.  A locked one is waited for `wait` seconds.
 */
struct queue *queue_open(const char *where, bool make, int64_t wait,
    struct err *e);
void queue_close(struct queue *q);		/* NULL accepted */

/* ---- asking ------------------------------------------------------------- */

struct queue_request {
	const char *site;	/* one that the configuration knows */
	const char *ref;	/* queue_check_ref(); NULL: what is newest */
	const char *reason;	/* NULL: none */
	const char *who;
	int64_t priority;
	int64_t settle;		/* seconds to wait for further requests */
};

/* May it be a ref: a commit, a branch?  0 or -1 with ERR_USAGE. */
int queue_check_ref(const char *ref, struct err *e);

/*
 * Ask for a build.  `job` is the one that will do it: a new one, or, when
 * requests > 1, the one that waits already.
 */
int queue_enqueue(struct queue *q, const struct queue_request *r,
    struct job *job, struct err *e);

/* ---- looking ------------------------------------------------------------ */

/* The job of that number.  0; -1, with ERR_USAGE when there is none. */
int queue_get(struct queue *q, int64_t id, struct job *job, struct err *e);

/* The job of that site that counts: running, else waiting, else the last. */
int queue_find(struct queue *q, const char *site, struct job *job,
    struct err *e);

/*
 * What runs, what waits in the order in which it will be done, what failed
 * and what is done, newest first; `ended` of these at most.
 */
int queue_list(struct queue *q, int64_t ended, struct job_list *out,
    struct err *e);

/* ---- changing; `why` not: ERR_USAGE, ERR_LOCKED ------------------------- */

/* Do a failed job again, or one that waits for its next try now. */
int queue_retry(struct queue *q, int64_t id, struct err *e);

/* Remove one that does not run. */
int queue_remove(struct queue *q, int64_t id, struct err *e);

/* Ask the worker to end a running one. */
int queue_stop(struct queue *q, int64_t id, const char *who, struct err *e);

/* For one that waits. */
int queue_set_priority(struct queue *q, int64_t id, int64_t priority,
    struct err *e);

/* ---- working ------------------------------------------------------------ */

struct queue_worker {
	const char *name;	/* for people */
	const char *host;	/* where processes of a job can be found */
	int64_t max_jobs;	/* at once, by all workers; 0: no limit */
	const char *site;	/* of this site only; NULL: all */
	/* Has it that job in hand?  Asked of all that run. */
	bool (*has)(void *ctx, const struct job *job);
	void *ctx;
};

/*
 * Claim the job that is to be done next.  1, `job` and its claim; 0: there is
 * none, and `busy` says that one was in somebody's hands just now, so that it
 * is worth while to look again in a second; -1.
 */
int queue_claim(struct queue *q, const struct queue_worker *w,
    struct job *job, struct queue_claim *claim, bool *busy, struct err *e);

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
 * done, failed, or waiting for the next try.  When the claim was lost and
 * somebody else has the job, nothing is changed, which is no error.
 */
int queue_finish(struct queue *q, struct job *job,
    const struct queue_result *r, struct err *e);

/* Put a claimed job back as if it had not been begun. */
int queue_return(struct queue *q, struct job *job, struct err *e);

/*
 * Put back what dead workers had.  `left` is called for each before, to end
 * what its processes may have left.  `others`: are there jobs in the hands of
 * other workers, so that it is to be called again in some seconds?
 */
int queue_recover(struct queue *q, const struct queue_worker *w,
    void (*left)(const struct job *job), bool *others, struct err *e);

/* Milliseconds until a waiting job is due; -1: there is none. */
int queue_next(struct queue *q, int64_t *ms, struct err *e);

/* Forget the oldest of those that are done, and of those that failed. */
int queue_prune(struct queue *q, int64_t keep, struct err *e);

/*
 * A descriptor for poll(2) that is readable when something has changed, or -1
 * where there is none; and queue_heed() makes it unreadable: 1 when something
 * has changed, to be asked before each wait; 0; -1: open the queue again.
 */
int queue_listen(struct queue *q, struct err *e);
int queue_heed(struct queue *q, struct err *e);

/* The directory for logs where no other is configured; the caller frees. */
char *queue_logs(const char *where, struct err *e);

#endif
