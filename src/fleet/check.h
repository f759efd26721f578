/*
 * Is the release what visitors get?  URLs are fetched from a web server by
 * its own address (web.h), and files of the release are compared with the
 * manifest, so that a server that has another document root, keeps old files
 * open, or has lost a mount is found.  They are asked for as visitors do:
 * plainly, in each compressed form that stands beside them, and as browsers
 * say that they take all of these; with what browsers know of the release
 * before; and caches must be told what the rules for Cache-Control want.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>

#include "config/config.h"
#include "base/err.h"
#include "content/manifest.h"

/* What was asked and was right. */
struct check_result {
	size_t urls;
	size_t files;
	size_t compressed;	/* answers, of those for files */
};

/* What browsers know of files that change with a flip. */
struct check_validator {
	char *url;
	const char *accept;	/* Accept-Encoding; NULL: none */
	char *etag, *modified;	/* "": there was none, or none to ask with */
};

struct check_before {
	struct check_validator *v;
	size_t n;
};

/*
 * Ask the web server at `connect` ("address[:port]"; NULL: where the URLs'
 * names lead) all that `c` wants; `m` is the manifest of the live release,
 * `before` what was remembered before the flip, or NULL.  Tried again as `c` says.  Safe from several threads.  Returns 0; or -1:
 *	ERR_FAILED	an answer was wrong or did not come: which, and why
 *	the same	a signal came, as intr_check()
 */
int check_served(const struct check_config *c, const char *connect,
    const struct manifest *m, const struct check_before *before,
    struct check_result *out, struct err *e) MUST_USE;

/*
 * Before a flip to the release with the manifest `m`: ask for the validators
 * of what is to be compared afterwards and has other content now.  A flip does
 * not wait for a server that is slow or stands still: that takes 2 s in all,
 * 2 more for an answer that is on its way then, and the first one that does
 * not come is the last that is asked for.  `out` may be used again.
 */
void check_remember(const struct check_config *c, const char *connect,
    const struct manifest *m, struct check_before *out);
void check_before_release(struct check_before *b);	/* neutral values
							 * accepted */

/*
 * The files of `m` to compare: at most `n`, index.html first, then those that
 * are new in the release, the others as a hash of their names has them.  What
 * servers do not give (names that begin with a dot) or run (.php, .cgi) is
 * left out, and what is the compressed form of another file.  Fills `out` with indices and returns how many.
 */
size_t check_sample(const struct manifest *m, size_t n, size_t *out);

/*
 * The URL of a path of the release below the top `url`; "d/index.html" is
 * "d/".  It is percent-encoded as browsers do it (WHATWG URL), so that caches
 * know it by that name.  The caller frees it.
 */
char *check_url(const char *url, const char *path);

#endif
