/*
 * Hooks of a root that are run from outside a jail (jail.h): a hook may need
 * what the jail has not, a service to be told, sudo, the network.  So before
 * the jail is entered a process is forked that stays outside, looks at the
 * hook as root_hook.h does, and runs that and nothing else.
 *
 * It ends when we do, and its hook with it.
 */
#ifndef HOOK_RUNNER_H
#define HOOK_RUNNER_H

#include "base/err.h"
#include "root/root_hook.h"
#include "root/store.h"

/* Start it for this root, if the root has a hook.  0 or -1. */
int hook_runner_start(const char *root, struct err *e) MUST_USE;

/* As root_hook_run(): by it, if it is there. */
int hook_runner_run(const struct store *s, const char *name,
    const struct root_hook_facts *f, struct err *e) MUST_USE;

void hook_runner_stop(void);	/* neutral when there is none */

#endif
