#include "fleet/fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include "fleet/cache.h"
#include "fleet/cure.h"
#include "fleet/fleet_content.h"
#include "fleet/fleet_named.h"
#include "fleet/fleet_preview.h"
#include "os/intr.h"
#include "os/log.h"
#include "root/store.h"

void
fleet_init(struct fleet *f, const struct site_config *site,
    const struct caller *c, const struct remote_waits *waits)
{
	static char nothing[] = "";

	f->site = site;
	f->caller = c;
	f->is_here = site->n_hosts == 0;
	f->n = f->is_here ? 1 : site->n_hosts;
	f->here = (struct host_config){ .label = nothing,
		.address = nothing,
		.root = site->root,
		.transport = HOST_LOCAL };
	f->skew_us = -1;
	f->v = xcalloc(f->n, sizeof(*f->v));
	for (size_t i = 0; i < f->n; i++)
		remote_init(&f->v[i], f->is_here ? &f->here : &site->hosts[i],
		    c, waits);
}

void
fleet_release(struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		remote_release(&f->v[i]);
	for (size_t i = 0; f->before != NULL && i < f->n; i++)
		check_before_release(&f->before[i]);
	free(f->before);
	free(f->v);
	fleet_forget_contents(f);
	store_close(&f->store);
	*f = (struct fleet)FLEET_INIT;
}

/*
 * Where the threads wait until all of them are there: with one missing none
 * begins, because steps may wait for each other.
 */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t turn;
	enum { GATE_CLOSED, GATE_OPEN, GATE_CALLED_OFF } state;
};

/* What a thread works on. */
struct job {
	struct gate *gate;
	const struct fleet *f;
	struct remote *r;
	int (*step)(struct remote *r, void *ctx, struct err *e);
	void *ctx;
	pthread_t thread;
	bool started;
};

/* Wait at the gate; false when it is called off. */
static bool
pass(struct gate *g)
{
	bool open;

	pthread_mutex_lock(&g->lock);
	while (g->state == GATE_CLOSED)
		pthread_cond_wait(&g->turn, &g->lock);
	open = g->state == GATE_OPEN;
	pthread_mutex_unlock(&g->lock);
	return open;
}

static void
open_gate(struct gate *g, bool all_there)
{
	pthread_mutex_lock(&g->lock);
	g->state = all_there ? GATE_OPEN : GATE_CALLED_OFF;
	pthread_cond_broadcast(&g->turn);
	pthread_mutex_unlock(&g->lock);
}

static void *
work(void *arg)
{
	struct job *j = arg;
	struct err e = ERR_INIT;

	if (!pass(j->gate))
		return NULL;
	log_set_host(j->r->host->label);
	if (j->step(j->r, j->ctx, &e) != 0) {
		err_ignore(cure_room(j->f, j->r, &e));
		j->r->failed = true;
		j->r->err = e;
	}
	return NULL;
}

size_t
fleet_each(struct fleet *f,
    int (*step)(struct remote *r, void *ctx, struct err *e), void *ctx)
{
	struct job *jobs = xcalloc(f->n, sizeof(*jobs));
	struct gate gate = { PTHREAD_MUTEX_INITIALIZER,
		PTHREAD_COND_INITIALIZER, GATE_CLOSED };
	bool all_there = true;
	size_t failed = 0;

	for (size_t i = 0; i < f->n; i++) {
		jobs[i] = (struct job){ .gate = &gate,
			.f = f,
			.r = &f->v[i],
			.step = step,
			.ctx = ctx };
		if (f->v[i].failed)
			continue;
		errno = pthread_create(&jobs[i].thread, NULL, work, &jobs[i]);
		jobs[i].started = errno == 0;
		if (!jobs[i].started) {
			all_there = false;
			f->v[i].failed = true;
			err_sys(&f->v[i].err,
			    "cannot start a thread for this host");
		}
	}
	open_gate(&gate, all_there);
	for (size_t i = 0; i < f->n; i++) {
		if (jobs[i].started)
			pthread_join(jobs[i].thread, NULL);
		failed += f->v[i].failed;
	}
	free(jobs);
	return failed;
}

void
fleet_forgive(struct fleet *f)
{
	log_set_host(NULL);
	for (size_t i = 0; i < f->n; i++) {
		f->v[i].failed = false;
		f->v[i].err = (struct err)ERR_INIT;
	}
}

/*
 * The labels of the hosts that failed for the same reason as the host `i`,
 * which are told then.
 */
static void
name_same(const struct fleet *f, size_t i, bool *told, struct buf *out)
{
	const char *reason = f->v[i].err.text;

	for (size_t k = i; k < f->n; k++) {
		if (!f->v[k].failed || told[k] ||
		    strcmp(f->v[k].err.text, reason) != 0)
			continue;
		told[k] = true;
		buf_addf(out, "%s%s", k > i ? ", " : "", f->v[k].host->label);
	}
}

/* A line for each reason that was not told yet. */
static void
tell_others(const struct fleet *f, bool *told)
{
	for (size_t i = 0; i < f->n; i++) {
		struct buf labels = BUF_INIT;
		struct err one = f->v[i].err;

		if (!f->v[i].failed || told[i])
			continue;
		name_same(f, i, told, &labels);
		log_set_host(buf_str(&labels));
		err_prefix(&one, "%s: ", buf_str(&labels));
		cure_complete_error(f->caller, &one);
		log_err(&one);
		log_set_host(NULL);
		buf_release(&labels);
	}
}

/* What is wrong with the host `first`, and which others have the same. */
static void
tell_first(const struct fleet *f, size_t first, size_t failed,
    const char *what, struct err *e)
{
	bool *told = xcalloc(f->n, sizeof(*told));
	struct buf labels = BUF_INIT;

	name_same(f, first, told, &labels);
	if (!f->shows_dead)
		tell_others(f, told);
	*e = f->v[first].err;
	err_prefix(e, "%s: ", buf_str(&labels));
	/* It is told last of all, when the command ends. */
	log_set_host(buf_str(&labels));
	if (f->n > 1)
		err_sum_up(e, "%zu of %s failed%s%s", failed,
		    TEXT_COUNT(f->n, "host", "hosts"), *what ? "; " : "",
		    what);
	else if (*what)
		err_sum_up(e, "%s", what);
	buf_release(&labels);
	free(told);
}

int
fleet_fail(const struct fleet *f, const char *what, struct err *e)
{
	size_t first = f->n, failed = 0;

	/* No host is at fault then. */
	if (intr_check(e) != 0)
		return *what ? err_prefix(e, "%s: ", what) : -1;
	for (size_t i = f->n; i-- > 0;)
		if (f->v[i].failed) {
			first = i;
			failed++;
		}
	if (failed == 0)
		return err_set(e, ERR_FAILED, "%s", what);
	if (f->is_here) {
		*e = f->v[first].err;
		return -1;
	}
	tell_first(f, first, failed, what, e);
	return e->code == ERR_UNREACHABLE ? cure_unreachable(f, e) : -1;
}

bool
fleet_serves(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (!release_id_eq(&f->v[i].view.current, id))
			return false;
	return true;
}

bool
fleet_any_flipped(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].flipped)
			return true;
	return false;
}

int
fleet_need_root(const struct fleet *f, struct err *e)
{
	const char *root = f->v[0].host->root;

	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].prepared)
			return 0;
	/* What can be none is not told to become one. */
	if (f->is_here && store_check_new(root, e) != 0)
		return -1;
	if (f->is_here)
		return store_tell_none(root, e);
	err_set(e, ERR_FAILED,
	    "no host has a root of deploy at '%s';; stage a first release, or run: ",
	    root);
	return cure_append(f, e, "init", NULL);
}

static int
connect_to(struct remote *r, void *ctx, struct err *e)
{
	(void)ctx;
	return r->connected ? 0 : remote_open(r, e);
}

/* What is asked. */
struct question {
	enum remote_question kind;
	const char *digest;
	const struct fleet *f;
};

/* Connect, unless that is done, and ask. */
static int
open_and_ask(struct remote *r, void *ctx, struct err *e)
{
	const struct question *q = ctx;

	if (connect_to(r, NULL, e) != 0)
		return -1;
	r->settle = q->f->settle;
	if (remote_info(r, q->kind, q->digest, e) == 0)
		return 0;
	/* One that is lost before anything was done is out of reach. */
	if (!q->f->changed && (e->sys == ECONNRESET || e->sys == ETIMEDOUT))
		e->code = ERR_UNREACHABLE;
	return -1;
}

/* The same when not all is known yet. */
static int
complete(struct remote *r, void *ctx, struct err *e)
{
	return r->full ? 0 : open_and_ask(r, ctx, e);
}

bool
fleet_find_twice(const struct fleet *f, size_t *one, size_t *other)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < i; k++)
			if (f->v[i].place != NULL && f->v[k].place != NULL &&
			    strcmp(f->v[i].place, f->v[k].place) == 0) {
				*one = k;
				*other = i;
				return true;
			}
	return false;
}

/* All steps would be done twice there, and wait for each other. */
static int
check_places(const struct fleet *f, struct err *e)
{
	size_t one, other;

	if (f->changed || !fleet_find_twice(f, &one, &other))
		return 0;
	return err_set(e, ERR_USAGE,
	    "%s'%s' and '%s' are one root, '%s': two names of the same directory on the same machine;; take one of them out of the hosts",
	    f->looks ? "" : "nothing was changed: ", f->v[one].host->label,
	    f->v[other].host->label, f->v[one].host->root);
}

static int
each_or_nothing(struct fleet *f,
    int (*step)(struct remote *r, void *ctx, struct err *e), void *ctx,
    struct err *e)
{
	if (fleet_each(f, step, ctx) == 0)
		return check_places(f, e);
	if (f->changed || f->looks)
		return fleet_fail(f, "", e);
	(void)fleet_fail(f, "nothing was changed", e);
	return cure_failed(f, e);
}

int
fleet_connect(struct fleet *f, struct err *e)
{
	return each_or_nothing(f, connect_to, NULL, e);
}

int
fleet_open(struct fleet *f, bool full, struct err *e)
{
	struct question q = { full ? REMOTE_ALL : REMOTE_STATE, NULL, f };

	return each_or_nothing(f, open_and_ask, &q, e);
}

int
fleet_open_with_drift(struct fleet *f, struct err *e)
{
	struct question q = { REMOTE_DRIFT, NULL, f };

	return each_or_nothing(f, open_and_ask, &q, e);
}

int
fleet_open_unless(struct fleet *f, const char *digest, struct err *e)
{
	struct question q = { REMOTE_ALL_UNLESS, digest, f };

	return each_or_nothing(f, open_and_ask, &q, e);
}

int
fleet_complete(struct fleet *f, struct err *e)
{
	struct question q = { REMOTE_ALL, NULL, f };

	return each_or_nothing(f, complete, &q, e);
}

void
fleet_releases(const struct fleet *f, struct release_ids *out)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].view.ids.n; k++)
			release_ids_add_once(out, &f->v[i].view.ids.v[k]);
	release_ids_sort(out);
}

void
fleet_waiting(const struct fleet *f, struct release_ids *out)
{
	for (size_t i = 0; i < f->n; i++) {
		struct release_ids here = RELEASE_IDS_INIT;

		view_waiting(&f->v[i].view, &here);
		for (size_t k = 0; k < here.n; k++)
			if (!fleet_is_preview(f, &here.v[k]) &&
			    !remote_is_bridge(&f->v[i], &here.v[k]))
				release_ids_add_once(out, &here.v[k]);
		release_ids_release(&here);
	}
	release_ids_sort(out);
}

/* What the word means on one host; none when it means nothing there. */
static const struct release_id *
meaning(const struct remote *r, const char *word)
{
	const struct release_id *previous = view_previous(&r->view);

	if (strcmp(word, "current") == 0)
		return &r->view.current;
	return previous != NULL ? previous : &release_id_none;
}

/*
 * "current" or "previous": the same everywhere, or also "" on some hosts;
 * `strict`: on none.
 */
static const struct release_id *
find_common(const struct fleet *f, const char *word, bool strict,
    struct err *e)
{
	const struct release_id *found = &release_id_none;
	size_t without = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct release_id *id = meaning(&f->v[i], word);

		if (f->v[i].failed)
			continue;
		if (release_id_is_none(id))
			without++;
		else if (release_id_is_none(found))
			found = id;
		else if (!release_id_eq(id, found))
			goto differ;
	}
	if (strict && !release_id_is_none(found) && without > 0)
		goto differ;
	if (!release_id_is_none(found))
		return found;
	view_refuse(word, e);
	return NULL;
differ:
	err_set(e, ERR_DIFFER,
	    "the hosts differ in what is '%s';; to see what each serves, run: ",
	    word);
	cure_append(f, e, "status", NULL);
	return NULL;
}

/* The same id in the list of a host, not in a temporary one. */
static const struct release_id *
own(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; id != NULL && i < f->n; i++)
		for (size_t k = 0; k < f->v[i].view.ids.n; k++)
			if (release_id_eq(&f->v[i].view.ids.v[k], id))
				return &f->v[i].view.ids.v[k];
	return NULL;
}

/* Does any host say that it is a bridge? */
static bool
is_bridge(const struct fleet *f, const struct release_id *id)
{
	bool is = false;

	for (size_t i = 0; i < f->n; i++)
		is |= remote_is_bridge(&f->v[i], id);
	return is;
}

/* The newest that is no preview's, and no bridge; NULL. */
static const struct release_id *
find_latest(const struct fleet *f, const struct release_ids *ids)
{
	for (size_t i = ids->n; i-- > 0;)
		if (!fleet_is_preview(f, &ids->v[i]) &&
		    !is_bridge(f, &ids->v[i]))
			return &ids->v[i];
	return NULL;
}

/* The release that a word means which is not `current` or `previous`. */
static const struct release_id *
find_release(const struct fleet *f, const char *word, struct err *e)
{
	struct release_ids ids = RELEASE_IDS_INIT, named = RELEASE_IDS_INIT;
	const struct release_id *id = NULL;
	struct release_id shown;
	int c = fleet_find_preview(f, word, &shown, e);

	fleet_releases(f, &ids);
	fleet_named(f, word, &named);
	/* It may be the commit of another one, too. */
	if (c > 0)
		release_ids_add_once(&named, &shown);
	if (c > 0 && !release_ids_has(&ids, &shown))
		err_set(e, ERR_USAGE,
		    "the preview '%s' shows %s, which no host has", word,
		    shown.text);
	else if (c >= 0 && strcmp(word, "latest") != 0)
		id = release_match(&ids, &named, word, e);
	else if (c >= 0 && (id = find_latest(f, &ids)) == NULL)
		view_refuse(word, e);
	id = own(f, id);
	release_ids_release(&ids);
	release_ids_release(&named);
	return id;
}

static bool
is_relative(const char *word)
{
	return strcmp(word, "current") == 0 || strcmp(word, "previous") == 0;
}

const struct release_id *
fleet_find(const struct fleet *f, const char *word, struct err *e)
{
	return is_relative(word) ? find_common(f, word, true, e) :
				   find_release(f, word, e);
}

const struct release_id *
fleet_find_on_some(const struct fleet *f, const char *word, struct err *e)
{
	return is_relative(word) ? find_common(f, word, false, e) :
				   find_release(f, word, e);
}

const struct release_id *
fleet_latest_id(const struct fleet *f)
{
	const struct release_id *latest = &release_id_none;

	for (size_t i = 0; i < f->n; i++)
		if (release_id_cmp(&f->v[i].latest, latest) > 0)
			latest = &f->v[i].latest;
	return latest;
}

/* From one host, if it is what its meta says, where that can be read. */
static int
ask_manifest(struct remote *r, const struct release_id *id, const char *digest,
    struct manifest *m, struct err *e)
{
	uint8_t is[HASH_LEN];
	char hex[HASH_HEX + 1];

	if (remote_manifest(r, id, m, e) != 0) {
		remote_say(r, e);
		return -1;
	}
	manifest_digest(m, is);
	hash_hex(is, hex);
	if (*digest == '\0' || strcmp(hex, digest) == 0)
		return 0;
	manifest_release(m);
	err_set(e, ERR_INTEGRITY,
	    "the manifest of release %s is damaged;; run 'deploy verify %s'",
	    id->text, id->text);
	return remote_say(r, e);
}

int
fleet_manifest(struct fleet *f, const struct release_id *id,
    struct manifest *m, struct err *e)
{
	err_set(e, ERR_FAILED, "no host has release %s;; see 'deploy list'",
	    id->text);
	for (size_t i = 0; i < f->n; i++) {
		const struct meta *meta = remote_meta(&f->v[i], id);

		if (meta == NULL)
			continue;
		if (f->is_here || !cache_get(id, meta->digest, m)) {
			if (ask_manifest(&f->v[i], id, meta->digest, m, e) !=
			    0)
				continue;
			if (!f->is_here)
				cache_put(id, m);
		}
		*e = (struct err)ERR_INIT;
		return 0;
	}
	return -1;
}
