#include "fleet/fleet_content.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fleet/fleet_guess.h"

enum { GROUP_MIN = 2 }; /* pages that have something in common */

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

static bool
is_same_side(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* The pages that a rule hits, in whatever set it is. */
static size_t
count_rule(const struct rule_sets *sets, const struct rule *r,
    const struct counts *c)
{
	size_t n = 0;

	for (size_t i = 0; i < sets->n; i++)
		for (size_t k = 0; k < sets->v[i].n; k++)
			if (is_same_side(&sets->v[i].v[k].old, &r->old) &&
			    is_same_side(&sets->v[i].v[k].new, &r->new))
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
	struct content_marks marks;
};

static bool
has_changed(void *ctx, size_t i)
{
	const struct search *s = ctx;
	const struct entry *en = &s->m->v[i];
	const struct entry *old = manifest_find(s->base, en->path);

	return old != NULL && old->mode == en->mode &&
	    memcmp(old->digest, en->digest, HASH_LEN) != 0;
}

static bool
has_base(void *ctx, const struct remote *r)
{
	const struct search *s = ctx;

	return r->has_delta && release_ids_has(&r->view.ids, s->id);
}

static void
mark(void *ctx, size_t i, size_t set, uint64_t rules)
{
	struct search *s = ctx;

	content_mark(&s->marks, i, set, rules);
}

void
fleet_find_content(struct fleet *f, const struct release_id *id,
    const struct manifest *base, const struct manifest *m,
    const struct dir *files, struct content *out)
{
	struct search s = { .id = id, .base = base, .m = m };
	const struct guess_job job = { .m = m,
		.build = files,
		.id = id,
		.base = base,
		.group_min = GROUP_MIN,
		.may = has_changed,
		.has = has_base,
		.solved = mark,
		.ctx = &s };
	struct rule_sets sets = RULE_SETS_INIT;

	content_marks_init(&s.marks, m->n);
	(void)guess(&job, f, &sets);
	content_decide(&s.marks, &sets, id, base, m, out);
	content_marks_release(&s.marks);
	rule_sets_release(&sets);
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

const struct content *
fleet_content(const struct fleet *f, const struct release_id *base)
{
	for (size_t i = 0; i < f->n_contents; i++)
		if (release_id_eq(&f->contents[i].base, base))
			return &f->contents[i];
	return NULL;
}
