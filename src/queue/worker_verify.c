#include "queue/worker_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/io.h"
#include "os/log.h"
#include "queue/joblog.h"
#include "queue/queue_dir.h"
#include "queue/worker_slot.h"
#include "queue/worker_state.h"

enum { LOOK_MS = 60 * 1000 }; /* between looks for what is due, at most */

static int64_t
interval(const struct worker *w)
{
	return w->config.worker.verify;
}

void
worker_verify_clear(struct worker_verify *v)
{
	jobrun_release(&v->run);
	if (v->lock >= 0)
		close(v->lock);
	free(v->site);
	*v = (struct worker_verify)WORKER_VERIFY_INIT;
}

/* Did nobody look for so long, or not at all, as a clock that went back says? */
static bool
is_due(int fd, int64_t seconds)
{
	int64_t now = clock_now() / 1000;
	struct stat st;

	return fstat(fd, &st) == 0 &&
	    (now - st.st_mtime >= seconds || st.st_mtime - now >= seconds);
}

/*
 * The locked file of the site, when it is due.  The first time begins when the
 * file is made.  The descriptor; -1: not due, or somebody is at it.
 */
static int
take_due(struct worker *w, const struct dir *dir, const char *site)
{
	char *name = xasprintf("verify-%s", site);
	struct err e = ERR_INIT;
	int fd = queue_dir_file(dir, name, O_RDWR, &e);

	free(name);
	if (fd < 0) {
		log_warn("%s", e.text);
		return -1;
	}
	/* Who had it may have ended in between. */
	if (io_flock(fd, LOCK_EX | LOCK_NB) == 0 && is_due(fd, interval(w)) &&
	    futimens(fd, NULL) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
begin(struct worker *w, const char *site, int lock)
{
	const struct jobrun_options o = worker_run_options(w, NULL);
	struct worker_verify *v = &w->verify;
	struct err e = ERR_INIT;

	v->site = xstrdup(site);
	v->lock = lock;
	if (jobrun_verify(&v->run, site, lock, &o, &e) == 0)
		return;
	log_warn("%s: verify: %s", site, e.text);
	worker_verify_clear(v);
}

/* The first site that is due. */
static void
look(struct worker *w)
{
	struct worker_verify *v = &w->verify;
	struct dir dir = DIR_INIT;
	struct err e = ERR_INIT;
	int lock = -1;

	v->look_at = clock_ms() +
	    (interval(w) * 1000 < LOOK_MS ? interval(w) * 1000 : LOOK_MS);
	if (joblog_dir(&dir, w->logs, &e) != 0) {
		log_warn("%s", e.text);
		return;
	}
	for (size_t i = 0; lock < 0 && i < w->sites.n; i++) {
		lock = take_due(w, &dir, w->sites.v[i]);
		if (lock >= 0)
			begin(w, w->sites.v[i], lock);
	}
	dir_close(&dir);
}

/* What came of it. */
static void
end(struct worker *w)
{
	struct worker_verify *v = &w->verify;
	struct buf reason = BUF_INIT;
	struct err e = ERR_INIT;
	size_t n;
	pid_t *keep = worker_other_children(w, &v->run, &n);
	int status = jobrun_reap(&v->run, keep, n, &e);

	jobrun_reason(&v->run, &reason);
	log_set_field(LOG_SITE, v->site);
	if (status == 0)
		log_info("%s: what is live is intact", v->site);
	else if (reason.len > 0)
		log_warn("%s: verify: %s", v->site, reason.data);
	else
		log_warn("%s: verify: status %d", v->site, status);
	log_set_field(LOG_SITE, NULL);
	buf_release(&reason);
	free(keep);
	worker_verify_clear(v);
	/* Another site may be due. */
	v->look_at = 0;
}

void
worker_verify_serve(struct worker *w)
{
	struct worker_verify *v = &w->verify;

	if (v->site != NULL) {
		if (jobrun_serve(&v->run))
			end(w);
	} else if (interval(w) > 0 && !w->stopping && !w->o->once &&
	    clock_ms() >= v->look_at) {
		look(w);
	}
}

int64_t
worker_verify_patience(const struct worker *w, int64_t most)
{
	const struct worker_verify *v = &w->verify;
	int64_t ms = most;

	if (v->site != NULL)
		ms = jobrun_patience(&v->run);
	else if (interval(w) > 0 && !w->o->once)
		ms = v->look_at - clock_ms();
	return ms < most ? ms : most;
}

void
worker_verify_stop(struct worker *w)
{
	if (w->verify.site != NULL)
		jobrun_stop(&w->verify.run, "the worker was stopped");
}
