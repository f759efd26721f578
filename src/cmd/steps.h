/*
 * The steps that commands have in common; publish is made of all three.
 * Each says on standard error what it did.
 */
#ifndef CMD_STEPS_H
#define CMD_STEPS_H

#include <stddef.h>

#include "root/activate.h"
#include "cmd/cmd.h"
#include "site/hook.h"
#include "root/stage.h"
#include "base/strvec.h"

/*
 * What the options, the configuration and the environment say about a build,
 * but for what
 * --exclude adds.
 */
void step_stage_options(struct run *run, struct stage_options *o);

/*
 * The site's rules with what --exclude adds; everything else in it is
 * borrowed.  The caller releases out->exclude.
 */
void step_rules(struct run *run, struct rules *out);

/*
 * Stage what the operand, or `source` in the configuration, names.  The
 * caller releases `st` and closes `s` in any case.
 */
int step_stage(struct run *run, struct store *s, struct stage *st,
    struct err *e);

/* The same on all hosts of the fleet, which is initialized only. */
int step_stage_hosts(struct run *run, struct fleet *f, struct stage *st,
    struct err *e);

/* What step_stage() did, for --json. */
json_t *step_stage_doc(const struct run *run, const struct stage *st);

/* What all commands that change hosts add to theirs; NULL: no hosts. */
void step_fleet_doc(json_t *doc, const struct fleet *f);

/*
 * What --expect means: an id, a prefix, "" for "none"; NULL when not given.
 * 0 or -1.
 */
int step_expected(const struct run *run, const struct view *v,
    const char **expect, struct err *e);

/*
 * Make `id` live, under the exclusive lock, and say so.  `out` tells what it
 * came to; it needs no activate_end().  The lock is dropped and taken again
 * for a hook of the root; after a failure it may be gone.
 */
int step_activate(struct run *run, const struct store *s, struct lock *lock,
    const struct view *v, const char *id, enum journal_action action,
    struct activation *out, struct err *e);

/*
 * Make `id` live on all hosts of the open fleet, or on none, and say so.
 * `out` is told as if they were one.
 */
int step_activate_hosts(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct activation *out, struct err *e);

/* Is what was made live to be checked? */
bool step_wants_check(const struct run *run);

/*
 * Ask the web server for what was made live, if so configured, and go back
 * when it does not give it.  Returns 0; or -1:
 *	ERR_REVERTED	wrong; what was live before is live again
 *	ERR_DIFFER	wrong, and live: nothing to go back to, or a rollback
 *	ERR_CLEANUP	a signal came, it was not checked
 */
int step_check(struct run *run, const struct store *s, struct lock *lock,
    const struct activation *done, enum journal_action action,
    struct err *e);

/* The same for all hosts. */
int step_check_hosts(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct err *e);

/*
 * Run the hook of the root that follows a flip (root_hook.h), if there is one,
 * without the lock, which is taken again afterwards.  That the hook failed is
 * told at the end.  0; or -1 with ERR_CLEANUP: it could not be taken again, or
 * another release is live now.
 */
int step_root_hook(struct run *run, const struct store *s,
    struct lock *lock, const struct activation *done,
    enum journal_action action, struct err *e);

/* Which hooks of hosts' roots failed is told at the end. */
void step_root_hooks_failed(struct run *run, struct fleet *f);

/*
 * Run a hook, if there is one and it is no dry run.  0; or -1 when one that
 * comes before refused.  That a later one failed is told at the end.
 */
int step_hook(struct run *run, enum hook_when when, const char *release,
    const char *previous, struct err *e);

/* Reads the manifest of a release; 0 or -1. */
typedef int step_manifest_fn(void *ctx, const char *id, struct manifest *m,
    struct err *e);

/* Remember what was made live instead of `from`, for the hook that follows. */
void step_went_live(struct run *run, const char *id, const char *from,
    enum journal_action action, step_manifest_fn *read, void *ctx);

/*
 * After the command, when its locks are gone: the hooks that follow.  `e` is
 * how the command ended, and then how all ended.  0 or -1.
 */
int step_hooks_after(struct run *run, struct err *e);

/* What step_activate() did, for --json, into `doc`. */
void step_activate_doc(json_t *doc, const char *id,
    const struct activation *done);

/* Prune under the exclusive lock and say what went. */
int step_prune(struct run *run, const struct store *s, const struct view *v,
    struct strvec *removed, struct err *e);

/* Prune on all hosts, whose state was asked for (fleet_open). */
int step_prune_hosts(struct run *run, struct fleet *f,
    struct strvec *removed, struct err *e);

#endif
