/*
 * A job of the queue, and how it is read from a row of its table.
 */
#ifndef JOB_H
#define JOB_H

#include <stddef.h>
#include <stdint.h>

#include "queue/queue_db.h"

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
	char *refs;		/* of all requests, a line each, the newest
				 * last; NULL: none */
	int64_t turn;		/* of its last try among those of its site;
				 * see SQL_TURN */
	bool was_bad;		/* the last try of the site before this one
				 * failed; set by queue_finish() alone */
};

#define JOB_INIT { .id = 0 }

/* The word for what came of a try: done, well-again, retrying, failed. */
const char *job_event(const struct job *j);

void job_release(struct job *j);		/* neutral values accepted */

struct job_list {
	struct job *v;
	size_t n;
};

#define JOB_LIST_INIT { NULL, 0 }

void job_list_release(struct job_list *l);	/* neutral values accepted */

/* The columns of the table deploy_jobs, in the order of the struct. */
#define JOB_COLUMNS \
	"id, site, state, priority, ref, reason, who, requests, created, " \
	"due, started, ended, tries, deaths, status, message, tail, worker, " \
	"host, token, stopped_by, merged_into, refs, turn"

/* Fill an empty job, or append to a list, from rows of JOB_COLUMNS. */
void job_read(const struct queue_rows *rows, size_t row, struct job *j);
void job_list_read(const struct queue_rows *rows, struct job_list *out);

#endif
