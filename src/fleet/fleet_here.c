#include "fleet/fleet_here.h"

#include <errno.h>

/* The root has got a release: as if it had been asked again. */
static void
learn(struct fleet *f, const struct stage *st)
{
	struct remote *r = &f->v[0];
	struct meta meta = META_INIT;

	r->prepared = true;
	stage_fill_meta(st, &meta);
	if (st->outcome == STAGE_NEW)
		remote_learn(r, &meta);
}

int
fleet_stage_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	/* A source that cannot be used is said before anything is made. */
	if (stage_open(st, opt, f->here.root, e) != 0 ||
	    store_create(&f->store, f->here.root, e) != 0 ||
	    stage_run(st, &f->store, e) != 0)
		return store_tell_room(&f->store, e);
	learn(f, st);
	return 0;
}

int
fleet_preview_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	const char *root = f->here.root;

	if (stage_open(st, opt, root, e) != 0)
		return -1;
	if (store_open(&f->store, root, e) == 0)
		return stage_preview(st, &f->store, e);
	/* There may be no root yet. */
	if (e->sys != ENOENT || store_check_new(root, e) != 0)
		return -1;
	return stage_preview(st, NULL, e);
}
