/*
 * What the forms of a pack have in common on the host (receive.h): a stream
 * that is not trusted, the records at its beginning, and files, links and
 * directories that are made in incoming/<id> and nowhere else.
 */
#ifndef RECEIVER_H
#define RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/release.h"
#include "content/manifest.h"
#include "host/receive.h"
#include "os/beneath.h"
#include "os/dir.h"
#include "root/meta.h"

enum {
	RECEIVER_PIECE = 256 * 1024,	/* bytes that are read at once */
	RECEIVER_META = 64 * 1024,	/* bytes of a meta, at most */
	RECEIVER_MANIFEST = 256 * 1024 * 1024,
	RECEIVER_ORIGINS = 4,	/* releases that are open for hard links */
};

/* A release of the root that hard links name. */
struct origin {
	struct release_id id;
	struct dir dir;
	struct manifest m;
	struct beneath_parent parent;	/* of the last file */
};

struct receiver {
	const struct receive_options *o;
	struct incoming *in;
	struct wire_in *pack;
	int64_t began;			/* clock_ms() */
	int64_t raw;			/* bytes of the pack, as they came */
	struct err late;		/* ERR_OK, or why reading was given up */
	char *window;			/* RECEIVER_PIECE bytes, for input */
	struct manifest m;
	struct meta meta;
	struct hash *hash;
	struct beneath_parent parent;	/* of the last file, in incoming/<id> */
	struct origin origins[RECEIVER_ORIGINS];	/* the last one first */
	size_t n_origins;
	size_t opened;			/* how often one was */
	struct received *out;
};

/*
 * The next bytes of the pack as they come, into the window: how many, 0 at
 * its end, -1 with r->late or errno.
 */
ssize_t receiver_read(struct receiver *r);

/* The stream is not what a pack should be, or came too slowly.  -1. */
int receiver_damaged(struct receiver *r, const char *why, struct err *e);

/* It has `name`, "which is ...".  -1. */
int receiver_hostile(struct receiver *r, const char *name, const char *what,
    struct err *e);

/*
 * Has a record become larger than what came could hold?  Digests do not
 * shrink.  0 or -1.
 */
int receiver_check_ratio(struct receiver *r, const char *name, size_t len,
    struct err *e) MUST_USE;

/* Entries that a manifest may have. */
size_t receiver_entries_max(const struct receiver *r);

/* A manifest's directories must be entries themselves.  0 or -1. */
int receiver_check_parents(struct receiver *r, struct err *e) MUST_USE;

/* The meta must be of our release, and its digest that of r->m.  0 or -1. */
int receiver_check_meta(struct receiver *r, struct err *e) MUST_USE;

/*
 * A new file of the release: create it when it was announced and there is room
 * for it; write its bytes, of which `done` counts those that are there; then
 * it must have the size and digest of its entry, and gets its attributes.
 */
int receiver_create(struct receiver *r, const struct entry *en, struct err *e)
    MUST_USE;
int receiver_write(struct receiver *r, int fd, const struct entry *en,
    int64_t *done, const void *data, size_t len, struct err *e) MUST_USE;
int receiver_finish(struct receiver *r, int fd, const struct entry *en,
    int64_t done, struct err *e) MUST_USE;

/* The same for a file whose digest nobody has announced: it is set. */
int receiver_finish_new(struct receiver *r, int fd, struct entry *en,
    int64_t done, struct err *e) MUST_USE;

/* Close the file in any case; `c`: how that went.  0 or -1. */
int receiver_close(struct receiver *r, int fd, const struct entry *en, int c,
    struct err *e) MUST_USE;

/* The release `id`, open, first of the origins; NULL with the error. */
struct origin *receiver_open_origin(struct receiver *r,
    const struct release_id *id, struct err *e) MUST_USE;
void receiver_close_origin(struct origin *o);

/*
 * A file that is here already: one of a release, as the manifest of that
 * release says, with the content that is wanted.  0 or -1.
 */
int receiver_bring(struct receiver *r, const struct entry *en,
    const struct release_id *id, const char *path, struct err *e) MUST_USE;

/* A symbolic link; what a shared one points to is made.  0 or -1. */
int receiver_link(struct receiver *r, const struct entry *en, struct err *e)
    MUST_USE;

#endif
