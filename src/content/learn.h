/*
 * Learn rules (rewrite.h) from a few pages of which the old and the new text
 * are known.  The texts are compared word by word; each place that differs
 * becomes a rule, with as much of what surrounds it as it takes to tell it
 * from all other places of the samples, old and new, so that the rule can be
 * applied in both directions.  Pure.
 */
#ifndef LEARN_H
#define LEARN_H

#include <stddef.h>

#include "content/rewrite.h"

enum {
	LEARN_EDITS_MAX = 1000,		/* words that differ in a page */
	LEARN_CONTEXTS = 3,		/* how exact rules can be, ... */
	LEARN_WAYS = 2 * LEARN_CONTEXTS,	/* and on which sides */
};

struct sample {
	const char *old, *new;
	size_t old_len, new_len;
};

struct learner;

/* Compare the samples, which must outlive it. */
struct learner *learner_new(const struct sample *v, size_t n);
void learner_free(struct learner *l);		/* NULL accepted */

/*
 * Rules in one way.  They have at least the context number way %
 * LEARN_CONTEXTS (0: none is needed) around what differs; first on both sides,
 * or, from LEARN_CONTEXTS on, first on one side, which tells less of the
 * samples.  Those that several samples share come first.
 */
void learner_rules(struct learner *l, size_t way, struct rule_set *out);

#endif
