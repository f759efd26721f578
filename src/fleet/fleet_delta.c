#include "fleet/fleet_delta.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "content/chunk.h"
#include "content/delta.h"
#include "fleet/purse.h"
#include "os/io.h"
#include "os/log.h"
#include "os/pool.h"

enum {
	/* Below so many bytes, compressed, it is not worth a question. */
	WORTH = 64 * 1024,
	COMPRESSED = 5,	    /* a page has so many times more */
	WON = 16,	    /* times its price a page must have */
	ONCE = 1024 * 1024, /* bytes of an answer */
	LEAST = 6 * 1024,   /* of a question that is not the last */
	LINE = 12,	    /* around a path and a list of hashes */
	PART = 8,	    /* of the new text must be known at least */
	GRAIN = 4,
	DEAR = 2 * 1024, /* bytes of question and answer of one page */
	WINDOW = 64 * 1024,
};

/* A page that might have a delta. */
struct page {
	size_t entry; /* of the new manifest */
	size_t base;  /* of the base's */
	int64_t cost; /* bytes of question and answer, about */
};

struct search {
	struct batch *b;
	struct fleet *f;
	struct page *v;
	size_t n;
	struct purse *purse;
	/* Of the pages that are asked for: */
	size_t *asked; /* which of them */
	size_t *base;  /* entries of the base */
	struct buf *hashes;
	struct delta *deltas;
	size_t n_asked;
};

static const struct entry *
new_of(const struct search *s, const struct page *p)
{
	return &s->b->what->m->v[p->entry];
}

/* ---- which pages ------------------------------------------------------- */

/* What it costs to ask for this file of the base. */
static int64_t
cost_of(const struct entry *old)
{
	return (int64_t)strlen(old->path) + LINE +
	    CHUNK_HASH * (old->size / (int64_t)chunk_length(old->size) + 1);
}

/* Fill in the page; false: it has no delta that pays. */
static bool
fill_page(const struct search *s, size_t i, struct page *p)
{
	const struct manifest *base = &s->b->base_manifest;
	const struct entry *en = &s->b->what->m->v[i], *old;

	if (s->b->edits.v[i].source != EDIT_WHOLE || s->b->fetched[i] ||
	    en->mark != ENTRY_BUILD || en->size > DELTA_FILE_MAX)
		return false;
	old = manifest_find(base, en->path);
	if (old == NULL || old->type != ENTRY_FILE ||
	    old->size > DELTA_FILE_MAX || old->size == 0)
		return false;
	*p = (struct page){ .entry = i,
		.base = (size_t)(old - base->v),
		.cost = cost_of(old) };
	return p->cost < en->size / WON && p->cost <= ONCE;
}

static void
find_pages(struct search *s)
{
	size_t n = s->b->what->m->n;

	s->v = xcalloc(n, sizeof(*s->v));
	for (size_t i = 0; i < n; i++)
		s->n += fill_page(s, i, &s->v[s->n]);
}

/* Would they be so much that a question pays? */
static bool
is_worth_it(const struct search *s)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < s->n; i++)
		bytes += new_of(s, &s->v[i])->size;
	return bytes / COMPRESSED > WORTH;
}

/* ---- one question ------------------------------------------------------ */

/*
 * The next pages that the half of the purse pays for, of those behind `from`:
 * their deltas have a price, too; but one alone may cost more.  None when these
 * are but a few.
 */
static size_t
choose(struct search *s, size_t from)
{
	const int64_t all = purse_look(s->purse, 2 * ONCE);
	int64_t left = all / 2 < ONCE ? all / 2 : ONCE;
	size_t at = from;

	s->n_asked = 0;
	while (at < s->n &&
	    (s->v[at].cost <= left ||
		(at == from && s->v[at].cost <= all - all / 4))) {
		left -= s->v[at].cost;
		s->asked[s->n_asked] = at;
		s->base[s->n_asked] = s->v[at].base;
		s->n_asked++;
		at++;
	}
	return at < s->n && all / 2 < LEAST ? from : at;
}

/* Ask one host that has the base; another one if it fails. */
static bool
ask_signatures(struct search *s)
{
	const struct remote_choice which = { &s->b->base, &s->b->base_manifest,
		s->base, s->n_asked };

	for (size_t i = 0; i < s->f->n; i++) {
		struct remote *r = &s->f->v[i];
		struct err e = ERR_INIT;

		if (r->failed || !batch_is_for(s->b, r))
			continue;
		if (remote_signatures(r, &which, s->hashes, &e) == 0)
			return true;
		log_debug("%sno signatures: %s", remote_said(r), e.text);
		for (size_t k = 0; k < s->n_asked; k++)
			buf_reset(&s->hashes[k]);
	}
	return false;
}

/* What one thread works with. */
struct bench {
	struct cutter *cutter;
	struct chunks chunks;
	char *window;
};

static void *
bench_begin(void *ctx)
{
	struct bench *w = xcalloc(1, sizeof(*w));

	(void)ctx;
	w->cutter = cutter_new();
	w->window = xmalloc(WINDOW);
	return w;
}

static void
bench_end(void *ctx, void *bench)
{
	struct bench *w = bench;

	(void)ctx;
	cutter_free(w->cutter);
	chunks_release(&w->chunks);
	free(w->window);
	free(w);
}

/*
 * Cut the new page.  Whether it is what its entry means is found out by the
 * host, which then gets whole files.
 */
static bool
cut_new(const struct search *s, struct bench *w, const struct page *p)
{
	const struct entry *en = new_of(s, p);
	int fd = openat(s->b->what->build->fd, en->path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int64_t left = en->size;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	cutter_begin(w->cutter, s->b->base_manifest.v[p->base].size, true,
	    &w->chunks);
	while (left > 0 && n > 0) {
		n = io_read(fd, w->window,
		    left < WINDOW ? (size_t)left : WINDOW);
		if (n > 0)
			cutter_add(w->cutter, w->window, (size_t)n);
		left -= n;
	}
	close(fd);
	cutter_end(w->cutter);
	return left == 0;
}

static int
compare_page(void *ctx, void *bench, size_t i, struct err *e)
{
	struct search *s = ctx;
	struct bench *w = bench;
	const struct buf *hashes = &s->hashes[i];

	(void)e;
	if (hashes->len > 0 && cut_new(s, w, &s->v[s->asked[i]]))
		delta_make(&s->deltas[i],
		    (const uint8_t(*)[CHUNK_HASH])hashes->data,
		    hashes->len / CHUNK_HASH, &w->chunks);
	return 0;
}

/* Compare all pages of the answer with the new ones. */
static void
compare_pages(struct search *s)
{
	const struct pool_job job = { .n = s->n_asked,
		.grain = GRAIN,
		.ctx = s,
		.begin = bench_begin,
		.item = compare_page,
		.end = bench_end };
	struct err ignored = ERR_INIT;

	err_ignore(pool_run(&job, &ignored));
}

/* Can the delta be paid: what is in it besides bytes of the new text? */
static bool
pay_delta(struct search *s, const struct page *p, const struct delta *d)
{
	int64_t price = delta_size(d) - (new_of(s, p)->size - d->copied);

	if (purse_look(s->purse, price) < price)
		return false;
	purse_take(s->purse, price);
	return true;
}

/* Keep the delta if it is one. */
static void
take_delta(struct search *s, const struct page *p, struct delta *d)
{
	struct batch *b = s->b;
	struct edit *ed = &b->edits.v[p->entry];

	if (d->copied < new_of(s, p)->size / PART || !pay_delta(s, p, d)) {
		delta_release(d);
		return;
	}
	if (b->deltas == NULL)
		b->deltas = xcalloc(b->what->m->n, sizeof(*b->deltas));
	b->deltas[p->entry] = xmalloc(sizeof(*d));
	*b->deltas[p->entry] = *d;
	*d = (struct delta)DELTA_INIT;
	ed->source = EDIT_DELTA;
	ed->from = (uint32_t)p->base;
	b->patched++;
}

static void
take_deltas(struct search *s)
{
	for (size_t i = 0; i < s->n_asked; i++) {
		const struct page *p = &s->v[s->asked[i]];

		purse_take(s->purse,
		    (int64_t)strlen(new_of(s, p)->path) + LINE +
			(int64_t)s->hashes[i].len);
		take_delta(s, p, &s->deltas[i]);
		buf_release(&s->hashes[i]);
	}
	purse_save(s->purse);
}

/*
 * By the new content, which is as good as by chance; behind them what is dear.
 */
static int
compare_order(const void *x, const void *y, void *ctx)
{
	const struct manifest *m = ctx;
	const struct page *a = x, *b = y;
	int c = memcmp(m->v[a->entry].digest, m->v[b->entry].digest, HASH_LEN);

	if ((a->cost > DEAR) != (b->cost > DEAR))
		return a->cost > DEAR ? 1 : -1;
	return c != 0 ? c : a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* Ask as long as it pays. */
static void
run(struct search *s)
{
	size_t from = 0, next;

	s->asked = xcalloc(s->n, sizeof(*s->asked));
	s->base = xcalloc(s->n, sizeof(*s->base));
	s->hashes = xcalloc(s->n, sizeof(*s->hashes));
	s->deltas = xcalloc(s->n, sizeof(*s->deltas));
	while ((next = choose(s, from)) > from && ask_signatures(s)) {
		compare_pages(s);
		take_deltas(s);
		from = next;
	}
	log_debug("signatures of %zu of %s explain parts of %zu", from,
	    TEXT_COUNT(s->n, "page", "pages"), s->b->patched);
	free(s->asked);
	free(s->base);
	free(s->hashes);
	free(s->deltas);
}

void
find_deltas(struct batch *b, struct fleet *f)
{
	struct search s = { .b = b, .f = f };

	if (b->what->build == NULL)
		return;
	find_pages(&s);
	if (is_worth_it(&s)) {
		s.purse = purse_new(b, PURSE_DELTAS);
		qsort_r(s.v, s.n, sizeof(*s.v), compare_order,
		    (void *)(uintptr_t)b->what->m);
		run(&s);
		purse_free(s.purse);
	}
	free(s.v);
}
