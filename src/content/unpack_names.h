/*
 * The names in an archive: which path of the tree each stands for, by the
 * rules that unpack.h has; what is left out, and the leading directory that is
 * dropped.  Pure; no system calls.
 */
#ifndef UNPACK_NAMES_H
#define UNPACK_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/strvec.h"

struct unpack_names {
	/* In. */
	const struct strvec *exclude;	/* path_match_any() patterns; or NULL */
	bool strip;			/* drop the leading directory */
	bool unicode;			/* a name has to be in UTF-8 */
	/* Out. */
	size_t excluded;		/* what is below a directory: as one */
	/* Private. */
	char *first;			/* the leading directory */
	char *left_out;			/* what was counted last */
};

void unpack_names_release(struct unpack_names *n);

/*
 * Turn the name of an entry (NULL: it has none) into a path, which has room
 * for PATH_LEN_MAX + 1.  Returns 0; 1 for what needs no work: the top itself,
 * and what is excluded; -1 with ERR_INTEGRITY.
 */
int unpack_names_choose(struct unpack_names *n, const char *name, bool dir,
    char *path, struct err *e) MUST_USE;

/* The same for the name that a hard link points to.  0 or -1. */
int unpack_names_target(struct unpack_names *n, const char *name, char *path,
    struct err *e) MUST_USE;

#endif
