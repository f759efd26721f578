/* verify: is a release what its manifest says?  If not, mend it, if wanted. */
#include <stdlib.h>

#include "base/text.h"
#include "host/request.h"
#include "host/verbs.h"
#include "host/wire.h"
#include "os/dir.h"
#include "root/incoming.h"
#include "root/repair.h"
#include "root/store.h"
#include "root/verify.h"

void
verify_put_differences(struct request *r, const struct strvec *found,
    size_t most)
{
	for (size_t i = 0; i < found->n && i < most; i++) {
		char *clean = text_cleanf("%s", found->v[i]);

		wire_put(&r->out, "difference", "%s", clean);
		free(clean);
	}
	if (found->n > most)
		wire_put(&r->out, "difference", "and %zu more",
		    found->n - most);
}

/* Paths have no control characters: the tab is the one between the fields. */
void
verify_put_mended(struct request *r, const struct strvec *mended)
{
	for (size_t i = 0; i < mended->n; i++)
		wire_put(&r->out, "mended", "%s", mended->v[i]);
}

/* From what this root has; verified anew then. */
static int
mend(struct request *r, const struct release_id *id, struct verified *v,
    struct err *e)
{
	struct incoming in = INCOMING_INIT;
	struct strvec mended = STRVEC_INIT;
	struct err swept = ERR_INIT;
	int64_t wait;
	int c = request_number(r, "lock-wait", 60, &wait, e);

	if (c == 0)
		c = repair_begin(&in, &r->store, &r->caller, wait, id, &swept,
		    e);
	if (swept.code != ERR_OK)
		wire_put(&r->out, "warning", "%s", swept.text);
	if (c == 0)
		c = repair(&in, id, v, NULL, &mended, e);
	incoming_end(&in);
	verify_put_mended(r, &mended);
	if (c == 0 && mended.n > 0) {
		verified_release(v);
		c = verify(&r->store, id, v, e);
	}
	strvec_release(&mended);
	return c;
}

/* What a client may have from elsewhere. */
static int
put_lacking(struct request *r, const struct release_id *id,
    const struct verified *v, struct err *e)
{
	struct strvec paths = STRVEC_INIT;
	int c;

	if (v->no_manifest) {
		wire_put(&r->out, "lacks-manifest", "%s", id->text);
		return 0;
	}
	c = repair_lacking(&r->store, id, v, &paths, e);

	for (size_t i = 0; i < paths.n; i++)
		wire_put(&r->out, "lacks", "%s", paths.v[i]);
	strvec_release(&paths);
	return c;
}

static int
mend_and_tell(struct request *r, const struct release_id *id,
    struct verified *v, struct err *e)
{
	/* Nothing can be said of its files. */
	if (!v->no_manifest && mend(r, id, v, e) != 0)
		return -1;
	return put_lacking(r, id, v, e);
}

int
verb_verify(struct request *r, struct err *e)
{
	const struct release_id *id = request_id(r, e);
	struct verified v = VERIFIED_INIT;
	int c;

	if (id == NULL ||
	    (request_flag(r, "repair") ?
		    store_open(&r->store, r->root, e) :
		    store_look(&r->store, r->root, e)) != 0)
		return -1;
	c = verify(&r->store, id, &v, e);
	/* Who mended it may have died before it was on disk. */
	if (c == 0 && request_flag(r, "repair"))
		c = v.found.n > 0 ? mend_and_tell(r, id, &v, e) :
				    dir_sync_tree(&r->store.releases, e);
	if (c == 0 && !v.no_manifest)
		wire_put(&r->out, "verified", "%zu\t%lld", v.totals.files,
		    (long long)v.totals.bytes);
	verify_put_differences(r, &v.found, SIZE_MAX);
	verified_release(&v);
	return c;
}
