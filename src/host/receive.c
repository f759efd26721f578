#include "host/receive.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "content/libarchive.h"
#include "content/place.h"
#include "host/receive_edits.h"
#include "host/receive_tar.h"
#include "host/receiver.h"
#include "os/jail.h"
#include "root/incoming.h"
#include "root/repair.h"
#include "root/verify.h"

/* Read the pack into the incoming release. */
static int
read_pack(void *ctx, struct err *e)
{
	struct receiver *r = ctx;
	int c = r->o->base != NULL ? receive_edits(r, e) : receive_tar(r, e);

	if (c == 0)
		c = place_directories(&r->in->dir, &r->m, r->o->gid, e);
	return c;
}

/*
 * The same in a jail: what is wrong here reaches the new release, and what
 * links to files of the others need; neither what is live, nor hooks, nor
 * records.
 */
static int
read_in_jail(struct receiver *r, struct err *e)
{
	const struct store *s = r->in->store;
	const struct jail_place places[] = {
		{ r->o->filled ? s->incoming.fd : r->in->dir.fd, JAIL_WRITE },
		{ s->releases.fd, JAIL_LINK },
		{ s->manifests.fd, JAIL_READ },
		/* For what the release shares. */
		{ s->root.fd, JAIL_LIST | JAIL_MAKE_DIR },
	};

	return jail_run(places, sizeof(places) / sizeof(places[0]), read_pack,
	    r, e);
}

/* What came is whole: it takes the place of what went bad. */
static int
mend(struct receiver *r, struct err *e)
{
	struct verified v = VERIFIED_INIT;
	int c;

	if (r->o->manifest)
		return repair_manifest(r->in, r->o->repair, &r->out->mended,
		    e);
	c = verify(r->in->store, r->o->repair, &v, e);
	if (c == 0 && v.found.n > 0)
		c = repair(r->in, r->o->repair, &v, &r->m, &r->out->mended, e);
	verified_release(&v);
	return c;
}

int
receive(struct incoming *in, struct wire_in *pack,
    const struct receive_options *o, struct received *out, struct err *e)
{
	struct receiver r = { .o = o,
		.in = in,
		.pack = pack,
		.out = out,
		.m = MANIFEST_INIT,
		.meta = META_INIT,
		.began = clock_ms(),
		.late = ERR_INIT,
		.parent = BENEATH_PARENT_INIT };
	int c;

	*out = (struct received)RECEIVED_INIT;
	r.hash = hash_new();
	r.window = xmalloc(RECEIVER_PIECE);
	/* Edits are no tar. */
	c = o->base != NULL ? 0 : libarchive_load(e);
	if (c == 0)
		c = read_in_jail(&r, e);
	beneath_parent_close(&r.parent);
	if (c == 0)
		c = o->repair != NULL ?
		    mend(&r, e) :
		    incoming_commit(in, &r.m, &r.meta, o->gid, e);
	for (size_t i = 0; i < r.n_origins; i++)
		receiver_close_origin(&r.origins[i]);
	manifest_release(&r.m);
	meta_release(&r.meta);
	hash_free(r.hash);
	free(r.window);
	return c;
}
