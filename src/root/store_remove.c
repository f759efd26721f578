#include "root/store_remove.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/release.h"
#include "base/strvec.h"
#include "os/file.h"
#include "root/staging.h"

/* Remove the manifest and meta of a release that is not (any more) there. */
static int
remove_records(const struct store *s, const struct release_id *id,
    struct err *e)
{
	char meta[RELEASE_ID_LEN + 8];

	store_meta_name(id, meta);
	if (file_remove(&s->manifests, id->text, e) != 0)
		return -1;
	return file_remove(&s->meta, meta, e);
}

/*
 * Into the trash.  A directory that its owner may not write to cannot be moved
 * to another one.
 */
static int
move_to_trash(const struct store *s, const struct dir *from, const char *name,
    const char *to, struct err *e)
{
	int r = dir_rename_new(from, name, &s->trash, to, e);

	if (r != 0 && e->sys == EACCES && dir_has(from, name) &&
	    fchmodat(from->fd, name, 0755, 0) == 0)
		r = dir_rename_new(from, name, &s->trash, to, e);
	return r;
}

/*
 * On a full btrfs nothing can be renamed, and on an overlay no directory of the
 * layer below, but removed it can be: where it lies, without its manifest first,
 * so that nobody makes half of it live.  A crash leaves a release without
 * manifest, which the next prune takes.
 */
static int
remove_in_place(const struct store *s, const struct release_id *id,
    struct err *e)
{
	struct err full = ERR_INIT;

	if (unlinkat(s->manifests.fd, id->text, 0) != 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s/%s'", s->manifests.path,
		    id->text);
	/* There may be no room for that either, before the rest is gone. */
	err_ignore(dir_sync(&s->manifests, &full));
	return dir_remove_tree(&s->releases, id->text, e);
}

/* Out of the list: into the trash, or removed at once. */
static int
take_out(const struct store *s, const struct release_id *id, struct err *e)
{
	struct err full = ERR_INIT;

	if (move_to_trash(s, &s->releases, id->text, id->text, &full) == 0)
		return 0;
	if (full.sys == ENOSPC || full.sys == EDQUOT || full.sys == EXDEV)
		return remove_in_place(s, id, e);
	*e = full;
	return -1;
}

int
store_discard(const struct store *s, const struct release_id *id,
    struct err *e)
{
	if (take_out(s, id, e) != 0 || dir_sync(&s->releases, e) != 0)
		return -1;
	/* A crash here leaves trash and records of no release: swept. */
	return remove_records(s, id, e);
}

/* Is it a release, or what the sh verbs put beside one that arrives? */
static bool
is_ours(const char *name)
{
	struct release_id id;
	const char *rest = release_id_scan(&id, name);

	return rest != NULL && (*rest == '\0' || *rest == '.');
}

/*
 * Remove what is ours in `d`; goes on after an error.  What has another name
 * could be somebody's: it stays, and doctor names it.
 */
static int
remove_all(const struct dir *d, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct err one = ERR_INIT;
	int r = dir_list(d, &names, e);

	for (size_t i = 0; i < names.n; i++)
		if (is_ours(names.v[i]) &&
		    dir_remove_tree(d, names.v[i], &one) != 0) {
			if (r == 0)
				*e = one;
			r = -1;
		}
	strvec_release(&names);
	return r;
}

int
store_empty_trash(const struct store *s, struct err *e)
{
	return remove_all(&s->trash, e);
}

int
store_abort(const struct store *s, const struct release_id *id, struct err *e)
{
	int r = dir_look(&s->releases, id->text, e);

	if (r < 0 || dir_remove_tree(&s->incoming, id->text, e) != 0)
		return -1;
	/* The records of a release that is listed stay. */
	return r > 0 ? 0 : remove_records(s, id, e);
}

/*
 * Remove the records in `d` that are of no release, and of no stage that was
 * alive: one that was not is a release by now, or never will be.
 */
static int
sweep_records(const struct store *s, const struct dir *d,
    const struct stagings *living, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r = dir_list(d, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct release_id id;

		if (release_id_scan(&id, names.v[i]) == NULL ||
		    stagings_owner(living, id.text) != NULL)
			continue;
		r = dir_look(&s->releases, id.text, e);
		if (r > 0)
			r = 0;
		else if (r == 0 && unlinkat(d->fd, names.v[i], 0) != 0)
			r = err_sys(e, "cannot remove '%s/%s'", d->path,
			    names.v[i]);
	}
	strvec_release(&names);
	return r;
}

/*
 * Out of incoming/: a file at once, a tree by way of the trash, because to
 * delete it may take long.  Where it cannot be moved, for want of space say,
 * it is deleted here.
 */
static int
sweep_name(const struct store *s, const char *name, struct err *e)
{
	struct err moved = ERR_INIT;
	char tmp[64];
	char *to;
	int r;

	if (unlinkat(s->incoming.fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	file_tmp_name(tmp);
	to = xasprintf("%.*s%s", RELEASE_ID_LEN, name, tmp);
	r = move_to_trash(s, &s->incoming, name, to, &moved);
	free(to);
	return r == 0 ? 0 : dir_remove_tree(&s->incoming, name, e);
}

/* What is in incoming/, and of no living stage, as far as that is known. */
static int
sweep_incoming(const struct store *s, const struct stagings *living,
    struct err *e)
{
	struct strvec names = STRVEC_INIT;
	struct err one = ERR_INIT;
	int r = dir_list(&s->incoming, &names, e);

	for (size_t i = 0; i < names.n; i++) {
		if (!is_ours(names.v[i]) ||
		    stagings_owner(living, names.v[i]) != NULL)
			continue;
		if (sweep_name(s, names.v[i], &one) == 0)
			continue;
		if (r == 0)
			*e = one;
		r = -1;
	}
	strvec_release(&names);
	return r;
}

static int
sweep(const struct store *s, const struct stagings *living, struct err *e)
{
	struct err more = ERR_INIT;
	int r = sweep_incoming(s, living, e);

	file_sweep(&s->state);
	/* Stages write by such names. */
	if (living->n == 0) {
		file_sweep(&s->incoming);
		file_sweep(&s->meta);
	}
	if (sweep_records(s, &s->manifests, living, r == 0 ? e : &more) != 0)
		r = -1;
	if (sweep_records(s, &s->meta, living, r == 0 ? e : &more) != 0)
		r = -1;
	return r;
}

int
store_sweep(const struct store *s, struct err *e)
{
	struct stagings living = STAGINGS_INIT;
	int r = stagings_read(&s->incoming, &living, e);

	if (r == 0)
		r = sweep(s, &living, e);
	stagings_release(&living);
	return r;
}
