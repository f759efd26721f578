/*
 * Assets that stay beside what is live after a rollback, or after a check that
 * failed (carry, bridge).
 */
#ifndef SITE_ASSETS_H
#define SITE_ASSETS_H

#include "base/release.h"
#include "site/site.h"

/*
 * Pages of `gone`, which was live until now, are still open in browsers: its
 * assets stay beside those of `live`, on every host.  What is live waits for
 * that as little as it fails for it: a warning says so.
 */
void site_keep_assets(struct site_run *s, const struct release_id *live,
    const struct release_id *gone);

/*
 * The same when `gone` did not pass its check, so that all went back from it, if
 * that is what failed.  Several hosts have those assets from the bridge that
 * came before it; one host had none.
 */
void site_keep_undone(struct site_run *s, const struct release_id *gone,
    const struct err *failed);

#endif
