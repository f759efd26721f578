#include "fleet/fleet_here.h"

#include <errno.h>

/* The root has got a release: as if it had been asked again. */
static void
learn(struct fleet *f, const struct stage *st, bool made)
{
	struct remote *r = &f->v[0];
	struct meta meta = META_INIT;

	r->prepared = true;
	r->made = made;
	stage_fill_meta(st, &meta);
	if (st->outcome == STAGE_NEW)
		remote_learn(r, &meta);
}

/* Is there no root yet? */
static bool
is_new(const char *root)
{
	struct store s = STORE_INIT;
	struct err why = ERR_INIT;
	bool is = store_look(&s, root, &why) != 0 && why.sys == ENOENT;

	store_close(&s);
	return is;
}

int
fleet_stage_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	bool made = is_new(f->here.root);

	/* A source that cannot be used is said before anything is made. */
	if (stage_open(st, opt, f->here.root, e) != 0 ||
	    store_create(&f->store, f->here.root, e) != 0 ||
	    stage_run(st, &f->store, e) != 0)
		return store_tell_room(&f->store, e);
	learn(f, st, made);
	return 0;
}

int
fleet_preview_here(struct fleet *f, struct stage *st,
    const struct stage_options *opt, struct err *e)
{
	const char *root = f->here.root;

	if (stage_open(st, opt, root, e) != 0)
		return -1;
	if ((f->looks ? store_look(&f->store, root, e) :
			store_open(&f->store, root, e)) == 0)
		return stage_preview(st, &f->store, e);
	/* There may be no root yet. */
	if (e->sys != ENOENT || store_check_new(root, e) != 0)
		return -1;
	return stage_preview(st, NULL, e);
}
