/*
 * A bridge: the pages of a release that is live, and beside them the assets of
 * the one that is about to replace it.  It goes live on all hosts before the
 * first of them has the new pages, so that whatever page a visitor gets from
 * one host, every other has what the page names.
 *
 * Its meta names the release that it stands for.  That release is what is live,
 * also while `current` leads to the bridge: here, in the journal, and in all
 * that a host says.  So a bridge is nothing that a rollback or a vote could
 * find, and a run that dies between the flip to the bridge and the one to the
 * new release leaves nothing that anybody has to know of.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "base/err.h"
#include "base/release.h"
#include "content/manifest.h"
#include "root/store.h"

/*
 * What is live, none for nothing; and the bridge that stands for it, none when
 * `current` leads to it itself.  A bridge whose meta cannot be read, or that
 * stands for a release that is not there, is taken for a release.  0, or -1 as
 * store_current().
 */
int bridge_current(const struct store *s, struct release_id *live,
    struct release_id *bridge, struct err *e) MUST_USE;

/*
 * Has the bridge all that is in the manifest of the release that it stands for,
 * as it is there, and beside that nothing but carried files and the
 * directories above them?  0, or -1 with ERR_INTEGRITY.
 */
int bridge_check(const struct store *s, const struct release_id *bridge,
    const struct release_id *live, struct err *e) MUST_USE;

#endif
