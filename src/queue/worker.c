#include "queue/worker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "config/config_file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/sdnotify.h"
#include "os/strays.h"
#include "queue/fifo.h"
#include "queue/jobrun.h"
#include "queue/queue_work.h"
#include "queue/worker_slot.h"
#include "queue/worker_state.h"

enum {
	/* Looking without being woken, because: */
	OTHERS_MS = 2000,  /* others work, and may die */
	BUSY_MS = 500,	   /* a site was in somebody's hands */
	BROKEN_MS = 2000,  /* deploy.yml is, and may be mended */
	PARTIAL_MS = 1000, /* half a line in the FIFO has no other half */

	STOP_NOTIFY_MS = 3000, /* for a notification, when we are to end */
};

/* ---- the configuration ------------------------------------------------- */

/*
 * The sites whose jobs we do: those of the configuration or, of these, those
 * that were named.
 */
static void
list_sites(struct worker *w)
{
	const struct release_id before = w->id;
	struct strvec fresh = STRVEC_INIT;

	for (size_t i = 0; i < w->config.n; i++) {
		const char *name = w->config.sites[i].name;

		if (w->o->sites->n == 0 || strvec_has(w->o->sites, name))
			strvec_add(&fresh, name);
	}
	/* Who asks for a site that went is told when it was last known. */
	for (size_t i = 0; i < w->sites.n; i++)
		if (!strvec_has(&fresh, w->sites.v[i])) {
			worker_leave(w);
			release_id_new(&w->id, &before);
			break;
		}
	strvec_release(&w->sites);
	w->sites = fresh;
	w->entered = false;
}

/* Is it another file than that of the last look?  And is it there? */
static bool
is_changed(struct worker *w, bool *there)
{
	const struct stat old = w->config_stat;
	struct stat *st = &w->config_stat;

	*st = (struct stat){ 0 };
	*there = stat(w->config.path, st) == 0;
	return st->st_mtim.tv_sec != old.st_mtim.tv_sec ||
	    st->st_mtim.tv_nsec != old.st_mtim.tv_nsec ||
	    st->st_ino != old.st_ino || st->st_size != old.st_size;
}

/* Where the logs are, as it says; NULL: there is no place. */
static char *
logs_of(const struct config *c, struct err *e)
{
	return c->worker.logs != NULL ? xstrdup(c->worker.logs) :
					queue_logs(c->queue, e);
}

static bool
differ(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

/* Say so when the file has other values for what counts when we begin. */
static void
warn_of_restart(const struct worker *w)
{
	struct err ignored = ERR_INIT;
	char *logs = logs_of(&w->config, &ignored);

	if (differ(w->config.queue, w->where) || differ(logs, w->logs) ||
	    (w->o->jobs == 0 && w->config.worker.jobs != w->n))
		log_warn(
		    "this worker goes on with the queue, 'logs' and 'jobs' that it began with; '%s' has others; restart it",
		    w->config.path);
	free(logs);
}

/*
 * Read the file again when it is another one.  While it is broken, or not
 * there, jobs wait: each of them would read it, and fail.
 */
static void
reload(struct worker *w)
{
	struct config fresh = CONFIG_INIT;
	struct err e = ERR_INIT;
	bool there;

	if (!is_changed(w, &there))
		return;
	w->broken = true;
	if (!there)
		err_set(&e, ERR_USAGE, "'%s' is gone", w->config.path);
	if (!there || config_load(&fresh, w->o->config, &e) != 0 ||
	    fresh.path == NULL) {
		log_warn("%s; no job is begun until that is mended", e.text);
		return;
	}
	w->broken = false;
	config_release(&w->config);
	w->config = fresh;
	list_sites(w);
	worker_look_within(w, 0);
	log_info("read '%s' again", w->config.path);
	warn_of_restart(w);
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
			worker_trouble(w, &e);
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
		log_warn("FIFO: %s",
		    TEXT_COUNT(w->lines.dropped - w->dropped,
			"line is no name", "lines are no names"));
	w->dropped = w->lines.dropped;
	if (w->asked.n > 0 && w->queue != NULL)
		enqueue_asked(w);
}

/* ---- looking into the queue -------------------------------------------- */

/* Does a slot have that job?  And does somebody want it to end? */
static bool
has_job(void *ctx, const struct job *job)
{
	struct worker *w = ctx;

	for (size_t i = 0; i < w->n; i++) {
		struct worker_slot *s = &w->slots[i];

		if (s->phase == SLOT_IDLE || s->job.token == NULL ||
		    strcmp(s->job.token, job->token) != 0)
			continue;
		if (job->stopped_by != NULL && s->phase == SLOT_WORKING &&
		    s->stopped_by == NULL) {
			s->stopped_by = xstrdup(job->stopped_by);
			jobrun_stop(&s->run, "stopped");
		}
		return true;
	}
	return false;
}

/* That is about one site: told once, and the others go on. */
static void
on_barred(void *ctx, const char *site, const struct err *e)
{
	struct worker *w = ctx;

	if (strvec_has(&w->barred, site))
		return;
	strvec_add(&w->barred, site);
	if (w->o->once && !w->has_fatal) {
		*w->fatal = *e;
		w->has_fatal = true;
	} else {
		log_warn("%s", e->text);
	}
}

static struct worker_slot *
find_idle(struct worker *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->slots[i].phase == SLOT_IDLE)
			return &w->slots[i];
	return NULL;
}

/* Claim and start what there is, as many as there are slots.  0 or -1. */
static int
claim_all(struct worker *w, const struct queue_worker *me, struct err *e)
{
	struct worker_slot *s;
	bool busy = false;
	int r = 1;

	w->drained = false;
	while ((s = find_idle(w)) != NULL) {
		r = queue_claim(w->queue, me, &s->job, &s->claim, &busy, e);
		if (r <= 0)
			break;
		worker_slot_begin(w, s);
	}
	if (busy)
		worker_look_within(w, BUSY_MS);
	w->drained = r == 0 && !busy;
	return r < 0 ? -1 : 0;
}

/* Put back what others had when they died, claim, say when to look again. */
static int
look(struct worker *w, struct err *e)
{
	const struct queue_worker me = { .id = w->id.text,
		.name = w->name,
		.host = w->host,
		.max_jobs = w->config.worker.max_jobs,
		.has = has_job,
		.barred = on_barred,
		.ctx = w };
	int64_t due;
	bool others;

	w->look_at = clock_ms() + WORKER_SAFETY_MS;
	if (worker_open_queue(w, e) != 0 || worker_enter(w, e) != 0 ||
	    queue_recover(w->queue, &me, jobrun_end_left, &others, e) != 0)
		return -1;
	if (others)
		worker_look_within(w, OTHERS_MS);
	if (w->broken) {
		w->drained = true;
		worker_look_within(w, BROKEN_MS);
	} else if (!w->stopping && claim_all(w, &me, e) != 0) {
		return -1;
	}
	if (queue_next(w->queue, w->id.text, &due, e) != 0)
		return -1;
	if (due >= 0)
		worker_look_within(w, due);
	return 0;
}

/* ---- waiting ----------------------------------------------------------- */

/* The descriptors to wait for; room for three a slot, and six. */
static nfds_t
list_fds(struct worker *w, struct pollfd *fds)
{
	struct err ignored = ERR_INIT;
	nfds_t n = 0;

	if (w->queue != NULL)
		fds[n++].fd = queue_listen(w->queue, &ignored);
	fds[n++].fd = w->fifo;
	for (size_t i = 0; i < w->n; i++) {
		const struct worker_slot *s = &w->slots[i];

		if (s->phase != SLOT_WORKING && s->phase != SLOT_NOTIFYING)
			continue;
		fds[n++].fd = s->run.pidfd;
		fds[n++].fd = s->run.child.err;
		if (s->claim.session != NULL && !s->lost)
			fds[n++].fd = s->claim.fd;
	}
	if (w->verify.site != NULL) {
		fds[n++].fd = w->verify.run.pidfd;
		fds[n++].fd = w->verify.run.child.err;
	}
	if (w->metrics.runs) {
		fds[n++].fd = w->metrics.run.pidfd;
		fds[n++].fd = w->metrics.run.child.err;
	}
	for (nfds_t i = 0; i < n; i++)
		fds[i].events = POLLIN;
	return n;
}

/* What we are doing, for `systemctl status`. */
static void
describe(const struct worker *w, struct buf *out)
{
	const char *sep = "";

	for (size_t i = 0; i < w->n; i++) {
		const struct worker_slot *s = &w->slots[i];

		if (s->phase == SLOT_IDLE)
			continue;
		buf_addf(out, "%sjob %lld: %s", sep, (long long)s->job.id,
		    s->job.site);
		sep = ", ";
	}
	if (out->len == 0)
		buf_adds(out,
		    w->queue != NULL ? "waiting for jobs" : w->trouble.text);
}

/* Tell the service manager what has changed, and that we live. */
static void
tell_manager(struct worker *w)
{
	int64_t every = sdnotify_watchdog();
	struct buf now = BUF_INIT;

	describe(w, &now);
	if (w->told == NULL || strcmp(w->told, now.data) != 0) {
		free(w->told);
		w->told = xstrdup(now.data);
		sdnotify("STATUS", w->told);
	}
	if (every > 0 && clock_ms() >= w->alive_at) {
		w->alive_at = clock_ms() + every;
		sdnotify("WATCHDOG", "1");
	}
	buf_release(&now);
}

/* How long at most. */
static int64_t
patience(const struct worker *w)
{
	int64_t now = clock_ms(), ms = w->look_at - now;

	if (sdnotify_watchdog() > 0 && w->alive_at - now < ms)
		ms = w->alive_at - now;

	for (size_t i = 0; i < w->n; i++) {
		const struct worker_slot *s = &w->slots[i];
		int64_t left =
		    s->phase == SLOT_WORKING || s->phase == SLOT_NOTIFYING ?
		    jobrun_patience(&s->run) :
		    ms;

		ms = left < ms ? left : ms;
	}
	if (w->partial_at > 0 && ms > PARTIAL_MS)
		ms = PARTIAL_MS;
	ms = worker_verify_patience(w, ms);
	ms = worker_metrics_patience(w, ms);
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
		worker_look_within(w, 0);
	else if (news < 0)
		worker_trouble(w, &e);
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
		sdnotify("STOPPING", "1");
	}
	if (!w->stopping)
		return;
	worker_verify_stop(w);
	worker_metrics_stop(w);
	for (size_t i = 0; i < w->n; i++) {
		struct worker_slot *s = &w->slots[i];

		if (s->phase == SLOT_WORKING)
			jobrun_stop(&s->run, "the worker was stopped");
		else if (s->phase == SLOT_NOTIFYING &&
		    s->run.deadline > clock_ms() + STOP_NOTIFY_MS)
			s->run.deadline = clock_ms() + STOP_NOTIFY_MS;
	}
}

static size_t
count(const struct worker *w, enum worker_phase phase)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->slots[i].phase == phase;
	return n;
}

/* Is there nothing left to do for us? */
static bool
is_over(const struct worker *w)
{
	if (count(w, SLOT_IDLE) < w->n || w->verify.site != NULL ||
	    w->metrics.runs)
		return false;
	return w->stopping || (w->o->once && w->drained);
}

static void
work(struct worker *w, const sigset_t *mask)
{
	struct pollfd *fds = xcalloc(3 * w->n + 6, sizeof(*fds));
	struct err e;

	for (;;) {
		heed_signals(w);
		reload(w);
		read_fifo(w);
		for (size_t i = 0; i < w->n; i++)
			worker_slot_serve(w, &w->slots[i]);
		worker_verify_serve(w);
		worker_metrics_serve(w);
		e = (struct err)ERR_INIT;
		if (clock_ms() >= w->look_at && look(w, &e) != 0)
			worker_trouble(w, &e);
		if (is_over(w))
			break;
		tell_manager(w);
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
	for (size_t i = 0; i < w->o->sites->n; i++)
		if (config_site(&w->config, w->o->sites->v[i], e) == NULL)
			return -1;
	list_sites(w);
	w->where = xstrdup_opt(w->config.queue);
	w->logs = logs_of(&w->config, e);
	/* With a queue elsewhere, jobs go on without. */
	if (w->logs == NULL && w->where == NULL)
		return -1;
	w->name = xasprintf("%s (%ld)", w->o->who, (long)getpid());
	w->host = name_host();
	release_id_new(&w->id, &release_id_none);
	w->since = clock_now();
	w->n = w->o->jobs > 0 ? w->o->jobs : w->config.worker.jobs;
	w->slots = xcalloc(w->n, sizeof(*w->slots));
	for (size_t i = 0; i < w->n; i++)
		w->slots[i] = (struct worker_slot)WORKER_SLOT_INIT;
	if (w->o->fifo != NULL && (w->fifo = fifo_open(w->o->fifo, e)) < 0)
		return -1;
	/* What time does not cure is said at once. */
	if (worker_open_queue(w, e) != 0) {
		if (w->o->once || e->code == ERR_USAGE ||
		    e->code == ERR_INTEGRITY)
			return -1;
		worker_trouble(w, e);
	}
	return 0;
}

static void
release(struct worker *w)
{
	worker_leave(w);
	queue_close(w->queue);
	for (size_t i = 0; i < w->n; i++)
		worker_slot_clear(&w->slots[i]);
	free(w->slots);
	worker_verify_clear(&w->verify);
	worker_metrics_clear(&w->metrics);
	if (w->fifo >= 0)
		close(w->fifo);
	fifo_lines_release(&w->lines);
	strvec_release(&w->barred);
	strvec_release(&w->asked);
	strvec_release(&w->sites);
	free(w->told);
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
		.verify = WORKER_VERIFY_INIT,
		.metrics = WORKER_METRICS_INIT,
		.fifo = -1,
		.lines = FIFO_LINES_INIT,
		.fatal = e };
	sigset_t old;
	int r;

	sdnotify_init();
	r = prepare(&w, e);
	if (r == 0) {
		*e = (struct err)ERR_INIT;
		block_signals(&old);
		strays_adopt(true);
		log_info("worker %s: waiting for jobs", w.name);
		sdnotify("READY", "1");
		work(&w, &old);
		strays_adopt(false);
		(void)sigprocmask(SIG_SETMASK, &old, NULL);
		r = w.has_fatal ? -1 : 0;
	}
	*failed = w.failed;
	release(&w);
	return r;
}
