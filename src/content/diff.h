/*
 * What changed from one manifest to another.  Pure; no system calls.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "content/manifest.h"

enum diff_kind { DIFF_ADDED, DIFF_CHANGED, DIFF_REMOVED };

struct diff_line {
	enum diff_kind kind;
	const char *path;	/* a manifest's */
	int64_t old_size;	/* 0 for what is added */
	int64_t new_size;	/* 0 for what is removed */
};

struct diff {
	struct diff_line *v;	/* by path */
	size_t n;
	size_t cap;
	size_t count[3];	/* of each kind */
};

#define DIFF_INIT { NULL, 0, 0, { 0, 0, 0 } }

void diff_release(struct diff *d);		/* neutral values accepted */

/*
 * Compare two sorted manifests, which must outlive `d`: files and links;
 * directories only where they are empty, because others show in what they
 * hold.  A change of mode alone is a change; of mtime alone is none.
 */
void diff_manifests(struct diff *d, const struct manifest *a,
    const struct manifest *b);

/*
 * Leave out the changed files of which `same` says so, for each entry of `b`.
 */
void diff_drop(struct diff *d, const struct manifest *b, const bool *same);

/*
 * Add the lines of `more` that `d` lacks: what changed for those who had the
 * one or the other.  A path that both have is a change unless both say the
 * same of it.
 */
void diff_unite(struct diff *d, const struct diff *more);

#endif
