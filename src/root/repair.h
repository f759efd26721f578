/*
 * Mend a release that is not what its manifest says any more: files that went
 * bad or are lost are taken from where their content still is, in another
 * release of the root, or in what another host sent.
 *
 * Nothing is written into a file of a release.  What is to be mended is made
 * anew in incoming/, from content that was hashed, is on disk, and then takes
 * the place of what is bad by rename(2): a visitor gets the one or the other.
 * Other releases that have the bad file, too, by hard links, get the good one.
 * A crash leaves what is mended so far, and names in incoming/ that are swept.
 *
 * What does not belong into the release stays: it could be a user's.
 */
#ifndef REPAIR_H
#define REPAIR_H

#include "base/err.h"
#include "base/strvec.h"
#include "root/incoming.h"
#include "root/verify.h"

/*
 * Mend what verify() found.  `in` was begun by repair_begin(), or by who has
 * received the files of `sent` into it (NULL: none).  Adds a line
 * "<id><TAB><path>" to `mended` for everything that is as it should be now,
 * durably.  Returns 0, also when something could not be mended; -1 when
 * nothing could be written.
 */
int repair(struct incoming *in, const struct release_id *id,
    const struct verified *v, const struct manifest *sent,
    struct strvec *mended, struct err *e) MUST_USE;

/*
 * Give the release its manifest back, which was received into `in` as the file
 * MANIFEST_FILE, when it is the one that the meta of the release knows.  Adds
 * to `mended` as repair() does.  0, or -1, with ERR_INTEGRITY when it is another.
 */
int repair_manifest(struct incoming *in, const struct release_id *id,
    struct strvec *mended, struct err *e) MUST_USE;

/* Add the paths of the files that are not what they should be.  0 or -1. */
int repair_lacking(const struct store *s, const struct release_id *id,
    const struct verified *v, struct strvec *paths, struct err *e) MUST_USE;

/*
 * Begin a stage of its own, which is what keeps the releases from being
 * pruned meanwhile; incoming_end() ends it.  0 or -1.
 */
int repair_begin(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait,
    const struct release_id *id, struct err *swept, struct err *e) MUST_USE;

/* The releases that one works with: `id`, and the newest others. */
int repair_uses(const struct store *s, const struct release_id *id,
    struct release_ids *out, struct err *e) MUST_USE;

#endif
