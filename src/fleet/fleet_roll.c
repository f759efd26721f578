#include "fleet/fleet_roll.h"

#include "base/clock.h"
#include "fleet/fleet_activate.h"
#include "fleet/fleet_check.h"
#include "os/intr.h"
#include "os/log.h"

/* Wait before the next batch; a signal ends it. */
static int
rest(int64_t seconds, struct err *e)
{
	for (int64_t i = 0; i < seconds * 10; i++) {
		if (intr_check(e) != 0)
			return -1;
		clock_pause(100);
	}
	return intr_check(e);
}

/* Some of the hosts, as a fleet of their own. */
static struct fleet
batch_of(const struct fleet *f, size_t first)
{
	struct fleet b = *f;

	b.v = f->v + first;
	if (f->before != NULL)
		b.before = f->before + first;
	b.n = f->n - first < f->site->batch ? f->n - first : f->site->batch;
	return b;
}

/*
 * What this run has flipped may have been flipped by another since, by a
 * rollback, say: then that is what counts.
 */
static int
still_live(struct remote *r, void *ctx, struct err *e)
{
	const struct release_id *id = ctx;

	if (!r->flipped)
		return 0;
	if (remote_info(r, REMOTE_ALL, NULL, e) != 0)
		return -1;
	if (release_id_eq(&r->view.current, id))
		return 0;
	/* That is not ours to put back. */
	r->flipped = false;
	r->before = r->view.current;
	return err_set(e, ERR_SUPERSEDED,
	    "%s is live, not %s any more; somebody else changed it meanwhile",
	    r->view.current.text, id->text);
}

/* Wait for the next batch, to which those before must have held. */
static int
come_next(struct fleet *f, struct release_id *id, struct err *e)
{
	if (rest(f->site->pause, e) != 0)
		return -1;
	return fleet_each(f, still_live, id) == 0 ?
	    0 :
	    fleet_fail(f, "the rest was not activated", e);
}

/* Does a host serve what nobody verified?  A run that died may have left it. */
static bool
needs_check(const struct fleet *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].flipped || !b->v[i].verified)
			return true;
	return false;
}

/* One batch: flip, check. */
static int
roll_batch(struct fleet *b, const struct remote_activate *o, bool check,
    struct fleet_activation *out, struct err *e)
{
	struct fleet_activation one;

	if (fleet_activate(b, o, &one, e) != 0)
		return -1;
	out->changed |= one.changed;
	if (one.skew_us > out->skew_us)
		out->skew_us = one.skew_us;
	if (one.changed)
		log_info("flipped %s%s", b->v[0].host->label,
		    b->n > 1 ? " and the rest of its batch" : "");
	return check && needs_check(b) ? fleet_check(b, o->id, NULL, e) : 0;
}

/*
 * What failed in a batch went back there; now the ones before it.  Who was
 * overtaken after his first flip does not begin again: he would flip over what
 * is newer.
 */
static int
roll_back(struct fleet *f, const struct release_id *id, bool check,
    bool flipped, struct err *e)
{
	enum err_code code = e->code;

	f->went_back |= flipped && code == ERR_SUPERSEDED;
	if (check)
		fleet_take_over(f, id);
	if (fleet_any_flipped(f)) {
		fleet_revert(f, id, "reverted: another host failed", e);
		if (code == ERR_DIFFER)
			e->code = code;
	} else if (code == ERR_REVERTED) {
		fleet_are_back(f, id, e);
	}
	return -1;
}

int
fleet_roll(struct fleet *f, const struct remote_activate *o, bool check,
    struct fleet_activation *out, struct err *e)
{
	struct remote_activate own = *o;
	struct release_id id;
	int r;

	*out = (struct fleet_activation){ false, 0 };
	id = *o->id;
	own.id = &id;
	for (size_t i = 0; i < f->n; i++) {
		f->v[i].flipped = false;
		f->v[i].before = f->v[i].view.current;
	}
	own.preview = true;
	r = fleet_activate(f, &own, out, e);
	if (r != 0 || o->preview || !out->changed)
		return r;
	*out = (struct fleet_activation){ false, 0 };
	own.preview = false;
	for (size_t i = 0; r == 0 && i < f->n; i += f->site->batch) {
		struct fleet b = batch_of(f, i);

		if (i > 0)
			r = come_next(f, &id, e);
		if (r == 0)
			r = roll_batch(&b, &own, check, out, e);
	}
	return r == 0 ? 0 : roll_back(f, &id, check, out->changed, e);
}
