#include "fleet/fleet_activate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/override.h"
#include "fleet/cure.h"
#include "os/intr.h"
#include "os/log.h"

enum {
	/*
	 * How long an armed host waits for the word, if it may be silent so
	 * long; in a quarter of that it is asked to go on waiting, while
	 * others have to wait for their locks.
	 */
	ARMED_MS = 15000,
	/* A lost host is asked again until its deadline is over, and a bit. */
	GRACE_MS = 2000,
	ASK_MS = 5000,
	ASK_PAUSE_MS = 500,
};

/* What a host came to. */
enum fate {
	FATE_NONE,    /* not flipped */
	FATE_SAME,    /* was live there before */
	FATE_LIVE,    /* flipped */
	FATE_UNKNOWN, /* told to go, and then silent */
	FATE_BACK,    /* flipped, and back */
	FATE_STUCK,   /* flipped, and could not be put back */
	FATE_TAKEN,   /* flipped, and then again, by another run */
};

/* The activation as all threads see it. */
struct flight {
	struct fleet *f;
	struct release_id id; /* our own: hosts forget theirs */
	const struct remote_activate *o;
	int64_t armed_ms;     /* how long armed hosts wait */
	enum fate *fates;     /* of each host */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t turn;
	size_t first; /* host that is armed before all */
	bool first_armed;
	size_t waiting; /* armed, or failed to */
	size_t expected;
	bool refused;	   /* one could not be armed */
	bool holding;	   /* signals have to wait */
	int64_t farthest;  /* us, the longest round trip */
	int64_t all_armed; /* us, monotonic, as these: */
	int64_t last_go;
	int64_t first_flip, last_flip;
};

static size_t
index_of(const struct flight *fl, const struct remote *r)
{
	return (size_t)(r - fl->f->v);
}

/* Wait for the others, but not long.  Called with the lock. */
static void
wait_a_turn(struct flight *fl)
{
	struct timespec until = clock_in(fl->armed_ms / 4);

	pthread_cond_timedwait(&fl->turn, &fl->lock, &until);
}

/*
 * The barrier: wait until every host is armed, or one has failed, or a
 * signal came; then nobody goes.  `r` is this thread's host, armed or, when
 * `c` is -1, not; what comes of it in the meantime is returned, and `go` tells
 * whether to go.  From there on signals wait: it is a matter of
 * seconds, and half of it must not stay.
 */
static int
wait_for_all(struct flight *fl, struct remote *r, int c, bool *go,
    struct err *e)
{
	pthread_mutex_lock(&fl->lock);
	fl->waiting++;
	if (remote_round_trip(r) > fl->farthest)
		fl->farthest = remote_round_trip(r);
	if (c == 0)
		c = intr_check(e);
	fl->refused |= c != 0;
	if (fl->waiting == fl->expected && !fl->refused) {
		fl->all_armed = clock_us();
		fl->holding = true;
		intr_hold();
	}
	while (fl->waiting < fl->expected && !fl->refused) {
		wait_a_turn(fl);
		if (fl->waiting == fl->expected || fl->refused)
			break;
		c = intr_check(e);
		if (c == 0 && r->armed)
			c = remote_hold(r, e);
		fl->refused |= c != 0;
	}
	*go = !fl->refused;
	pthread_cond_broadcast(&fl->turn);
	pthread_mutex_unlock(&fl->lock);
	return c;
}

/* Note when the word goes out.  Returns that. */
static int64_t
note_go(struct flight *fl)
{
	int64_t now = clock_us();

	pthread_mutex_lock(&fl->lock);
	if (now > fl->last_go)
		fl->last_go = now;
	pthread_mutex_unlock(&fl->lock);
	return now;
}

/*
 * Note when a host flipped that was told at `told` and answers now.  Its own
 * work begins with the flip; what is left of the time is the way there and
 * back, which count as equally long.
 */
static void
note_flip(struct flight *fl, const struct remote *r, int64_t told)
{
	int64_t heard = r->live_at > 0 ? r->live_at : clock_us();
	int64_t way = heard - told - r->took * 1000;
	int64_t at = told + (way > 0 ? way / 2 : 0);

	pthread_mutex_lock(&fl->lock);
	if (fl->first_flip == 0 || at < fl->first_flip)
		fl->first_flip = at;
	if (at > fl->last_flip)
		fl->last_flip = at;
	pthread_mutex_unlock(&fl->lock);
}

/*
 * The word takes half a round trip: it leaves for the farthest host at once,
 * and for a near one so much later that all hear it at the same moment; but
 * long before the near one stops waiting for it.
 */
static void
wait_for_the_far(const struct flight *fl, const struct remote *r)
{
	int64_t ahead = (fl->farthest - remote_round_trip(r)) / 2;
	int64_t most = fl->armed_ms * 1000 / 4;

	clock_pause_until(fl->all_armed + (ahead < most ? ahead : most));
}

/* Say go, and hear what came of it. */
static int
go(struct flight *fl, struct remote *r, struct err *e)
{
	enum fate *fate = &fl->fates[index_of(fl, r)];
	int64_t told;
	int c;

	wait_for_the_far(fl, r);
	*fate = FATE_UNKNOWN;
	told = note_go(fl);
	if (remote_go(r, e) != 0)
		return -1;
	c = remote_went(r, fl->armed_ms + GRACE_MS, e);
	/* Live, and its own disk made trouble: that is told at the end. */
	if (c != 0 && e->code == ERR_CLEANUP && e->phase == PHASE_ANSWER) {
		free(r->hook_failure);
		r->hook_failure = xstrdup(e->text);
		*e = (struct err)ERR_INIT;
		c = 0;
	}
	if (c == 0)
		*fate = FATE_LIVE;
	else if (e->phase == PHASE_ANSWER && r->live_at == 0)
		*fate = FATE_NONE;
	/*
	 * It was live there before, or another run made it live while we waited
	 * for the lock: nothing flipped, nothing goes back.
	 */
	if (*fate == FATE_LIVE &&
	    (r->was_live || release_id_eq(&r->view.current, fl->o->id)))
		*fate = FATE_SAME;
	if (*fate == FATE_LIVE)
		note_flip(fl, r, told);
	return c;
}

/* Does host `a` come before host `b`, whoever has them in his list? */
static bool
comes_before(const struct host_config *a, const struct host_config *b)
{
	int c = strcmp(a->address, b->address);

	if (c == 0)
		c = strcmp(a->root, b->root);
	return c < 0;
}

/*
 * Two clients that take the locks of the same hosts must not each get some
 * of them and wait for the others: all begin with the same host.
 */
static size_t
pick_first(const struct fleet *f)
{
	size_t first = 0;

	for (size_t i = 1; i < f->n; i++)
		if (comes_before(f->v[i].host, f->v[first].host))
			first = i;
	return first;
}

/* Wait until the first host is armed; false when nobody shall be. */
static bool
wait_for_first(struct flight *fl, const struct remote *r)
{
	bool go;

	pthread_mutex_lock(&fl->lock);
	while (
	    index_of(fl, r) != fl->first && !fl->first_armed && !fl->refused)
		pthread_cond_wait(&fl->turn, &fl->lock);
	go = !fl->refused;
	pthread_mutex_unlock(&fl->lock);
	return go;
}

static void
note_armed(struct flight *fl, const struct remote *r)
{
	pthread_mutex_lock(&fl->lock);
	if (index_of(fl, r) == fl->first)
		fl->first_armed = true;
	pthread_cond_broadcast(&fl->turn);
	pthread_mutex_unlock(&fl->lock);
}

/* One host's part, from armed to flipped. */
static int
fly(struct remote *r, void *ctx, struct err *e)
{
	struct flight *fl = ctx;
	struct remote_activate o = *fl->o;
	bool going;
	int c;

	r->before = r->view.current;
	r->before_bridge = r->view.bridge;
	if (!wait_for_first(fl, r))
		return 0;
	o.expect = &r->before;
	o.journal_size = r->journal_size;
	if (!release_id_is_none(&r->way_back)) {
		o.id = &r->way_back;
		o.stands_for = fl->o->id;
	}
	c = remote_arm(r, &o, fl->armed_ms, e);
	if (c == 0)
		note_armed(fl, r);
	c = wait_for_all(fl, r, c, &going, e);
	if (going)
		return go(fl, r, e);
	remote_disarm(r);
	return c;
}

/* Until when a lost host is asked: it may be armed, or about to come back. */
static int64_t
ask_until(const struct flight *fl)
{
	int64_t armed = fl->last_go + (fl->armed_ms + GRACE_MS) * 1000;
	int64_t some = clock_us() + ASK_MS * 1000;

	return armed > some ? armed : some;
}

/*
 * What does a lost host serve?  Asked on a new connection until it answers,
 * as long as it may still be armed.
 */
static void
ask_again(struct flight *fl, struct remote *r)
{
	enum fate *fate = &fl->fates[index_of(fl, r)];
	const struct remote_waits waits = r->waits;
	const struct release_id before = r->before, bridge = r->before_bridge;
	int64_t end = ask_until(fl);
	struct err e = ERR_INIT;

	do {
		remote_release(r);
		remote_init(r, r->host, r->caller, &waits);
		r->before = before;
		r->before_bridge = bridge;
		r->settle = true;
		if (remote_open(r, &e) == 0 &&
		    remote_info(r, REMOTE_STATE, NULL, &e) == 0) {
			if (release_id_eq(&r->view.current, fl->o->id)) {
				*fate = FATE_LIVE;
				return;
			}
			/*
			 * Not flipped, and cannot any more when the lock is
			 * free.  Who holds it after all that time may be
			 * stopped anywhere: nobody knows what he will do.
			 */
			if (r->locked == NULL) {
				*fate = FATE_NONE;
				return;
			}
		}
		clock_pause(ASK_PAUSE_MS);
	} while (clock_us() < end);
}

int
fleet_put_back(struct remote *r, const struct release_id *to,
    const struct release_id *id, const char *why, struct err *e)
{
	/* The assets of what others may serve still stay beside it. */
	bool bridged = !release_id_is_none(&r->before_bridge);
	const struct remote_activate back = { .id = bridged ?
		    &r->before_bridge :
		    to,
		.stands_for = bridged ? to : NULL,
		.expect = id,
		.message = why,
		.journal_size = -1,
		.action = JOURNAL_REVERT,
		.overrides = OVERRIDE_FLIP };

	if (release_id_is_none(to))
		return err_set(e, ERR_FAILED, "nothing was live there before");
	if (remote_activate(r, &back, e) != 0)
		return -1;
	r->flipped = false;
	return 0;
}

/* After a failure: find out about the lost, put the flipped back. */
static int
recover(struct remote *r, void *ctx, struct err *e)
{
	struct flight *fl = ctx;
	enum fate *fate = &fl->fates[index_of(fl, r)];

	if (*fate == FATE_UNKNOWN)
		ask_again(fl, r);
	if (*fate != FATE_LIVE)
		return 0;
	if (fleet_put_back(r, &r->before, &fl->id,
		"reverted: another host failed", e) == 0)
		*fate = FATE_BACK;
	else
		*fate = e->code == ERR_SUPERSEDED ? FATE_TAKEN : FATE_STUCK;
	return 0;
}

/* Not what it served before; NULL: it does. */
static const char *
what_is_odd(enum fate fate)
{
	switch (fate) {
	case FATE_STUCK:
		return "serves the new release";
	case FATE_TAKEN:
		return "serves what another run made live meanwhile";
	case FATE_UNKNOWN:
		return "is silent";
	default:
		return NULL;
	}
}

/* Which hosts serve something else, or nobody knows what. */
static void
describe(const struct flight *fl, struct buf *out)
{
	for (size_t i = 0; i < fl->f->n; i++) {
		const char *what = what_is_odd(fl->fates[i]);

		if (what != NULL)
			buf_addf(out, "%s%s %s", out->len > 0 ? ", " : "",
			    fl->f->v[i].host->label, what);
	}
}

/* What helps when those hosts are odd. */
static int
cure(const struct flight *fl, struct err *e)
{
	bool *odd = xcalloc(fl->f->n, sizeof(*odd));

	for (size_t i = 0; i < fl->f->n; i++)
		odd[i] = what_is_odd(fl->fates[i]) != NULL;
	cure_differ(fl->f, odd, e);
	free(odd);
	return -1;
}

void
fleet_are_back(struct fleet *f, const struct release_id *id, struct err *e)
{
	bool *odd = xcalloc(f->n, sizeof(*odd));
	bool differ = false, some = false;

	for (size_t i = 0; i < f->n; i++) {
		odd[i] = release_id_eq(&f->v[i].before, id);
		some |= odd[i];
		differ |= !release_id_eq(&f->v[i].before, &f->v[0].before);
	}
	/* None of them is right. */
	for (size_t i = 0; i < f->n; i++)
		odd[i] |= !some;
	f->went_back = true;
	e->code = differ ? ERR_DIFFER : ERR_REVERTED;
	if (differ) {
		err_append(e, ", which is not the same everywhere");
		cure_differ(f, odd, e);
	}
	free(odd);
}

/* A host failed after go: back to where all were. */
static int
revert(struct flight *fl, struct err *e)
{
	struct fleet *f = fl->f;
	struct buf differ = BUF_INIT;
	struct err first = ERR_INIT;
	size_t flipped = 0;

	fleet_fail(f, "", &first);
	for (size_t i = 0; i < f->n; i++) {
		flipped +=
		    fl->fates[i] == FATE_LIVE || fl->fates[i] == FATE_UNKNOWN;
		/* All take part in this, also those that failed. */
		f->v[i].failed = false;
	}
	if (flipped > 0)
		fleet_each(f, recover, fl);
	describe(fl, &differ);
	*e = first;
	if (differ.len > 0) {
		err_append(e, "; the others serve what they served, but %s",
		    differ.data);
		e->code = ERR_DIFFER;
		cure(fl, e);
	} else if (flipped > 0) {
		err_append(e, "; all hosts serve what they served before");
		fleet_are_back(f, &fl->id, e);
	}
	buf_release(&differ);
	return -1;
}

static int
await_hook(struct remote *r, void *ctx, struct err *e)
{
	(void)ctx;
	(void)e;
	remote_await_hook(r);
	return 0;
}

void
fleet_await_hooks(struct fleet *f)
{
	bool any = false;

	for (size_t i = 0; i < f->n; i++)
		any |= f->v[i].hook_runs;
	if (any)
		fleet_each(f, await_hook, NULL);
}

/* Did the word go out to any host? */
static bool
went_out(const struct flight *fl)
{
	return fl->last_go != 0;
}

/* A preview: the guards of one host. */
static int
check_host(struct remote *r, void *ctx, struct err *e)
{
	struct remote_activate o = *(const struct remote_activate *)ctx;

	/* It would be sent before. */
	if (!release_ids_has(&r->view.ids, o.id))
		return o.action == JOURNAL_ROLLBACK ?
		    0 :
		    remote_check_guards(r, -1, o.overrides, e);
	o.expect = &r->view.current;
	o.journal_size = r->journal_size;
	return remote_activate(r, &o, e);
}

/* Would it work on every host?  Is there anything to do? */
static int
check_all(struct fleet *f, const struct remote_activate *o,
    struct fleet_activation *out, struct err *e)
{
	struct remote_activate copy = *o;

	out->changed = true;
	if (fleet_each(f, check_host, &copy) > 0)
		return fleet_fail(f, "it would be refused", e);
	return 0;
}

int
fleet_activate(struct fleet *f, const struct remote_activate *o,
    struct fleet_activation *out, struct err *e)
{
	struct remote_activate own = *o;
	struct flight fl = { .f = f, .o = &own, .expected = f->n };
	size_t failed;
	int r = 0;

	*out = (struct fleet_activation){ false, 0 };
	if (fleet_serves(f, o->id))
		return 0;
	if (o->preview)
		return check_all(f, o, out, e);
	fl.id = *o->id;
	own.id = &fl.id;
	fl.first = pick_first(f);
	fl.armed_ms = f->v[0].waits.silence * 1000;
	if (fl.armed_ms > ARMED_MS)
		fl.armed_ms = ARMED_MS;
	fl.fates = xcalloc(f->n, sizeof(*fl.fates));
	pthread_mutex_init(&fl.lock, NULL);
	pthread_cond_init(&fl.turn, NULL);
	f->changed = true;
	failed = fleet_each(f, fly, &fl);
	for (size_t i = 0; i < f->n; i++) {
		f->v[i].flipped = fl.fates[i] == FATE_LIVE;
		out->changed |= f->v[i].flipped;
	}
	out->skew_us = fl.last_flip - fl.first_flip;
	if (failed > 0 && went_out(&fl))
		r = revert(&fl, e);
	else if (failed > 0 && fleet_fail(f, "nothing was activated", e) != 0)
		r = cure_failed(f, e);
	if (fl.holding)
		intr_release();
	fleet_await_hooks(f);
	pthread_cond_destroy(&fl.turn);
	pthread_mutex_destroy(&fl.lock);
	free(fl.fates);
	return r;
}
