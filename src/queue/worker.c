#include "queue/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "config/config.h"
#include "config/config_file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/strays.h"
#include "queue/fifo.h"
#include "queue/jobrun.h"
#include "queue/queue_work.h"

enum {
	/* Looking without being woken, because: */
	SAFETY_MS = 30 * 1000, /* somebody died before he could wake us */
	OTHERS_MS = 2000,      /* others work, and may die */
	BUSY_MS = 500,	       /* a site was in somebody's hands */
	TROUBLE_MS = 3000,     /* the queue could not be used */
	PARTIAL_MS = 1000,     /* half a line in the FIFO has no other half */

	QUEUE_WAIT = 10,       /* seconds, for a locked queue */
	RECORD_TRIES = 5,      /* of a result, when we are to end */
	TAIL = 4000,	       /* bytes of a log that the queue keeps */
	STOP_NOTIFY_MS = 3000, /* for a notification, when we are to end */
};

/* What a slot is doing. */
enum phase {
	IDLE,
	WORKING,   /* a try runs */
	RECORDING, /* it has ended, and the queue has to be told */
	NOTIFYING, /* the notification runs */
};

struct slot {
	enum phase phase;
	struct job job;
	struct queue_claim claim;
	struct jobrun run;
	char *stopped_by; /* somebody wants it to end */
	bool lost;	  /* the claim */
	int status;
	struct buf reason;
	int record_tries;
};

struct worker {
	const struct worker_options *o;
	struct config config;
	struct stat config_stat;
	char *name, *host;
	char *where; /* the queue; NULL: the default */
	char *logs;
	struct queue *queue; /* NULL: not open */
	struct slot *slots;
	size_t n;
	int fifo;
	struct fifo_lines lines;
	size_t dropped;	     /* lines, that were told */
	struct strvec asked; /* sites that are to be enqueued */
	int64_t partial_at;  /* since when half a line is there; 0: none */
	int64_t look_at;     /* of clock_ms(): look into the queue then */
	struct err trouble;  /* told last, not to repeat it */
	bool drained;	     /* the last look found nothing to do */
	bool stopping;
	size_t failed;
	struct err *fatal; /* with `once` */
	bool has_fatal;
};

/* ---- helpers ----------------------------------------------------------- */

static void
look_within(struct worker *w, int64_t ms)
{
	int64_t at = clock_ms() + ms;

	if (at < w->look_at)
		w->look_at = at;
}

static size_t
count(const struct worker *w, enum phase phase)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->slots[i].phase == phase;
	return n;
}

/*
 * The queue cannot be used: say so, once, and open it again later.  What is
 * only done once is not done at all then.
 */
static void
trouble(struct worker *w, const struct err *e)
{
	if (w->o->once && !w->has_fatal) {
		*w->fatal = *e;
		w->has_fatal = true;
		w->stopping = true;
	}
	if (!w->o->once && strcmp(w->trouble.text, e->text) != 0)
		log_warn("%s; trying again", e->text);
	w->trouble = *e;
	queue_close(w->queue);
	w->queue = NULL;
	w->look_at = clock_ms() + TROUBLE_MS;
}

/* Open the queue, if it is not.  0 or -1. */
static int
open_queue(struct worker *w, struct err *e)
{
	struct err silent = ERR_INIT;

	if (w->queue != NULL)
		return 0;
	w->queue = queue_open(w->where, true, QUEUE_WAIT, e);
	if (w->queue == NULL)
		return -1;
	if (w->trouble.code != ERR_OK)
		log_info("the queue can be used again");
	w->trouble = (struct err)ERR_INIT;
	if (!w->o->once && queue_listen(w->queue, &silent) < 0)
		log_warn("%s; looking every %d s only", silent.text,
		    SAFETY_MS / 1000);
	return 0;
}

static struct jobrun_options
run_options(const struct worker *w, const struct dir *logs)
{
	return (struct jobrun_options){ .config = &w->config,
		.logs = logs,
		.worker = w->name,
		.lock_wait = w->o->lock_wait,
		.timeout = w->o->timeout,
		.verbose = w->o->verbose };
}

/* ---- the configuration ------------------------------------------------- */

/* Read the file again when it is another one; a broken one is not taken. */
static void
reload(struct worker *w)
{
	struct config fresh = CONFIG_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	if (stat(w->config.path, &st) != 0 ||
	    (st.st_mtim.tv_sec == w->config_stat.st_mtim.tv_sec &&
		st.st_mtim.tv_nsec == w->config_stat.st_mtim.tv_nsec &&
		st.st_ino == w->config_stat.st_ino &&
		st.st_size == w->config_stat.st_size))
		return;
	w->config_stat = st;
	if (config_load(&fresh, w->o->config, &e) != 0 || fresh.path == NULL) {
		log_warn("%s; going on as before", e.text);
		return;
	}
	config_release(&w->config);
	w->config = fresh;
	log_info("read '%s' again", w->config.path);
}

/* ---- requests from the FIFO -------------------------------------------- */

/* A line of the FIFO. */
static void
on_name(void *ctx, const char *name)
{
	struct worker *w = ctx;
	struct err e = ERR_INIT;

	if (config_site(&w->config, name, &e) == NULL)
		log_warn("FIFO: %s", e.text);
	else if (!strvec_has(&w->asked, name))
		strvec_add(&w->asked, name);
}

/* Enqueue what the FIFO asked for; what cannot be now stays. */
static void
enqueue_asked(struct worker *w)
{
	struct strvec left = STRVEC_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < w->asked.n; i++) {
		const struct site_config *site =
		    config_site(&w->config, w->asked.v[i], &e);
		struct queue_request r = { .site = w->asked.v[i],
			.who = w->o->who,
			.reason = "FIFO",
			.settle = site != NULL ? site->settle : 0 };
		struct job job = JOB_INIT;

		if (w->queue == NULL) {
			strvec_add(&left, r.site);
		} else if (queue_enqueue(w->queue, &r, &job, &e) != 0) {
			strvec_add(&left, r.site);
			trouble(w, &e);
		}
		job_release(&job);
	}
	strvec_release(&w->asked);
	w->asked = left;
}

/* Take what the FIFO has; a part of it, so that jobs go on. */
static void
read_fifo(struct worker *w)
{
	char data[16384];
	ssize_t n;

	if (w->fifo < 0)
		return;
	n = io_read_some(w->fifo, data, sizeof(data));
	if (n > 0) {
		fifo_feed(&w->lines, data, (size_t)n, on_name, w);
		w->partial_at = clock_ms();
	}
	if (fifo_is_partial(&w->lines) &&
	    clock_ms() - w->partial_at >= PARTIAL_MS)
		fifo_flush(&w->lines, on_name, w);
	if (!fifo_is_partial(&w->lines))
		w->partial_at = 0;
	if (w->lines.dropped > w->dropped)
		log_warn("FIFO: %zu lines are no names",
		    w->lines.dropped - w->dropped);
	w->dropped = w->lines.dropped;
	if (w->asked.n > 0 && w->queue != NULL)
		enqueue_asked(w);
}

/* ---- one slot ---------------------------------------------------------- */

#define SLOT_INIT \
	{ \
		.claim = QUEUE_CLAIM_INIT, .run = JOBRUN_INIT, \
		.reason = BUF_INIT \
	}

static void
clear(struct slot *s)
{
	queue_unclaim(NULL, &s->claim);
	jobrun_release(&s->run);
	job_release(&s->job);
	buf_release(&s->reason);
	free(s->stopped_by);
	*s = (struct slot)SLOT_INIT;
}

/* Forget a job; its claim, if there is one, lapses. */
static void
drop(struct worker *w, struct slot *s)
{
	queue_unclaim(w->queue, &s->claim);
	clear(s);
	look_within(w, 0);
}

/* Start the job that was claimed. */
static void
begin(struct worker *w, struct slot *s)
{
	struct dir logs = DIR_INIT;
	struct jobrun_options o = run_options(w, &logs);
	struct err e = ERR_INIT;

	if (joblog_dir(&logs, w->logs, &e) != 0)
		log_warn("%s; there are no logs", e.text);
	e = (struct err)ERR_INIT;
	s->phase = WORKING;
	if (jobrun_start(&s->run, &s->job, s->claim.fd, &o, &e) == 0) {
		log_info("job %lld: %s%s%s", (long long)s->job.id, s->job.site,
		    s->job.ref != NULL ? ", " : "",
		    s->job.ref != NULL ? s->job.ref : "");
	} else {
		s->phase = RECORDING;
		s->status = ERR_FAILED;
		buf_adds(&s->reason, e.text);
		look_within(w, 0);
	}
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
tell(const struct slot *s)
{
	const struct job *j = &s->job;
	long long id = (long long)j->id;
	int64_t ms = j->ended - j->started;

	if (j->state == JOB_DONE)
		log_info("job %lld: %s: done in %.1f s%s%s", id, j->site,
		    (double)ms / 1000, s->reason.len > 0 ? ": " : "",
		    buf_str(&s->reason));
	else if (j->state == JOB_FAILED)
		log_warn(
		    "job %lld: %s: failed: %s; see 'deploy jobs log %lld'", id,
		    j->site, buf_str(&s->reason), id);
	else
		log_warn(
		    "job %lld: %s: try %lld failed: %s; the next one is in %lld s",
		    id, j->site, (long long)j->tries, buf_str(&s->reason),
		    (long long)(j->due - j->ended) / 1000);
}

/* Old jobs and old logs go. */
static void
prune(struct worker *w)
{
	struct dir logs = DIR_INIT;
	struct err e = ERR_INIT;

	if (queue_prune(w->queue, w->config.worker.keep, &e) != 0 ||
	    joblog_dir(&logs, w->logs, &e) != 0 ||
	    joblog_prune(&logs, w->config.worker.keep, &e) != 0)
		log_warn("%s", e.text);
	dir_close(&logs);
}

/* The try is recorded: tell whoever wants to know. */
static void
notify(struct worker *w, struct slot *s)
{
	struct jobrun_options o = run_options(w, NULL);
	struct err e = ERR_INIT;

	jobrun_release(&s->run);
	if (w->config.worker.notify != NULL && !w->stopping &&
	    jobrun_notify(&s->run, &s->job, &o, &e) == 0) {
		s->phase = NOTIFYING;
		return;
	}
	if (e.code != ERR_OK)
		log_warn("notify: %s", e.text);
	drop(w, s);
}

/* What is to be recorded of an ended try. */
static struct queue_result
result_of(const struct worker *w, struct slot *s)
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
record(struct worker *w, struct slot *s)
{
	struct queue_result r = result_of(w, s);
	bool back =
	    !r.good && s->stopped_by == NULL && (w->stopping || s->lost);
	struct err e = ERR_INIT;
	int ret = open_queue(w, &e);

	if (ret == 0)
		ret = back ? queue_return(w->queue, &s->job, &e) :
			     queue_finish(w->queue, &s->job, &r, &e);
	if (ret != 0) {
		trouble(w, &e);
		/* Others find it without a claim, and do it again. */
		if (w->stopping && ++s->record_tries >= RECORD_TRIES)
			clear(s);
		return;
	}
	queue_unclaim(w->queue, &s->claim);
	look_within(w, 0);
	if (back) {
		log_info("job %lld: %s: put back", (long long)s->job.id,
		    s->job.site);
		drop(w, s);
		return;
	}
	w->failed += !r.good;
	tell(s);
	prune(w);
	notify(w, s);
}

/* A child has ended: what came of it? */
static void
reap(struct worker *w, struct slot *s)
{
	pid_t *keep = xcalloc(w->n, sizeof(*keep));
	struct err e = ERR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		if (&w->slots[i] != s && w->slots[i].run.child.pid > 0)
			keep[n++] = w->slots[i].run.child.pid;
	s->status = jobrun_reap(&s->run, keep, n, &e);
	free(keep);
	if (s->phase == NOTIFYING) {
		if (s->status != 0)
			log_warn("notify: status %d", s->status);
		drop(w, s);
		return;
	}
	if (s->status < 0)
		buf_adds(&s->reason, e.text);
	else if (s->status != 0)
		jobrun_reason(&s->run, &s->reason);
	s->phase = RECORDING;
	record(w, s);
}

/* Is the claim still ours?  If not, somebody else may have it soon. */
static void
check_claim(struct slot *s)
{
	if (s->lost || !queue_claim_is_lost(&s->claim))
		return;
	s->lost = true;
	log_warn("job %lld: %s: the database has gone, and the claim with it",
	    (long long)s->job.id, s->job.site);
	jobrun_stop(&s->run, "the claim was lost");
}

static void
serve(struct worker *w, struct slot *s)
{
	if (s->phase == WORKING)
		check_claim(s);
	if ((s->phase == WORKING || s->phase == NOTIFYING) &&
	    jobrun_serve(&s->run))
		reap(w, s);
	else if (s->phase == RECORDING && clock_ms() >= w->look_at)
		record(w, s);
}

/* ---- looking into the queue -------------------------------------------- */

/* Does a slot have that job?  And does somebody want it to end? */
static bool
has_job(void *ctx, const struct job *job)
{
	struct worker *w = ctx;

	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &w->slots[i];

		if (s->phase == IDLE || s->job.token == NULL ||
		    strcmp(s->job.token, job->token) != 0)
			continue;
		if (job->stopped_by != NULL && s->phase == WORKING &&
		    s->stopped_by == NULL) {
			s->stopped_by = xstrdup(job->stopped_by);
			jobrun_stop(&s->run, "stopped");
		}
		return true;
	}
	return false;
}

static struct slot *
find_idle(struct worker *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->slots[i].phase == IDLE)
			return &w->slots[i];
	return NULL;
}

/* Claim and start what there is, as many as there are slots.  0 or -1. */
static int
claim_all(struct worker *w, const struct queue_worker *me, struct err *e)
{
	struct slot *s;
	bool busy = false;
	int r = 1;

	w->drained = false;
	while ((s = find_idle(w)) != NULL) {
		r = queue_claim(w->queue, me, &s->job, &s->claim, &busy, e);
		if (r <= 0)
			break;
		begin(w, s);
	}
	if (busy)
		look_within(w, BUSY_MS);
	w->drained = r == 0 && !busy;
	return r < 0 ? -1 : 0;
}

/* Put back what others had when they died, claim, say when to look again. */
static int
look(struct worker *w, struct err *e)
{
	const struct queue_worker me = { .name = w->name,
		.host = w->host,
		.max_jobs = w->config.worker.max_jobs,
		.site = w->o->site,
		.has = has_job,
		.ctx = w };
	int64_t due;
	bool others;

	w->look_at = clock_ms() + SAFETY_MS;
	if (open_queue(w, e) != 0 ||
	    queue_recover(w->queue, &me, jobrun_end_left, &others, e) != 0)
		return -1;
	if (others)
		look_within(w, OTHERS_MS);
	if (!w->stopping && claim_all(w, &me, e) != 0)
		return -1;
	if (queue_next(w->queue, &due, e) != 0)
		return -1;
	if (due >= 0)
		look_within(w, due);
	return 0;
}

/* ---- waiting ----------------------------------------------------------- */

/* The descriptors to wait for; room for three a slot, and two. */
static nfds_t
list_fds(struct worker *w, struct pollfd *fds)
{
	struct err ignored = ERR_INIT;
	nfds_t n = 0;

	if (w->queue != NULL)
		fds[n++].fd = queue_listen(w->queue, &ignored);
	fds[n++].fd = w->fifo;
	for (size_t i = 0; i < w->n; i++) {
		const struct slot *s = &w->slots[i];

		if (s->phase != WORKING && s->phase != NOTIFYING)
			continue;
		fds[n++].fd = s->run.pidfd;
		fds[n++].fd = s->run.child.err;
		if (s->claim.session != NULL && !s->lost)
			fds[n++].fd = s->claim.fd;
	}
	for (nfds_t i = 0; i < n; i++)
		fds[i].events = POLLIN;
	return n;
}

/* How long at most. */
static int64_t
patience(const struct worker *w)
{
	int64_t ms = w->look_at - clock_ms();

	for (size_t i = 0; i < w->n; i++) {
		const struct slot *s = &w->slots[i];
		int64_t left = s->phase == WORKING || s->phase == NOTIFYING ?
		    jobrun_patience(&s->run) :
		    ms;

		ms = left < ms ? left : ms;
	}
	if (w->partial_at > 0 && ms > PARTIAL_MS)
		ms = PARTIAL_MS;
	return ms > 0 ? ms : 0;
}

/*
 * Sleep until something happens.  Signals come only here (`mask` is the one
 * without them), so that none is overslept.
 */
static void
wait_for_news(struct worker *w, struct pollfd *fds, const sigset_t *mask)
{
	struct err e = ERR_INIT;
	struct timespec most;
	int64_t ms;
	int news = 0;

	if (w->queue != NULL)
		news = queue_heed(w->queue, &e);
	if (news > 0)
		look_within(w, 0);
	else if (news < 0)
		trouble(w, &e);
	ms = patience(w);
	most = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	(void)ppoll(fds, list_fds(w, fds), &most, mask);
}

/* A signal: jobs are ended and put back. */
static void
heed_signals(struct worker *w)
{
	struct err e = ERR_INIT;

	if (intr_check(&e) != 0 && !w->stopping) {
		log_info("%s: ending", e.text);
		w->stopping = true;
	}
	if (!w->stopping)
		return;
	for (size_t i = 0; i < w->n; i++) {
		struct slot *s = &w->slots[i];

		if (s->phase == WORKING)
			jobrun_stop(&s->run, "the worker was stopped");
		else if (s->phase == NOTIFYING &&
		    s->run.deadline > clock_ms() + STOP_NOTIFY_MS)
			s->run.deadline = clock_ms() + STOP_NOTIFY_MS;
	}
}

/* Is there nothing left to do for us? */
static bool
is_over(const struct worker *w)
{
	if (count(w, IDLE) < w->n)
		return false;
	return w->stopping || (w->o->once && w->drained);
}

static void
work(struct worker *w, const sigset_t *mask)
{
	struct pollfd *fds = xcalloc(3 * w->n + 2, sizeof(*fds));
	struct err e;

	for (;;) {
		heed_signals(w);
		reload(w);
		read_fifo(w);
		for (size_t i = 0; i < w->n; i++)
			serve(w, &w->slots[i]);
		e = (struct err)ERR_INIT;
		if (clock_ms() >= w->look_at && look(w, &e) != 0)
			trouble(w, &e);
		if (is_over(w))
			break;
		wait_for_news(w, fds, mask);
	}
	free(fds);
}

/* ---- beginning and end ------------------------------------------------- */

/* The machine, and the boot: process ids of another one are not ours. */
static char *
name_host(void)
{
	char host[256] = "", boot[64] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	if (f != NULL) {
		if (fgets(boot, sizeof(boot), f) != NULL)
			boot[strcspn(boot, "\n")] = '\0';
		fclose(f);
	}
	return xasprintf("%s/%s", host, boot);
}

/* The configuration, what it says of the queue, and the queue.  0 or -1. */
static int
prepare(struct worker *w, struct err *e)
{
	if (config_load(&w->config, w->o->config, e) != 0)
		return -1;
	if (w->config.path == NULL)
		return err_set(e, ERR_USAGE,
		    "there is no deploy.yml here or above;; name one with -c");
	if (stat(w->config.path, &w->config_stat) != 0)
		return err_sys(e, "cannot look at '%s'", w->config.path);
	if (w->o->site != NULL &&
	    config_site(&w->config, w->o->site, e) == NULL)
		return -1;
	w->where = xstrdup_opt(w->config.queue);
	w->logs = w->config.worker.logs != NULL ?
	    xstrdup(w->config.worker.logs) :
	    queue_logs(w->where, e);
	if (w->logs == NULL)
		return -1;
	w->name = xasprintf("%s (%ld)", w->o->who, (long)getpid());
	w->host = name_host();
	w->n = w->o->jobs > 0 ? w->o->jobs : w->config.worker.jobs;
	w->slots = xcalloc(w->n, sizeof(*w->slots));
	for (size_t i = 0; i < w->n; i++)
		w->slots[i] = (struct slot)SLOT_INIT;
	if (w->o->fifo != NULL && (w->fifo = fifo_open(w->o->fifo, e)) < 0)
		return -1;
	/* What time does not cure is said at once. */
	if (open_queue(w, e) != 0) {
		if (w->o->once || e->code == ERR_USAGE ||
		    e->code == ERR_INTEGRITY)
			return -1;
		trouble(w, e);
	}
	return 0;
}

static void
release(struct worker *w)
{
	queue_close(w->queue);
	for (size_t i = 0; i < w->n; i++)
		clear(&w->slots[i]);
	free(w->slots);
	if (w->fifo >= 0)
		close(w->fifo);
	fifo_lines_release(&w->lines);
	strvec_release(&w->asked);
	free(w->name);
	free(w->host);
	free(w->where);
	free(w->logs);
	config_release(&w->config);
}

/* Let signals come only while we wait; `old` is what it was. */
static void
block_signals(sigset_t *old)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ours, old);
}

int
worker_run(const struct worker_options *o, size_t *failed, struct err *e)
{
	struct worker w = { .o = o,
		.config = CONFIG_INIT,
		.fifo = -1,
		.lines = FIFO_LINES_INIT,
		.fatal = e };
	int r = prepare(&w, e);
	sigset_t old;

	if (r == 0) {
		*e = (struct err)ERR_INIT;
		block_signals(&old);
		strays_adopt(true);
		log_info("worker %s: waiting for jobs", w.name);
		work(&w, &old);
		strays_adopt(false);
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		r = w.has_fatal ? -1 : 0;
	}
	*failed = w.failed;
	release(&w);
	return r;
}
