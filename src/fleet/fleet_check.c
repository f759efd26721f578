#include "fleet/fleet_check.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"
#include "fleet/cure.h"
#include "fleet/drift.h"
#include "fleet/edge.h"
#include "fleet/fleet_activate.h"
#include "os/intr.h"
#include "os/log.h"

struct ask {
	struct fleet *f;
	const struct manifest *m;
	struct check_result *out;
};

/* Where the host's web server is; NULL: where the names in URLs lead. */
static const char *
address_of(const struct remote *r, const struct check_config *c)
{
	if (r->host->connect != NULL)
		return r->host->connect;
	if (c->connect != NULL)
		return c->connect;
	return transport_address(&r->transport);
}

static int
ask(struct remote *r, void *ctx, struct err *e)
{
	const struct ask *a = ctx;
	const struct check_config *c = &a->f->site->check;
	struct check_result *out = &a->out[r - a->f->v];

	const struct check_before *before =
	    a->f->before != NULL ? &a->f->before[r - a->f->v] : NULL;

	if (check_served(c, address_of(r, c), a->m, before, out, e) != 0)
		return -1;
	log_info("%sit is served: %s, %s compared%s", remote_said(r),
	    TEXT_COUNT(out->urls, "URL", "URLs"),
	    TEXT_COUNT(out->files, "file", "files"),
	    out->compressed > 0 ? ", also compressed" : "");
	return 0;
}

/* For fleet_each(); what does not answer is no failure yet. */
static int
remember(struct remote *r, void *ctx, struct err *e)
{
	const struct ask *a = ctx;
	const struct check_config *c = &a->f->site->check;

	(void)e;
	if (!release_id_is_none(&r->view.current))
		check_remember(c, address_of(r, c), a->m,
		    &a->f->before[r - a->f->v]);
	return 0;
}

void
fleet_check_remember(struct fleet *f, const struct release_id *id)
{
	struct manifest m = MANIFEST_INIT;
	struct ask a = { f, &m, NULL };
	struct err why = ERR_INIT;

	if (f->before == NULL)
		f->before = xcalloc(f->n, sizeof(*f->before));
	if (fleet_manifest(f, id, &m, &why) == 0)
		fleet_each(f, remember, &a);
	manifest_release(&m);
}

/* It is the web servers' word, unless a signal came before they said one. */
static int
check_failed(const struct fleet *f, struct err *e)
{
	if (intr_check(e) != 0)
		return err_prefix(e, "while it was checked: ");
	err_ignore(fleet_fail(f, "the release is not what is served", e));
	e->phase = PHASE_CHECK;
	return -1;
}

int
fleet_check(struct fleet *f, const struct release_id *id,
    struct check_result *out, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct ask a = { f, &m, out };
	int r = fleet_manifest(f, id, &m, e);

	if (out == NULL)
		a.out = xcalloc(f->n, sizeof(*a.out));
	if (r == 0 && fleet_each(f, ask, &a) > 0)
		r = check_failed(f, e);
	if (out == NULL)
		free(a.out);
	manifest_release(&m);
	return r;
}

/* All edges, by the same deadline. */
static int
await_all(const struct check_config *c, const struct edge_wanted *wanted,
    int64_t within, struct err *e)
{
	int64_t deadline = clock_now() + within * 1000;
	int r = 0;

	for (size_t i = 0; i < c->edge.n; i++) {
		struct err why = ERR_INIT;

		if (edge_await(c, c->edge.v[i], wanted, deadline, &why) == 0) {
			log_info("%s gives it, too", c->edge.v[i]);
			continue;
		}
		if (r != 0)
			log_warn("%s", e->text);
		*e = why;
		r = -1;
	}
	if (r == 0)
		return 0;
	if (within > 0)
		err_prefix(e, "after %lld s ", (long long)within);
	err_prefix(e, "it is live, but ");
	return err_append(e,
	    ";; purge it in a post_activate hook, or let it ask the hosts each time (Cache-Control: no-cache)");
}

int
fleet_await_edge(struct fleet *f, const struct release_id *id,
    const struct release_id *from, int64_t within, struct err *e)
{
	struct manifest m = MANIFEST_INIT, old = MANIFEST_INIT;
	struct edge_wanted wanted = { .m = &m, .old_id = from->text };
	struct err ignored = ERR_INIT;
	int r = fleet_manifest(f, id, &m, e);

	/* It only helps to say what is given still. */
	if (r == 0 && !release_id_is_none(from) &&
	    fleet_manifest(f, from, &old, &ignored) == 0)
		wanted.old = &old;
	if (r == 0)
		r = await_all(&f->site->check, &wanted, within, e);
	manifest_release(&m);
	manifest_release(&old);
	return r;
}

/* What all hosts that go back share. */
struct back {
	const struct release_id *id;
	const char *why;
};

/*
 * What it goes back to: what was live before, unless that was never verified,
 * and something was that lies below it.  The host was asked before the flip.
 */
static const struct release_id *
place_to_go_back(const struct remote *r)
{
	const struct history *h = &r->view.history;
	const struct release_id *verified;

	if (!release_id_is_none(&r->before) &&
	    history_was_verified(h, &r->before))
		return &r->before;
	verified = history_verified(h, &r->view.ids);
	return verified != NULL ? verified : &r->before;
}

static int
go_back(struct remote *r, void *ctx, struct err *e)
{
	const struct back *b = ctx;
	const struct release_id *to = place_to_go_back(r);
	struct err ignored = ERR_INIT;

	if (!r->flipped)
		return 0;
	if (!release_id_eq(to, &r->before))
		r->before_bridge = release_id_none;
	r->before = *to;
	if (fleet_put_back(r, &r->before, b->id, b->why, e) == 0)
		return 0;
	/* Who has flipped it since may have pruned that. */
	if (remote_info(r, REMOTE_ALL, NULL, &ignored) == 0 &&
	    !release_id_eq(&r->view.current, b->id))
		e->code = ERR_SUPERSEDED;
	return -1;
}

/* Do all go back to where they were? */
static bool
came_from_there(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].flipped &&
		    !release_id_eq(&f->v[i].before,
			place_to_go_back(&f->v[i])))
			return false;
	return true;
}

bool
fleet_has_passed(const struct fleet *f, const struct release_id *id)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].verified &&
		    release_id_eq(&f->v[i].view.current, id))
			return true;
	return false;
}

void
fleet_take_over(struct fleet *f, const struct release_id *id)
{
	if (fleet_has_passed(f, id))
		return;
	for (size_t i = 0; i < f->n; i++) {
		struct remote *r = &f->v[i];

		if (r->flipped || !release_id_eq(&r->view.current, id))
			continue;
		r->flipped = true;
		r->before = r->before_bridge = release_id_none;
	}
}

/* What came of going back on this machine. */
static void
tell_here(const struct fleet *f, struct err *e)
{
	const struct remote *r = &f->v[0];

	e->code = r->flipped ? ERR_DIFFER : ERR_REVERTED;
	if (!r->flipped)
		err_append(e, "; %s is live again", r->before.text);
	else if (release_id_is_none(&r->before))
		err_append(e, "; nothing %s before, so it stays live",
		    r->view.history.stack.n > 1 ? "was verified" : "was live");
	else
		err_append(e, "; it stays live, because going back failed: %s",
		    r->err.text);
	if (r->flipped) {
		err_append(e, ";; to find out more, run: ");
		cure_append(f, e, "doctor", NULL);
	}
}

/* Did another run flip hosts, before they could go back? */
static bool
was_overtaken(const struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].failed && f->v[i].err.code == ERR_SUPERSEDED)
			return true;
	return false;
}

/* What does it serve now?  For fleet_each(). */
static int
look(struct remote *r, void *ctx, struct err *e)
{
	const struct release_id *id = ctx;

	if (remote_info(r, REMOTE_ALL, NULL, e) != 0)
		return -1;
	r->flipped = r->flipped && release_id_eq(&r->view.current, id);
	r->before = r->view.current;
	return 0;
}

/* That is what counts, where it is the same everywhere. */
static void
tell_overtaken(struct fleet *f, struct release_id *id, struct err *e)
{
	struct buf live = BUF_INIT;

	fleet_forgive(f);
	fleet_each(f, look, id);
	if (drift_live(f, &live) == 1 &&
	    fleet_serves(f, &f->v[0].view.current) && !f->v[0].flipped) {
		err_append(e, "; another run has made %s live meanwhile%s",
		    f->v[0].view.current.text,
		    f->n > 1 ? " on all hosts" : "");
		e->code = ERR_SUPERSEDED;
		f->went_back = true;
	} else {
		for (size_t i = 0; i < f->n; i++)
			if (f->v[i].failed)
				buf_addf(&live, "%s %s is silent",
				    live.len > 0 ? ";" : "",
				    f->v[i].host->label);
		err_append(e,
		    "; another run has changed hosts meanwhile:%s;; to see what is live where, run: ",
		    buf_str(&live));
		cure_append(f, e, "status", NULL);
		e->code = ERR_DIFFER;
	}
	buf_release(&live);
}

/* What came of going back on hosts. */
static void
tell_hosts(struct fleet *f, const struct release_id *id, bool from_there,
    struct err *e)
{
	struct buf differ = BUF_INIT;
	bool *odd = xcalloc(f->n, sizeof(*odd));

	for (size_t i = 0; i < f->n; i++)
		odd[i] = f->v[i].flipped;
	for (size_t i = 0; i < f->n; i++)
		if (odd[i])
			buf_addf(&differ, "%s%s (%s)",
			    differ.len > 0 ? ", " : "", f->v[i].host->label,
			    f->v[i].err.text);
	if (differ.len == 0) {
		err_append(e, "; all hosts serve what %s",
		    from_there ? "they served before" : "was verified last");
		fleet_are_back(f, id, e);
	} else {
		err_append(e, "; these still serve the new release: %s",
		    differ.data);
		e->code = ERR_DIFFER;
		cure_differ(f, odd, e);
	}
	free(odd);
	buf_release(&differ);
}

int
fleet_revert(struct fleet *f, const struct release_id *id, const char *why,
    struct err *e)
{
	struct release_id own = *id;
	struct back b = { &own, why };
	bool from_there = came_from_there(f);

	/* What has begun to go back arrives. */
	intr_hold();
	/* All take part in this, also those that failed. */
	for (size_t i = 0; i < f->n; i++)
		f->v[i].failed = false;
	fleet_each(f, go_back, &b);
	fleet_await_hooks(f);
	if (was_overtaken(f))
		tell_overtaken(f, &own, e);
	else if (f->is_here)
		tell_here(f, e);
	else
		tell_hosts(f, &own, from_there, e);
	intr_release();
	if (e->code == ERR_REVERTED && e->phase == PHASE_CHECK)
		cure_check(f, e);
	return -1;
}

/* For fleet_each(). */
static int
note_verified(struct remote *r, void *ctx, struct err *e)
{
	return remote_note_verified(r, ctx, e);
}

void
fleet_note_verified(struct fleet *f, const struct release_id *id)
{
	struct release_id own = *id;
	struct err why = ERR_INIT;

	if (fleet_each(f, note_verified, &own) == 0)
		return;
	(void)fleet_fail(f, "that it was checked is not remembered", &why);
	log_warn("%s", why.text);
	fleet_forgive(f);
}
