/*
 * What the public name gives: a CDN or a cache before the hosts, which goes on
 * giving the release before until it is told, or until that is too old.
 */
#ifndef EDGE_H
#define EDGE_H

#include "base/err.h"
#include "config/config.h"
#include "content/manifest.h"

/* What is to be there, and what may be there still; `old` NULL: nothing. */
struct edge_wanted {
	const struct manifest *m;	/* of what is live */
	const struct manifest *old;	/* of what was live before, */
	const char *old_id;		/* and its id */
};

/*
 * Ask below the top `url`, wherever its name leads, for the files that
 * check_sample() takes, plainly and as browsers do, until all are those of
 * the release, or the time `deadline` (clock_now()) has come.  0; or -1 with
 * ERR_CLEANUP: what is given still, and what Age, Via and X-Cache say; or the
 * signal that came.
 */
int edge_await(const struct check_config *c, const char *url,
    const struct edge_wanted *wanted, int64_t deadline, struct err *e)
    MUST_USE;

#endif
