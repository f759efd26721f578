#include "root/incoming.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "content/guard.h"
#include "content/tree.h"
#include "os/intr.h"
#include "os/log.h"
#include "os/progress.h"
#include "root/store_remove.h"

/* Take the lock of the root, unless it is held. */
static int
take(struct incoming *in, enum lock_kind kind, struct err *e)
{
	char *note;
	int r;

	if (in->lock.fd >= 0)
		return 0;
	note = caller_lock_note(in->caller, "stage");
	r = lock_take(&in->lock, &in->store->state, kind, in->lock_wait, note,
	    e);
	free(note);
	return r;
}

int
incoming_open(struct incoming *in, const struct store *s,
    const struct caller *caller, int64_t lock_wait, struct err *swept,
    struct err *e)
{
	char *note = caller_lock_note(caller, "stage");
	int r;

	in->store = s;
	in->caller = caller;
	in->lock_wait = lock_wait;
	r = lock_try(&in->lock, &s->state, note, e);
	free(note);
	if (r <= 0)
		return r;
	r = dir_sync(&s->releases, e);
	if (r == 0)
		err_ignore(store_sweep(s, swept));
	lock_drop(&in->lock);
	if (r == 0)
		err_ignore(store_empty_trash(s, swept));
	return r;
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
incoming_lock(struct incoming *in, struct err *e)
{
	return take(in, LOCK_EXCLUSIVE, e);
}

/* Nobody has the id; what a dead run left of it goes. */
static int
check_new(const struct incoming *in, const struct release_id *id,
    struct err *e)
{
	const struct store *s = in->store;
	struct stagings living = STAGINGS_INIT;
	const struct staging *owner;
	struct buf who = BUF_INIT;
	int r = dir_look(&s->releases, id->text, e);

	if (r > 0)
		return err_set(e, ERR_SUPERSEDED,
		    "there is a release '%s/%s' already", s->releases.path,
		    id->text);
	if (r == 0)
		r = stagings_read(&s->incoming, &living, e);
	owner = stagings_owner(&living, id->text);
	if (r == 0 && owner != NULL) {
		staging_print(owner, &who);
		r = err_set(e, ERR_LOCKED,
		    "the release %s is being staged by %s", id->text,
		    who.data);
	} else if (r == 0 && dir_has(&s->incoming, id->text)) {
		r = dir_sync(&s->releases, e);
		if (r == 0)
			r = store_sweep(s, e);
	}
	stagings_release(&living);
	buf_release(&who);
	return r;
}

/* The releases that files are taken from must be there. */
static int
check_uses(const struct incoming *in, const struct release_ids *uses,
    struct err *e)
{
	for (size_t i = 0; i < uses->n; i++) {
		int r = dir_look(&in->store->releases, uses->v[i].text, e);

		if (r < 0)
			return -1;
		if (r == 0)
			return err_set(e, ERR_FAILED,
			    "the release %s, from which files are to be taken, is not there any more;; run it again",
			    uses->v[i].text);
	}
	return 0;
}

/* The own lock, then the directory: a crash between leaves no living one. */
static int
begin(struct incoming *in, const struct release_id *id,
    const struct release_ids *uses, struct err *e)
{
	char *note = caller_lock_note(in->caller, "stage");
	int r = -1;

	if (check_new(in, id, e) == 0 && check_uses(in, uses, e) == 0)
		r = staging_begin(&in->own, in->store, id, note, in->mtime,
		    uses, e);
	free(note);
	if (r != 0 || dir_make(&in->store->incoming, id->text, e) != 0)
		return -1;
	in->id = *id;
	return dir_open(&in->dir, &in->store->incoming, id->text, e);
}

int
incoming_begin(struct incoming *in, const struct release_id *id,
    const struct release_ids *uses, struct err *e)
{
	int r = take(in, LOCK_EXCLUSIVE, e);

	if (r == 0)
		r = begin(in, id, uses, e);
	lock_drop(&in->lock);
	return r;
}

int
incoming_use(struct incoming *in, const struct release_ids *uses,
    struct err *e)
{
	int r = take(in, LOCK_SHARED, e);

	if (r == 0)
		r = check_uses(in, uses, e);
	if (r == 0)
		r = staging_use(&in->own, in->store, uses, e);
	lock_drop(&in->lock);
	return r;
}

/* What is on disk must be what the manifest says. */
static int
check(const struct incoming *in, const struct manifest *m, struct err *e)
{
	struct strvec found = STRVEC_INIT;
	int r = tree_compare(&in->dir, m, &found, e);

	if (r == 0 && found.n > 0)
		r = err_set(e, ERR_INTEGRITY,
		    "the new release is not what was staged: %s (%s); the disk or another program is at fault",
		    found.v[0],
		    TEXT_COUNT(found.n, "difference", "differences"));
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

/*
 * Into the list, which nobody reads meanwhile: what is there is on disk.  The
 * only thing that waits for a flip, and a flip for it.
 */
static int
publish(struct incoming *in, struct err *e)
{
	int r = take(in, LOCK_SHARED, e);

	if (r == 0)
		r = intr_check(e);
	if (r == 0)
		r = store_commit(in->store, &in->id, e);
	lock_drop(&in->lock);
	return r;
}

int
incoming_commit(struct incoming *in, const struct manifest *m,
    const struct meta *meta, gid_t gid, struct err *e)
{
	int r = -1;

	if (gid != (gid_t)-1 && fchown(in->dir.fd, (uid_t)-1, gid) != 0)
		return err_sys(e, "cannot change '%s'", in->dir.path);
	if (fchmod(in->dir.fd, manifest_top_mode(m)) != 0)
		return err_sys(e, "cannot change '%s'", in->dir.path);
	progress_begin("writing to disk", 0, 0);
	if (check(in, m, e) == 0 && dir_sync_tree(&in->dir, e) == 0 &&
	    write_records(in, m, meta, e) == 0)
		r = publish(in, e);
	progress_end();
	if (r == 0)
		in->id = release_id_none;
	return r;
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
	if (in->store != NULL)
		staging_end(&in->own, in->store);
	lock_drop(&in->lock);
}
