/*
 * The compressed forms that a build has beside its files (app.js.gz beside
 * app.js), which web servers give instead of them: each must be what it
 * stands for, or visitors get old bytes while all that asks plainly is well.
 */
#ifndef SIBLING_H
#define SIBLING_H

#include "base/err.h"
#include "content/plan.h"
#include "os/dir.h"

/*
 * Take apart what stands beside files of the build in `source`, of which the
 * plan is whole (plan_end); where one of the two is a symbolic link, what it
 * leads to counts.  Both as they are in `base` were looked at when that was
 * staged, and are not again; NULL: all are.  One without its file is what it
 * is.  No more comes out of any than its file has, and a
 * little.  0, or -1 with ERR_INTEGRITY, which names both.
 */
int sibling_check(const struct dir *source, const struct plan *p,
    const struct manifest *base, struct err *e) MUST_USE;

#endif
