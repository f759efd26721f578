#include "content/dictionary.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "content/dcz.h"
#include "content/encode.h"
#include "content/place.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "os/pool.h"
#include "os/progress.h"

enum {
	WORD_MIN = 6,	/* characters of the shortest hash in a name */
	DIFFER_MIN = 4, /* of these, from the first to the last that differ */
	TENTHS = 9,	/* of the best other form that one may have */
};

/* One form of a file. */
struct form {
	enum {
		FORM_WANTED,
		FORM_KEPT,   /* the base has it */
		FORM_COPIED, /* another release has it: `from` */
		FORM_MADE,   /* `from` is the dictionary */
		FORM_SPARED,
		FORM_LOST,
	} state;
	const struct release_id *id; /* the release that has `from` */
	const struct entry *from;
	char *path;
	int64_t size;
	uint8_t digest[HASH_LEN];
};

/* A file, and its forms. */
struct subject {
	const struct entry *plain;
	int64_t best; /* bytes of the best form but these */
	struct form *forms;
	size_t n;
};

/* What a release has of the files that the rules name. */
struct versions {
	const struct extras_earlier *of;
	const struct entry **v;
	size_t n;
};

struct work {
	const struct dictionary_job *job;
	const struct manifest *m; /* of the plan */
	struct hoard *into;
	struct versions *earlier; /* live last comes first */
	struct subject *v;
	size_t n;
	size_t cap;
	struct form_names too_long;
};

/* ---- names -------------------------------------------------------------- */

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

bool
dictionary_is_version(const char *a, const char *b)
{
	size_t len = strlen(a), from = 0, to = len, word;

	if (strlen(b) != len || strcmp(a, b) == 0)
		return false;
	while (a[from] == b[from])
		from++;
	while (a[to - 1] == b[to - 1])
		to--;
	for (size_t i = from; i < to; i++)
		if (!is_word(a[i]) || !is_word(b[i]))
			return false;
	word = to - from;
	for (size_t i = from; i > 0 && is_word(a[i - 1]); i--)
		word++;
	for (size_t i = to; is_word(a[i]); i++)
		word++;
	return to - from >= DIFFER_MIN && word >= WORD_MIN;
}

static bool
is_same_content(const struct entry *a, const struct entry *b)
{
	return a->size == b->size &&
	    memcmp(a->digest, b->digest, HASH_LEN) == 0;
}

/* Is it a file that may get such forms, or be a dictionary? */
static bool
is_subject(const struct rules *rules, const struct entry *en)
{
	return en->type == ENTRY_FILE && en->mark == ENTRY_BUILD &&
	    en->size > 0 && en->size <= DCZ_MAX &&
	    form_of_path(en->path) == 0 &&
	    path_match_any(&rules->dictionaries, en->path);
}

/* ---- earlier releases ---------------------------------------------------- */

static void
list_versions(struct versions *x, const struct extras_earlier *of,
    const struct rules *rules)
{
	x->of = of;
	x->v = xcalloc(of->m.n + 1, sizeof(*x->v));
	for (size_t i = 0; i < of->m.n; i++)
		if (is_subject(rules, &of->m.v[i]))
			x->v[x->n++] = &of->m.v[i];
}

/* Who was live last comes first. */
static int
compare_versions(const void *a, const void *b)
{
	const struct extras_earlier *x = ((const struct versions *)a)->of;
	const struct extras_earlier *y = ((const struct versions *)b)->of;

	if (x->until != y->until)
		return x->until > y->until ? -1 : 1;
	return release_id_cmp(&y->id, &x->id);
}

static void
list_earlier(struct work *w)
{
	const struct dictionary_job *job = w->job;

	w->earlier = xcalloc(job->n + 1, sizeof(*w->earlier));
	for (size_t i = 0; i < job->n; i++)
		list_versions(&w->earlier[i], &job->earlier[i], job->rules);
	if (job->n > 1)
		qsort(w->earlier, job->n, sizeof(*w->earlier),
		    compare_versions);
}

/* Does the build still have this file, so that it is another one? */
static bool
is_in_build(const struct work *w, const struct entry *en)
{
	const struct entry *now = manifest_find(w->m, en->path);

	return now != NULL && now->mark == ENTRY_BUILD &&
	    now->type == ENTRY_FILE && is_same_content(now, en);
}

static int64_t
distance(const struct entry *a, const struct entry *b)
{
	return a->size > b->size ? a->size - b->size : b->size - a->size;
}

/* The version of a file that the release has; NULL: none, or the same. */
static const struct entry *
find_version(const struct work *w, const struct versions *x,
    const struct entry *plain)
{
	const struct entry *en = manifest_find(&x->of->m, plain->path);
	const struct entry *best = NULL;

	if (en != NULL && is_subject(w->job->rules, en))
		return is_same_content(en, plain) ? NULL : en;
	for (size_t i = 0; i < x->n; i++) {
		en = x->v[i];
		if (dictionary_is_version(en->path, plain->path) &&
		    !is_same_content(en, plain) && !is_in_build(w, en) &&
		    (best == NULL ||
			distance(en, plain) < distance(best, plain)))
			best = en;
	}
	return best;
}

/* ---- which --------------------------------------------------------------- */

static struct form *
add_form(struct subject *s, const uint8_t dictionary[HASH_LEN])
{
	struct form *f;

	s->forms = xreallocarray(s->forms, s->n + 1, sizeof(*s->forms));
	f = &s->forms[s->n++];
	*f = (struct form){ .state = FORM_WANTED,
		.path = dcz_path(s->plain->path, dictionary) };
	return f;
}

static bool
has_form(const struct subject *s, const uint8_t dictionary[HASH_LEN])
{
	char *path = dcz_path(s->plain->path, dictionary);
	bool has = false;

	for (size_t i = 0; !has && i < s->n; i++)
		has = strcmp(s->forms[i].path, path) == 0;
	free(path);
	return has;
}

/* A dictionary that any earlier release has. */
static bool
find_dictionary(const struct work *w, const uint8_t digest[HASH_LEN],
    struct form *f)
{
	for (size_t i = 0; i < w->job->n; i++)
		for (size_t k = 0; k < w->earlier[i].n; k++)
			if (memcmp(w->earlier[i].v[k]->digest, digest,
				HASH_LEN) == 0) {
				f->from = w->earlier[i].v[k];
				f->id = &w->earlier[i].of->id;
				return true;
			}
	return false;
}

/*
 * A form that the release `id` has beside the same file; NULL: the base.  One
 * of the base that is damaged is made again.  0 or -1.
 */
static int
take_form(struct work *w, struct subject *s, const struct entry *en,
    const struct release_id *id, struct err *e)
{
	const struct dir *files = w->job->base_files;
	uint8_t dictionary[HASH_LEN];
	struct form *f;
	int usable = 1;

	if (dcz_of_path(en->path, dictionary) == 0 || en->mode != 0644 ||
	    en->type != ENTRY_FILE || en->mark != ENTRY_BUILD ||
	    manifest_find(w->m, en->path) != NULL)
		return 0;
	if (id == NULL && files != NULL)
		usable = place_can_bring(files, en->path, en, e);
	if (usable < 0)
		return -1;
	f = add_form(s, dictionary);
	if (usable == 0) {
		if (!find_dictionary(w, dictionary, f))
			f->state = FORM_LOST;
		return 0;
	}
	f->state = id == NULL ? FORM_KEPT : FORM_COPIED;
	f->id = id;
	f->from = en;
	f->size = en->size;
	memcpy(f->digest, en->digest, HASH_LEN);
	return 0;
}

/*
 * If the release with this manifest has the same file, its forms are the
 * forms.  1, 0 when it has another, or -1.
 */
static int
take_forms(struct work *w, struct subject *s, const struct manifest *m,
    const struct release_id *id, struct err *e)
{
	const char *path = s->plain->path;
	const struct entry *en = manifest_find(m, path);
	size_t len = strlen(path);

	if (en == NULL || en->type != ENTRY_FILE || en->mark != ENTRY_BUILD ||
	    !is_same_content(en, s->plain))
		return 0;
	while (++en < m->v + m->n && strncmp(en->path, path, len) == 0)
		if (form_of_path(en->path) == len &&
		    take_form(w, s, en, id, e) != 0)
			return -1;
	return 1;
}

/* Forms against the last versions. */
static void
choose_versions(struct work *w, struct subject *s)
{
	const struct rules *rules = w->job->rules;

	for (size_t i = 0; i < w->job->n && s->n < rules->dictionaries_from;
	     i++) {
		const struct entry *en =
		    find_version(w, &w->earlier[i], s->plain);
		struct form *f;

		if (en == NULL || has_form(s, en->digest))
			continue;
		f = add_form(s, en->digest);
		f->from = en;
		f->id = &w->earlier[i].of->id;
		/* What the build has itself beside it, it keeps. */
		if (manifest_find(w->m, f->path) != NULL ||
		    !form_name_fits(&w->too_long, s->plain->path, f->path))
			f->state = FORM_LOST;
	}
}

static int
choose_forms(struct work *w, struct subject *s, struct err *e)
{
	const struct dictionary_job *job = w->job;
	int r = 0;

	if (job->base != NULL && !job->anew)
		r = take_forms(w, s, job->base, NULL, e);
	for (size_t i = 0; r == 0 && !job->anew && i < job->n; i++)
		r = take_forms(w, s, &w->earlier[i].of->m,
		    &w->earlier[i].of->id, e);
	if (r == 0)
		choose_versions(w, s);
	return r < 0 ? -1 : 0;
}

/* How small is the file without a dictionary? */
static int64_t
best_size(const struct manifest *m, const struct entry *plain)
{
	int64_t best = plain->size;

	for (enum encoding i = 0; i < ENCODINGS; i++) {
		char *path =
		    xasprintf("%s%s", plain->path, encodings[i].suffix);
		const struct entry *en = manifest_find(m, path);

		if (en != NULL && en->type == ENTRY_FILE && en->size < best)
			best = en->size;
		free(path);
	}
	return best;
}

static int
find_subjects(struct work *w, struct err *e)
{
	for (size_t i = 0; i < w->m->n; i++) {
		struct subject s = { .plain = &w->m->v[i] };
		int r;

		if (!is_subject(w->job->rules, s.plain))
			continue;
		r = choose_forms(w, &s, e);
		if (s.n > 0)
			s.best = best_size(w->m, s.plain);
		if (w->n == w->cap) {
			w->cap = w->cap > 0 ? w->cap * 2 : 64;
			w->v = xreallocarray(w->v, w->cap, sizeof(*w->v));
		}
		w->v[w->n++] = s;
		if (r != 0)
			return -1;
	}
	return 0;
}

/* ---- making -------------------------------------------------------------- */

static bool
is_pending(const struct form *f)
{
	return f->state == FORM_WANTED || f->state == FORM_COPIED;
}

/* What is to be brought: dictionaries, and forms that others have. */
static int
bring_all(const struct work *w, struct err *e)
{
	struct manifest wanted = MANIFEST_INIT;
	struct err why = ERR_INIT;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->v[i].n; k++) {
			const struct form *f = &w->v[i].forms[k];
			struct entry *en;

			if (!is_pending(f))
				continue;
			en = manifest_add(&wanted, f->from->path, ENTRY_FILE);
			en->size = f->from->size;
			memcpy(en->digest, f->from->digest, HASH_LEN);
		}
	if (wanted.n > 0 && w->job->bring != NULL &&
	    w->job->bring(w->job->ctx, &wanted, &why) != 0)
		log_info("%s", why.text);
	manifest_release(&wanted);
	return intr_check(e);
}

/* Read all of the open file, which is what `en` says.  0 or -1. */
static int
read_content(int fd, const struct entry *en, struct buf *out, struct err *e)
{
	uint8_t digest[HASH_LEN];
	struct hash *h;
	ssize_t n;

	buf_reset(out);
	/* A byte more, to see that there is none. */
	buf_reserve(out, (size_t)en->size + 1);
	n = io_read(fd, out->data, (size_t)en->size + 1);
	if (n < 0)
		return err_sys(e, "cannot read '%s'", en->path);
	out->len = (size_t)n;
	h = hash_new();
	hash_add(h, out->data, out->len);
	hash_end(h, digest);
	hash_free(h);
	return n == en->size && memcmp(digest, en->digest, HASH_LEN) == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY, "'%s' is damaged", en->path);
}

/* What one thread works with. */
struct maker {
	struct buf plain, from, out;
	int64_t most; /* bytes that may come out */
};

static void *
maker_begin(void *ctx)
{
	(void)ctx;
	return xcalloc(1, sizeof(struct maker));
}

static void
maker_end(void *ctx, void *maker)
{
	struct maker *k = maker;

	(void)ctx;
	buf_release(&k->plain);
	buf_release(&k->from);
	buf_release(&k->out);
	free(k);
}

/* For the encoder: ERR_GUARD when it is not worth going on. */
static int
take(void *ctx, const void *data, size_t len, struct err *e)
{
	struct maker *k = ctx;

	buf_add(&k->out, data, len);
	return (int64_t)k->out.len > k->most ?
	    err_set(e, ERR_GUARD, "it saves too little") :
	    0;
}

/* The form of k->plain against k->from into k->out.  As the encoder. */
static int
encode(struct maker *k, const uint8_t dictionary[HASH_LEN], struct err *e)
{
	unsigned char header[DCZ_HEADER];
	struct encoder *c;
	int r;

	dcz_header(dictionary, header);
	buf_reset(&k->out);
	buf_add(&k->out, header, sizeof(header));
	c = encoder_new_against(k->from.data, k->from.len,
	    (int64_t)k->plain.len, take, k);
	r = encoder_add(c, k->plain.data, k->plain.len, e);
	if (r == 0)
		r = encoder_end(c, e);
	encoder_free(c);
	return r;
}

static int
make_form(struct maker *k, const struct work *w, struct form *f, struct err *e)
{
	struct err why = ERR_INIT;
	struct hash *h;

	if (encode(k, f->from->digest, &why) != 0) {
		if (why.code != ERR_GUARD) {
			*e = why;
			return -1;
		}
		f->state = FORM_SPARED;
		return 0;
	}
	h = hash_new();
	hash_add(h, k->out.data, k->out.len);
	hash_end(h, f->digest);
	hash_free(h);
	f->size = (int64_t)k->out.len;
	f->state = FORM_MADE;
	return hoard_put(w->into, f->digest, k->out.data, k->out.len, e);
}

/* Read what it is made from, or is.  False: it cannot be had. */
static bool
read_from(struct maker *k, const struct work *w, struct form *f)
{
	struct err why = ERR_INIT;
	int fd = w->job->open(w->job->ctx, f->id, f->from, &why);
	int r = fd < 0 ? -1 : read_content(fd, f->from, &k->from, &why);

	if (fd >= 0)
		close(fd);
	if (r == 0)
		return true;
	log_warn("'%s' of %s cannot be had, and '%s' is left out: %s",
	    f->from->path, f->id->text, f->path, why.text);
	f->state = FORM_LOST;
	return false;
}

static int
read_plain(struct maker *k, const struct work *w, const struct entry *plain,
    struct err *e)
{
	struct err why = ERR_INIT;
	int fd = place_open(w->job->source, plain->path, e), r;

	if (fd < 0)
		return -1;
	r = read_content(fd, plain, &k->plain, &why);
	close(fd);
	if (r != 0 && why.code == ERR_INTEGRITY)
		return err_set(e, ERR_FAILED,
		    "'%s/%s' changed while it was read;; stage when the build has ended",
		    w->job->source->path, plain->path);
	if (r != 0)
		*e = why;
	return r;
}

static int
make_item(void *ctx, void *maker, size_t i, struct err *e)
{
	struct work *w = ctx;
	struct subject *s = &w->v[i];
	struct maker *k = maker;
	bool read = false;
	int r = 0;

	k->most = s->best / 10 * TENTHS + s->best % 10 * TENTHS / 10;
	for (size_t j = 0; r == 0 && j < s->n; j++) {
		struct form *f = &s->forms[j];

		if (!is_pending(f) || !read_from(k, w, f))
			continue;
		if (f->state == FORM_COPIED) {
			r = hoard_put(w->into, f->digest, k->from.data,
			    k->from.len, e);
			continue;
		}
		if (!read)
			r = read_plain(k, w, s->plain, e);
		read = true;
		if (r == 0)
			r = make_form(k, w, f, e);
	}
	return r;
}

/* How many files have something to be made. */
static int64_t
count_pending(const struct work *w)
{
	int64_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->v[i].n; k++)
			n += is_pending(&w->v[i].forms[k]);
	return n;
}

static int
make_all(struct work *w, struct err *e)
{
	const struct pool_job job = { w->n, 1, w, maker_begin, make_item,
		maker_end };
	int64_t pending = count_pending(w);
	int r;

	if (pending == 0)
		return 0;
	if (bring_all(w, e) != 0 || hoard_open(w->into, e) != 0)
		return -1;
	progress_begin("compressing", pending, 0);
	r = pool_run(&job, e);
	progress_end();
	return r;
}

/* ---- into the plan ------------------------------------------------------- */

static void
count(const struct form *f, struct compressed *out)
{
	bool made = f->state == FORM_MADE || f->state == FORM_COPIED;

	out->made += made;
	out->bytes += made ? f->size : 0;
	out->kept += f->state == FORM_KEPT;
	out->spared += f->state == FORM_SPARED;
}

static void
add_to_plan(const struct work *w, struct plan *p, struct compressed *out)
{
	struct plan_made *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->v[i].n; k++) {
			const struct form *f = &w->v[i].forms[k];

			count(f, out);
			if (f->state != FORM_MADE && f->state != FORM_COPIED &&
			    f->state != FORM_KEPT)
				continue;
			v = xreallocarray(v, n + 1, sizeof(*v));
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
	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < w->v[i].n; k++)
			free(w->v[i].forms[k].path);
		free(w->v[i].forms);
	}
	for (size_t i = 0; i < w->job->n; i++)
		free(w->earlier[i].v);
	free(w->earlier);
	free(w->v);
}

int
dictionary_files(const struct dictionary_job *job, struct plan *p,
    struct hoard *into, struct compressed *out, struct err *e)
{
	struct work w = { .job = job, .m = &p->m, .into = into };
	int r;

	*out = (struct compressed){ 0 };
	list_earlier(&w);
	r = find_subjects(&w, e);
	form_tell_names(&w.too_long, "form against an earlier one");
	if (r == 0)
		r = make_all(&w, e);
	if (r == 0)
		add_to_plan(&w, p, out);
	work_release(&w);
	return r;
}
