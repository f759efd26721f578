#include "fleet/fleet_rules.h"

#include "content/rewrite.h"
#include "fleet/fleet_guess.h"
#include "fleet/purse.h"

enum {
	GROUP_MIN = 16, /* pages that have something in common */
	/* Below so many bytes, compressed, it is not worth a question. */
	WORTH = 64 * 1024,
	COMPRESSED = 5, /* a page has so many times more */
};

static bool
may_have_rules(void *ctx, size_t i)
{
	const struct batch *b = ctx;

	return b->edits.v[i].source == EDIT_WHOLE && !b->fetched[i];
}

static bool
is_for(void *ctx, const struct remote *r)
{
	return batch_is_for(ctx, r);
}

/* The page travels no more. */
static void
take_solved(void *ctx, size_t i, size_t set, uint64_t rules)
{
	struct batch *b = ctx;
	const struct entry *old =
	    manifest_find(&b->base_manifest, b->what->m->v[i].path);

	(void)rules;
	b->edits.v[i] = (struct edit){ EDIT_RULES, (uint8_t)set,
		(uint32_t)(old - b->base_manifest.v) };
	b->ruled++;
}

void
find_rules(struct batch *b, struct fleet *f)
{
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
		.ctx = b };
	struct rule_sets sets = RULE_SETS_INIT;

	if (b->what->build != NULL)
		guess(&job, f, &sets);
	for (size_t i = 0; i < sets.n; i++)
		b->n_rules += sets.v[i].n;
	rule_sets_print(&sets, &b->rules);
	purse_free(job.purse);
	rule_sets_release(&sets);
}
