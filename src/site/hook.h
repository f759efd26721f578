/*
 * Hooks of a site: commands that run here before and after what deploy does
 * (shell.h).  They get DEPLOY_HOOK, DEPLOY_SITE, DEPLOY_ROOT, DEPLOY_COMMAND,
 * DEPLOY_HOSTS and, as far as they are known then, DEPLOY_RELEASE,
 * DEPLOY_PREVIOUS, DEPLOY_COMMIT, DEPLOY_CHANGED_FILE,
 * DEPLOY_CHANGED_CONTENT_FILE, DEPLOY_ERROR and DEPLOY_STATUS; what is not known is empty.
 */
#ifndef HOOK_H
#define HOOK_H

#include <stdbool.h>

#include "config/config.h"
#include "base/err.h"
#include "base/release.h"
#include "content/manifest.h"

/* What a hook is told; NULL: not known. */
struct hook_facts {
	const struct site_config *site;
	const char *command;	/* of deploy */
	const struct release_id *release, *previous;
	const char *commit;
	const char *changed;	/* a file of URLs, hook_write_changes() */
	const char *changed_content;	/* the same, without `same` */
	const struct err *error;
};

/* Is there a hook of that kind? */
bool hook_exists(const struct site_config *site, enum hook_when when);

/*
 * Run the hook, if there is one.  0; or -1 with ERR_FAILED, and ERR_CLEANUP
 * for those that come after what they are about.
 */
int hook_run(enum hook_when when, const struct hook_facts *f, struct err *e)
    MUST_USE;

/* A release, and what of it is the same, or NULL. */
struct hook_before {
	struct manifest m;
	const bool *same;	/* for each entry of the new release */
};

/*
 * Write the URLs that differ between any of the `n` releases `from` and the
 * release `to` into a new temporary file: paths below the site's top, one a
 * line, each once, sorted, percent-encoded; "/dir/" for dir/index.html.
 * `content`: without what is the same in content, and without the compressed
 * forms of files.  `path` is the caller's to free, the file to unlink.  0 or
 * -1.
 */
int hook_write_changes(const struct hook_before *from, size_t n,
    const struct manifest *to, bool content, char **path, struct err *e)
    MUST_USE;

#endif
