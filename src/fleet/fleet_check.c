#include "fleet/fleet_check.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "fleet/cure.h"
#include "fleet/fleet_activate.h"
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

	if (check_served(c, address_of(r, c), a->m, out, e) != 0)
		return -1;
	log_info("%sit is served: %zu URLs, %zu files compared",
	    remote_said(r), out->urls, out->files);
	return 0;
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
		r = fleet_fail(f, "the release is not what is served", e);
	if (out == NULL)
		free(a.out);
	manifest_release(&m);
	return r;
}

/* What all hosts that go back share. */
struct back {
	const struct release_id *id;
	const char *why;
};

static int
go_back(struct remote *r, void *ctx, struct err *e)
{
	const struct back *b = ctx;

	return r->flipped ? fleet_put_back(r, b->id, b->why, e) : 0;
}

/* What came of going back on this machine. */
static void
tell_here(const struct remote *r, struct err *e)
{
	e->code = r->flipped ? ERR_DIFFER : ERR_REVERTED;
	if (!r->flipped)
		err_append(e, "; %s is live again", r->before.text);
	else if (release_id_is_none(&r->before))
		err_append(e, "; nothing was live before, so it stays live");
	else
		err_append(e, "; it stays live, because going back failed: %s",
		    r->err.text);
}

int
fleet_revert(struct fleet *f, const struct release_id *id, const char *why,
    struct err *e)
{
	struct back b = { id, why };
	struct buf differ = BUF_INIT;
	bool *odd = xcalloc(f->n, sizeof(*odd));

	/* All take part in this, also those that failed. */
	for (size_t i = 0; i < f->n; i++)
		f->v[i].failed = false;
	fleet_each(f, go_back, &b);
	fleet_await_hooks(f);
	for (size_t i = 0; i < f->n; i++)
		odd[i] = f->v[i].flipped;
	for (size_t i = 0; i < f->n; i++)
		if (odd[i])
			buf_addf(&differ, "%s%s (%s)",
			    differ.len > 0 ? ", " : "", f->v[i].host->label,
			    f->v[i].err.text);
	if (f->is_here) {
		tell_here(&f->v[0], e);
	} else if (differ.len == 0) {
		err_append(e, "; all hosts serve what they served before");
		e->code = ERR_REVERTED;
	} else {
		err_append(e, "; these still serve the new release: %s",
		    differ.data);
		e->code = ERR_DIFFER;
		cure_differ(f, odd, e);
	}
	free(odd);
	buf_release(&differ);
	return -1;
}
