/*
 * One root on disk (deploy-root(5)): its directories, its releases, the link
 * `current`.  What is here knows the layout; when something may be called is
 * said with each function, and the locking is the caller's (lock.h).
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>

#include "os/dir.h"
#include "base/err.h"
#include "base/release.h"

/* The document root, and where releases are: both in the root. */
#define STORE_CURRENT "current"
#define STORE_RELEASES "releases"

struct store {
	struct dir root;
	struct dir state;		/* .deploy */
	struct dir releases;
	struct dir incoming;		/* .deploy/incoming, and so on */
	struct dir manifests;
	struct dir meta;
	struct dir trash;
	bool adopting;			/* store_adopt() */
};

#define STORE_INIT { DIR_INIT, DIR_INIT, DIR_INIT, DIR_INIT, DIR_INIT,	\
    DIR_INIT, DIR_INIT, false }

/*
 * Open the root at `path`.  It must have been prepared, and neither it nor
 * what is in .deploy may be writable by everybody or belong to somebody who
 * is not the owner of the root, root or us: it could have been planted.
 * Returns 0, or -1: ERR_FAILED with the cure.  Changes nothing.
 */
int store_open(struct store *s, const char *path, struct err *e) MUST_USE;

/*
 * The same for who only reads: the superuser may look at a root that is
 * another user's, too, in which he does not write.
 */
int store_look(struct store *s, const char *path, struct err *e) MUST_USE;

/*
 * As store_open(), but prepare the root first where something is missing:
 * the root itself (its parent must be there), releases and .deploy.
 */
int store_create(struct store *s, const char *path, struct err *e) MUST_USE;

/*
 * As store_create(), where `current` may be a real directory, which counts
 * as nothing being live until store_flip() exchanges it for the link and
 * keeps it in .deploy as adopted-<id>.
 */
int store_adopt(struct store *s, const char *path, struct err *e) MUST_USE;

/*
 * Would store_create() make a root at `path`, as far as can be told without
 * doing it?  For previews, where store_open() finds none.  0 or -1.
 */
int store_check_new(const char *path, struct err *e) MUST_USE;

/*
 * What is in a directory that is no root, deploy's or another tool's, and
 * keeps it from becoming one: a home directory, say, or the sources of a site.
 * The first name by strcmp(3), which the caller frees, and whether there are
 * more; NULL: nothing is in the way.  0 or -1.
 */
int store_find_stranger(const struct dir *root, char **name, bool *more,
    struct err *e) MUST_USE;

/*
 * What the names in the root say now is on disk after this: the root itself,
 * `current`, the releases, their records, what is frozen.  Whoever answers
 * that something is so already calls it first, and so does whoever is about
 * to do what cannot be taken back because something is so: the run that made
 * it so may have died before its own fsync.  0 or -1.
 */
int store_sync(const struct store *s, struct err *e) MUST_USE;

/*
 * There is no root at `path`, or none that is prepared: say so, and what makes
 * one.  Returns -1, with ERR_FAILED and ENOENT in e->sys.
 */
int store_tell_none(const char *path, struct err *e);

/*
 * Something failed: if it was for want of room, say in the error what the
 * disk lacks, and what frees some.  Returns -1.
 */
int store_tell_room(const struct store *s, struct err *e);

void store_close(struct store *s);		/* neutral values accepted */

/*
 * The release that `current` points to; "" when there is no such link.
 * `current` that is anything but a link to a release of this root is an
 * error.  0 or -1.
 */
int store_current(const struct store *s, struct release_id *out,
    struct err *e) MUST_USE;

/* Add the ids of all complete releases, oldest first.  0 or -1. */
int store_releases(const struct store *s, struct release_ids *out,
    struct err *e) MUST_USE;

/*
 * A new id, later than that of every release that is complete or on its way,
 * and than `latest`, which may be none.  0 or -1.
 */
int store_new_id(const struct store *s, const struct release_id *latest,
    struct release_id *out, struct err *e) MUST_USE;

/*
 * Publish incoming/<id>: it, and its manifest and meta, must have been
 * written to disk (dir_sync_tree).  Afterwards the release is complete and
 * survives a power cut.  0 or -1, then the release is still incoming.
 */
int store_commit(const struct store *s, const struct release_id *id,
    struct err *e) MUST_USE;

/* The file name of a release's meta in s->meta: "<id>.json". */
void store_meta_name(const struct release_id *id, char out[RELEASE_ID_LEN + 8]);

#endif
