#include "content/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/path.h"
#include "content/dcz.h"
#include "content/encode.h"
#include "content/place.h"
#include "os/file.h"
#include "os/io.h"
#include "os/pool.h"
#include "os/progress.h"

enum {
	PIECE = 64 * 1024,
	GRAIN = 32, /* files that one thread looks at in a row */
	TENTHS = 9, /* of its file that a form may have */
};

/* What becomes of one form of a file. */
struct form {
	enum {
		FORM_UNWANTED,
		FORM_WANTED,
		FORM_KEPT, /* `old` of the base */
		FORM_MADE,
		FORM_SPARED,
	} state;
	const struct entry *old;
	char *path;
	int64_t size;
	uint8_t digest[HASH_LEN];
};

/* A file, and its forms. */
struct packed {
	const struct entry *plain;
	struct form forms[ENCODINGS];
};

struct work {
	const struct compress_job *job;
	struct hoard *into;
	struct packed *v;
	size_t n;
	size_t cap;
	struct form_names too_long;
};

/* ---- which -------------------------------------------------------------- */

/* The file that the base has at the path, if it has this content. */
static const struct entry *
find_same(const struct manifest *base, const struct entry *plain)
{
	const struct entry *en =
	    base != NULL ? manifest_find(base, plain->path) : NULL;

	return en != NULL && en->type == ENTRY_FILE &&
		en->size == plain->size &&
		memcmp(en->digest, plain->digest, HASH_LEN) == 0 ?
	    en :
	    NULL;
}

/* What the base has beside a file of the same content. */
static const struct entry *
find_old(const struct manifest *base, const char *path)
{
	const struct entry *en = manifest_find(base, path);

	/* Ours, or one that is like ours. */
	return en != NULL && en->type == ENTRY_FILE &&
		en->mark == ENTRY_BUILD && en->mode == 0644 ?
	    en :
	    NULL;
}

static void
add_file(struct work *w, const struct manifest *m, const struct entry *plain)
{
	const struct compress_job *job = w->job;
	const struct manifest *base = job->anew ? NULL : job->base;
	const struct entry *same = find_same(base, plain);
	struct packed p = { .plain = plain };

	for (enum encoding i = 0; i < ENCODINGS; i++) {
		struct form *f = &p.forms[i];

		if ((job->rules->compress_with & 1U << i) == 0)
			continue;
		f->path = xasprintf("%s%s", plain->path, encodings[i].suffix);
		if (manifest_find(m, f->path) == NULL &&
		    form_name_fits(&w->too_long, plain->path, f->path))
			f->state = FORM_WANTED;
		if (same != NULL)
			f->old = find_old(base, f->path);
	}
	if (w->n == w->cap) {
		w->cap = w->cap > 0 ? w->cap * 2 : 64;
		w->v = xreallocarray(w->v, w->cap, sizeof(*w->v));
	}
	w->v[w->n++] = p;
}

static void
find_files(struct work *w, const struct manifest *m)
{
	const struct rules *rules = w->job->rules;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];

		if (en->type == ENTRY_FILE && en->mark == ENTRY_BUILD &&
		    en->size > 0 && en->size >= rules->compress_over &&
		    form_of_path(en->path) == 0 &&
		    path_match_any(&rules->compress, en->path))
			add_file(w, m, en);
	}
}

/* Keep what the base has, where that is what its manifest says. */
static int
keep_item(void *ctx, void *local, size_t i, struct err *e)
{
	struct work *w = ctx;
	const struct dir *files = w->job->base_files;

	(void)local;
	for (enum encoding k = 0; k < ENCODINGS; k++) {
		struct form *f = &w->v[i].forms[k];
		int r = 1;

		if (f->state != FORM_WANTED || f->old == NULL)
			continue;
		if (files != NULL)
			r = place_can_bring(files, f->path, f->old, e);
		if (r < 0)
			return -1;
		if (r == 0)
			continue;
		f->state = FORM_KEPT;
		f->size = f->old->size;
		memcpy(f->digest, f->old->digest, HASH_LEN);
	}
	return 0;
}

/* Is anything of the file still to be made? */
static bool
is_wanting(const struct packed *p)
{
	for (enum encoding i = 0; i < ENCODINGS; i++)
		if (p->forms[i].state == FORM_WANTED)
			return true;
	return false;
}

/* ---- making ------------------------------------------------------------- */

/* What one thread works with. */
struct maker {
	struct hash *read, *made;
	char *data;	/* PIECE bytes */
	int out;	/* the new file; -1: it is only counted */
	int64_t size;	/* of what came out so far, */
	int64_t most;	/* that may */
	const char *to; /* for messages */
};

static void *
maker_begin(void *ctx)
{
	struct maker *k = xcalloc(1, sizeof(*k));

	(void)ctx;
	k->read = hash_new();
	k->made = hash_new();
	k->data = xmalloc(PIECE);
	return k;
}

static void
maker_end(void *ctx, void *maker)
{
	struct maker *k = maker;

	(void)ctx;
	hash_free(k->read);
	hash_free(k->made);
	free(k->data);
	free(k);
}

/* For the encoder: ERR_GUARD when it is not worth going on. */
static int
take(void *ctx, const void *data, size_t len, struct err *e)
{
	struct maker *k = ctx;

	k->size += (int64_t)len;
	if (k->size > k->most)
		return err_set(e, ERR_GUARD, "it saves too little");
	hash_add(k->made, data, len);
	if (k->out >= 0 && io_write(k->out, data, len) != 0)
		return err_sys(e, "cannot write in '%s'", k->to);
	return 0;
}

/* Read all of the file through the encoder. */
static int
encode(struct maker *k, struct encoder *c, int fd, const struct work *w,
    const struct entry *plain, struct err *e)
{
	int64_t left = plain->size;
	uint8_t digest[HASH_LEN];
	ssize_t n = 1;
	int r = 0;

	while (r == 0 && n > 0 && left >= 0) {
		n = io_read(fd, k->data, PIECE);
		if (n < 0)
			return err_sys(e, "cannot read '%s/%s'",
			    w->job->source->path, plain->path);
		hash_add(k->read, k->data, (size_t)n);
		left -= n;
		/* More than it had would be a surprise to the encoder. */
		if (left >= 0)
			r = encoder_add(c, k->data, (size_t)n, e);
	}
	if (r == 0 && left == 0)
		r = encoder_end(c, e);
	hash_end(k->read, digest);
	if (r != 0)
		return err_prefix(e,
		    "cannot compress '%s/%s': ", w->job->source->path,
		    plain->path);
	if (left != 0 || memcmp(digest, plain->digest, HASH_LEN) != 0)
		r = err_set(e, ERR_FAILED,
		    "'%s/%s' changed while it was read;; stage when the build has ended",
		    w->job->source->path, plain->path);
	return r;
}

/*
 * One form of the open file into k->out.  1, 0 when it does not save enough,
 * or -1.
 */
static int
run_encoder(struct maker *k, const struct work *w, int fd,
    const struct entry *plain, enum encoding how, uint8_t digest[HASH_LEN],
    struct err *e)
{
	struct err why = ERR_INIT;
	struct encoder *c;
	int r;

	if (lseek(fd, 0, SEEK_SET) != 0)
		return err_sys(e, "cannot read '%s/%s'", w->job->source->path,
		    plain->path);
	k->size = 0;
	k->most = plain->size / 10 * TENTHS + plain->size % 10 * TENTHS / 10;
	c = encoder_new(how, plain->size, take, k);
	r = encode(k, c, fd, w, plain, &why);
	encoder_free(c);
	hash_end(k->made, digest);
	if (r == 0)
		return 1;
	if (why.code == ERR_GUARD)
		return 0;
	*e = why;
	return -1;
}

/* Give the new file of the hoard the name of its content, or remove it. */
static int
name_file(const struct work *w, const char *tmp, const struct form *f,
    struct err *e)
{
	const struct dir *d = &w->into->dir;
	char name[HASH_HEX + 1];

	hash_hex(f->digest, name);
	if (f->state != FORM_MADE)
		unlinkat(d->fd, tmp, 0);
	else if (renameat(d->fd, tmp, d->fd, name) != 0)
		return err_sys(e, "cannot write '%s/%s'", d->path, name);
	return 0;
}

static int
make_form(struct maker *k, const struct work *w, int fd,
    const struct entry *plain, struct form *f, enum encoding how,
    struct err *e)
{
	const struct dir *d = &w->into->dir;
	char tmp[64];
	int r;

	file_tmp_name(tmp);
	k->to = d->path;
	k->out =
	    openat(d->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (k->out < 0)
		return err_sys(e, "cannot create '%s/%s'", d->path, tmp);
	r = run_encoder(k, w, fd, plain, how, f->digest, e);
	f->size = k->size;
	f->state = r == 1 ? FORM_MADE : FORM_SPARED;
	if (io_close(k->out) != 0 && r >= 0)
		r = err_sys(e, "cannot write '%s/%s'", d->path, tmp);
	k->out = -1;
	return r >= 0 && name_file(w, tmp, f, e) == 0 ? 0 : -1;
}

/* Does gzip save enough, so that the others are tried?  1, 0 or -1. */
static int
try_gzip(struct maker *k, const struct work *w, int fd, struct packed *p,
    struct err *e)
{
	struct form *f = &p->forms[ENCODING_GZIP];
	uint8_t ignored[HASH_LEN];

	if (f->state == FORM_KEPT)
		return 1;
	if (f->state == FORM_WANTED)
		return make_form(k, w, fd, p->plain, f, ENCODING_GZIP, e) ==
			0 ?
		    f->state == FORM_MADE :
		    -1;
	k->out = -1;
	return run_encoder(k, w, fd, p->plain, ENCODING_GZIP, ignored, e);
}

static int
make_forms(struct maker *k, const struct work *w, int fd, struct packed *p,
    struct err *e)
{
	int worth = try_gzip(k, w, fd, p, e);

	for (enum encoding i = 0; worth >= 0 && i < ENCODINGS; i++) {
		struct form *f = &p->forms[i];

		if (f->state != FORM_WANTED)
			continue;
		if (worth == 0)
			f->state = FORM_SPARED;
		else if (make_form(k, w, fd, p->plain, f, i, e) != 0)
			return -1;
	}
	return worth < 0 ? -1 : 0;
}

static int
make_item(void *ctx, void *maker, size_t i, struct err *e)
{
	struct work *w = ctx;
	struct packed *p = &w->v[i];
	int fd, r;

	if (!is_wanting(p))
		return 0;
	fd = place_open(w->job->source, p->plain->path, e);
	if (fd < 0)
		return -1;
	r = make_forms(maker, w, fd, p, e);
	close(fd);
	progress_add(1, p->plain->size);
	return r;
}

/* Make what is wanting of all files. */
static int
make_all(struct work *w, struct err *e)
{
	/* One at a time: some take a thousand times as long as others. */
	const struct pool_job job = { w->n, 1, w, maker_begin, make_item,
		maker_end };
	int64_t files = 0, bytes = 0;
	int r;

	for (size_t i = 0; i < w->n; i++)
		if (is_wanting(&w->v[i])) {
			files++;
			bytes += w->v[i].plain->size;
		}
	if (files == 0)
		return 0;
	if (hoard_open(w->into, e) != 0)
		return -1;
	progress_begin("compressing", files, bytes);
	r = pool_run(&job, e);
	progress_end();
	return r;
}

/* ---- into the plan ------------------------------------------------------ */

static void
count(const struct form *f, struct compressed *out)
{
	out->made += f->state == FORM_MADE;
	out->bytes += f->state == FORM_MADE ? f->size : 0;
	out->kept += f->state == FORM_KEPT;
	out->spared += f->state == FORM_SPARED;
}

static void
add_to_plan(const struct work *w, struct plan *p, struct compressed *out)
{
	struct plan_made *v = xcalloc(w->n * ENCODINGS + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		for (enum encoding k = 0; k < ENCODINGS; k++) {
			const struct form *f = &w->v[i].forms[k];

			count(f, out);
			if (f->state != FORM_MADE && f->state != FORM_KEPT)
				continue;
			v[n] = (struct plan_made){ .path = f->path,
				.size = f->size };
			memcpy(v[n++].digest, f->digest, HASH_LEN);
		}
	plan_add_made(p, w->job->base, v, n);
	free(v);
}

static void
work_release(struct work *w)
{
	for (size_t i = 0; i < w->n; i++)
		for (enum encoding k = 0; k < ENCODINGS; k++)
			free(w->v[i].forms[k].path);
	free(w->v);
}

int
compress_files(const struct compress_job *job, struct plan *p,
    struct hoard *into, struct compressed *out, struct err *e)
{
	struct work w = { .job = job, .into = into };
	struct pool_job keep = { 0, GRAIN, &w, maker_begin, keep_item,
		maker_end };
	int r = 0;

	*out = (struct compressed){ 0 };
	if (job->rules->compress.n == 0)
		return 0;
	find_files(&w, &p->m);
	form_tell_names(&w.too_long, "compressed form");
	keep.n = w.n;
	if (w.n > 0)
		r = pool_run(&keep, e);
	if (r == 0)
		r = make_all(&w, e);
	if (r == 0)
		add_to_plan(&w, p, out);
	work_release(&w);
	return r;
}
