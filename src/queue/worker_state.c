#include "queue/worker_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "os/log.h"
#include "queue/registry.h"

enum {
	TROUBLE_MS = 3000, /* the queue could not be used */
	QUEUE_WAIT = 10,   /* seconds, for a locked queue */
};

void
worker_look_within(struct worker *w, int64_t ms)
{
	int64_t at = clock_ms() + ms;

	if (at < w->look_at)
		w->look_at = at;
}

void
worker_trouble(struct worker *w, const struct err *e)
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

int
worker_open_queue(struct worker *w, struct err *e)
{
	struct err silent = ERR_INIT;

	if (w->queue != NULL)
		return 0;
	w->queue = queue_open(w->where, true, QUEUE_WAIT, e);
	if (w->queue == NULL)
		return -1;
	w->entered = false;
	if (w->trouble.code != ERR_OK)
		log_info("the queue can be used again");
	w->trouble = (struct err)ERR_INIT;
	if (!w->o->once && queue_listen(w->queue, &silent) < 0)
		log_warn("%s; looking every %d s only", silent.text,
		    WORKER_SAFETY_MS / 1000);
	return 0;
}

/* The machine, as people call it: what stands before the '/' of w->host. */
static char *
machine(const struct worker *w)
{
	return xstrndup(w->host, strcspn(w->host, "/"));
}

int
worker_enter(struct worker *w, struct err *e)
{
	char *host;
	int r;

	if (w->entered && clock_ms() < w->beat_at)
		return 0;
	w->beat_at = clock_ms() + REGISTRY_BEAT_MS;
	if (w->entered) {
		r = registry_beat(w->queue, w->id.text, w->sites.n, e);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	host = machine(w);
	r = registry_enter(w->queue,
	    &(struct registry_entry){ .id = w->id.text,
		.name = w->name,
		.host = host,
		.since = w->since,
		.sites = &w->sites },
	    e);
	w->entered = r == 0;
	free(host);
	return r;
}

void
worker_leave(struct worker *w)
{
	struct err e = ERR_INIT;

	if (w->queue != NULL && w->entered &&
	    registry_leave(w->queue, w->id.text, &e) != 0)
		log_warn("%s", e.text);
	w->entered = false;
}

struct jobrun_options
worker_run_options(const struct worker *w, const struct dir *logs)
{
	return (struct jobrun_options){ .config = &w->config,
		.logs = logs,
		.worker = w->name,
		.lock_wait = w->o->lock_wait,
		.timeout = w->o->timeout,
		.verbose = w->o->verbose };
}
