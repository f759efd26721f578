#include "content/sibling.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "content/decode.h"
#include "content/place.h"
#include "os/io.h"
#include "os/log.h"
#include "os/pool.h"

enum { PIECE = 64 * 1024 };

struct pair {
	const struct entry *packed;
	const struct entry *plain;
	enum encoding how;
};

struct pairs {
	const struct dir *source;
	struct pair *v;
	size_t n;
	size_t cap;
};

/* Is the entry the same file at the same path as in the base? */
static bool
is_unchanged(const struct plan *p, const struct entry *en)
{
	const struct plan_step *s = &p->steps[en - p->m.v];

	return s->way == PLAN_LINK && strcmp(s->base->path, en->path) == 0;
}

static void
add_pair(struct pairs *all, const struct pair *pair)
{
	if (all->n == all->cap) {
		all->cap = all->cap > 0 ? all->cap * 2 : 64;
		all->v = xreallocarray(all->v, all->cap, sizeof(*all->v));
	}
	all->v[all->n++] = *pair;
}

/* The file of the build at the first `len` bytes of the path; or NULL. */
static const struct entry *
find_plain(const struct manifest *m, const char *path, size_t len)
{
	char *name = xstrndup(path, len);
	const struct entry *en = manifest_find(m, name);

	free(name);
	return en != NULL && en->type == ENTRY_FILE &&
		en->mark == ENTRY_BUILD ?
	    en :
	    NULL;
}

static void
find_pairs(struct pairs *all, const struct plan *p, bool also_unchanged)
{
	for (size_t i = 0; i < p->m.n; i++) {
		struct pair pair = { .packed = &p->m.v[i] };
		size_t len;

		if (pair.packed->type != ENTRY_FILE ||
		    pair.packed->mark != ENTRY_BUILD || p->steps[i].made)
			continue;
		len = encoding_of_path(pair.packed->path, &pair.how);
		pair.plain =
		    len > 0 ? find_plain(&p->m, pair.packed->path, len) : NULL;
		if (pair.plain != NULL &&
		    (also_unchanged || !is_unchanged(p, pair.packed) ||
			!is_unchanged(p, pair.plain)))
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
	    pair->packed->path, pair->plain->path, encodings[pair->how].tool);
	if (!cured)
		err_append(e,
		    ";; visitors would get it in its place: make it anew, or remove it from the build; --override=build stages it anyway");
	return -1;
}

static int
check_pair(void *ctx, void *worker, size_t i, struct err *e)
{
	const struct pairs *all = ctx;
	const struct pair *pair = &all->v[i];
	struct worker *w = worker;
	struct decoder *d;
	uint8_t packed[HASH_LEN], plain[HASH_LEN];
	int fd = place_open(all->source, pair->packed->path, e), r;

	if (fd < 0)
		return -1;
	w->size = 0;
	w->most = pair->plain->size;
	d = decoder_new(pair->how, take, w);
	r = decode(w, d, fd, all, pair, e);
	decoder_free(d);
	close(fd);
	hash_end(w->packed, packed);
	hash_end(w->plain, plain);
	if (r == 0)
		r = compare(w, all, pair, packed, plain, e);
	return r != 0 && e->code == ERR_INTEGRITY ? name_both(pair, e) : r;
}

int
sibling_check(const struct dir *source, const struct plan *p, bool all,
    struct err *e)
{
	struct pairs pairs = { .source = source };
	struct pool_job job = { .grain = 4,
		.ctx = &pairs,
		.begin = begin,
		.item = check_pair,
		.end = end };
	int r;

	find_pairs(&pairs, p, all);
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
