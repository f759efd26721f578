/*
 * Take over a document root that is served already: what is in it becomes a
 * release, and a link takes the place of the directory in one system call
 * (renameat2(2), RENAME_EXCHANGE), so that no request is lost.
 *
 * The directory is kept, under another name; whoever is sure removes it.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include <stdint.h>

#include "base/err.h"
#include "base/release.h"
#include "content/rules.h"
#include "os/caller.h"

struct adopt_options {
	const char *root;		/* absolute */
	const char *path;		/* the directory that is served, absolute;
					 * NULL: `current` in the root */
	const struct rules *rules;	/* but for carry and max_delete */
	const struct caller *caller;
	int64_t lock_wait;		/* seconds */
	const struct release_id *id;	/* of the release; NULL: a new one */
	int64_t mtime;			/* of its content; 0: now */
};

struct adopted {
	struct release_id id;		/* "": there was nothing to do, a link
					 * is there already */
	char *kept;			/* where the directory is now */
	size_t files;
	size_t excluded;
};

#define ADOPTED_INIT { { "" }, NULL, 0, 0 }

/*
 * Prepare the root, stage what is in the directory, activate it, exchange.
 * Guards do not count.  After a fault at any step it can be called again: it
 * goes on with the release that is there.  Returns 0; or -1: visitors get what
 * they got, or with ERR_CLEANUP, it is adopted but may not survive a power cut.
 * The caller frees out->kept.
 */
int adopt(const struct adopt_options *o, struct adopted *out, struct err *e)
    MUST_USE;

#endif
