#include "content/fill.h"

#include <unistd.h>

#include "os/pool.h"
#include "os/progress.h"

enum { GRAIN = 32 }; /* files that one thread takes in a row */

/* Is the target the source: content that lies there already? */
static bool
is_in_place(const struct fill *f)
{
	return f->source == f->target;
}

void
fill_init(struct fill *f)
{
	f->place = (struct place){ f->target, f->scratch, f->gid };
	f->begun = false;
}

/* ---- hashing ------------------------------------------------------------- */

/* What fill_hash() works on. */
struct hashing {
	const struct dir *source;
	struct manifest *m;
};

static int
hash_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct hashing *h = ctx;
	struct entry *en = &h->m->v[i];
	int fd, r;

	if (en->mark != ENTRY_BUILD || en->type != ENTRY_FILE)
		return 0;
	fd = place_open(h->source, en->path, e);
	if (fd < 0)
		return -1;
	r = place_hash(local, fd, h->source, en, e);
	close(fd);
	progress_add(1, en->size);
	return r;
}

int
fill_hash(const struct dir *source, struct manifest *m, struct err *e)
{
	struct hashing h = { source, m };
	const struct pool_job job = { m->n, GRAIN, &h, placer_begin, hash_item,
		placer_end };

	return pool_run(&job, e);
}

/* ---- storing what is new while it is read -------------------------------- */

/* Make the directories; in place, those of the build are there. */
static int
make_directories(struct fill *f, struct err *e)
{
	const struct manifest *m = &f->plan->m;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];

		if (en->type == ENTRY_DIR &&
		    (en->mark != ENTRY_BUILD || !is_in_place(f)) &&
		    dir_make(f->target, en->path, e) != 0)
			return -1;
	}
	f->begun = true;
	return 0;
}

/* Store the open file; `in_window`: what is at hand of it may be all. */
static int
store(const struct fill *f, struct placer *w, int fd, size_t i, bool in_window,
    struct err *e)
{
	const struct entry *en = &f->plan->m.v[i];
	int r;

	/* Exactly a window could have more behind it: not trusted. */
	in_window = in_window && en->size < PLACE_WINDOW;
	r = is_in_place(f) ?
	    place_keep(w, fd, &f->place, en, e) :
	    place_store(w, fd, f->target, en, f->gid, in_window, e);
	if (r == 0)
		f->plan->steps[i].placed = true;
	return r;
}

/*
 * A file that is at hand, to be linked from a base that nobody trusts: is it
 * the same there?  Else it is stored.
 */
static int
check_link(const struct fill *f, struct placer *w, int fd, size_t i,
    struct err *e)
{
	struct plan_step *step = &f->plan->steps[i];
	const struct place_origin o = { f->base, step->base->path, f->gid };
	struct err ignored = ERR_INIT;

	step->checked =
	    place_has_window(w, &o, &f->plan->m.v[i], &ignored) == 1;
	if (step->checked)
		return 0;
	step->way = PLAN_COPY;
	return store(f, w, fd, i, true, e);
}

/* Hash and plan one file, and store it when it is new. */
static int
store_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	struct entry *en = &f->plan->m.v[i];
	enum plan_way way = PLAN_LINK;
	int fd, r;

	if (en->mark != ENTRY_BUILD || en->type != ENTRY_FILE)
		return 0;
	fd = place_open(f->source, en->path, e);
	if (fd < 0)
		return -1;
	r = place_hash(local, fd, f->source, en, e);
	if (r == 0) {
		plan_file(f->plan, i);
		way = f->plan->steps[i].way;
	}
	if (r == 0 && way == PLAN_COPY)
		r = store(f, local, fd, i, true, e);
	else if (r == 0 && f->distrust && en->size < PLACE_WINDOW)
		r = check_link(f, local, fd, i, e);
	close(fd);
	progress_add(1, en->size);
	return r;
}

int
fill_store(struct fill *f, struct err *e)
{
	const struct pool_job job = { f->plan->m.n, GRAIN, f, placer_begin,
		store_item, placer_end };

	return make_directories(f, e) == 0 ? pool_run(&job, e) : -1;
}

/* ---- the rest ------------------------------------------------------------ */

/* Copy a file whose digest is known from the source to the target. */
static int
copy_known(const struct fill *f, struct placer *w, size_t i, struct err *e)
{
	int fd = place_open(f->source, f->plan->m.v[i].path, e), r;

	if (fd < 0)
		return -1;
	r = store(f, w, fd, i, false, e);
	close(fd);
	return r;
}

/* Link a file from the base.  As place_link(). */
static int
link_known(const struct fill *f, struct placer *w, size_t i, struct err *e)
{
	const struct entry *en = &f->plan->m.v[i];
	const struct plan_step *step = &f->plan->steps[i];
	const struct place_origin o = { f->base, step->base->path, f->gid };
	struct err ignored = ERR_INIT;

	if (f->distrust && !step->checked &&
	    place_has_content(w, &o, en, &ignored) != 1)
		return 1;
	return is_in_place(f) ? place_link_over(&f->place, &o, en, e) :
				place_link(&o, f->target, en->path, en, e);
}

/* A file that was made, from where it is. */
static int
copy_made(const struct fill *f, struct placer *w, size_t i, struct err *e)
{
	const struct entry *en = &f->plan->m.v[i];
	char digest[HASH_HEX + 1];
	int fd, r;

	if (!hoard_has(f->made, en->digest))
		return place_bring(f->base, f->plan->steps[i].base->path, en,
		    f->target, f->gid, e);
	hash_hex(en->digest, digest);
	fd = place_open(&f->made->dir, digest, e);
	if (fd < 0)
		return -1;
	r = place_store(w, fd, f->target, en, f->gid, false, e);
	close(fd);
	return r;
}

/* Link what was made from the base, or copy it. */
static int
place_made(const struct fill *f, struct placer *w, size_t i, struct err *e)
{
	struct plan_step *step = &f->plan->steps[i];
	const struct entry *en = &f->plan->m.v[i];
	int r = 1;

	if (step->way == PLAN_LINK && !f->distrust) {
		const struct place_origin o = { f->base, step->base->path,
			f->gid };

		r = place_link(&o, f->target, en->path, en, e);
	}
	if (r == 1) {
		r = copy_made(f, w, i, e);
		step->way = PLAN_COPY;
	}
	return r;
}

/* Bring one entry into the target that is not there yet. */
static int
place_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	const struct entry *en = &f->plan->m.v[i];
	struct plan_step *step = &f->plan->steps[i];
	int r = 1;

	if (en->mark != ENTRY_BUILD)
		return 0;
	if (en->type == ENTRY_LINK)
		return is_in_place(f) ? place_dress_symlink(f->target, en, e) :
					place_symlink(f->target, en, e);
	if (en->type == ENTRY_DIR)
		return 0;
	progress_add(1, 0);
	if (step->placed)
		return 0;
	if (step->made)
		return place_made(f, local, i, e);
	if (step->way == PLAN_LINK)
		r = link_known(f, local, i, e);
	if (r == 1) {
		step->way = PLAN_COPY;
		r = copy_known(f, local, i, e);
	}
	return r;
}

int
fill_place(struct fill *f, struct err *e)
{
	const struct pool_job job = { f->plan->m.n, GRAIN, f, placer_begin,
		place_item, placer_end };

	if ((!f->begun && make_directories(f, e) != 0) ||
	    pool_run(&job, e) != 0 ||
	    place_directories(f->target, &f->plan->m, f->gid, e) != 0)
		return -1;
	plan_count(f->plan);
	return 0;
}
