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

void
content_marks_init(struct content_marks *m, size_t entries)
{
	m->rules = xcalloc(entries, sizeof(*m->rules));
	m->set = xcalloc(entries, sizeof(*m->set));
}

void
content_marks_release(struct content_marks *m)
{
	free(m->rules);
	free(m->set);
}

void
content_mark(struct content_marks *m, size_t entry, size_t set, uint64_t rules)
{
	m->rules[entry] = rules;
	m->set[entry] = (uint8_t)set;
}

/* ---- which rules hit half of all pages --------------------------------- */

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

/* How many pages each rule hits. */
struct counts {
	size_t pages;
	size_t v[REWRITE_SETS_MAX][REWRITE_RULES_MAX];
};

static void
count_hits(const struct content_marks *marks, const struct manifest *base,
    const struct manifest *m, struct counts *c)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *old;

		if (!is_page(&m->v[i]))
			continue;
		old = manifest_find(base, m->v[i].path);
		if (old == NULL || old->type != ENTRY_FILE)
			continue;
		c->pages++;
		for (size_t k = 0; k < REWRITE_RULES_MAX; k++)
			c->v[marks->set[i]][k] += marks->rules[i] >> k & 1;
	}
}

/* The pages that a rule hits, in whatever set it is. */
static size_t
count_rule(const struct rule_sets *sets, const struct rule *r,
    const struct counts *c)
{
	size_t n = 0;

	for (size_t i = 0; i < sets->n; i++)
		for (size_t k = 0; k < sets->v[i].n; k++)
			if (buf_eq(&sets->v[i].v[k].old, &r->old) &&
			    buf_eq(&sets->v[i].v[k].new, &r->new))
				n += c->v[i][k];
	return n;
}

/* The bits of the rules of each set that say nothing of a page of its own. */
static void
find_common(const struct rule_sets *sets, const struct counts *c,
    uint64_t common[REWRITE_SETS_MAX], size_t *count)
{
	for (size_t i = 0; i < sets->n; i++)
		for (size_t k = 0; k < sets->v[i].n; k++)
			if (2 * count_rule(sets, &sets->v[i].v[k], c) >=
			    c->pages) {
				common[i] |= UINT64_C(1) << k;
				(*count)++;
			}
}

void
content_decide(const struct content_marks *marks, const struct rule_sets *sets,
    const struct release_id *id, const struct manifest *base,
    const struct manifest *m, struct content *out)
{
	uint64_t common[REWRITE_SETS_MAX] = { 0 };
	struct counts *c = xcalloc(1, sizeof(*c));

	*out = (struct content){ .base = *id,
		.same = xcalloc(m->n, sizeof(*out->same)),
		.n = m->n };
	count_hits(marks, base, m, c);
	if (c->pages > 0)
		find_common(sets, c, common, &out->rules);
	for (size_t i = 0; i < m->n; i++) {
		out->same[i] = marks->rules[i] != 0 &&
		    (marks->rules[i] & ~common[marks->set[i]]) == 0;
		out->count += out->same[i];
	}
	free(c);
}

/* ---- finding them ------------------------------------------------------ */

struct search {
	const struct release_id *id;
	const struct manifest *base, *m;
	const bool *fetched; /* NULL: the files are here */
	struct content_marks marks;
};

static bool
has_changed(const struct search *s, size_t i)
{
	const struct entry *en = &s->m->v[i];
	const struct entry *old = manifest_find(s->base, en->path);

	return old != NULL && old->mode == en->mode &&
	    memcmp(old->digest, en->digest, HASH_LEN) != 0;
}

static bool
may_have_rules(void *ctx, size_t i)
{
	const struct search *s = ctx;

	return has_changed(s, i) && (s->fetched == NULL || s->fetched[i]);
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

	content_mark(&s->marks, i, set, rules);
}

/* `files` are called by their paths, or, if they were fetched, by digests. */
static void
find(struct search *s, struct fleet *f, const struct dir *files,
    struct content *out)
{
	const struct guess_job job = { .m = s->m,
		.build = files,
		.by_digest = s->fetched != NULL,
		.id = s->id,
		.base = s->base,
		.group_min = GROUP_MIN,
		.may = may_have_rules,
		.has = has_base,
		.solved = mark,
		.ctx = s };
	struct rule_sets sets = RULE_SETS_INIT;

	content_marks_init(&s->marks, s->m->n);
	(void)guess(&job, f, &sets);
	content_decide(&s->marks, &sets, s->id, s->base, s->m, out);
	content_marks_release(&s->marks);
	rule_sets_release(&sets);
}

void
fleet_find_content(struct fleet *f, const struct release_id *id,
    const struct manifest *base, const struct manifest *m,
    const struct dir *files, struct content *out)
{
	struct search s = { .id = id, .base = base, .m = m };

	find(&s, f, files, out);
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

/* A page that both releases have. */
static bool
is_old_page(const struct search *s, size_t i)
{
	const struct entry *old = is_page(&s->m->v[i]) ?
	    manifest_find(s->base, s->m->v[i].path) :
	    NULL;

	return old != NULL && old->type == ENTRY_FILE;
}

/*
 * Note the pages to fetch: none when no rule can hit half of all.  How many
 * bytes they have.
 */
static int64_t
want_pages(const struct search *s, bool *wanted)
{
	size_t pages = 0, changed = 0;
	int64_t bytes = 0;

	for (size_t i = 0; i < s->m->n; i++) {
		if (!is_old_page(s, i))
			continue;
		pages++;
		if (!has_changed(s, i))
			continue;
		changed++;
		wanted[i] = s->m->v[i].size <= FETCH_BYTES;
		bytes += wanted[i] ? s->m->v[i].size : 0;
	}
	if (2 * changed >= pages)
		return bytes;
	memset(wanted, 0, s->m->n * sizeof(*wanted));
	return 0;
}

int
fleet_fetch_content(struct fleet *f, const struct release_id *base_id,
    const struct manifest *base, const struct release_id *id,
    const struct manifest *m, int64_t max, struct content *out, struct err *e)
{
	bool *wanted = xcalloc(m->n, sizeof(*wanted));
	struct search s = { .id = base_id,
		.base = base,
		.m = m,
		.fetched = wanted };
	struct fetch x = { .f = f, .id = id, .m = m, .here = HOARD_INIT };
	int64_t bytes = want_pages(&s, wanted);
	char size[TEXT_SIZE_LEN];
	int r = 0;

	*out = (struct content){ .count = 0 };
	if (bytes > max) {
		text_size(bytes, size);
		r = err_set(e, ERR_GUARD, "%s of pages have changed", size);
	}
	if (r == 0 && max < INT64_MAX && is_slow(f, id, m, wanted))
		r = err_set(e, ERR_GUARD,
		    "more than %d pages of a host that has sh only",
		    SLOW_PAGES);
	if (r == 0 && bytes > 0)
		r = fetch_pages(&x, wanted, e);
	if (r == 0)
		find(&s, f, &x.here.dir, out);
	hoard_release(&x.here);
	free(wanted);
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
