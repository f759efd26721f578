/*
 * What the rules of the queue (queue.c, queue_work.c) have in common: their
 * statements and transactions, and changes of a job.
 */
#ifndef QUEUE_SQL_H
#define QUEUE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "queue/job.h"
#include "queue/queue_db.h"

struct queue {
	struct queue_db *db;
};

/*
 * Is a waiting job due, `now` being the parameter with the time?  So it is, too,
 * when something has happened to it in a time that is still to come: the clock
 * was set back since, and nobody shall wait until it is there again.  Clocks of
 * several machines may differ by a minute.
 */
#define SQL_IS_DUE(now) \
	"(due <= " now " OR created > CAST(" now " AS BIGINT) + 60000 OR " \
	"started > CAST(" now " AS BIGINT) + 60000 OR " \
	"ended > CAST(" now " AS BIGINT) + 60000)"

/*
 * Has a try of a job ended, and which of those of its site did so last?  Not the
 * one with the latest time: a clock may have been set back since.  Not the one with
 * the highest number: an older job may have been done again.  `turn` is the time of
 * the end, or, if that is no later than the last turn of the site, the next number
 * after that.  A worker of version 3 of the tables writes `ended` only.  What was
 * merged counts if a try of its own had failed before.
 */
#define SQL_TRIED "ended > 0 AND (state <> 'merged' OR turn > 0)"
#define SQL_TURN "CASE WHEN turn > ended THEN turn ELSE ended END"

/* The parameters $1, $2, ... of a statement. */
struct sql_params {
	const char *v[12];
	char numbers[12][24];
	size_t n;
};

void sql_text(struct sql_params *p, const char *text);	/* borrowed */
void sql_int(struct sql_params *p, int64_t number);

/* Run a statement; `rows` may be NULL.  0 or -1. */
int sql_run(struct queue *q, const char *sql, const struct sql_params *p,
    struct queue_rows *rows, struct err *e) MUST_USE;

/* A statement that gives one job (JOB_COLUMNS) or none.  1, 0, -1. */
int sql_one_job(struct queue *q, const char *sql, const struct sql_params *p,
    struct job *j, struct err *e) MUST_USE;

/* A statement that gives one number; `otherwise` when there is none. */
int sql_one_int(struct queue *q, const char *sql, const struct sql_params *p,
    int64_t otherwise, int64_t *out, struct err *e) MUST_USE;

/*
 * Do `work` in a transaction, again when another one came in between, and
 * wake those who listen.  `alone`: see queue_db.h.  0 or -1.
 */
int sql_transact(struct queue *q, bool alone,
    int (*work)(struct queue *q, void *ctx, struct err *e), void *ctx,
    struct err *e) MUST_USE;

/* Write what of a job changes, but for what asks for it. */
int sql_write_job(struct queue *q, const struct job *j, struct err *e) MUST_USE;

/* The number of the job of a site that waits; 0 when there is none. */
int sql_find_waiting(struct queue *q, const char *site, int64_t *id,
    struct err *e) MUST_USE;

/*
 * Add items to those of the job `id`, which has everything as its items when
 * it has none; `fresh`: it is a new one, which has none yet.  0 or -1.
 */
int sql_add_items(struct queue *q, int64_t id, const struct strvec *items,
    bool fresh, struct err *e) MUST_USE;

/* The items of a job, sorted, are added to `out`.  0 or -1. */
int sql_read_items(struct queue *q, int64_t id, struct strvec *out,
    struct err *e) MUST_USE;

/* Put the refs `more` (lines) after those of a job; NULL: none.  0 or -1. */
int sql_add_refs(struct queue *q, int64_t id, const char *refs,
    const char *more, struct err *e) MUST_USE;

/* Let the waiting job `id` do what `j` was to do. */
int sql_hand_over(struct queue *q, const struct job *j, int64_t id,
    bool merged, struct err *e) MUST_USE;

/*
 * What people write, cut to `max` bytes and without what a table cannot
 * show; NULL for NULL.  The caller frees.
 */
char *sql_clean(const char *text, size_t max);

#endif
