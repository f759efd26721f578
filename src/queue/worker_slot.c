#include "queue/worker_slot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/duration.h"
#include "os/log.h"
#include "queue/joblog.h"

enum {
	RECORD_TRIES = 5, /* of a result, when we are to end */
	TAIL = 4000,	  /* bytes of a log that the queue keeps */
};

/* What is said from now on is about that job, or, NULL, about none. */
static void
say_of(const struct job *j)
{
	char id[24];

	snprintf(id, sizeof(id), "%lld", j != NULL ? (long long)j->id : 0);
	log_set_field(LOG_JOB, j != NULL ? id : NULL);
	log_set_field(LOG_SITE, j != NULL ? j->site : NULL);
}

void
worker_slot_clear(struct worker_slot *s)
{
	queue_unclaim(NULL, &s->claim);
	jobrun_release(&s->run);
	job_release(&s->job);
	buf_release(&s->reason);
	free(s->stopped_by);
	*s = (struct worker_slot)WORKER_SLOT_INIT;
}

/* Forget a job; its claim, if there is one, lapses. */
static void
drop(struct worker *w, struct worker_slot *s)
{
	queue_unclaim(w->queue, &s->claim);
	worker_slot_clear(s);
	worker_look_within(w, 0);
}

void
worker_slot_begin(struct worker *w, struct worker_slot *s)
{
	struct dir logs = DIR_INIT;
	struct jobrun_options o = worker_run_options(w, &logs);
	struct strvec items = STRVEC_INIT;
	struct err e = ERR_INIT;

	say_of(&s->job);
	if (joblog_dir(&logs, w->logs, &e) != 0)
		log_warn("%s; there are no logs", e.text);
	e = (struct err)ERR_INIT;
	s->phase = SLOT_WORKING;
	o.items = &items;
	if (queue_items(w->queue, s->job.id, &items, &e) == 0 &&
	    jobrun_start(&s->run, &s->job, s->claim.fd, &o, &e) == 0) {
		log_info("job %lld: %s%s%s", (long long)s->job.id, s->job.site,
		    s->job.ref != NULL ? ", " : "",
		    s->job.ref != NULL ? s->job.ref : "");
	} else {
		s->phase = SLOT_RECORDING;
		s->status = ERR_FAILED;
		buf_adds(&s->reason, e.text);
		worker_look_within(w, 0);
	}
	say_of(NULL);
	strvec_release(&items);
	dir_close(&logs);
}

/* Is it live, or not meant to be?  Then it is not tried again. */
static bool
is_good(int status)
{
	return status == 0 || status == ERR_CLEANUP ||
	    status == ERR_SUPERSEDED;
}

/* Say what came of a try. */
static void
tell(const struct worker_slot *s)
{
	const struct job *j = &s->job;
	long long id = (long long)j->id;
	int64_t ms = j->ended - j->started;
	char span[DURATION_LEN];

	if (j->state == JOB_DONE)
		log_info("job %lld: %s: done in %.1f s%s%s", id, j->site,
		    (double)ms / 1000, s->reason.len > 0 ? ": " : "",
		    buf_str(&s->reason));
	else if (j->state == JOB_FAILED)
		log_warn(
		    "job %lld: %s: failed: %s; see 'deploy jobs log %lld'", id,
		    j->site, buf_str(&s->reason), id);
	else {
		duration_format(j->due - j->ended, span);
		log_warn(
		    "job %lld: %s: try %lld failed: %s; the next one is in %s",
		    id, j->site, (long long)j->tries, buf_str(&s->reason),
		    span);
	}
}

/* Old jobs and old logs go. */
static void
prune(struct worker *w)
{
	struct dir logs = DIR_INIT;
	struct err e = ERR_INIT;

	if (queue_prune(w->queue, w->config.worker.keep, &e) != 0 ||
	    (w->logs != NULL &&
		(joblog_dir(&logs, w->logs, &e) != 0 ||
		    joblog_prune(&logs, w->config.worker.keep, &e) != 0)))
		log_warn("%s", e.text);
	dir_close(&logs);
}

/* Begin the next notification.  1: it runs; 0: there is none; -1. */
static int
next_notification(struct worker *w, struct worker_slot *s, struct err *e)
{
	struct jobrun_options o = worker_run_options(w, NULL);

	if (w->stopping)
		return 0;
	if (w->config.worker.notify != NULL && !s->commanded) {
		s->commanded = true;
		return jobrun_notify(&s->run, &s->job, &o, e) == 0 ? 1 : -1;
	}
	if (w->config.worker.notify_url != NULL && !s->posted) {
		s->posted = true;
		return jobrun_post(&s->run, &s->job, &o, e) == 0 ? 1 : -1;
	}
	return 0;
}

/* The try is recorded: tell whoever wants to know, one after the other. */
static void
notify(struct worker *w, struct worker_slot *s)
{
	int r;

	do {
		struct err e = ERR_INIT;

		jobrun_release(&s->run);
		r = next_notification(w, s, &e);
		if (r < 0)
			log_warn("notify: %s", e.text);
	} while (r < 0);
	if (r > 0)
		s->phase = SLOT_NOTIFYING;
	else
		drop(w, s);
}

/* A notification has ended. */
static void
end_notification(struct worker *w, struct worker_slot *s)
{
	struct buf reason = BUF_INIT;

	jobrun_reason(&s->run, &reason);
	if (s->status != 0 && reason.len > 0)
		log_warn("notify: %s", reason.data);
	else if (s->status != 0)
		log_warn("notify: status %d", s->status);
	buf_release(&reason);
	notify(w, s);
}

/* What is to be recorded of an ended try. */
static struct queue_result
result_of(const struct worker *w, struct worker_slot *s)
{
	struct queue_result r = { .good = is_good(s->status),
		.last = s->stopped_by != NULL,
		.status = s->status,
		.retry = w->config.worker.retry };

	if (s->stopped_by != NULL && !r.good) {
		buf_reset(&s->reason);
		buf_addf(&s->reason, "stopped by %s", s->stopped_by);
	}
	if (s->reason.len == 0 && s->status > 128)
		buf_addf(&s->reason, "ended by signal %d", s->status - 128);
	else if (s->reason.len == 0 && s->status != 0)
		buf_addf(&s->reason, "status %d", s->status);
	r.message = s->reason.len > 0 ? s->reason.data : NULL;
	r.tail = joblog_tail(&s->run.log, TAIL, &r.tail_len);
	return r;
}

/*
 * Tell the queue how a try ended; again later if that fails.  Until then it
 * is claimed, so that nobody does it a second time.
 */
static void
record(struct worker *w, struct worker_slot *s)
{
	struct queue_result r = result_of(w, s);
	bool back =
	    !r.good && s->stopped_by == NULL && (w->stopping || s->lost);
	struct err e = ERR_INIT, cut = ERR_INIT;
	int ret = worker_open_queue(w, &e);

	/* Who follows the log stops reading when the queue says so. */
	if (joblog_finish(&s->run.log, &cut) != 0)
		log_warn("job %lld: %s: %s", (long long)s->job.id, s->job.site,
		    cut.text);
	if (ret == 0)
		ret = back ? queue_return(w->queue, &s->job, &e) :
			     queue_finish(w->queue, &s->job, &r, &e);
	if (ret < 0) {
		worker_trouble(w, &e);
		/* Others find it without a claim, and do it again. */
		if (w->stopping && ++s->record_tries >= RECORD_TRIES)
			worker_slot_clear(s);
		return;
	}
	queue_unclaim(w->queue, &s->claim);
	worker_look_within(w, 0);
	if (ret == 0) {
		log_warn(
		    "job %lld: %s: it is in other hands since; what came of it here is not recorded",
		    (long long)s->job.id, s->job.site);
		drop(w, s);
		return;
	}
	if (back) {
		log_info("job %lld: %s: put back", (long long)s->job.id,
		    s->job.site);
		drop(w, s);
		return;
	}
	w->failed += !r.good;
	w->metrics.look_at = 0;
	tell(s);
	prune(w);
	notify(w, s);
}

pid_t *
worker_other_children(const struct worker *w, const struct jobrun *but,
    size_t *n)
{
	pid_t *out = xcalloc(w->n + 2, sizeof(*out));
	const struct jobrun *more[] = { &w->verify.run, &w->metrics.run };

	*n = 0;
	for (size_t i = 0; i < w->n; i++)
		if (&w->slots[i].run != but && w->slots[i].run.child.pid > 0)
			out[(*n)++] = w->slots[i].run.child.pid;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		if (more[i] != but && more[i]->child.pid > 0)
			out[(*n)++] = more[i]->child.pid;
	return out;
}

/* A child has ended: what came of it? */
static void
reap(struct worker *w, struct worker_slot *s)
{
	struct err e = ERR_INIT;
	size_t n;
	pid_t *keep = worker_other_children(w, &s->run, &n);

	s->status = jobrun_reap(&s->run, keep, n, &e);
	free(keep);
	if (s->phase == SLOT_NOTIFYING) {
		end_notification(w, s);
		return;
	}
	if (s->status < 0)
		buf_adds(&s->reason, e.text);
	else if (s->status != 0)
		jobrun_reason(&s->run, &s->reason);
	s->phase = SLOT_RECORDING;
	record(w, s);
}

/* Is the claim still ours?  If not, somebody else may have it soon. */
static void
check_claim(struct worker_slot *s)
{
	if (s->lost || !queue_claim_is_lost(&s->claim))
		return;
	s->lost = true;
	log_warn("job %lld: %s: the database has gone, and the claim with it",
	    (long long)s->job.id, s->job.site);
	jobrun_stop(&s->run, "the claim was lost");
}

static void
serve(struct worker *w, struct worker_slot *s)
{
	if (s->phase == SLOT_WORKING)
		check_claim(s);
	if ((s->phase == SLOT_WORKING || s->phase == SLOT_NOTIFYING) &&
	    jobrun_serve(&s->run))
		reap(w, s);
	else if (s->phase == SLOT_RECORDING && clock_ms() >= w->look_at)
		record(w, s);
}

void
worker_slot_serve(struct worker *w, struct worker_slot *s)
{
	if (s->phase == SLOT_IDLE)
		return;
	say_of(&s->job);
	serve(w, s);
	say_of(NULL);
}
