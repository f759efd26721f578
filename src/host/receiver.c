#include "host/receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "content/place.h"
#include "host/limits.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/intr.h"
#include "os/io.h"
#include "root/extras_place.h"
#include "root/incoming.h"

enum {
	ENTRIES_MAX = 10 * 1000 * 1000,
	/*
	 * Digests do not shrink: a manifest of so many bytes more than it
	 * took to send is none.
	 */
	RECORD_FREE = 16 * 1024 * 1024,
	RECORD_RATIO = 64,
	BIG_FILE = 1024 * 1024, /* for which the room is looked at */
	OPENED_MAX = 256, /* releases that are opened: in turn, if need be */
};

/*
 * A key with limits keeps its stage, and the releases that this uses, no longer
 * than a pack takes that is really on its way.  Waits for the next byte.  0 or -1.
 */
static int
wait_for_pack(struct receiver *r, struct err *e)
{
	int64_t now = clock_ms() - r->began;
	int64_t total = limits_ms(LIMITS_TOTAL) - now;
	int64_t wait = limits_ms(LIMITS_SILENCE);
	int ready = 1;

	if (r->pack->len == 0)
		ready = io_wait(r->pack->fd, wait < total ? wait : total);
	if (ready > 0 && total > 0 &&
	    (now <= limits_ms(LIMITS_GRACE) ||
		r->raw / LIMITS_RATE >=
		    (now - limits_ms(LIMITS_GRACE)) / 1000))
		return 0;
	return err_set(e, ERR_FAILED,
	    "the pack for release %s comes too slowly for a key with limits (%s in %lld s)",
	    r->o->id->text, TEXT_COUNT(r->raw, "byte", "bytes"),
	    (long long)(now / 1000));
}

/*
 * A client can be gone without a word, when a router forgot the connection or a
 * machine lost its power: what it stages is not kept for it for ever, unless rsync(1)
 * may be at work meanwhile.  Waits for the next byte; what is wrong with the input,
 * reading tells.  0 or -1.
 */
static int
wait_for_client(struct receiver *r, struct err *e)
{
	int64_t ms = limits_ms(LIMITS_PATIENCE);
	int ready = 1;

	do {
		if (intr_check(e) != 0)
			return -1;
		if (r->pack->len == 0)
			ready =
			    io_wait(r->pack->fd, r->o->filled ? INT_MAX : ms);
	} while (ready < 0 && errno == EINTR);
	if (ready != 0)
		return 0;
	return err_set(e, ERR_FAILED,
	    "the pack for release %s is given up: nothing came in %lld s",
	    r->o->id->text, (long long)(ms / 1000));
}

ssize_t
receiver_read(struct receiver *r)
{
	ssize_t n;

	if ((r->o->limited ? wait_for_pack(r, &r->late) :
			     wait_for_client(r, &r->late)) != 0)
		return -1;
	n = wire_read_some(r->pack, r->window, RECEIVER_PIECE);
	if (n > 0)
		r->raw += n;
	return n;
}

int
receiver_damaged(struct receiver *r, const char *why, struct err *e)
{
	if (r->late.code != ERR_OK) {
		*e = r->late;
		return -1;
	}
	return err_set(e, ERR_INTEGRITY,
	    "the pack for release %s is damaged or was cut short: %s",
	    r->o->id->text, why != NULL ? why : "unexpected end");
}

int
receiver_hostile(struct receiver *r, const char *name, const char *what,
    struct err *e)
{
	return err_set(e, ERR_INTEGRITY,
	    "the pack for release %s has '%s', %s", r->o->id->text, name,
	    what);
}

int
receiver_check_ratio(struct receiver *r, const char *name, size_t len,
    struct err *e)
{
	return (int64_t)len <= RECORD_FREE + RECORD_RATIO * r->raw ?
	    0 :
	    receiver_hostile(r, name, "which is nothing but packing", e);
}

size_t
receiver_entries_max(const struct receiver *r)
{
	return r->o->limited ? LIMITS_ENTRIES : ENTRIES_MAX;
}

int
receiver_check_parents(struct receiver *r, struct err *e)
{
	for (size_t i = 0; i < r->m.n; i++) {
		const char *path = r->m.v[i].path;
		const char *slash = strrchr(path, '/');
		const struct entry *parent;
		char *dir;

		if (slash == NULL)
			continue;
		dir = xstrndup(path, (size_t)(slash - path));
		parent = manifest_find(&r->m, dir);
		free(dir);
		if (parent == NULL || parent->type != ENTRY_DIR)
			return receiver_hostile(r, path,
			    "which is in no directory of its manifest", e);
	}
	return 0;
}

int
receiver_check_meta(struct receiver *r, struct err *e)
{
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	if (!release_id_eq(&r->meta.id, r->o->id))
		return receiver_hostile(r, r->meta.id.text,
		    "another release's meta", e);
	if (!r->o->may_pin)
		r->meta.pinned = false;
	r->out->no_seq = r->meta.seq > r->o->seq_max;
	if (r->out->no_seq)
		r->meta.seq = -1;
	if (r->o->only_preview && r->meta.preview == NULL)
		return err_set(e, ERR_UNREACHABLE,
		    "this key may stage nothing but previews;; run: deploy stage --preview NAME");
	manifest_digest(&r->m, digest);
	hash_hex(digest, hex);
	if (strcmp(r->meta.digest, hex) != 0)
		return receiver_hostile(r, r->meta.digest,
		    "which is not the digest of its manifest", e);
	return 0;
}

/* Is there room for the file, and was it announced? */
static int
check_size(struct receiver *r, const struct entry *en, struct err *e)
{
	struct dir_space space;

	if (r->o->announced >= 0 && en->size > r->o->announced - r->out->bytes)
		return receiver_hostile(r, en->path,
		    "with more bytes than announced", e);
	if (en->size < BIG_FILE)
		return 0;
	if (dir_space(&r->in->dir, &space, e) != 0)
		return -1;
	if ((uint64_t)en->size <= space.bytes)
		return 0;
	return err_set(e, ERR_GUARD,
	    "'%s' has %s, '%s' has %llu free;; run 'deploy prune', or make room",
	    en->path, TEXT_COUNT(en->size, "byte", "bytes"), r->in->dir.path,
	    space.bytes);
}

int
receiver_create(struct receiver *r, const struct entry *en, struct err *e)
{
	const char *name;
	const struct dir *parent =
	    beneath_keep_parent(&r->parent, &r->in->dir, en->path, &name, e);
	int fd;

	if (parent == NULL)
		return -1;
	fd = openat(parent->fd, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", r->in->dir.path,
		    en->path);
	if (check_size(r, en, e) == 0)
		return fd;
	close(fd);
	return -1;
}

int
receiver_write(struct receiver *r, int fd, const struct entry *en,
    int64_t *done, const void *data, size_t len, struct err *e)
{
	if ((int64_t)len > en->size - *done)
		return receiver_hostile(r, en->path,
		    "with more bytes than announced", e);
	hash_add(r->hash, data, len);
	if (io_write(fd, data, len) != 0)
		return err_sys(e, "cannot write '%s/%s'", r->in->dir.path,
		    en->path);
	*done += (int64_t)len;
	return 0;
}

static int
dress(struct receiver *r, int fd, const struct entry *en, struct err *e)
{
	return place_dress(fd, en, r->o->gid) == 0 ?
	    0 :
	    err_sys(e, "cannot change '%s/%s'", r->in->dir.path, en->path);
}

int
receiver_finish(struct receiver *r, int fd, const struct entry *en,
    int64_t done, struct err *e)
{
	uint8_t digest[HASH_LEN];

	hash_end(r->hash, digest);
	r->out->bytes += done;
	if (done != en->size || memcmp(digest, en->digest, HASH_LEN) != 0)
		return receiver_hostile(r, en->path,
		    "with other content than its manifest says", e);
	return dress(r, fd, en, e);
}

int
receiver_finish_new(struct receiver *r, int fd, struct entry *en, int64_t done,
    struct err *e)
{
	hash_end(r->hash, en->digest);
	r->out->bytes += done;
	if (done != en->size)
		return receiver_hostile(r, en->path,
		    "with another size than its edits say", e);
	return dress(r, fd, en, e);
}

int
receiver_close(struct receiver *r, int fd, const struct entry *en, int c,
    struct err *e)
{
	if (io_close(fd) != 0 && c == 0)
		c = err_sys(e, "cannot write '%s/%s'", r->in->dir.path,
		    en->path);
	return c;
}

void
receiver_close_origin(struct origin *o)
{
	beneath_parent_close(&o->parent);
	dir_close(&o->dir);
	manifest_release(&o->m);
}

/* The one used least gives way. */
struct origin *
receiver_open_origin(struct receiver *r, const struct release_id *id,
    struct err *e)
{
	const struct store *s = r->in->store;
	struct origin o = { .dir = DIR_INIT,
		.m = MANIFEST_INIT,
		.parent = BENEATH_PARENT_INIT };
	size_t i = 0;

	while (i < r->n_origins && !release_id_eq(&r->origins[i].id, id))
		i++;
	if (i < r->n_origins) {
		o = r->origins[i];
	} else {
		if (r->opened++ == OPENED_MAX) {
			receiver_hostile(r, id->text,
			    "linked to in turn with too many others", e);
			return NULL;
		}
		if (dir_open(&o.dir, &s->releases, id->text, e) != 0 ||
		    manifest_read(&o.m, &s->manifests, id->text, e) != 0) {
			if (e->code != ERR_INTEGRITY)
				place_lost(e);
			receiver_close_origin(&o);
			return NULL;
		}
		o.id = *id;
		if (r->n_origins < RECEIVER_ORIGINS)
			r->n_origins++;
		else
			receiver_close_origin(&r->origins[--i]);
	}
	memmove(&r->origins[1], &r->origins[0], i * sizeof(o));
	r->origins[0] = o;
	return &r->origins[0];
}

/*
 * Bring the file of the origin: a link, else place_bring() copies it.  Both
 * look whether it still is what it was; what is copied is hashed.
 */
static int
bring_from(struct receiver *r, const struct entry *en, const struct dir *from,
    const char *name, struct err *e)
{
	const struct place_origin origin = { from, name, r->o->gid };
	const char *as;
	const struct dir *to =
	    beneath_keep_parent(&r->parent, &r->in->dir, en->path, &as, e);
	int c = to != NULL ? place_link(&origin, to, as, en, e) : -1;

	return c == 1 ?
	    place_bring(from, name, en, &r->in->dir, r->o->gid, e) :
	    c;
}

/*
 * The way to the file leads through directories, as its manifest says, and no
 * link (to a shared path) lets it name a file that is in no release.
 */
int
receiver_bring(struct receiver *r, const struct entry *en,
    const struct release_id *id, const char *path, struct err *e)
{
	struct origin *o = receiver_open_origin(r, id, e);
	const struct entry *is = o != NULL ? manifest_find(&o->m, path) : NULL;
	const struct dir *parent;
	const char *name;

	if (o == NULL)
		return -1;
	if (is == NULL || is->type != ENTRY_FILE)
		return receiver_hostile(r, en->path,
		    "a hard link to no file of a release", e);
	if (is->size != en->size ||
	    memcmp(is->digest, en->digest, HASH_LEN) != 0)
		return receiver_hostile(r, en->path,
		    "a hard link to a file with other content", e);
	parent = beneath_keep_parent(&o->parent, &o->dir, path, &name, e);
	if (parent == NULL)
		return place_lost(e);
	r->out->linked++;
	return bring_from(r, en, parent, name, e);
}

int
receiver_link(struct receiver *r, const struct entry *en, struct err *e)
{
	if (en->mark == ENTRY_SHARED &&
	    extras_make_shared(r->in->store, en, e) != 0)
		return -1;
	return place_symlink(&r->in->dir, en, e);
}
