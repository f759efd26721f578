/*
 * Take over a document root that is served already: what is in it becomes a
 * release, and our link takes its place in one system call, so that no request
 * is lost: rename(2) where a link of others is (Capistrano's, Deployer's, one
 * made by hand), else renameat2(2) with RENAME_EXCHANGE.
 *
 * A directory is kept, under another name; whoever is sure removes it.  What a
 * link led to stays where it is.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"
#include "content/rules.h"
#include "os/caller.h"

struct adopt_options {
	const char *root;		/* absolute */
	const char *path;		/* the directory that is served, or a
					 * link to it, absolute; NULL: `current`
					 * in the root */
	const struct rules *rules;	/* but for carry and max_delete */
	const struct caller *caller;
	int64_t lock_wait;		/* seconds */
	const struct release_id *id;	/* of the release; NULL: a new one */
	int64_t mtime;			/* of its content; 0: now */
	bool check;			/* look whether it can be, no more */
};

struct adopted {
	struct release_id id;		/* "": there was nothing to do, our link
					 * is there already */
	char *kept;			/* where the directory is now */
	bool was_link;			/* there it was before, too */
	struct strvec shared;		/* links into shared/ that no rule names */
	size_t files;
	size_t excluded;
};

#define ADOPTED_INIT { { "" }, NULL, false, STRVEC_INIT, 0, 0 }

void adopted_release(struct adopted *a);	/* neutral values accepted */

/*
 * Prepare the root, stage what is in the directory, activate it, exchange.
 * Guards do not count.  After a fault at any step it can be called again: it
 * goes on with the release that is there.  Returns 0; or -1: visitors get what
 * they got, or with ERR_CLEANUP, it is adopted but may not survive a power cut.
 */
int adopt(const struct adopt_options *o, struct adopted *out, struct err *e)
    MUST_USE;

#endif
