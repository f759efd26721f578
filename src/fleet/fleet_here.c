#include "fleet/fleet_here.h"

#include <errno.h>

#include "content/source.h"

/* A source that cannot be used is said before anything is made. */
static int
check_source(const char *path, const char *root, struct err *e)
{
	struct source s = SOURCE_INIT;
	int r = source_open(&s, path, e);

	if (r == 0 && source_contains(&s, root))
		r = err_set(e, ERR_USAGE,
		    "the root '%s' is inside the source '%s';; put it elsewhere",
		    root, path);
	source_close(&s);
	return r;
}

/* The root, made if need be; in a preview there may be none yet. */
static int
open_root(struct fleet *f, bool preview, bool *there, struct err *e)
{
	const char *root = f->here.root;

	*there = true;
	if (!preview)
		return store_create(&f->store, root, e);
	if (store_open(&f->store, root, e) == 0)
		return 0;
	*there = false;
	return e->sys == ENOENT ? store_check_new(root, e) : -1;
}

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
	bool there;
	int r = check_source(opt->source, f->here.root, e);

	if (r == 0)
		r = open_root(f, opt->preview, &there, e);
	if (r == 0)
		r = stage_run(st, there ? &f->store : NULL, opt, e);
	if (r == 0 && !opt->preview)
		learn(f, st);
	return r;
}
