#include "host/receive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/path.h"
#include "content/fill_adopt.h"
#include "content/manifest.h"
#include "content/place.h"
#include "host/limits.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/jail.h"
#include "root/extras.h"
#include "root/incoming.h"
#include "root/meta.h"

enum {
	PIECE = 256 * 1024,
	META_MAX = 64 * 1024,
	MANIFEST_MAX = 256 * 1024 * 1024,
	ENTRIES_MAX = 10 * 1000 * 1000,
	/*
	 * Digests do not shrink: a manifest of so many bytes more than it
	 * took to send is none.
	 */
	RECORD_FREE = 16 * 1024 * 1024,
	RECORD_RATIO = 64,
	BIG_FILE = 1024 * 1024, /* for which the room is looked at */
	ORIGINS_MAX = 4,	/* releases that are open for hard links */
	OPENED_MAX = 256, /* and that are opened in all: in turn, if need be */
};

/* A release of the root that hard links name. */
struct origin {
	struct release_id id;
	struct dir dir;
	struct manifest m;
};

struct receiver {
	const struct receive_options *o;
	struct incoming *in;
	struct archive *a;
	struct wire_in *pack;
	int64_t began;	 /* clock_ms() */
	int64_t raw;	 /* bytes of the pack, as they came */
	struct err late; /* ERR_OK, or why reading was given up */
	char *window;	 /* PIECE bytes, for input */
	char *prefix;	 /* ".deploy/incoming/<id>" */
	struct manifest m;
	struct meta meta;
	bool *seen; /* for each entry of m */
	struct hash *hash;
	struct origin origins[ORIGINS_MAX]; /* the last one first */
	size_t n_origins;
	size_t opened; /* how often one was */
	struct received *out;
};

/*
 * A key with limits holds the lock no longer than a pack takes that is
 * really on its way.  Waits for the next byte.  0 or -1.
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
	    "the pack for release %s comes too slowly for a key with limits (%lld bytes in %lld s)",
	    r->o->id, (long long)r->raw, (long long)(now / 1000));
}

static la_ssize_t
on_read(struct archive *a, void *ctx, const void **data)
{
	struct receiver *r = ctx;
	ssize_t n;

	if (r->o->limited && wait_for_pack(r, &r->late) != 0) {
		archive_set_error(a, ETIMEDOUT, "too slow");
		return -1;
	}
	n = wire_read_some(r->pack, r->window, PIECE);
	*data = r->window;
	if (n < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	else
		r->raw += n;
	return n;
}

/* The stream is not what a pack should be. */
static int
damaged(struct receiver *r, struct err *e)
{
	const char *why = archive_error_string(r->a);

	if (r->late.code != ERR_OK) {
		*e = r->late;
		return -1;
	}
	return err_set(e, ERR_INTEGRITY,
	    "the pack for release %s is damaged or was cut short: %s",
	    r->o->id, why != NULL ? why : "unexpected end");
}

static int
hostile(struct receiver *r, const char *name, const char *what, struct err *e)
{
	return err_set(e, ERR_INTEGRITY,
	    "the pack for release %s has '%s', %s", r->o->id, name, what);
}

/* The next header: 1, 0 at the end of the pack, -1. */
static int
next_header(struct receiver *r, struct archive_entry **en, struct err *e)
{
	int c = archive_read_next_header(r->a, en);

	if (c == ARCHIVE_EOF)
		return 0;
	if (c != ARCHIVE_OK && c != ARCHIVE_WARN)
		return damaged(r, e);
	if (archive_entry_pathname(*en) == NULL)
		return hostile(r, "?", "an entry without a name", e);
	return 1;
}

/* The record `suffix`, at most `max` bytes, into `out`. */
static int
read_record(struct receiver *r, const char *suffix, size_t max,
    struct buf *out, struct err *e)
{
	char *name = xasprintf("%s.%s", r->prefix, suffix);
	struct archive_entry *en;
	la_ssize_t n = 0;
	int c = next_header(r, &en, e);

	if (c == 0)
		c = damaged(r, e);
	else if (c > 0 &&
	    (strcmp(archive_entry_pathname(en), name) != 0 ||
		archive_entry_filetype(en) != AE_IFREG ||
		archive_entry_size(en) < 0 ||
		(uint64_t)archive_entry_size(en) > max))
		c = hostile(r, archive_entry_pathname(en),
		    "where its records should be", e);
	while (c > 0) {
		buf_reserve(out, PIECE);
		n = archive_read_data(r->a, out->data + out->len, PIECE);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if ((int64_t)out->len > RECORD_FREE + RECORD_RATIO * r->raw)
			c = hostile(r, name, "which is nothing but packing",
			    e);
	}
	free(name);
	if (c > 0 && n < 0)
		c = damaged(r, e);
	return c > 0 ? 0 : -1;
}

/* A manifest's directories must be entries themselves. */
static int
check_parents(struct receiver *r, struct err *e)
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
			return hostile(r, path,
			    "which is in no directory of its manifest", e);
	}
	return 0;
}

/* The two records must be of one release, and of ours. */
static int
check_meta(struct receiver *r, struct err *e)
{
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	if (strcmp(r->meta.id.text, r->o->id) != 0)
		return hostile(r, r->meta.id.text, "another release's meta",
		    e);
	if (!r->o->may_pin)
		r->meta.pinned = false;
	manifest_digest(&r->m, digest);
	hash_hex(digest, hex);
	if (strcmp(r->meta.digest, hex) != 0)
		return hostile(r, r->meta.digest,
		    "which is not the digest of its manifest", e);
	return 0;
}

/* Each line costs more memory than it has bytes. */
static int
check_lines(struct receiver *r, const struct buf *text, struct err *e)
{
	size_t max = r->o->limited ? LIMITS_ENTRIES : ENTRIES_MAX, n = 0;
	const char *p = text->data, *end = p + text->len;

	while (p != NULL && p < end && n <= max) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p == NULL ? NULL : p + 1;
		n++;
	}
	return n <= max ?
	    0 :
	    err_set(e, ERR_GUARD,
		"the pack for release %s has more than %zu entries", r->o->id,
		max);
}

static int
read_records(struct receiver *r, struct err *e)
{
	struct buf manifest = BUF_INIT, meta = BUF_INIT;
	int c = -1;

	if (read_record(r, "manifest", MANIFEST_MAX, &manifest, e) == 0 &&
	    check_lines(r, &manifest, e) == 0 &&
	    manifest_parse(&r->m, buf_str(&manifest), manifest.len,
		"the pack's manifest", e) == 0 &&
	    check_parents(r, e) == 0 &&
	    read_record(r, "meta", META_MAX, &meta, e) == 0 &&
	    meta_parse(buf_str(&meta), meta.len, "the pack's meta", &r->meta,
		e) == 0)
		c = 0;
	buf_release(&manifest);
	buf_release(&meta);
	if (c == 0)
		c = check_meta(r, e);
	r->seen = xcalloc(r->m.n, sizeof(*r->seen));
	return c;
}

/* The entry's bytes from the stream to the open file, hashed. */
static int
copy_data(struct receiver *r, int fd, const struct entry *en, struct err *e)
{
	uint8_t digest[HASH_LEN];
	int64_t done = 0;
	const void *data;
	size_t len;
	la_int64_t at;
	int c;

	while ((c = archive_read_data_block(r->a, &data, &len, &at)) ==
	    ARCHIVE_OK) {
		if (at != done || (int64_t)len > en->size - done)
			return hostile(r, en->path,
			    "with more bytes than announced", e);
		hash_add(r->hash, data, len);
		if (io_write(fd, data, len) != 0)
			return err_sys(e, "cannot write '%s/%s'",
			    r->in->dir.path, en->path);
		done += (int64_t)len;
	}
	if (c != ARCHIVE_EOF)
		return damaged(r, e);
	hash_end(r->hash, digest);
	r->out->bytes += done;
	if (done != en->size || memcmp(digest, en->digest, HASH_LEN) != 0)
		return hostile(r, en->path,
		    "with other content than its manifest says", e);
	return 0;
}

/* Is there room for the file, and was it announced? */
static int
check_size(struct receiver *r, const struct entry *en, struct err *e)
{
	struct dir_space space;

	if (r->o->announced >= 0 && en->size > r->o->announced - r->out->bytes)
		return hostile(r, en->path, "with more bytes than announced",
		    e);
	if (en->size < BIG_FILE)
		return 0;
	if (dir_space(&r->in->dir, &space, e) != 0)
		return -1;
	if ((uint64_t)en->size <= space.bytes)
		return 0;
	return err_set(e, ERR_GUARD,
	    "'%s' has %lld bytes, '%s' has %llu free; run 'deploy prune', or make room",
	    en->path, (long long)en->size, r->in->dir.path, space.bytes);
}

static int
receive_file(struct receiver *r, const struct entry *en, struct err *e)
{
	int fd = beneath_open(r->in->dir.fd, en->path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	int c;

	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", r->in->dir.path,
		    en->path);
	c = check_size(r, en, e);
	if (c == 0)
		c = copy_data(r, fd, en, e);
	if (c == 0 && place_dress(fd, en, r->o->gid) != 0)
		c = err_sys(e, "cannot change '%s/%s'", r->in->dir.path,
		    en->path);
	if (io_close(fd) != 0 && c == 0)
		c = err_sys(e, "cannot write '%s/%s'", r->in->dir.path,
		    en->path);
	return c;
}

static void
close_origin(struct origin *o)
{
	dir_close(&o->dir);
	manifest_release(&o->m);
}

/* The release, open, first of the origins; the one used least gives way. */
static const struct origin *
open_origin(struct receiver *r, const char *id, struct err *e)
{
	const struct store *s = r->in->store;
	struct origin o = { .dir = DIR_INIT, .m = MANIFEST_INIT };
	size_t i = 0;

	while (i < r->n_origins && strcmp(r->origins[i].id.text, id) != 0)
		i++;
	if (i < r->n_origins) {
		o = r->origins[i];
	} else {
		if (r->opened++ == OPENED_MAX) {
			hostile(r, id,
			    "linked to in turn with too many others", e);
			return NULL;
		}
		if (dir_open(&o.dir, &s->releases, id, e) != 0 ||
		    manifest_read(&o.m, &s->manifests, id, e) != 0) {
			close_origin(&o);
			return NULL;
		}
		release_id_copy(&o.id, id);
		if (r->n_origins < ORIGINS_MAX)
			r->n_origins++;
		else
			close_origin(&r->origins[--i]);
	}
	memmove(&r->origins[1], &r->origins[0], i * sizeof(o));
	r->origins[0] = o;
	return &r->origins[0];
}

/*
 * Cut "releases/<id>/<path>" in two.  The path, or NULL when it is nothing
 * like that.
 */
static const char *
split_origin(const char *target, char id[RELEASE_ID_LEN + 1])
{
	const size_t skip = strlen("releases/");
	struct err ignored = ERR_INIT;
	const char *path;

	if (strncmp(target, "releases/", skip) != 0 ||
	    strlen(target) < skip + RELEASE_ID_LEN + 2)
		return NULL;
	snprintf(id, RELEASE_ID_LEN + 1, "%s", target + skip);
	path = target + skip + RELEASE_ID_LEN + 1;
	return release_id_is_valid(id) && path[-1] == '/' &&
		path_check(path, &ignored) == 0 ?
	    path :
	    NULL;
}

/*
 * A file that is here already: one of a release, as the manifest of that
 * release says, with the content that is wanted.  So the way to it leads
 * through directories, and no link (to a shared path) lets it name a file
 * that is in no release.  place_bring() looks whether it still is what it was,
 * and hashes what it has to copy.
 */
static int
receive_hard_link(struct receiver *r, const struct entry *en,
    const char *target, struct err *e)
{
	char id[RELEASE_ID_LEN + 1];
	const char *path = split_origin(target, id);
	const struct origin *o = path != NULL ? open_origin(r, id, e) : NULL;
	const struct entry *is = o != NULL ? manifest_find(&o->m, path) : NULL;
	struct dir parent = DIR_INIT;
	const char *name;
	int c;

	if (path != NULL && o == NULL)
		return -1;
	if (is == NULL || is->type != ENTRY_FILE)
		return hostile(r, en->path,
		    "a hard link to no file of a release", e);
	if (is->size != en->size ||
	    memcmp(is->digest, en->digest, HASH_LEN) != 0)
		return hostile(r, en->path,
		    "a hard link to a file with other content", e);
	if (beneath_open_parent(&o->dir, path, &parent, &name, e) != 0)
		return -1;
	r->out->linked++;
	c = place_bring(&parent, name, en, &r->in->dir, r->o->gid, e);
	dir_close(&parent);
	return c;
}

static int
receive_link(struct receiver *r, const struct entry *en, const char *target,
    struct err *e)
{
	if (target == NULL || strcmp(target, en->link) != 0)
		return hostile(r, en->path,
		    "with another target than its manifest says", e);
	if (en->mark == ENTRY_SHARED &&
	    extras_make_shared(r->in->store, en, e) != 0)
		return -1;
	return place_symlink(&r->in->dir, en, e);
}

/* The entry of the manifest that the header stands for; once each. */
static const struct entry *
expect(struct receiver *r, const char *name, struct err *e)
{
	size_t n = strlen(r->prefix);
	char path[PATH_LEN_MAX + 2];
	const struct entry *en = NULL;
	size_t len;

	if (strncmp(name, r->prefix, n) == 0 && name[n] == '/') {
		snprintf(path, sizeof(path), "%s", name + n + 1);
		len = strlen(path);
		/* Directories end in a slash. */
		if (len > 0 && path[len - 1] == '/')
			path[len - 1] = '\0';
		en = manifest_find(&r->m, path);
	}
	if (en == NULL || r->seen[en - r->m.v]) {
		hostile(r, name,
		    en == NULL ? "which is not in its manifest" : "twice", e);
		return NULL;
	}
	r->seen[en - r->m.v] = true;
	return en;
}

/* An entry that comes itself, and is no link to what is there. */
static int
receive_whole(struct receiver *r, const struct entry *en,
    struct archive_entry *ae, struct err *e)
{
	switch (archive_entry_filetype(ae)) {
	case AE_IFREG:
		if (en->type == ENTRY_FILE)
			return receive_file(r, en, e);
		break;
	case AE_IFDIR:
		if (en->type == ENTRY_DIR)
			return dir_make(&r->in->dir, en->path, e);
		break;
	case AE_IFLNK:
		if (en->type == ENTRY_LINK)
			return receive_link(r, en, archive_entry_symlink(ae),
			    e);
		break;
	default:
		break;
	}
	return hostile(r, en->path, "with another type than its manifest says",
	    e);
}

static int
receive_entry(struct receiver *r, struct archive_entry *ae, struct err *e)
{
	const struct entry *en = expect(r, archive_entry_pathname(ae), e);
	const char *hard = archive_entry_hardlink(ae);

	if (en == NULL)
		return -1;
	if (!manifest_mode_is_allowed(en->type, archive_entry_perm(ae)) &&
	    archive_entry_filetype(ae) != AE_IFLNK)
		return hostile(r, en->path, "with a mode that no release has",
		    e);
	if ((hard != NULL || archive_entry_filetype(ae) != AE_IFREG) &&
	    archive_entry_size(ae) > 0)
		return hostile(r, en->path, "with content that no file has",
		    e);
	r->out->files += en->type == ENTRY_FILE;
	if (hard != NULL && en->type != ENTRY_FILE)
		return hostile(r, en->path,
		    "with another type than its manifest says", e);
	if (hard != NULL)
		return receive_hard_link(r, en, hard, e);
	if (receive_whole(r, en, ae, e) == 0)
		return 0;
	return e->sys == ENOENT ?
	    hostile(r, en->path, "before its directory", e) :
	    -1;
}

/* Every entry of the manifest must have come. */
static int
check_all_seen(struct receiver *r, struct err *e)
{
	for (size_t i = 0; i < r->m.n; i++)
		if (!r->seen[i])
			return err_set(e, ERR_INTEGRITY,
			    "the pack for release %s lacks '%s' (it was cut short)",
			    r->o->id, r->m.v[i].path);
	return 0;
}

/* What did not come is to be there: is it what the manifest says? */
static int
adopt_rest(struct receiver *r, struct err *e)
{
	const struct fill_adopt a = { .place = { .dir = &r->in->dir,
					  .scratch = &r->in->store->incoming,
					  .gid = r->o->gid },
		.m = &r->m,
		.skip = r->seen };

	for (size_t i = 0; i < r->m.n; i++)
		r->out->files += r->m.v[i].type == ENTRY_FILE && !r->seen[i];
	return fill_adopt(&a, e);
}

static int
receive_all(struct receiver *r, struct err *e)
{
	struct archive_entry *ae;
	int c = read_records(r, e);

	while (c == 0) {
		if (intr_check(e) != 0)
			return -1;
		c = next_header(r, &ae, e);
		if (c == 0)
			break;
		if (c > 0)
			c = receive_entry(r, ae, e);
	}
	if (c == 0)
		c = r->o->filled ? adopt_rest(r, e) : check_all_seen(r, e);
	if (c == 0)
		c = place_directories(&r->in->dir, &r->m, r->o->gid, e);
	return c;
}

static int
open_archive(struct receiver *r, struct err *e)
{
	r->a = archive_read_new();
	if (r->a == NULL ||
	    archive_read_support_format_tar(r->a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(r->a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(r->a) != ARCHIVE_OK ||
	    archive_read_open(r->a, r, NULL, on_read, NULL) != ARCHIVE_OK)
		return damaged(r, e);
	/* Packed once, or not: each more would unpack what is no tar. */
	if (archive_filter_count(r->a) > 2)
		return hostile(r, archive_filter_name(r->a, 0),
		    "packed more than once", e);
	return 0;
}

/* Read the pack into the incoming release. */
static int
read_pack(void *ctx, struct err *e)
{
	struct receiver *r = ctx;
	int c = open_archive(r, e);

	return c == 0 ? receive_all(r, e) : c;
}

/*
 * The same in a jail: what is wrong here reaches the new release, and what
 * links to files of the others need; neither what is live, nor hooks, nor
 * records.
 */
static int
read_in_jail(struct receiver *r, struct err *e)
{
	const struct store *s = r->in->store;
	const struct jail_place places[] = {
		{ r->o->filled ? s->incoming.fd : r->in->dir.fd, JAIL_WRITE },
		{ s->releases.fd, JAIL_LINK },
		{ s->manifests.fd, JAIL_READ },
		/* For what the release shares. */
		{ s->root.fd, JAIL_LIST | JAIL_MAKE_DIR },
	};

	return jail_run(places, sizeof(places) / sizeof(places[0]), read_pack,
	    r, e);
}

int
receive(struct incoming *in, struct wire_in *pack,
    const struct receive_options *o, struct received *out, struct err *e)
{
	struct receiver r = { .o = o,
		.in = in,
		.pack = pack,
		.out = out,
		.m = MANIFEST_INIT,
		.meta = META_INIT,
		.began = clock_ms(),
		.late = ERR_INIT };
	int c;

	*out = (struct received){ 0 };
	r.hash = hash_new();
	r.window = xmalloc(PIECE);
	r.prefix = xasprintf(".deploy/incoming/%s", o->id);
	c = read_in_jail(&r, e);
	if (c == 0)
		c = incoming_commit(in, &r.m, &r.meta, o->gid, e);
	if (r.a != NULL)
		archive_read_free(r.a);
	for (size_t i = 0; i < r.n_origins; i++)
		close_origin(&r.origins[i]);
	manifest_release(&r.m);
	meta_release(&r.meta);
	hash_free(r.hash);
	free(r.seen);
	free(r.window);
	free(r.prefix);
	return c;
}
