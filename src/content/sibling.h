/*
 * The compressed forms that a build has beside its files (app.js.gz beside
 * app.js), which web servers give instead of them: each must be what it
 * stands for, or visitors get old bytes while all that asks plainly is well.
 */
#ifndef SIBLING_H
#define SIBLING_H

#include <stdbool.h>

#include "base/err.h"
#include "content/plan.h"
#include "os/dir.h"

/*
 * Take apart what stands beside files of the build in `source`, of which the
 * plan is whole (plan_end).  Both as they were in the base were looked at
 * when that was staged, and are not again, unless `all` says so.  One without
 * its file is what it is.  No more comes out of any than its file has, and a
 * little.  0, or -1 with ERR_INTEGRITY, which names both.
 */
int sibling_check(const struct dir *source, const struct plan *p, bool all,
    struct err *e) MUST_USE;

#endif
