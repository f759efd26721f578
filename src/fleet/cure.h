/*
 * How to go on: the commands that messages name, with the options by which the
 * user said which site is meant, quoted for a shell.
 */
#ifndef CURE_H
#define CURE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "fleet/fleet.h"

/* "deploy VERB -c FILE -s SITE"; `word` (or NULL) is quoted behind the verb. */
void cure_add(const struct fleet *f, struct buf *out, const char *verb,
    const char *word);

/* The same behind the sentence of an error.  Returns -1. */
int cure_append(const struct fleet *f, struct err *e, const char *verb,
    const char *word);

/*
 * A text for people whose writer knows no site: each command in it that looks
 * at a site, such as 'deploy list' or run: deploy prune, gets the options
 * by which the user said which one.  Returns what `out` has, or `text`
 * when there is nothing to add.
 */
const char *cure_complete(const struct caller *c, const char *text,
    struct buf *out);

/* The cure of the error as that. */
void cure_complete_error(const struct caller *c, struct err *e);

/*
 * Hosts are out of reach, and the error says so: append how to go on without
 * them, when the command can and some are left, else how to find out more,
 * unless a host has answered and said what helps.
 * Returns -1.
 */
int cure_unreachable(const struct fleet *f, struct err *e);

/*
 * Hosts have failed in a way that others need not wait for, and nothing was
 * changed: the same, when the command can go on without them, and no signal ended
 * it, for which no host is at fault.  Returns -1.
 */
int cure_failed(const struct fleet *f, struct err *e);

/*
 * The same when the others have changed: ERR_DIFFER, and where going on without
 * hosts is not what helps, as after a signal or with a lock, the command again.
 * Returns -1.
 */
int cure_half_done(const struct fleet *f, struct err *e);

/*
 * Hosts serve something else than the others, or nobody knows what they serve:
 * those for which `odd` says so.  Append how to make all alike; the others
 * serve r->before.  Returns -1.
 */
int cure_differ(const struct fleet *f, const bool *odd, struct err *e);

/*
 * The check failed, what was live before is live again, and the error says so:
 * append how to do without it, for who knows that it is the check that is
 * wrong, and not the release.  Returns -1.
 */
int cure_check(const struct fleet *f, struct err *e);

/*
 * When the error says that a host has no room (ENOSPC): in place of its cure,
 * the prune that removes something there, if it is known what is there.  For
 * what fleet_each() does, it has been called.  Returns -1.
 */
int cure_room(const struct fleet *f, const struct remote *r, struct err *e);

#endif
