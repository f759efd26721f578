#include "host/verbs.h"

#include "base/clock.h"
#include "base/label.h"
#include "host/limits.h"
#include "host/request.h"
#include "os/lock.h"
#include "root/previews.h"

/* A key with limits cannot keep a release for ever. */
static int
check_until(const struct request *r, int64_t until, struct err *e)
{
	if (!limits_bind(r->limits) ||
	    until <= clock_now() / 1000 + LIMITS_PREVIEW)
		return 0;
	return err_set(e, ERR_UNREACHABLE,
	    "this key may show a preview for %d days at most",
	    LIMITS_PREVIEW / 86400);
}

/* preview: a link beside `current` shows a release, or no more. */
int
verb_preview(struct request *r, struct err *e)
{
	const char *name = request_option(r, "name", "");
	const struct release_id *id = NULL;
	bool off = request_flag(r, "off");
	int64_t until;

	if (label_check(name, e) != 0 ||
	    request_number(r, "until", 0, &until, e) != 0 ||
	    (!off && (id = request_id(r, e)) == NULL) ||
	    check_until(r, until, e) != 0 ||
	    store_open(&r->store, r->root, e) != 0 ||
	    request_lock(r, LOCK_EXCLUSIVE, e) != 0)
		return -1;
	return off ? previews_remove(&r->store, name, e) :
		     previews_point(&r->store, name, id, until, e);
}
