#include "fleet/fleet_rules.h"

#include "content/rewrite.h"
#include "fleet/fleet_content.h"
#include "fleet/fleet_guess.h"
#include "fleet/purse.h"

enum {
	GROUP_MIN = 16, /* pages that have something in common */
	/* Below so many bytes, compressed, it is not worth a question. */
	WORTH = 64 * 1024,
	COMPRESSED = 5, /* a page has so many times more */
};

struct search {
	struct batch *b;
	struct content_marks marks;
};

static bool
may_have_rules(void *ctx, size_t i)
{
	const struct batch *b = ((struct search *)ctx)->b;

	return b->edits.v[i].source == EDIT_WHOLE && !b->fetched[i];
}

static bool
is_for(void *ctx, const struct remote *r)
{
	return batch_is_for(((struct search *)ctx)->b, r);
}

/* The page travels no more. */
static void
take_solved(void *ctx, size_t i, size_t set, uint64_t rules)
{
	struct search *s = ctx;
	struct batch *b = s->b;
	const struct entry *old =
	    manifest_find(&b->base_manifest, b->what->m->v[i].path);

	content_mark(&s->marks, i, set, rules);
	b->edits.v[i] = (struct edit){ EDIT_RULES, (uint8_t)set,
		(uint32_t)(old - b->base_manifest.v) };
	b->ruled++;
}

/* What the rules say is of use for hooks, too. */
static void
keep_content(const struct search *s, const struct rule_sets *sets,
    struct fleet *f)
{
	const struct batch *b = s->b;
	struct content c;

	if (fleet_content(f, &b->base) != NULL)
		return;
	content_decide(&s->marks, sets, &b->base, &b->base_manifest,
	    b->what->m, &c);
	fleet_keep_content(f, &c);
}

void
find_rules(struct batch *b, struct fleet *f)
{
	struct search s = { .b = b };
	const struct guess_job job = { .m = b->what->m,
		.build = b->what->build,
		.id = &b->base,
		.base = &b->base_manifest,
		.group_min = GROUP_MIN,
		.worth = COMPRESSED * WORTH,
		.purse = purse_new(b, PURSE_RULES),
		.may = may_have_rules,
		.has = is_for,
		.solved = take_solved,
		.ctx = &s };
	struct rule_sets sets = RULE_SETS_INIT;
	bool tried = false;

	content_marks_init(&s.marks, b->what->m->n);
	if (b->what->build != NULL)
		tried = guess(&job, f, &sets);
	for (size_t i = 0; i < sets.n; i++)
		b->n_rules += sets.v[i].n;
	rule_sets_print(&sets, &b->rules);
	if (tried)
		keep_content(&s, &sets, f);
	purse_free(job.purse);
	content_marks_release(&s.marks);
	rule_sets_release(&sets);
}
