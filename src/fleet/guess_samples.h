/*
 * Samples for rules (fleet_guess.h): a few small pages of each kind that
 * changed, whose old texts a host is asked for.
 */
#ifndef GUESS_SAMPLES_H
#define GUESS_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fleet/fleet_guess.h"

enum { SAMPLES_MAX = 16 };

struct guess {
	const struct guess_job *job;
	struct fleet *f;
	size_t *left; /* entries that nothing explains yet */
	size_t n;
	struct rule_sets *sets;
};

struct samples {
	size_t entry[SAMPLES_MAX]; /* of the new manifest */
	size_t base[SAMPLES_MAX];  /* the same of the base's */
	struct buf old[SAMPLES_MAX], new[SAMPLES_MAX];
	size_t group[SAMPLES_MAX];
	size_t n;
	int64_t bytes;
	int64_t cost;	/* of question and answer, if old pages weigh what new
			 * ones do */
	size_t weighed; /* pages */
};

/* An entry of the build; the file of the base at the same path, or NULL. */
const struct entry *guess_new(const struct guess *g, size_t i);
const struct entry *guess_old(const struct guess *g, size_t i);

/*
 * Read all of a page of the build; what it is is found out when it is used.
 * False when that fails.
 */
bool guess_read(const struct guess *g, size_t i, struct buf *out) MUST_USE;

/* Two small pages of each group of what is left, of the largest groups first. */
void samples_choose(const struct guess *g, struct samples *s);

/*
 * Ask one host that has the base for the old pages; another one if it fails.
 * False when none gives them.
 */
bool samples_ask(const struct guess *g, struct samples *s) MUST_USE;

void samples_release(struct samples *s);

#endif
