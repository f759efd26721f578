#include "cmd/queue_steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/release.h"
#include "cmd/cmd.h"
#include "config/config_file.h"

enum { WHEN_LEN = 32 };

int
step_queue_config(struct run *run, struct err *e)
{
	if (run->opts.root != NULL || run->opts.hosts.n > 0)
		return err_set(e, ERR_USAGE,
		    "the queue works with the sites of deploy.yml, without --root and --host");
	if (config_load(&run->config, run->opts.config, e) != 0)
		return -1;
	if (run->config.path == NULL)
		return err_set(e, ERR_USAGE,
		    "there is no deploy.yml here or above;; name one with -c");
	return 0;
}

int
step_queue_open(struct run *run, bool make, struct queue **q, struct err *e)
{
	*q = NULL;
	if (run->config.path == NULL && step_queue_config(run, e) != 0)
		return -1;
	*q = queue_open(run->config.queue, make,
	    run->opts.lock_wait >= 0 ? run->opts.lock_wait : QUEUE_LOCK_WAIT,
	    e);
	if (*q != NULL)
		return 0;
	/* Nothing was ever enqueued. */
	return !make && e->sys == ENOENT ? 0 : -1;
}

void
step_put_time(json_t *doc, const char *key, int64_t ms)
{
	char text[WHEN_LEN];

	release_format_time(ms, text);
	json_put_string(doc, key, ms > 0 ? text : NULL);
}

bool
step_say_nobody(const struct worker_list *workers, const char *site,
    struct buf *out)
{
	const struct worker_seen *last = worker_list_last(workers, site);
	char span[DURATION_LEN];

	if (last != NULL && last->live)
		return false;
	buf_addf(out, "no worker for %s", site);
	if (last == NULL) {
		buf_adds(out, " has been seen");
		return true;
	}
	duration_format(clock_now() - last->seen, span);
	buf_addf(out, "; last seen %s ago on %s", span, last->host);
	return true;
}

/* The lines of a text, NULL for none, as a list. */
static json_t *
lines_doc(const char *text)
{
	json_t *list = json_new_array();

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "\n");
		char *line = xstrndup(text, len);

		json_push_string(list, line);
		free(line);
		text += len + (text[len] == '\n');
	}
	return list;
}

json_t *
step_job_doc(const struct job *job)
{
	bool ended = job->ended > 0;
	json_t *j = json_new_object();

	json_put_int(j, "job", job->id);
	json_put_string(j, "site", job->site);
	json_put_string(j, "state", job_state_name(job->state));
	json_put_int(j, "priority", job->priority);
	json_put_string(j, "ref", job->ref);
	json_put(j, "refs", lines_doc(job->refs));
	json_put_string(j, "reason", job->reason);
	json_put_string(j, "who", job->who);
	json_put_int(j, "requests", job->requests);
	step_put_time(j, "created", job->created);
	step_put_time(j, "due", job->state == JOB_WAITING ? job->due : 0);
	step_put_time(j, "started", job->started);
	step_put_time(j, "ended", job->ended);
	json_put_int(j, "tries", job->tries);
	if (ended)
		json_put_int(j, "status", job->status);
	else
		json_put_null(j, "status");
	json_put_string(j, "message", job->message);
	json_put_string(j, "worker", job->worker);
	if (job->merged_into != 0)
		json_put_int(j, "merged_into", job->merged_into);
	else
		json_put_null(j, "merged_into");
	return j;
}
