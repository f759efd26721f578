#include "fleet/fleet_content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/text.h"
#include "content/hoard.h"
#include "fleet/fleet_guess.h"

enum {
	GROUP_MIN = 2, /* pages that have something in common */
	/* What a host compresses of one request. */
	FETCH_BYTES = 1024 * 1024,
	FETCH_PAGES = 512,
	/* What a host that has sh only gives where nobody has asked for it: a
	 * page takes it some programs. */
	SLOW_PAGES = 256,
};

void
content_release(struct content *c)
{
	free(c->same);
	*c = (struct content){ .count = 0 };
}

/* ---- which pages may be the same --------------------------------------- */

static bool
is_page(const struct entry *en)
{
	static const char *const ends[] = { ".html", ".htm", ".xhtml" };
	const char *dot = strrchr(en->path, '.');

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (en->type == ENTRY_FILE && en->mark == ENTRY_BUILD &&
		    dot != NULL && strcasecmp(dot, ends[i]) == 0)
			return true;
	return false;
}

/* The rules that make a page of the old one. */
struct mark {
	uint64_t rules; /* bits of the set; 0: none do */
	size_t set;
};

enum { RULES_MAX = REWRITE_SETS_MAX * REWRITE_RULES_MAX };

struct search {
	const struct release_id *id;
	const struct manifest *base, *m;
	size_t pages;	   /* that both have */
	bool *changed;	   /* the pages with another text, or none at all */
	struct mark *mark; /* of each entry */
	struct rule_sets sets;
	/* The number of each rule, the same for the same in several sets, and
	 * how many pages it hits. */
	size_t number[REWRITE_SETS_MAX][REWRITE_RULES_MAX];
	size_t hits[RULES_MAX];
};

/* Where less than half of all pages have changed no rule can hit half. */
static struct search *
search_new(const struct release_id *id, const struct manifest *base,
    const struct manifest *m)
{
	struct search *s = xcalloc(1, sizeof(*s));
	size_t changed = 0;

	s->id = id;
	s->base = base;
	s->m = m;
	s->changed = xcalloc(m->n, sizeof(*s->changed));
	s->mark = xcalloc(m->n, sizeof(*s->mark));
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *old = is_page(&m->v[i]) ?
		    manifest_find(base, m->v[i].path) :
		    NULL;

		if (old == NULL || old->type != ENTRY_FILE)
			continue;
		s->pages++;
		s->changed[i] =
		    memcmp(old->digest, m->v[i].digest, HASH_LEN) != 0;
		changed += s->changed[i];
	}
	if (2 * changed < s->pages)
		memset(s->changed, 0, m->n * sizeof(*s->changed));
	return s;
}

static void
search_free(struct search *s)
{
	rule_sets_release(&s->sets);
	free(s->changed);
	free(s->mark);
	free(s);
}

/* ---- which rules hit half of all pages --------------------------------- */

static size_t
number_of(const struct rule_sets *sets, size_t set, size_t rule)
{
	const struct rule *r = &sets->v[set].v[rule];

	for (size_t i = 0; i < set; i++)
		for (size_t k = 0; k < sets->v[i].n; k++)
			if (buf_eq(&sets->v[i].v[k].old, &r->old) &&
			    buf_eq(&sets->v[i].v[k].new, &r->new))
				return i * REWRITE_RULES_MAX + k;
	return set * REWRITE_RULES_MAX + rule;
}

/* A page that more changed than rules say: each rule counts once. */
static void
count_traces(void *ctx, size_t entry, const uint64_t *rules)
{
	struct search *s = ctx;
	bool counted[RULES_MAX] = { false };

	(void)entry;
	for (size_t i = 0; i < s->sets.n; i++)
		for (size_t k = 0; k < s->sets.v[i].n; k++)
			if ((rules[i] >> k & 1) != 0 &&
			    !counted[s->number[i][k]]) {
				counted[s->number[i][k]] = true;
				s->hits[s->number[i][k]]++;
			}
}

static void
count_hits(struct search *s, const struct guess_job *job)
{
	for (size_t i = 0; i < s->sets.n; i++)
		for (size_t k = 0; k < s->sets.v[i].n; k++)
			s->number[i][k] = number_of(&s->sets, i, k);
	for (size_t i = 0; i < s->m->n; i++)
		for (size_t k = 0; k < REWRITE_RULES_MAX; k++)
			if ((s->mark[i].rules >> k & 1) != 0)
				s->hits[s->number[s->mark[i].set][k]]++;
	guess_traces(job, &s->sets, count_traces);
}

/* The bits of the rules of each set that say nothing of a page of its own. */
static void
find_common(const struct search *s, uint64_t common[REWRITE_SETS_MAX],
    size_t *count)
{
	for (size_t i = 0; i < s->sets.n; i++)
		for (size_t k = 0; k < s->sets.v[i].n; k++) {
			size_t number = s->number[i][k];

			if (2 * s->hits[number] < s->pages)
				continue;
			common[i] |= UINT64_C(1) << k;
			*count += number == i * REWRITE_RULES_MAX + k;
		}
}

/* All is counted: which entries are the same? */
static void
decide(const struct search *s, struct content *out)
{
	uint64_t common[REWRITE_SETS_MAX] = { 0 };

	*out = (struct content){ .base = *s->id,
		.same = xcalloc(s->m->n, sizeof(*out->same)),
		.n = s->m->n };
	find_common(s, common, &out->rules);
	for (size_t i = 0; i < s->m->n; i++) {
		const struct mark *mark = &s->mark[i];

		out->same[i] = mark->rules != 0 &&
		    (mark->rules & ~common[mark->set]) == 0 &&
		    manifest_find(s->base, s->m->v[i].path)->mode ==
			s->m->v[i].mode;
		out->count += out->same[i];
	}
}

/* ---- finding them ------------------------------------------------------ */

/* What no rules make yet. */
static bool
may_have_rules(void *ctx, size_t i)
{
	const struct search *s = ctx;

	return s->changed[i] && s->mark[i].rules == 0;
}

static bool
has_base(void *ctx, const struct remote *r)
{
	const struct search *s = ctx;

	return release_ids_has(&r->view.ids, s->id);
}

static void
mark(void *ctx, size_t i, size_t set, uint64_t rules)
{
	struct search *s = ctx;

	s->mark[i] = (struct mark){ rules, set };
}

/* `files` are called by their paths, or, if they were fetched, by digests. */
static void
find(struct search *s, struct fleet *f, const struct dir *files, bool fetched,
    struct content *out)
{
	const struct guess_job job = { .m = s->m,
		.build = files,
		.by_digest = fetched,
		.id = s->id,
		.base = s->base,
		.group_min = GROUP_MIN,
		.may = may_have_rules,
		.has = has_base,
		.solved = mark,
		.ctx = s };

	guess(&job, f, &s->sets);
	count_hits(s, &job);
	decide(s, out);
}

void
fleet_find_content(struct fleet *f, const struct release_id *id,
    const struct manifest *base, const struct manifest *m,
    const struct dir *files, struct content *out)
{
	struct search *s = search_new(id, base, m);

	find(s, f, files, false, out);
	search_free(s);
}

/* ---- of releases that only hosts have ---------------------------------- */

/* Pages of it that are fetched. */
struct fetch {
	struct fleet *f;
	const struct release_id *id;
	const struct manifest *m;
	struct hoard here;
	size_t entry[FETCH_PAGES]; /* of the next request */
	size_t n;
	int64_t bytes;
};

/* The pages of the request from this host, into the hoard. */
static int
fetch_from(struct fetch *x, struct remote *r, struct err *e)
{
	struct buf *v = xcalloc(x->n, sizeof(*v));
	const struct remote_choice which = { x->id, x->m, x->entry, x->n };
	int64_t any = INT64_MAX;
	int c = remote_samples(r, &which, v, &any, e);

	for (size_t i = 0; i < x->n; i++) {
		if (c == 0)
			c = hoard_put(&x->here, x->m->v[x->entry[i]].digest,
			    buf_str(&v[i]), v[i].len, e);
		buf_release(&v[i]);
	}
	free(v);
	return c == 0 ? 0 : remote_say(r, e);
}

/* Does it have the pages, and does it compress them or not? */
static bool
may_give(const struct remote *r, const struct release_id *id, bool packed)
{
	return !r->failed && r->has_delta == packed &&
	    release_ids_has(&r->view.ids, id);
}

/* The same from the first host that can; of those that compress them first. */
static int
fetch_request(struct fetch *x, struct err *e)
{
	const size_t n = x->f->n;
	int c = x->n == 0 ?
	    0 :
	    err_set(e, ERR_FAILED, "no host gives pages of %s", x->id->text);

	for (size_t i = 0; c != 0 && i < 2 * n; i++) {
		struct remote *r = &x->f->v[i % n];

		if (!may_give(r, x->id, i < n))
			continue;
		*e = (struct err)ERR_INIT;
		c = fetch_from(x, r, e);
	}
	x->n = 0;
	x->bytes = 0;
	return c;
}

/* All that are wanted. */
static int
fetch_pages(struct fetch *x, const bool *wanted, struct err *e)
{
	int c = hoard_open(&x->here, e);

	for (size_t i = 0; c == 0 && i < x->m->n; i++) {
		int64_t size = x->m->v[i].size;

		if (!wanted[i])
			continue;
		if (x->n == FETCH_PAGES || x->bytes + size > FETCH_BYTES)
			c = fetch_request(x, e);
		x->entry[x->n++] = i;
		x->bytes += size;
	}
	return c == 0 ? fetch_request(x, e) : c;
}

/* Would it take a host long to give so many pages? */
static bool
is_slow(const struct fleet *f, const struct release_id *id,
    const struct manifest *m, const bool *wanted)
{
	size_t pages = 0;

	for (size_t i = 0; i < f->n; i++)
		if (may_give(&f->v[i], id, true))
			return false;
	for (size_t i = 0; i < m->n; i++)
		pages += wanted[i];
	return pages > SLOW_PAGES;
}

/* Leave out the pages that are too large to be fetched: the others' bytes. */
static int64_t
want_pages(struct search *s)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < s->m->n; i++) {
		s->changed[i] &= s->m->v[i].size <= FETCH_BYTES;
		bytes += s->changed[i] ? s->m->v[i].size : 0;
	}
	return bytes;
}

int
fleet_fetch_content(struct fleet *f, const struct release_id *base_id,
    const struct manifest *base, const struct release_id *id,
    const struct manifest *m, int64_t max, struct content *out, struct err *e)
{
	struct search *s = search_new(base_id, base, m);
	struct fetch x = { .f = f, .id = id, .m = m, .here = HOARD_INIT };
	int64_t bytes = want_pages(s);
	char size[TEXT_SIZE_LEN];
	int r = 0;

	*out = (struct content){ .count = 0 };
	if (bytes > max) {
		text_size(bytes, size);
		r = err_set(e, ERR_GUARD, "%s of pages have changed", size);
	}
	if (r == 0 && max < INT64_MAX && is_slow(f, id, m, s->changed))
		r = err_set(e, ERR_GUARD,
		    "more than %d pages of a host that has sh only",
		    SLOW_PAGES);
	if (r == 0 && bytes > 0)
		r = fetch_pages(&x, s->changed, e);
	if (r == 0)
		find(s, f, &x.here.dir, true, out);
	hoard_release(&x.here);
	search_free(s);
	return r;
}

/* ---- what the fleet knows ---------------------------------------------- */

void
fleet_keep_content(struct fleet *f, struct content *c)
{
	f->contents =
	    xreallocarray(f->contents, f->n_contents + 1, sizeof(*c));
	f->contents[f->n_contents++] = *c;
	*c = (struct content){ .count = 0 };
}

void
fleet_forget_contents(struct fleet *f)
{
	for (size_t i = 0; i < f->n_contents; i++)
		content_release(&f->contents[i]);
	free(f->contents);
	f->contents = NULL;
	f->n_contents = 0;
}

const struct content *
fleet_content(const struct fleet *f, const struct release_id *base)
{
	for (size_t i = 0; i < f->n_contents; i++)
		if (release_id_eq(&f->contents[i].base, base))
			return &f->contents[i];
	return NULL;
}
