/*
 * rsync(1) as the way for the files of a build (`transport: rsync`): it
 * fills incoming/<id> on the host, through the connection that is open
 * (rsh.h).  What its file list does not name (excluded files, links, carried
 * files) does not travel so, and what it delivers is not trusted: the host
 * verifies it as any pack (receive.h, `filled`).
 */
#ifndef RSYNC_H
#define RSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/release.h"
#include "content/manifest.h"
#include "remote/transport.h"

struct rsync_job {
	const struct dir *from;		/* the build */
	const struct manifest *m;
	const bool *send;		/* for each entry: a file or directory
					 * that is sent */
	const struct release_id *base;	/* that is linked to, or none */
	const char *to;			/* the directory on the host, absolute */
	int64_t silence;		/* seconds without data that end it */
};

/*
 * Fill the directory.  Content that the base has at the same path is linked
 * there, and else serves for the differences.  Returns 0; -1 with
 * ERR_UNREACHABLE when there is no rsync, here or there, ERR_GUARD when the
 * disk is full, and so on.
 */
int rsync_fill(struct transport *t, const struct rsync_job *j, struct err *e)
    MUST_USE;

#endif
