#include "content/sibling.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "content/dcz.h"
#include "content/decode.h"
#include "content/links.h"
#include "content/place.h"
#include "os/io.h"
#include "os/log.h"
#include "os/pool.h"

enum { PIECE = 64 * 1024 };

struct pair {
	const struct entry *form, *file;    /* as the build names them, */
	const struct entry *packed, *plain; /* and what these lead to */
	enum encoding how; /* ENCODINGS: against a dictionary (dcz.h), */
	uint8_t dictionary[HASH_LEN]; /* this one */
};

struct pairs {
	const struct dir *source;
	const struct plan *p;
	struct pair *v;
	size_t n;
	size_t cap;
};

static void
add_pair(struct pairs *all, const struct pair *pair)
{
	if (all->n == all->cap) {
		all->cap = all->cap > 0 ? all->cap * 2 : 64;
		all->v = xreallocarray(all->v, all->cap, sizeof(*all->v));
	}
	all->v[all->n++] = *pair;
}

/* Is the path by its name a form of a file?  As form_of_path(). */
static size_t
read_name(const char *path, struct pair *out)
{
	size_t len = encoding_of_path(path, &out->how);

	if (len > 0)
		return len;
	out->how = ENCODINGS;
	return dcz_of_path(path, out->dictionary);
}

/* The file that visitors get at the path; or NULL. */
static const struct entry *
find_file(const struct manifest *m, const char *path)
{
	const struct entry *en = links_follow(m, path);

	return en != NULL && en->type == ENTRY_FILE ? en : NULL;
}

/* Has the base the same at that path, from a build? */
static bool
has_same(const struct manifest *base, const char *path, const struct entry *en)
{
	const struct entry *old = find_file(base, path);

	return old != NULL && old->mark == ENTRY_BUILD &&
	    old->size == en->size &&
	    memcmp(old->digest, en->digest, HASH_LEN) == 0;
}

static bool
is_unchanged(const struct manifest *base, const struct pair *pair)
{
	return base != NULL &&
	    has_same(base, pair->form->path, pair->packed) &&
	    has_same(base, pair->file->path, pair->plain);
}

/* Is the entry by its name a form of something in the build? */
static bool
find_names(const struct plan *p, const struct entry *en, struct pair *out)
{
	size_t len;
	char *name;

	if (en->type == ENTRY_DIR || en->mark != ENTRY_BUILD ||
	    p->steps[en - p->m.v].made)
		return false;
	len = read_name(en->path, out);
	if (len == 0)
		return false;
	name = xstrndup(en->path, len);
	out->form = en;
	out->file = manifest_find(&p->m, name);
	free(name);
	return out->file != NULL;
}

static void
find_pairs(struct pairs *all, const struct plan *p,
    const struct manifest *base)
{
	for (size_t i = 0; i < p->m.n; i++) {
		struct pair pair = { 0 };

		if (!find_names(p, &p->m.v[i], &pair))
			continue;
		pair.packed = find_file(&p->m, pair.form->path);
		pair.plain = find_file(&p->m, pair.file->path);
		/* What is carried was looked at in its own release. */
		if (pair.packed != NULL && pair.plain != NULL &&
		    pair.packed->mark == ENTRY_BUILD &&
		    !is_unchanged(base, &pair))
			add_pair(all, &pair);
	}
}

/* ---- one of them -------------------------------------------------------- */

/* What one thread works with. */
struct worker {
	struct hash *packed; /* of what is read, */
	struct hash *plain;  /* and of what comes out */
	int64_t size;	     /* of that */
	int64_t most;	     /* that may come */
	char *data;	     /* PIECE bytes */
};

static void *
begin(void *ctx)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	(void)ctx;
	w->packed = hash_new();
	w->plain = hash_new();
	w->data = xmalloc(PIECE);
	return w;
}

static void
end(void *ctx, void *worker)
{
	struct worker *w = worker;

	(void)ctx;
	hash_free(w->packed);
	hash_free(w->plain);
	free(w->data);
	free(w);
}

/* For the decoder. */
static int
take(void *ctx, const void *data, size_t len, struct err *e)
{
	struct worker *w = ctx;

	hash_add(w->plain, data, len);
	w->size += (int64_t)len;
	return w->size > w->most ?
	    err_set(e, ERR_INTEGRITY, "more than %lld bytes come out",
		(long long)w->most) :
	    0;
}

/* Read all of the file through the decoder.  What is wrong is bare. */
static int
decode(struct worker *w, struct decoder *d, int fd, const struct pairs *all,
    const struct pair *pair, struct err *e)
{
	ssize_t n;

	do {
		n = io_read(fd, w->data, PIECE);
		if (n < 0)
			return err_sys(e, "cannot read '%s/%s'",
			    all->source->path, pair->packed->path);
		hash_add(w->packed, w->data, (size_t)n);
		if (decoder_add(d, w->data, (size_t)n, e) != 0)
			return -1;
	} while (n == PIECE);
	return decoder_end(d, e);
}

/*
 * The dictionary of the pair, which the build has to have, into memory; NULL
 * with the bare reason, and what to do.
 */
static char *
read_dictionary(const struct pairs *all, const struct pair *pair, size_t *len,
    struct err *e)
{
	const struct entry *en = NULL;
	char *data;
	ssize_t n;
	int fd;

	for (size_t i = 0; en == NULL && i < all->p->m.n; i++)
		if (all->p->m.v[i].type == ENTRY_FILE &&
		    all->p->m.v[i].mark == ENTRY_BUILD &&
		    memcmp(all->p->m.v[i].digest, pair->dictionary,
			HASH_LEN) == 0)
			en = &all->p->m.v[i];
	if (en == NULL || en->size > DCZ_MAX) {
		err_set(e, ERR_INTEGRITY,
		    "the dictionary that its name is of is %s;; leave it out with 'exclude', and have 'dictionaries' in deploy.yml make such files; --override=build stages it anyway",
		    en == NULL ? "not in the build" : "too large");
		return NULL;
	}
	fd = place_open(all->source, en->path, e);
	if (fd < 0)
		return NULL;
	data = xmalloc((size_t)en->size + 1);
	n = io_read(fd, data, (size_t)en->size);
	if (n < 0)
		err_sys(e, "cannot read '%s/%s'", all->source->path, en->path);
	close(fd);
	*len = n < 0 ? 0 : (size_t)n;
	if (n >= 0)
		return data;
	free(data);
	return NULL;
}

/*
 * Its header has to name the same dictionary as its name.  What follows that is
 * left to be read.
 */
static int
check_header(struct worker *w, int fd, const struct pairs *all,
    const struct pair *pair, struct err *e)
{
	unsigned char want[DCZ_HEADER], is[DCZ_HEADER];
	ssize_t n = io_read(fd, is, sizeof(is));

	if (n < 0)
		return err_sys(e, "cannot read '%s/%s'", all->source->path,
		    pair->packed->path);
	hash_add(w->packed, is, (size_t)n);
	dcz_header(pair->dictionary, want);
	return n == DCZ_HEADER && memcmp(is, want, DCZ_HEADER) == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY,
		"it does not begin as its name says (RFC 9842)");
}

/* Is what was read, and what came out, what the entries say? */
static int
compare(const struct worker *w, const struct pairs *all,
    const struct pair *pair, const uint8_t packed[HASH_LEN],
    const uint8_t plain[HASH_LEN], struct err *e)
{
	if (memcmp(packed, pair->packed->digest, HASH_LEN) != 0)
		return err_set(e, ERR_FAILED,
		    "'%s/%s' changed while it was read;; stage when the build has ended",
		    all->source->path, pair->packed->path);
	if (w->size != pair->plain->size)
		return err_set(e, ERR_INTEGRITY, "%s instead of %lld",
		    TEXT_COUNT(w->size, "byte comes out", "bytes come out"),
		    (long long)pair->plain->size);
	if (memcmp(plain, pair->plain->digest, HASH_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "other bytes come out");
	return 0;
}

/* Name both; what a decoder knows to do about it stays the cure. */
static int
name_both(const struct pair *pair, struct err *e)
{
	bool cured = *err_cure(e) != '\0';

	err_prefix(e, "'%s' of the build is not '%s' compressed by %s: ",
	    pair->form->path, pair->file->path,
	    pair->how == ENCODINGS ? "zstd against a dictionary" :
				     encodings[pair->how].tool);
	if (!cured)
		err_append(e,
		    ";; visitors would get it in its place: make it anew, or remove it from the build; --override=build stages it anyway");
	return -1;
}

/* Take the open file apart, and compare.  What is wrong is bare. */
static int
run_decoder(struct worker *w, struct decoder *d, int fd,
    const struct pairs *all, const struct pair *pair, struct err *e)
{
	uint8_t packed[HASH_LEN], plain[HASH_LEN];
	int r = decode(w, d, fd, all, pair, e);

	decoder_free(d);
	hash_end(w->packed, packed);
	hash_end(w->plain, plain);
	return r == 0 ? compare(w, all, pair, packed, plain, e) : -1;
}

static int
check_form(struct worker *w, int fd, const struct pairs *all,
    const struct pair *pair, struct err *e)
{
	return run_decoder(w, decoder_new(pair->how, take, w), fd, all, pair,
	    e);
}

/* One that is made against a dictionary. */
static int
check_against(struct worker *w, int fd, const struct pairs *all,
    const struct pair *pair, struct err *e)
{
	size_t len = 0;
	char *data = NULL;
	int r = check_header(w, fd, all, pair, e);

	if (r == 0) {
		data = read_dictionary(all, pair, &len, e);
		r = data == NULL ? -1 : 0;
	}
	if (r == 0)
		r = run_decoder(w, decoder_new_against(data, len, take, w), fd,
		    all, pair, e);
	free(data);
	return r;
}

/*
 * A link that leads to a form which was made here: that is of its own file, and
 * the build does not have it.
 */
static int
check_made(const struct pairs *all, const struct pair *pair, struct err *e)
{
	const char *path = pair->packed->path;
	char *name = xstrndup(path, form_of_path(path));
	const struct entry *own = manifest_find(&all->p->m, name);

	free(name);
	return own != NULL && own->size == pair->plain->size &&
		memcmp(own->digest, pair->plain->digest, HASH_LEN) == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY, "it leads to '%s'", path);
}

static int
check_pair(void *ctx, void *worker, size_t i, struct err *e)
{
	const struct pairs *all = ctx;
	const struct pair *pair = &all->v[i];
	struct worker *w = worker;
	int fd, r;

	if (all->p->steps[pair->packed - all->p->m.v].made)
		return check_made(all, pair, e) == 0 ? 0 : name_both(pair, e);
	fd = place_open(all->source, pair->packed->path, e);
	if (fd < 0)
		return -1;
	w->size = 0;
	w->most = pair->plain->size;
	r = pair->how == ENCODINGS ? check_against(w, fd, all, pair, e) :
				     check_form(w, fd, all, pair, e);
	close(fd);
	return r != 0 && e->code == ERR_INTEGRITY ? name_both(pair, e) : r;
}

int
sibling_check(const struct dir *source, const struct plan *p,
    const struct manifest *base, struct err *e)
{
	struct pairs pairs = { .source = source, .p = p };
	struct pool_job job = { .grain = 4,
		.ctx = &pairs,
		.begin = begin,
		.item = check_pair,
		.end = end };
	int r;

	find_pairs(&pairs, p, base);
	job.n = pairs.n;
	r = pairs.n > 0 ? pool_run(&job, e) : 0;
	if (r == 0 && pairs.n > 0)
		log_debug("%s what %s for",
		    TEXT_COUNT(pairs.n, "compressed file is",
			"compressed files are"),
		    TEXT_PLURAL(pairs.n, "it stands", "they stand"));
	free(pairs.v);
	return r;
}
