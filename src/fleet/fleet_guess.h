/*
 * Guess and check: the rules by which the pages of a build were made from
 * those of a base, which nobody here has.
 *
 * A few small old pages are asked of one host, held against their digests, and
 * compared with the new ones: rules (learn.h).  Applied backwards to a changed
 * page they give a text; if that has the digest that the base's manifest says,
 * it is the old page, byte for byte, and if the rules, applied to it, give the
 * new page, they say all that changed.  What no rule explains is tried again
 * with other samples, a few times.
 */
#ifndef FLEET_GUESS_H
#define FLEET_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/release.h"
#include "content/manifest.h"
#include "content/rewrite.h"
#include "fleet/fleet.h"
#include "os/dir.h"

struct purse;

struct guess_job {
	const struct manifest *m;	/* of the build */
	const struct dir *build;	/* where its files are */
	bool by_digest;			/* as in a hoard, not by their paths */
	const struct release_id *id;	/* the base */
	const struct manifest *base;
	size_t group_min;		/* pages that have something in common,
					 * at least */
	int64_t worth;			/* bytes that they have, at least */
	struct purse *purse;		/* that pays for samples and rules;
					 * NULL: they may cost what they do */
	/* May the entry of `m`, a file that the base has, too, be made by
	 * rules? */
	bool (*may)(void *ctx, size_t entry);
	/* Is the host one to be asked for files of the base? */
	bool (*has)(void *ctx, const struct remote *r);
	/* The entry is made by that set, by its rules with these bits. */
	void (*solved)(void *ctx, size_t entry, size_t set, uint64_t rules);
	void *ctx;
};

/*
 * Find rules into the empty `sets`, and call job->solved() for the pages that
 * they make.  Nothing found, or no host that gives samples, is no failure.
 */
void guess(const struct guess_job *job, struct fleet *f,
    struct rule_sets *sets);

/*
 * What these rules have left on entries that may be made by rules, and that
 * something else changed, too: the bits of those of each set whose new sides an
 * entry has.
 */
void guess_traces(const struct guess_job *job, const struct rule_sets *sets,
    void (*found)(void *ctx, size_t entry, const uint64_t *rules));

#endif
