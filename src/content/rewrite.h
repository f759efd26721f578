/*
 * Rules: what many pages of a site have replaced by what, since their last
 * version (a date, a version, the name of an asset).  A set of rules is
 * applied to a text in one pass, by an Aho-Corasick machine: of all matches
 * the one that ends first counts, of those that end there the longest, and the
 * search goes on behind it.  So the work is one step a byte, whatever the
 * rules are, and one more at most to pass by bytes where no rule begins, of
 * which it mostly skips many at once.  Pure.
 *
 * A set as text, with numbers of varint.h: how many rules, and for each the
 * length of what is replaced, its bytes, the length of the replacement, its
 * bytes.  Several sets are their number, and the sets.
 */
#ifndef REWRITE_H
#define REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/varint.h"

enum {
	REWRITE_SETS_MAX = 8,
	REWRITE_RULES_MAX = 64,		/* of a set */
	REWRITE_SIDE_MAX = 4096,	/* bytes of a side of a rule */
	REWRITE_SET_MAX = 16 * 1024,	/* bytes of both sides of all */
	REWRITE_ALL_MAX = 64 * 1024,	/* of all sets: a state of the machine
					 * takes half a KiB */
	REWRITE_FILE_MAX = 8 * 1024 * 1024,	/* of a text before and after */
};

struct rule {
	struct buf old, new;
};

struct rule_set {
	struct rule v[REWRITE_RULES_MAX];
	size_t n;
	size_t bytes;			/* of both sides of all */
};

/* Several sets. */
struct rule_sets {
	struct rule_set *v;		/* REWRITE_SETS_MAX */
	size_t n;
};

#define RULE_SETS_INIT { NULL, 0 }

void rule_set_release(struct rule_set *s);
void rule_sets_release(struct rule_sets *s);	/* neutral values accepted */

/*
 * Add a rule, copied.  False when a side is empty or too long, when a rule has
 * the same side already, or when the set is full.
 */
bool rule_set_add(struct rule_set *s, const char *old, size_t old_len,
    const char *new, size_t new_len);

/* The next set, empty; NULL when there are enough. */
struct rule_set *rule_sets_add(struct rule_sets *s);

/* Bytes of both sides of all rules of all sets. */
size_t rule_sets_bytes(const struct rule_sets *s);

void rule_sets_print(const struct rule_sets *s, struct buf *out);

/* Read what rule_sets_print() wrote: 0, or -1 with ERR_INTEGRITY. */
int rule_sets_parse(struct rule_sets *s, const char *text, size_t len,
    struct err *e) MUST_USE;

/* A set that is ready to be applied; the set must outlive it. */
struct rewrite;

/* Old sides are replaced by new ones, or, backwards, the other way round. */
struct rewrite *rewrite_new(const struct rule_set *s, bool backwards);
void rewrite_free(struct rewrite *w);		/* NULL accepted */

/*
 * Replace in text[0..len) and append to `out`, at most `max` bytes.  False
 * when it would be more.  `hits`, if not NULL, counts each rule.
 */
bool rewrite_apply(const struct rewrite *w, const char *text, size_t len,
    size_t max, struct buf *out, uint32_t *hits);

#endif
