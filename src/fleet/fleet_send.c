#include "fleet/fleet_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "fleet/cure.h"
#include "fleet/fleet_batch.h"
#include "fleet/fleet_delta.h"
#include "fleet/fleet_fetch.h"
#include "fleet/fleet_rules.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/progress.h"
#include "remote/rsync.h"

enum { PAUSE_MS = 200 }; /* between tries for one who stages the same */

/* What sending has to do with each host. */
struct sending {
	struct fleet *f;
	const struct fleet_send *what;
	const struct release_id *id;
	struct batch *batches;
	size_t n;
	size_t fresh;
	struct hoard *fetch;
	bool lacks;		      /* something is what->lost */
	_Atomic int64_t files, bytes; /* that hosts have got */
};

/* One host's place in its pack, and what it is known to have got. */
struct reading {
	const struct batch *batch;
	struct batch_pack *pack;
	int64_t at;
	struct pack_tally all, told;
};

static ssize_t
from_spool(void *ctx, void *data, size_t len, struct err *e)
{
	struct reading *r = ctx;
	ssize_t n = spool_read(r->pack->spool, r->at, data, len, e);

	if (n > 0)
		r->at += n;
	return n;
}

/* So much more has arrived. */
static void
tell_more(struct reading *r, const struct pack_tally *more)
{
	r->told.files += more->files;
	r->told.bytes += more->bytes;
	progress_add(more->files, more->bytes);
}

/* remote.h: the host has taken so much of the pack. */
static void
on_taken(void *ctx, int64_t bytes)
{
	struct reading *r = ctx;
	struct pack_tally has = marks_find(&r->pack->marks, bytes), more;

	/* Before the pack came what rsync brought. */
	more.files = has.files + r->batch->by_rsync.files - r->told.files;
	more.bytes = has.bytes + r->batch->by_rsync.bytes - r->told.bytes;
	tell_more(r, &more);
}

/* remote.h: the host is ready for rsync. */
static int
run_rsync(void *ctx, struct remote *r, const char *incoming, struct err *e)
{
	const struct batch *b = ((struct reading *)ctx)->batch;
	const struct rsync_job job = { .from = b->what->build,
		.m = b->what->m,
		.send = b->there,
		.base = view_base(&r->view),
		.to = incoming,
		.silence = r->waits.silence };

	if (rsync_fill(&r->transport, &job, e) != 0)
		return -1;
	tell_more(ctx, &b->by_rsync);
	return 0;
}

static struct batch *
batch_of(struct sending *s, const struct remote *r)
{
	for (size_t i = 0; i < s->n; i++)
		if (batch_is_for(&s->batches[i], r))
			return &s->batches[i];
	return NULL;
}

/* The releases of the host that its pack links to, and rsync, too. */
static void
list_uses(const struct batch *b, const struct remote *r,
    struct release_ids *out)
{
	const struct release_id *base =
	    b->rsync ? view_base(&r->view) : &b->base;

	/* What is live may not be there. */
	if (release_ids_has(&r->view.ids, base))
		release_ids_add(out, base);
	for (size_t i = 0; i < b->uses.n; i++)
		if (release_ids_has(&r->view.ids, &b->uses.v[i]))
			release_ids_add_once(out, &b->uses.v[i]);
}

static void
expect(struct reading *r)
{
	r->all =
	    (struct pack_tally){ r->pack->all.files + r->batch->by_rsync.files,
		    r->pack->all.bytes + r->batch->by_rsync.bytes };
	progress_expect(r->all.files, r->all.bytes);
}

/* The host has all of it; or nothing, and that is not expected any more. */
static void
settle(struct sending *s, const struct reading *r, bool done)
{
	if (done) {
		progress_add(r->all.files - r->told.files,
		    r->all.bytes - r->told.bytes);
		s->files += r->all.files;
		s->bytes += r->all.bytes;
	} else {
		progress_add(-r->told.files, -r->told.bytes);
		progress_expect(-r->all.files, -r->all.bytes);
	}
}

/* Send the host its pack in that form, now. */
static int
send_once(struct sending *s, struct remote *r, struct batch *b,
    enum batch_form form, struct err *e)
{
	struct reading reading = { b, batch_pack(b, form, e), 0, { 0, 0 },
		{ 0, 0 } };
	struct release_ids uses = RELEASE_IDS_INIT;
	struct remote_receive o = { .id = s->id,
		.group = s->f->site->rules.group,
		.uses = &uses,
		.bytes = b->need.bytes,
		.inodes = b->need.inodes,
		.compression = remote_compression(r),
		.filled = b->rsync,
		.base = form == BATCH_EDITS ? &b->base : NULL,
		.goes_on = s->f->goes_on,
		.read = from_spool,
		.taken = on_taken,
		.ready = b->rsync && s->what->build != NULL ? run_rsync : NULL,
		.ctx = &reading };
	int c = -1;

	list_uses(b, r, &uses);
	if (reading.pack != NULL) {
		expect(&reading);
		c = remote_receive(r, &o, e);
		settle(s, &reading, c == 0);
	}
	release_ids_release(&uses);
	return c;
}

static bool
said(const struct err *e, enum err_code code)
{
	return e->code == code && e->phase == PHASE_ANSWER;
}

/* The host has got the release from another run: is it the same? */
static int
check_same(const struct sending *s, struct remote *r, struct err *e)
{
	uint8_t theirs[HASH_LEN], ours[HASH_LEN];
	struct manifest m = MANIFEST_INIT;
	struct err ignored = ERR_INIT;
	bool same = remote_manifest(r, s->id, &m, &ignored) == 0;

	manifest_digest(&m, theirs);
	manifest_digest(s->what->m, ours);
	manifest_release(&m);
	if (!same || memcmp(theirs, ours, sizeof(ours)) != 0)
		return -1;
	log_info("%sanother run has staged %s meanwhile", remote_said(r),
	    s->id->text);
	*e = (struct err)ERR_INIT;
	return 0;
}

/*
 * The same content takes the same id again, so a run that was stopped may
 * still be at it there: its pack is on the way, or at its end.  That is waited
 * for as for a lock; then the host has the release, or this is the next try.
 */
static int
send_pack(struct sending *s, struct remote *r, struct batch *b,
    enum batch_form form, struct err *e)
{
	int64_t end = clock_ms() + r->waits.lock * 1000;
	int c = send_once(s, r, b, form, e);

	while (c != 0 && said(e, ERR_LOCKED) && clock_ms() < end) {
		*e = (struct err)ERR_INIT;
		clock_pause(PAUSE_MS);
		if (intr_check(e) != 0)
			return -1;
		c = send_once(s, r, b, form, e);
	}
	return c != 0 && said(e, ERR_SUPERSEDED) ? check_same(s, r, e) : c;
}

/*
 * Send the release to a host that lacks it.  Edits that do not fit what it has
 * are no failure: it gets all that changed.
 */
static int
send_to(struct remote *r, void *ctx, struct err *e)
{
	struct sending *s = ctx;
	struct batch *b = batch_of(s, r);
	int c;

	if (release_ids_has(&r->view.ids, s->id))
		return 0;
	c = send_pack(s, r, b, b->edited ? BATCH_EDITS : BATCH_WHOLE, e);
	if (c != 0 && b->edited && said(e, ERR_INTEGRITY)) {
		log_info("%s%s; it gets whole files", remote_said(r), e->text);
		*e = (struct err)ERR_INIT;
		c = send_pack(s, r, b, BATCH_WHOLE, e);
	}
	if (c == 0) {
		r->made = !r->prepared;
		remote_learn(r, s->what->meta);
	}
	return c;
}

/*
 * Add a batch for the host's base, unless there is one.  A base whose manifest
 * is lost or damaged is none: such a host gets all of it.
 */
static int
add_batch(struct sending *s, struct remote *r, struct err *e)
{
	struct batch *b = batch_of(s, r);

	if (b != NULL) {
		batch_add(b, r);
		return 0;
	}
	b = &s->batches[s->n];
	if (batch_open(b, s->f, r, s->what, s->fetch, e) != 0) {
		batch_close(b, &(struct fleet_sent){ 0 });
		if (r->cannot_link || e->code != ERR_INTEGRITY)
			return -1;
		log_debug("%s", e->text);
		*e = (struct err)ERR_INIT;
		r->cannot_link = true;
		return add_batch(s, r, e);
	}
	s->n++;
	return 0;
}

static int
add_host(struct sending *s, struct remote *r, struct err *e)
{
	if (release_ids_has(&r->view.ids, s->id))
		return 0;
	s->fresh++;
	return add_batch(s, r, e);
}

/* For fleet_each(): refuse what cannot fit, before anything is sent. */
static int
check_room(struct remote *r, void *ctx, struct err *e)
{
	struct sending *s = ctx;
	const struct batch *b = batch_of(s, r);

	if (release_ids_has(&r->view.ids, s->id) || !r->prepared)
		return 0;
	return guard_check_room(&b->need, &r->room, r->host->root, e);
}

/* What is wanted, and no host has it intact: may the release do without? */
static void
note_lost(struct sending *s, const bool *wanted)
{
	const struct manifest *m = s->what->m;

	for (size_t i = 0; s->what->lost != NULL && i < m->n; i++) {
		s->what->lost[i] = wanted[i] && m->v[i].mark == ENTRY_CARRIED;
		s->lacks |= s->what->lost[i];
	}
}

/* Fetch what some batch from `first` on lacks and the build does not have. */
static int
fetch_missing(struct sending *s, size_t first, struct err *e)
{
	const struct manifest *m = s->what->m;
	bool *wanted = xcalloc(m->n, sizeof(*wanted));
	int r;

	for (size_t b = first; b < s->n; b++)
		batch_divide(&s->batches[b], wanted);
	r = fetch_files(s->fetch, s->f, s->id, m, wanted, e);
	if (r != 0 && e->code == ERR_INTEGRITY)
		note_lost(s, wanted);
	free(wanted);
	return r;
}

/* Has it said that what it has is not what its manifests say? */
static bool
is_damaged(const struct sending *s, const struct remote *r)
{
	return r->failed && said(&r->err, ERR_INTEGRITY) &&
	    s->what->build != NULL && !r->cannot_link &&
	    r->host->transport != HOST_RSYNC;
}

/*
 * What some hosts have is not what their manifests say: they get all of it
 * anew, if all of it is in the build, or on a host.  0 when no host has failed
 * any more, or -1: what they said stays when it does not help.
 */
static int
send_anew(struct sending *s, struct err *e)
{
	struct fleet *f = s->f;
	size_t first = s->n;
	struct err why = ERR_INIT;
	bool *anew = xcalloc(f->n, sizeof(*anew));
	int c = 0;

	for (size_t i = 0; c == 0 && i < f->n; i++) {
		anew[i] = is_damaged(s, &f->v[i]);
		f->v[i].cannot_link |= anew[i];
		if (anew[i])
			c = add_batch(s, &f->v[i], &why);
	}
	if (c == 0 && s->n > first)
		c = fetch_missing(s, first, &why);
	if (s->lacks)
		*e = why;
	for (size_t i = 0; c == 0 && i < f->n; i++)
		if (anew[i]) {
			log_info("%s%s; it gets everything anew",
			    remote_said(&f->v[i]), f->v[i].err.text);
			f->v[i].failed = false;
			f->v[i].err = (struct err)ERR_INIT;
		}
	free(anew);
	return c == 0 && s->n > first && fleet_each(f, send_to, s) == 0 ? 0 :
									  -1;
}

/* What hosts can make by themselves need not travel. */
static void
guess_all(struct sending *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->batches[i].edited) {
			find_rules(&s->batches[i], s->f);
			find_deltas(&s->batches[i], s->f);
			s->f->rules += s->batches[i].n_rules;
			s->f->rewritten += s->batches[i].ruled;
			s->f->patched += s->batches[i].patched;
		}
}

static int
start_batches(struct sending *s, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct batch *b = &s->batches[i];

		if (batch_pack(b, b->edited ? BATCH_EDITS : BATCH_WHOLE, e) ==
		    NULL)
			return -1;
	}
	return 0;
}

static void
end_batches(struct sending *s, struct fleet_sent *out)
{
	for (size_t i = 0; i < s->n; i++)
		batch_close(&s->batches[i], out);
	free(s->batches);
}

static void
begin_telling(const struct sending *s)
{
	char phase[64] = "sending";

	if (s->fresh > 1)
		snprintf(phase, sizeof(phase), "sending to %s",
		    TEXT_COUNT(s->fresh, "host", "hosts"));
	progress_begin(phase, 0, 0);
}

static int
fail(const struct fleet *f, const char *what, struct err *e)
{
	fleet_fail(f, what, e);
	return cure_failed(f, e);
}

int
fleet_send(struct fleet *f, const struct fleet_send *what,
    struct fleet_sent *out, struct err *e)
{
	struct hoard own = HOARD_INIT;
	struct sending s = { .f = f,
		.what = what,
		.id = &what->meta->id,
		.fetch = what->made != NULL ? what->made : &own };
	int r = 0;

	/* For each host one, and one more to send everything anew. */
	s.batches = xcalloc(2 * f->n, sizeof(*s.batches));
	for (size_t i = 0; r == 0 && i < f->n; i++)
		r = add_host(&s, &f->v[i], e);
	if (r == 0)
		r = fetch_missing(&s, 0, e);
	if (r == 0 && fleet_each(f, check_room, &s) > 0)
		r = fail(f, "nothing was changed", e);
	if (r == 0) {
		guess_all(&s);
		r = start_batches(&s, e);
	}
	begin_telling(&s);
	f->changed |= r == 0;
	if (r == 0 && fleet_each(f, send_to, &s) > 0 && send_anew(&s, e) != 0)
		r = s.lacks ? -1 : fail(f, "not staged everywhere", e);
	progress_end();
	end_batches(&s, out);
	hoard_release(&own);
	out->fresh = s.fresh;
	out->files = s.files;
	out->bytes = s.bytes;
	return r;
}
