#include "fleet/fleet_guess.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/text.h"
#include "content/learn.h"
#include "content/rewrite.h"
#include "fleet/guess_samples.h"
#include "fleet/purse.h"
#include "os/log.h"
#include "os/pool.h"

enum {
	ROUNDS = 4,
	TRIED = 48,	  /* pages on which rules are tried */
	BIG = 512 * 1024, /* pages that are looked at one by one */
	GRAIN = 16,
	SETS = 3, /* that a round may have */
	/* What is learnt of all samples, and of those of each group alone. */
	GROUPS = 8,
	CANDIDATES = LEARN_WAYS * (1 + GROUPS),
};

/* ---- which pages ------------------------------------------------------- */

static bool
may_have_rules(const struct guess *g, size_t i)
{
	const struct entry *en = guess_new(g, i), *old;

	if (en->type != ENTRY_FILE || en->mark != ENTRY_BUILD ||
	    en->size > REWRITE_FILE_MAX || !g->job->may(g->job->ctx, i))
		return false;
	old = guess_old(g, i);
	return old != NULL && old->type == ENTRY_FILE && old->size > 0 &&
	    en->size > 0 && old->size <= REWRITE_FILE_MAX;
}

static void
find_pages(struct guess *g)
{
	size_t n = g->job->m->n;

	g->left = xcalloc(n, sizeof(*g->left));
	for (size_t i = 0; i < n; i++)
		if (may_have_rules(g, i))
			g->left[g->n++] = i;
}

/* Is what is left so much that a question pays? */
static bool
is_worth_it(const struct guess *g)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < g->n; i++)
		bytes += guess_new(g, g->left[i])->size;
	return g->n >= g->job->group_min && bytes > g->job->worth;
}

/* ---- trying a set of rules --------------------------------------------- */

struct bench;

/* A set, ready for both directions. */
struct trial {
	const struct guess *g;
	struct rewrite *back, *on;
	/* How often each rule hits the page; false: that does not count. */
	bool (*test)(const struct trial *t, struct bench *w, size_t i,
	    uint32_t *hits);
	uint64_t *solved; /* by which rules, each page that is left; 0: not */
	size_t step;	  /* every so many pages */
};

/* What one thread works with. */
struct bench {
	struct buf new, old, again;
	struct hash *hash;
};

static void *
bench_begin(void *ctx)
{
	struct bench *w = xcalloc(1, sizeof(*w));

	(void)ctx;
	w->hash = hash_new();
	return w;
}

static void
bench_end(void *ctx, void *bench)
{
	struct bench *w = bench;

	(void)ctx;
	buf_release(&w->new);
	buf_release(&w->old);
	buf_release(&w->again);
	hash_free(w->hash);
	free(w);
}

/* Do the rules explain the page: back to the very old one, and on again? */
static bool
explains(const struct trial *t, struct bench *w, size_t i, uint32_t *hits)
{
	const struct entry *old = guess_old(t->g, i);
	uint8_t digest[HASH_LEN];

	if (!guess_read(t->g, i, &w->new))
		return false;
	buf_reset(&w->old);
	buf_reset(&w->again);
	if (!rewrite_apply(t->back, buf_str(&w->new), w->new.len,
		(size_t)old->size, &w->old, NULL) ||
	    (int64_t)w->old.len != old->size)
		return false;
	hash_add(w->hash, w->old.data, w->old.len);
	hash_end(w->hash, digest);
	return memcmp(digest, old->digest, HASH_LEN) == 0 &&
	    rewrite_apply(t->on, w->old.data, w->old.len, w->new.len,
		&w->again, hits) &&
	    buf_eq(&w->again, &w->new);
}

/* Are there new sides of rules? */
static bool
has_traces(const struct trial *t, struct bench *w, size_t i, uint32_t *hits)
{
	buf_reset(&w->old);
	return guess_read(t->g, i, &w->new) &&
	    rewrite_apply(t->back, buf_str(&w->new), w->new.len,
		REWRITE_FILE_MAX, &w->old, hits);
}

static void
trial_open(struct trial *t, const struct guess *g, const struct rule_set *s)
{
	*t = (struct trial){ .g = g,
		.test = explains,
		.back = rewrite_new(s, true),
		.on = rewrite_new(s, false),
		.solved = xcalloc(g->n, sizeof(*t->solved)),
		.step = 1 };
}

static void
trial_close(struct trial *t)
{
	rewrite_free(t->back);
	rewrite_free(t->on);
	free(t->solved);
}

static void
try_page(struct trial *t, struct bench *w, size_t at)
{
	uint32_t hits[REWRITE_RULES_MAX] = { 0 };

	if (!t->test(t, w, t->g->left[at], hits))
		return;
	for (size_t i = 0; i < REWRITE_RULES_MAX; i++)
		if (hits[i] > 0)
			t->solved[at] |= UINT64_C(1) << i;
}

static bool
is_big(const struct guess *g, size_t at)
{
	return guess_new(g, g->left[at])->size > BIG ||
	    guess_old(g, g->left[at])->size > BIG;
}

static int
try_item(void *ctx, void *bench, size_t i, struct err *e)
{
	struct trial *t = ctx;

	(void)e;
	if (!is_big(t->g, i * t->step))
		try_page(t, bench, i * t->step);
	return 0;
}

/* Try every t->step-th page; how many are explained. */
static size_t
try_pages(struct trial *t)
{
	const struct pool_job job = { .n = (t->g->n + t->step - 1) / t->step,
		.grain = GRAIN,
		.ctx = t,
		.begin = bench_begin,
		.item = try_item,
		.end = bench_end };
	struct err ignored = ERR_INIT;
	size_t count = 0;

	err_ignore(pool_run(&job, &ignored));
	for (size_t i = 0; i < t->g->n; i++)
		count += t->solved[i] != 0;
	return count;
}

/* Large pages one after the other: each takes its size three times. */
static void
try_big_pages(struct trial *t)
{
	struct bench *w = bench_begin(NULL);

	for (size_t i = 0; i < t->g->n; i++)
		if (is_big(t->g, i))
			try_page(t, w, i);
	bench_end(NULL, w);
}

/* ---- a round ----------------------------------------------------------- */

/* A set that was learned, and how many of some pages it explains. */
struct candidate {
	struct rule_set set;
	size_t count;
};

/* The best first. */
static int
compare_candidates(const void *x, const void *y)
{
	const struct candidate *a = x, *b = y;

	return a->count > b->count ? -1 : a->count < b->count;
}

struct candidates {
	struct candidate v[CANDIDATES];
	size_t n;
};

/* Learn sets that differ in context, and try each on some pages. */
static void
learn_from(const struct guess *g, const struct sample *v, size_t n,
    struct candidates *out)
{
	struct learner *l = learner_new(v, n);

	for (size_t i = 0; i < LEARN_WAYS; i++) {
		struct candidate *c = &out->v[out->n++];
		struct trial t;

		learner_rules(l, i, &c->set);
		if (c->set.n == 0)
			continue;
		trial_open(&t, g, &c->set);
		t.step = g->n > TRIED ? g->n / TRIED : 1;
		c->count = try_pages(&t);
		trial_close(&t);
	}
	learner_free(l);
}

/* The samples of one group, or of all. */
static size_t
select_samples(const struct samples *s, size_t group, bool all,
    struct sample *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (all || s->group[i] == group)
			out[n++] = (struct sample){ buf_str(&s->old[i]),
				buf_str(&s->new[i]), s->old[i].len,
				s->new[i].len };
	return n;
}

/* Does one of the sets explain half of the pages on which it was tried? */
static bool
is_good(const struct guess *g, const struct candidates *c)
{
	size_t tried = g->n > TRIED ? TRIED : g->n;

	for (size_t i = 0; i < c->n; i++)
		if (2 * c->v[i].count >= tried)
			return true;
	return false;
}

/*
 * What pages of several groups have in common may be replaced by something
 * else in each: then groups learn alone.
 */
static void
learn(const struct guess *g, const struct samples *s, struct candidates *out)
{
	struct sample v[SAMPLES_MAX];

	learn_from(g, v, select_samples(s, 0, true, v), out);
	for (size_t i = 0; i < GROUPS && !is_good(g, out); i++) {
		size_t n = select_samples(s, i, false, v);

		if (n > 0 && n < s->n)
			learn_from(g, v, n, out);
	}
	qsort(out->v, out->n, sizeof(*out->v), compare_candidates);
}

/*
 * Leave out the rules that no page needed, in the set and in the bits of the
 * pages.
 */
static void
keep_used(struct rule_set *s, struct trial *t)
{
	uint64_t used = 0;
	size_t n = 0;

	for (size_t i = 0; i < t->g->n; i++)
		used |= t->solved[i];
	for (size_t i = 0; i < s->n; i++) {
		uint64_t below = (UINT64_C(1) << n) - 1;

		if ((used >> i & 1) != 0) {
			s->v[n++] = s->v[i];
			continue;
		}
		s->bytes -= s->v[i].old.len + s->v[i].new.len;
		buf_release(&s->v[i].old);
		buf_release(&s->v[i].new);
		/* What is above it moves down, to where it will be. */
		for (size_t k = 0; k < t->g->n; k++)
			t->solved[k] = (t->solved[k] & below) |
			    (t->solved[k] >> 1 & ~below);
	}
	s->n = n;
}

/* The pages that are solved are told; the others are left. */
static void
take_solved(struct guess *g, const struct trial *t)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (t->solved[i] == 0)
			g->left[n++] = g->left[i];
		else
			g->job->solved(g->job->ctx, g->left[i], g->sets->n - 1,
			    t->solved[i]);
	}
	g->n = n;
}

/* Apply the newest set to all pages that are left; how many it explains. */
static size_t
solve(struct guess *g, struct rule_set *set)
{
	struct trial t;
	size_t count = 0;

	trial_open(&t, g, set);
	(void)try_pages(&t);
	try_big_pages(&t);
	for (size_t i = 0; i < g->n; i++)
		count += t.solved[i] != 0;
	keep_used(set, &t);
	take_solved(g, &t);
	trial_close(&t);
	return count;
}

/*
 * What a set costs: new sides are in the pages, which would travel, old ones
 * are not.
 */
static int64_t
weigh_set(const struct rule_set *s)
{
	struct buf old = BUF_INIT;
	int64_t weight;

	for (size_t i = 0; i < s->n; i++) {
		buf_add(&old, s->v[i].old.data, s->v[i].old.len);
		buf_addc(&old, '\0');
	}
	weight = purse_weigh(buf_str(&old), old.len);
	buf_release(&old);
	return weight;
}

static bool
can_pay(const struct guess *g, const struct rule_set *s)
{
	int64_t weight;

	if (g->job->purse == NULL)
		return true;
	weight = weigh_set(s);
	return purse_look(g->job->purse, weight) >= weight;
}

/*
 * The set, without what nothing needed, is one of those that travel, and the
 * pages that it makes do not.
 */
static void
pay(const struct guess *g, const struct rule_set *s)
{
	if (g->job->purse == NULL)
		return;
	purse_take(g->job->purse, weigh_set(s));
	purse_save(g->job->purse);
}

/*
 * The best set for all pages that are left, then the others for what it leaves.
 * How many they explain.
 */
static size_t
use(struct guess *g, struct candidates *c)
{
	size_t count = 0, sets = 0;

	for (size_t i = 0; i < c->n && sets < SETS && g->n > 0; i++) {
		struct candidate *v = c->v;
		struct rule_set *set = NULL;
		size_t n = 0;

		if (v[i].set.n > 0 && (v[i].count > 0 || count > 0) &&
		    rule_sets_bytes(g->sets) + v[i].set.bytes <=
			REWRITE_ALL_MAX &&
		    can_pay(g, &v[i].set))
			set = rule_sets_add(g->sets);
		if (set == NULL)
			continue;
		*set = v[i].set;
		v[i].set = (struct rule_set){ .n = 0 };
		n = solve(g, set);
		count += n;
		sets += n > 0;
		if (n > 0) {
			pay(g, set);
		} else {
			rule_set_release(set);
			g->sets->n--;
		}
	}
	return count;
}

/*
 * One round: false when it explained next to nothing but its own samples, so
 * that another one is not worth a question.
 */
static bool
run_round(struct guess *g)
{
	struct candidates *c = xcalloc(1, sizeof(*c));
	struct samples s = { .n = 0 };
	size_t before = g->n, count = 0;
	bool ready;

	samples_choose(g, &s);
	ready = s.n > 0 && samples_ask(g, &s);
	for (size_t i = 0; ready && i < s.n; i++)
		ready = guess_read(g, s.entry[i], &s.new[i]);
	if (ready) {
		learn(g, &s, c);
		count = use(g, c);
	}
	log_debug("%s (%s) %s %zu of %s", TEXT_COUNT(s.n, "sample", "samples"),
	    TEXT_COUNT(s.bytes, "byte", "bytes"),
	    TEXT_PLURAL(s.n, "explains", "explain"), count,
	    TEXT_COUNT(before, "page", "pages"));
	for (size_t i = 0; i < c->n; i++)
		rule_set_release(&c->v[i].set);
	free(c);
	samples_release(&s);
	return count > s.n && (count - s.n) * 20 >= before;
}

/* What was found, for who wants to know what changed on every page. */
static void
tell_rules(const struct rule_sets *sets)
{
	for (size_t i = 0; i < sets->n; i++)
		for (size_t k = 0; k < sets->v[i].n; k++)
			log_debug("rule: '%s' is now '%s'",
			    buf_str(&sets->v[i].v[k].old),
			    buf_str(&sets->v[i].v[k].new));
}

void
guess(const struct guess_job *job, struct fleet *f, struct rule_sets *sets)
{
	struct guess g = { .job = job, .f = f, .sets = sets };

	find_pages(&g);
	for (int i = 0; i < ROUNDS && is_worth_it(&g); i++)
		if (!run_round(&g))
			break;
	tell_rules(sets);
	free(g.left);
}

void
guess_traces(const struct guess_job *job, const struct rule_sets *sets,
    void (*found)(void *ctx, size_t entry, const uint64_t *rules))
{
	struct guess g = { .job = job };
	uint64_t *rules;

	find_pages(&g);
	rules = xcalloc(g.n, REWRITE_SETS_MAX * sizeof(*rules));
	for (size_t i = 0; g.n > 0 && i < sets->n; i++) {
		struct trial t;

		trial_open(&t, &g, &sets->v[i]);
		t.test = has_traces;
		(void)try_pages(&t);
		try_big_pages(&t);
		for (size_t k = 0; k < g.n; k++)
			rules[k * REWRITE_SETS_MAX + i] = t.solved[k];
		trial_close(&t);
	}
	for (size_t k = 0; k < g.n; k++)
		found(job->ctx, g.left[k], &rules[k * REWRITE_SETS_MAX]);
	free(rules);
	free(g.left);
}
