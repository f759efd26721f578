#include "content/learn.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Places that are so near to each other are one. */
enum { NEAR = 8 };

/* On the other side, so that what is only new or only gone lies between. */
enum { LITTLE = 1 };

/* Bytes on both sides of what differs. */
static const size_t contexts[] = { 0, 6, 16, 40, 100 };

/* Where they are. */
enum sides { BOTH, BEFORE, BEHIND, SIDES };

#define CONTEXTS (sizeof(contexts) / sizeof(contexts[0]))

_Static_assert(LEARN_CONTEXTS <= CONTEXTS, "contexts to begin with");

enum side { OLD, NEW };

/* A place that differs: bytes from lo to hi of each side. */
struct hunk {
	size_t lo[2], hi[2];
	bool covered; /* a rule is for it */
};

struct page {
	const char *text[2];
	size_t len[2];
	struct hunk *v;
	size_t n;
};

struct learner {
	struct page *v;
	size_t n;
};

/* ---- words ------------------------------------------------------------- */

struct word {
	uint32_t at, len, hash;
};

struct words {
	struct word *v;
	size_t n;
};

/* Letters and digits stand together, and blanks; all others stand alone. */
static int
kind(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c >= 0x80)
		return 1;
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' ? 2 : 0;
}

static void
split(struct words *w, const char *text, size_t len)
{
	size_t cap = 0;

	*w = (struct words){ NULL, 0 };
	for (size_t i = 0; i < len;) {
		size_t from = i;
		int k = kind((unsigned char)text[i]);
		uint32_t hash = 2166136261u;

		do {
			hash = (hash ^ (unsigned char)text[i]) * 16777619u;
			i++;
		} while (
		    i < len && k != 0 && kind((unsigned char)text[i]) == k);
		if (w->n == cap) {
			cap = cap > 0 ? cap * 2 : 256;
			w->v = xreallocarray(w->v, cap, sizeof(*w->v));
		}
		w->v[w->n++] = (struct word){ (uint32_t)from,
			(uint32_t)(i - from), hash };
	}
}

/* ---- what differs ------------------------------------------------------ */

struct comparison {
	const struct page *page;
	struct words w[2];
	size_t skip; /* words at the begin that are the same */
	int len[2];  /* words between that and the end that is the same */
	/* How far the diagonals come with d edits: d + 1 numbers for each. */
	int *reach[LEARN_EDITS_MAX + 1];
};

static bool
is_same_word(const struct comparison *c, size_t i, size_t k)
{
	const struct word *a = &c->w[OLD].v[i], *b = &c->w[NEW].v[k];

	return a->hash == b->hash && a->len == b->len &&
	    memcmp(c->page->text[OLD] + a->at, c->page->text[NEW] + b->at,
		a->len) == 0;
}

static bool
is_same_inside(const struct comparison *c, int x, int y)
{
	return is_same_word(c, c->skip + (size_t)x, c->skip + (size_t)y);
}

static void
trim(struct comparison *c)
{
	size_t a = c->w[OLD].n, b = c->w[NEW].n;

	while (c->skip < a && c->skip < b && is_same_word(c, c->skip, c->skip))
		c->skip++;
	while (a > c->skip && b > c->skip && is_same_word(c, a - 1, b - 1)) {
		a--;
		b--;
	}
	c->len[OLD] = (int)(a - c->skip);
	c->len[NEW] = (int)(b - c->skip);
}

/* Where diagonal k begins with d edits, which is one behind those of d - 1. */
static int
begin_of(const struct comparison *c, int d, int k)
{
	const int *before = d > 0 ? c->reach[d - 1] : NULL;

	if (d == 0)
		return 0;
	/* The diagonals of d - 1 are -(d - 1), -(d - 3), ..., d - 1. */
	if (k == -d)
		return before[0];
	if (k == d)
		return before[d - 1] + 1;
	return before[(k - 1 + d - 1) / 2] + 1 > before[(k + 1 + d - 1) / 2] ?
	    before[(k - 1 + d - 1) / 2] + 1 :
	    before[(k + 1 + d - 1) / 2];
}

/*
 * Myers, "An O(ND) Difference Algorithm and Its Variations", 1986.  The number
 * of edits, or -1 for too many.
 */
static int
count_edits(struct comparison *c)
{
	for (int d = 0; d <= LEARN_EDITS_MAX; d++) {
		c->reach[d] = xcalloc((size_t)d + 1, sizeof(int));
		for (int k = -d; k <= d; k += 2) {
			int x = begin_of(c, d, k), y = x - k;

			while (x < c->len[OLD] && y < c->len[NEW] && x >= 0 &&
			    y >= 0 && is_same_inside(c, x, y)) {
				x++;
				y++;
			}
			c->reach[d][(k + d) / 2] = x;
			if (x >= c->len[OLD] && y >= c->len[NEW])
				return d;
		}
	}
	return -1;
}

/* The byte where the word begins that is the i-th of those compared. */
static size_t
byte_of(const struct comparison *c, enum side s, int i)
{
	size_t word = c->skip + (size_t)i;

	return word < c->w[s].n ? c->w[s].v[word].at : c->page->len[s];
}

/* Add what differs between the words x0, y0 and x1, y1, before the others. */
static void
add_hunk(struct page *p, const struct comparison *c, int x0, int y0, int x1,
    int y1)
{
	struct hunk h = { { byte_of(c, OLD, x0), byte_of(c, NEW, y0) },
		{ byte_of(c, OLD, x1), byte_of(c, NEW, y1) }, false };

	/* One edit after the other, from the last to the first. */
	if (p->n > 0 && p->v[p->n - 1].lo[OLD] == h.hi[OLD] &&
	    p->v[p->n - 1].lo[NEW] == h.hi[NEW]) {
		memcpy(p->v[p->n - 1].lo, h.lo, sizeof(h.lo));
		return;
	}
	p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = h;
}

static void
reverse(struct page *p)
{
	for (size_t i = 0; i < p->n / 2; i++) {
		struct hunk h = p->v[i];

		p->v[i] = p->v[p->n - 1 - i];
		p->v[p->n - 1 - i] = h;
	}
}

/* Go back from the end, edit by edit. */
static void
collect(struct page *p, const struct comparison *c, int edits)
{
	int x = c->len[OLD], y = c->len[NEW];

	for (int d = edits; d > 0; d--) {
		int k = x - y, begin = begin_of(c, d, k);
		/* Down: a word is new; else one is gone. */
		bool down = k == -d ||
		    (k != d &&
			c->reach[d - 1][(k - 1 + d - 1) / 2] + 1 <=
			    c->reach[d - 1][(k + 1 + d - 1) / 2]);

		x = begin;
		y = begin - k;
		add_hunk(p, c, down ? x : x - 1, down ? y - 1 : y, x, y);
		if (down)
			y--;
		else
			x--;
	}
	reverse(p);
}

static void
compare(struct page *p)
{
	struct comparison c = { .page = p };
	int edits;

	split(&c.w[OLD], p->text[OLD], p->len[OLD]);
	split(&c.w[NEW], p->text[NEW], p->len[NEW]);
	trim(&c);
	edits = count_edits(&c);
	if (edits >= 0)
		collect(p, &c, edits);
	for (size_t d = 0; d <= LEARN_EDITS_MAX; d++)
		free(c.reach[d]);
	free(c.w[OLD].v);
	free(c.w[NEW].v);
}

struct learner *
learner_new(const struct sample *v, size_t n)
{
	struct learner *l = xcalloc(1, sizeof(*l));

	l->v = xcalloc(n, sizeof(*l->v));
	for (size_t i = 0; i < n; i++) {
		struct page *p = &l->v[l->n];

		*p = (struct page){ { v[i].old, v[i].new },
			{ v[i].old_len, v[i].new_len }, NULL, 0 };
		compare(p);
		/* One that differs in everything teaches nothing. */
		l->n += p->n > 0;
	}
	return l;
}

void
learner_free(struct learner *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].v);
	free(l->v);
	free(l);
}

/* ---- rules ------------------------------------------------------------- */

/* The same place in both texts. */
struct region {
	size_t lo[2], hi[2];
};

/* Is the gap behind the hunk, in the old text, so small that it is none? */
static bool
is_near(const struct page *p, size_t i)
{
	return p->v[i + 1].lo[OLD] - p->v[i].hi[OLD] <= NEAR;
}

/*
 * How many bytes before hunk *first belong to the region of which `need` do at
 * least; hunks that it meets come in whole.
 */
static size_t
grow_back(const struct page *p, size_t *first, size_t need)
{
	for (;; (*first)--) {
		size_t end = *first > 0 ? p->v[*first - 1].hi[OLD] : 0;
		size_t gap = p->v[*first].lo[OLD] - end;
		bool near = *first > 0 && is_near(p, *first - 1);

		if (*first == 0 || (gap >= need && !near))
			return gap < need ? gap : need;
		if (!near)
			need -= gap;
	}
}

/* The same behind hunk *last. */
static size_t
grow_on(const struct page *p, size_t *last, size_t need)
{
	for (;; (*last)++) {
		bool end = *last + 1 == p->n;
		size_t next = end ? p->len[OLD] : p->v[*last + 1].lo[OLD];
		size_t gap = next - p->v[*last].hi[OLD];
		bool near = !end && is_near(p, *last);

		if (end || (gap >= need && !near))
			return gap < need ? gap : need;
		if (!near)
			need -= gap;
	}
}

/* The hunk, what is near, and so many bytes before and behind it. */
static struct region
grow(const struct page *p, size_t i, size_t before, size_t behind)
{
	size_t first = i, last = i;
	struct region r;

	before = grow_back(p, &first, before);
	behind = grow_on(p, &last, behind);
	for (int s = OLD; s <= NEW; s++) {
		r.lo[s] = p->v[first].lo[s] - before;
		r.hi[s] = p->v[last].hi[s] + behind;
	}
	return r;
}

/* How many hunks end at this byte or before. */
static size_t
hunks_before(const struct page *p, enum side s, size_t at)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->v[mid].hi[s] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* How many hunks begin before this byte. */
static size_t
hunks_from(const struct page *p, enum side s, size_t at)
{
	size_t lo = 0, hi = p->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->v[mid].lo[s] < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * What the bytes from lo to hi of one side are on the other; false when a hunk
 * lies across one of their ends.
 */
static bool
find_other(const struct page *p, enum side s, size_t lo, size_t hi,
    struct region *r)
{
	enum side o = s == OLD ? NEW : OLD;
	size_t before = hunks_before(p, s, lo), end = hunks_from(p, s, hi);

	if ((before < p->n && p->v[before].lo[s] < lo) ||
	    (end > 0 && p->v[end - 1].hi[s] > hi))
		return false;
	r->lo[o] = lo;
	r->hi[o] = hi;
	if (before > 0)
		r->lo[o] =
		    lo - p->v[before - 1].hi[s] + p->v[before - 1].hi[o];
	if (end > 0)
		r->hi[o] = hi - p->v[end - 1].hi[s] + p->v[end - 1].hi[o];
	return r->lo[o] <= r->hi[o];
}

/* Two sides of a rule that may become one. */
struct pair {
	const char *text[2];
	size_t len[2];
};

/*
 * Is every place of the page that has one side, on the other what the rule
 * makes of it?  Counts them.
 */
static bool
holds_in(const struct page *p, enum side s, const struct pair *x,
    size_t *count)
{
	const char *text = p->text[s], *end = text + p->len[s];
	enum side o = s == OLD ? NEW : OLD;

	for (const char *at = text; at < end; at++) {
		struct region r;
		size_t lo;

		at = memmem(at, (size_t)(end - at), x->text[s], x->len[s]);
		if (at == NULL)
			break;
		lo = (size_t)(at - text);
		if (!find_other(p, s, lo, lo + x->len[s], &r) ||
		    r.hi[o] - r.lo[o] != x->len[o] ||
		    memcmp(p->text[o] + r.lo[o], x->text[o], x->len[o]) != 0)
			return false;
		(*count)++;
	}
	return true;
}

/* Does it hold in all pages, both ways?  In how many of them is it used? */
static bool
holds(const struct learner *l, const struct pair *x, size_t *pages)
{
	*pages = 0;
	for (size_t i = 0; i < l->n; i++) {
		size_t count = 0, back = 0;

		if (!holds_in(&l->v[i], OLD, x, &count) ||
		    !holds_in(&l->v[i], NEW, x, &back) || count != back)
			return false;
		*pages += count > 0;
	}
	return true;
}

/* The hunks in all places that have the old side are done. */
static void
cover(struct learner *l, const struct pair *x)
{
	for (size_t i = 0; i < l->n; i++) {
		struct page *p = &l->v[i];
		const char *text = p->text[OLD], *end = text + p->len[OLD];

		for (const char *at = text; at < end; at++) {
			size_t lo;

			at = memmem(at, (size_t)(end - at), x->text[OLD],
			    x->len[OLD]);
			if (at == NULL)
				break;
			lo = (size_t)(at - text);
			for (size_t k = hunks_before(p, OLD, lo);
			     k < hunks_from(p, OLD, lo + x->len[OLD]); k++)
				p->v[k].covered = true;
		}
	}
}

/*
 * A rule for the hunk that at least `pages` pages use, with the least context
 * that will do: on both sides, or on one, where something else differs beside
 * it in some pages.
 */
static void
learn_hunk(struct learner *l, const struct page *p, size_t i, size_t way,
    size_t pages, struct rule_set *out)
{
	static const enum sides order[2][SIDES] = { { BOTH, BEFORE, BEHIND },
		{ BEFORE, BEHIND, BOTH } };
	const enum sides *sides = order[way / LEARN_CONTEXTS];

	for (size_t at = SIDES * (way % LEARN_CONTEXTS); at < SIDES * CONTEXTS;
	     at++) {
		size_t context = contexts[at / SIDES];
		enum sides side = sides[at % SIDES];
		size_t other = context < LITTLE ? context : LITTLE;
		struct region r = grow(p, i, side != BEHIND ? context : other,
		    side != BEFORE ? context : other);
		struct pair x;
		size_t used;

		for (int s = OLD; s <= NEW; s++) {
			x.text[s] = p->text[s] + r.lo[s];
			x.len[s] = r.hi[s] - r.lo[s];
		}
		if (x.len[OLD] == 0 || x.len[NEW] == 0 || !holds(l, &x, &used))
			continue;
		if (used >= pages &&
		    rule_set_add(out, x.text[OLD], x.len[OLD], x.text[NEW],
			x.len[NEW]))
			cover(l, &x);
		return;
	}
}

static void
learn_all(struct learner *l, size_t way, size_t pages, struct rule_set *out)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->v[i].n; k++)
			if (!l->v[i].v[k].covered)
				learn_hunk(l, &l->v[i], k, way, pages, out);
}

void
learner_rules(struct learner *l, size_t way, struct rule_set *out)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < l->v[i].n; k++)
			l->v[i].v[k].covered = false;
	learn_all(l, way, 2, out);
	learn_all(l, way, 1, out);
}
