#include "queue/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const states[] = { "waiting", "running", "done", "failed",
	"merged" };

const char *
job_state_name(enum job_state state)
{
	return states[state];
}

const char *
job_event(const struct job *j)
{
	if (j->state == JOB_DONE)
		return j->was_bad ? "well-again" : "done";
	return j->state == JOB_WAITING ? "retrying" : "failed";
}

void
job_release(struct job *j)
{
	free(j->site);
	free(j->ref);
	free(j->reason);
	free(j->who);
	free(j->message);
	free(j->tail);
	free(j->worker);
	free(j->host);
	free(j->token);
	free(j->stopped_by);
	free(j->refs);
	*j = (struct job)JOB_INIT;
}

void
job_list_release(struct job_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		job_release(&l->v[i]);
	free(l->v);
	*l = (struct job_list)JOB_LIST_INIT;
}

static enum job_state
state_of(const char *name)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (name != NULL && strcmp(states[i], name) == 0)
			return (enum job_state)i;
	/* Not to be touched. */
	return JOB_MERGED;
}

void
job_read(const struct queue_rows *rows, size_t row, struct job *j)
{
	const char *const *t =
	    (const char *const *)&rows->cells[row * rows->width];

	*j = (struct job){
		.id = queue_rows_int(rows, row, 0),
		.site = xstrdup(t[1] != NULL ? t[1] : ""),
		.state = state_of(t[2]),
		.priority = queue_rows_int(rows, row, 3),
		.ref = xstrdup_opt(t[4]),
		.reason = xstrdup_opt(t[5]),
		.who = xstrdup_opt(t[6]),
		.requests = queue_rows_int(rows, row, 7),
		.created = queue_rows_int(rows, row, 8),
		.due = queue_rows_int(rows, row, 9),
		.started = queue_rows_int(rows, row, 10),
		.ended = queue_rows_int(rows, row, 11),
		.tries = queue_rows_int(rows, row, 12),
		.deaths = queue_rows_int(rows, row, 13),
		.status = queue_rows_int(rows, row, 14),
		.message = xstrdup_opt(t[15]),
		.tail = xstrdup_opt(t[16]),
		.worker = xstrdup_opt(t[17]),
		.host = xstrdup_opt(t[18]),
		.token = xstrdup_opt(t[19]),
		.stopped_by = xstrdup_opt(t[20]),
		.merged_into = queue_rows_int(rows, row, 21),
		.refs = xstrdup_opt(t[22]),
		.turn = queue_rows_int(rows, row, 23),
	};
}

void
job_list_read(const struct queue_rows *rows, struct job_list *out)
{
	size_t n = queue_rows_count(rows);

	out->v = xreallocarray(out->v, out->n + n + 1, sizeof(*out->v));
	for (size_t i = 0; i < n; i++)
		job_read(rows, i, &out->v[out->n++]);
}
