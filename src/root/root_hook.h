/*
 * Hooks of a root: executables in .deploy/hooks that run on the root's own
 * machine when another release went live there: "post-rollback" after a
 * rollback or a revert, "post-activate" after all else, and after these when
 * there is no post-rollback.  See deploy-root(5).
 */
#ifndef ROOT_HOOK_H
#define ROOT_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "root/journal.h"
#include "root/store.h"

/* What a hook is told. */
struct root_hook_facts {
	const struct release_id *release;	/* live now */
	const struct release_id *previous;	/* live before, or none */
	int64_t timeout;	/* seconds */
	bool quiet;		/* show what it prints only if it fails */
};

/* The name of the hook that follows; NULL: there is none. */
const char *root_hook_find(const struct store *s, enum journal_action action);

/*
 * Run the hook of that name, as shell.h does, in the root.  Not under the
 * lock: it may call deploy.  0; or -1 with ERR_CLEANUP: refused, because it
 * is no executable or could have been planted, or it failed.  In a jail,
 * hook_runner_run() does that.
 */
int root_hook_run(const struct store *s, const char *name,
    const struct root_hook_facts *f, struct err *e) MUST_USE;

#endif
