#include "content/fill.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "content/digest_index.h"
#include "os/pool.h"
#include "os/progress.h"

enum { GRAIN = 32 }; /* files that one thread takes in a row */

enum fill_action {
	FILL_NONE, /* not ours, or nothing left to do */
	FILL_COPY,
	FILL_LINK,
	FILL_DONE, /* copied while it was read */
};

struct fill_step {
	enum fill_action action;
	const char *from; /* FILL_LINK: path in the base */
};

struct fill_index {
	struct digest_index *by_digest;
};

/* Is the target the source: content that lies there already? */
static bool
is_in_place(const struct fill *f)
{
	return f->source == f->target;
}

void
fill_init(struct fill *f)
{
	f->linked = f->copied = 0;
	f->copied_bytes = 0;
	f->place = (struct place){ f->target, f->scratch, f->gid };
	f->steps = xcalloc(f->m->n, sizeof(*f->steps));
	f->index = xmalloc(sizeof(*f->index));
	f->index->by_digest = digest_index_new(f->base.manifest);
	f->write = false;
}

void
fill_release(struct fill *f)
{
	free(f->steps);
	if (f->index != NULL)
		digest_index_free(f->index->by_digest);
	free(f->index);
	f->steps = NULL;
	f->index = NULL;
}

/* ---- reading, and storing what is new ------------------------------------ */

/* Decide how the file comes into the target, and its mtime. */
static void
decide(const struct fill *f, struct entry *en, struct fill_step *step)
{
	const struct entry *same = NULL, *moved;

	if (f->base.manifest != NULL)
		same = manifest_find(f->base.manifest, en->path);
	if (same != NULL && same->type != ENTRY_FILE)
		same = NULL;
	step->action = FILL_COPY;
	step->from = NULL;
	en->mtime = f->mtime;
	if (same != NULL && same->size == en->size &&
	    memcmp(same->digest, en->digest, HASH_LEN) == 0) {
		en->mtime = same->mtime;
		if (same->mode == en->mode) {
			step->action = FILL_LINK;
			step->from = same->path;
		}
		return;
	}
	moved = digest_index_find(f->index->by_digest, en->digest, en->mode);
	if (moved == NULL || same != NULL || moved->mtime != f->base.mtime)
		return;
	step->action = FILL_LINK;
	step->from = moved->path;
	en->mtime = moved->mtime;
}

/* The open file `en` is new content: store it if it is time to. */
static int
read_new(const struct fill *f, struct placer *w, int fd, struct entry *en,
    struct fill_step *step, struct err *e)
{
	/* Exactly a window could have more behind it: not trusted. */
	bool in_window = en->size < PLACE_WINDOW;
	int r;

	if (!f->write)
		return 0;
	r = is_in_place(f) ?
	    place_keep(w, fd, &f->place, en, e) :
	    place_store(w, fd, f->target, en, f->gid, in_window, e);
	if (r == 0)
		step->action = FILL_DONE;
	return r;
}

/* Hash one entry, and store it when its content is new. */
static int
read_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	struct entry *en = &f->m->v[i];
	int fd, r;

	if (en->mark != ENTRY_BUILD || en->type == ENTRY_DIR)
		return 0;
	if (en->type == ENTRY_LINK) {
		en->mtime = f->mtime;
		return 0;
	}
	if (f->hashed && !f->write) {
		decide(f, en, &f->steps[i]);
		return 0;
	}
	fd = place_open(f->source, en->path, e);
	if (fd < 0)
		return -1;
	r = place_hash(local, fd, f->source, en, e);
	if (r == 0) {
		decide(f, en, &f->steps[i]);
		if (f->steps[i].action == FILL_COPY)
			r = read_new(f, local, fd, en, &f->steps[i], e);
	}
	close(fd);
	progress_add(1, en->size);
	return r;
}

/* Make the directories; in place, those of the build are there. */
static int
make_directories(const struct fill *f, struct err *e)
{
	for (size_t i = 0; i < f->m->n; i++) {
		const struct entry *en = &f->m->v[i];

		if (en->type == ENTRY_DIR &&
		    (en->mark != ENTRY_BUILD || !is_in_place(f)) &&
		    dir_make(f->target, en->path, e) != 0)
			return -1;
	}
	return 0;
}

/* Count what the steps say. */
static void
count_steps(struct fill *f)
{
	f->linked = f->copied = 0;
	f->copied_bytes = 0;
	for (size_t i = 0; i < f->m->n; i++) {
		if (f->steps[i].action == FILL_LINK)
			f->linked++;
		if (f->steps[i].action == FILL_COPY ||
		    f->steps[i].action == FILL_DONE) {
			f->copied++;
			f->copied_bytes += f->m->v[i].size;
		}
	}
}

int
fill_read(struct fill *f, bool write, struct err *e)
{
	const struct pool_job job = { f->m->n, GRAIN, f, placer_begin,
		read_item, placer_end };
	int r = 0;

	f->write = write;
	if (write)
		r = make_directories(f, e);
	if (r == 0)
		r = pool_run(&job, e);
	count_steps(f);
	return r;
}

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

	if (en->type != ENTRY_FILE)
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

/* Copy a file whose digest is known from the source to the target. */
static int
copy_known(const struct fill *f, struct placer *w, struct entry *en,
    struct err *e)
{
	int fd = place_open(f->source, en->path, e), r;

	if (fd < 0)
		return -1;
	r = is_in_place(f) ?
	    place_keep(w, fd, &f->place, en, e) :
	    place_store(w, fd, f->target, en, f->gid, false, e);
	close(fd);
	return r;
}

/* Bring one entry into the target that is not there yet. */
static int
place_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	struct entry *en = &f->m->v[i];
	struct fill_step *step = &f->steps[i];
	const struct place_origin o = { f->base.dir, step->from, f->gid };
	struct err ignored = ERR_INIT;
	int r = 1;

	if (en->mark != ENTRY_BUILD)
		return 0;
	if (en->type == ENTRY_LINK)
		return is_in_place(f) ? place_dress_symlink(f->target, en, e) :
					place_symlink(f->target, en, e);
	if (en->type == ENTRY_DIR || step->action == FILL_DONE)
		return 0;
	if (step->action == FILL_LINK &&
	    (!f->distrust || place_has_content(local, &o, en, &ignored) == 1))
		r = is_in_place(f) ?
		    place_link_over(&f->place, &o, en, e) :
		    place_link(&o, f->target, en->path, en, e);
	if (r == 1) {
		step->action = FILL_COPY;
		r = copy_known(f, local, en, e);
	}
	progress_add(1, en->size);
	return r;
}

int
fill_place(struct fill *f, struct err *e)
{
	const struct pool_job job = { f->m->n, GRAIN, f, placer_begin,
		place_item, placer_end };
	int r = 0;

	if (!f->write)
		r = make_directories(f, e);
	if (r == 0)
		r = pool_run(&job, e);
	if (r == 0)
		r = place_directories(f->target, f->m, f->gid, e);
	count_steps(f);
	return r;
}

const char *
fill_base_path(const struct fill *f, size_t i)
{
	return f->steps[i].action == FILL_LINK ? f->steps[i].from : NULL;
}
