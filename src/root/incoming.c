#include "root/incoming.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content/guard.h"
#include "content/tree.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/progress.h"
#include "root/store_remove.h"

int
incoming_open(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait, struct err *swept,
    struct err *e)
{
	char *note = caller_lock_note(caller, "stage");
	bool alone = false;
	int r;

	in->store = s;
	r = lock_take_alone(&in->lock, &s->state, lock_wait, note, &alone, e);
	free(note);
	if (r != 0 || !alone)
		return r;
	err_ignore(store_sweep(s, swept));
	log_debug("nobody else is here; what dead runs left is swept");
	return lock_share(&in->lock, &s->state, lock_wait, e);
}

int
incoming_check_room(const struct incoming *in, int64_t bytes, int64_t inodes,
    struct err *e)
{
	const struct guard_room need = { bytes, inodes };
	struct guard_room have;
	struct dir_space space;

	if (dir_space(&in->store->incoming, &space, e) != 0)
		return -1;
	have.bytes = (int64_t)space.bytes;
	have.inodes = (int64_t)space.inodes;
	return guard_check_room(&need, &have, in->store->root.path, e);
}

int
incoming_begin(struct incoming *in, const struct release_id *id, struct err *e)
{
	if (dir_make(&in->store->incoming, id->text, e) != 0)
		return -1;
	in->id = *id;
	return dir_open(&in->dir, &in->store->incoming, id->text, e);
}

/* What is on disk must be what the manifest says. */
static int
check(const struct incoming *in, const struct manifest *m, struct err *e)
{
	struct strvec found = STRVEC_INIT;
	int r = tree_compare(&in->dir, m, &found, e);

	if (r == 0 && found.n > 0)
		r = err_set(e, ERR_INTEGRITY,
		    "the new release is not what was staged: %s (%zu differences); the disk or another program is at fault",
		    found.v[0], found.n);
	strvec_release(&found);
	return r;
}

/* Write the manifest and the meta of the new release, durably. */
static int
write_records(const struct incoming *in, const struct manifest *m,
    const struct meta *meta, struct err *e)
{
	const struct store *s = in->store;

	if (manifest_write(m, &s->manifests, in->id.text, e) != 0 ||
	    dir_sync(&s->manifests, e) != 0)
		return -1;
	return meta_write(s, meta, e);
}

int
incoming_commit(struct incoming *in, const struct manifest *m,
    const struct meta *meta, gid_t gid, struct err *e)
{
	if (gid != (gid_t)-1 && fchown(in->dir.fd, (uid_t)-1, gid) != 0)
		return err_sys(e, "cannot change '%s'", in->dir.path);
	if (fchmod(in->dir.fd, manifest_top_mode(m)) != 0)
		return err_sys(e, "cannot change '%s'", in->dir.path);
	progress_begin("writing to disk", 0, 0);
	if (check(in, m, e) != 0 || dir_sync_tree(&in->dir, e) != 0 ||
	    write_records(in, m, meta, e) != 0 || intr_check(e) != 0 ||
	    store_commit(in->store, &in->id, e) != 0)
		return -1;
	progress_end();
	in->id = release_id_none;
	return 0;
}

void
incoming_end(struct incoming *in)
{
	struct err e = ERR_INIT;

	dir_close(&in->dir);
	if (!release_id_is_none(&in->id) &&
	    store_abort(in->store, &in->id, &e) != 0)
		log_warn("%s; the next run tries again", e.text);
	in->id = release_id_none;
	lock_drop(&in->lock);
}
