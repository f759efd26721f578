#include "queue/worker_metrics.h"

#include <stdlib.h>

#include "base/clock.h"
#include "os/log.h"
#include "queue/worker_slot.h"
#include "queue/worker_state.h"

enum { EVERY_MS = 60 * 1000 };

static bool
is_wanted(const struct worker *w)
{
	return w->config.worker.metrics != NULL && !w->o->once;
}

void
worker_metrics_clear(struct worker_metrics *m)
{
	jobrun_release(&m->run);
	*m = (struct worker_metrics)WORKER_METRICS_INIT;
}

static void
begin(struct worker *w)
{
	const struct jobrun_options o = worker_run_options(w, NULL);
	struct worker_metrics *m = &w->metrics;
	struct err e = ERR_INIT;

	m->look_at = clock_ms() + EVERY_MS;
	m->runs = jobrun_metrics(&m->run, w->o->sites, &o, &e) == 0;
	if (!m->runs) {
		log_warn("metrics: %s", e.text);
		jobrun_release(&m->run);
	}
}

/* What came of it; good news is none. */
static void
end(struct worker *w)
{
	struct worker_metrics *m = &w->metrics;
	struct buf reason = BUF_INIT;
	struct err e = ERR_INIT;
	int64_t look_at = m->look_at;
	size_t n;
	pid_t *keep = worker_other_children(w, &m->run, &n);
	int status = jobrun_reap(&m->run, keep, n, &e);

	jobrun_reason(&m->run, &reason);
	if (status != 0 && !w->stopping && reason.len > 0)
		log_warn("metrics: %s", reason.data);
	else if (status != 0 && !w->stopping)
		log_warn("metrics: status %d", status);
	buf_release(&reason);
	free(keep);
	worker_metrics_clear(m);
	m->look_at = look_at;
}

void
worker_metrics_serve(struct worker *w)
{
	struct worker_metrics *m = &w->metrics;

	if (m->runs) {
		if (jobrun_serve(&m->run))
			end(w);
	} else if (is_wanted(w) && !w->stopping && clock_ms() >= m->look_at) {
		begin(w);
	}
}

int64_t
worker_metrics_patience(const struct worker *w, int64_t most)
{
	const struct worker_metrics *m = &w->metrics;
	int64_t ms = most;

	if (m->runs)
		ms = jobrun_patience(&m->run);
	else if (is_wanted(w) && !w->stopping)
		ms = m->look_at - clock_ms();
	return ms < most ? ms : most;
}

void
worker_metrics_stop(struct worker *w)
{
	if (w->metrics.runs)
		jobrun_stop(&w->metrics.run, "the worker was stopped");
}
