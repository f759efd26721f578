/*
 * The releases of a root that were live, with their manifests: what a new one
 * may carry files from (extras.h).
 */
#ifndef EARLIER_H
#define EARLIER_H

#include <stddef.h>

#include "base/err.h"
#include "content/extras.h"
#include "root/view.h"

struct earlier {
	struct extras_earlier *v;	/* oldest first */
	size_t n;
	size_t cap;
};

#define EARLIER_INIT { NULL, 0, 0 }

/* Add one that is not there yet, in its place; its manifest is empty. */
struct extras_earlier *earlier_add(struct earlier *x,
    const struct release_id *id, int64_t until);

/*
 * Add those of the view that are not there yet, as the views of other hosts
 * had them; of what was live on several it counts where it was live last.
 * `read` reads a manifest.  0 or -1; `out` is to be released also then.
 */
int earlier_read(struct earlier *out, const struct view *v,
    int (*read)(void *ctx, const struct release_id *id, struct manifest *m,
	struct err *e),
    void *ctx, struct err *e) MUST_USE;

void earlier_release(struct earlier *x);	/* neutral values accepted */

#endif
