/* signatures: hashes of the chunks of files, for a client that lacks them. */
#include "host/verbs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/path.h"
#include "content/chunk.h"
#include "content/delta.h"
#include "content/manifest.h"
#include "host/limits.h"
#include "host/request.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/intr.h"
#include "os/io.h"
#include "root/bridge.h"
#include "root/store.h"

enum {
	PATHS_MS = 60000, /* until the client says which file it wants */
	WINDOW = 64 * 1024,
};

/* What is wanted of the release. */
struct signatures {
	struct request *r;
	struct dir dir;
	struct manifest m;
	uint32_t *wanted; /* entries, in the order of the request */
	size_t n;
	bool *is_wanted; /* of each entry: once is enough */
	struct cutter *cutter;
	struct hash *hash;
	struct chunks chunks;
	char *window;
};

static int
want(struct signatures *s, const char *path, struct err *e)
{
	const struct entry *en = manifest_find(&s->m, path);
	size_t i = en != NULL ? (size_t)(en - s->m.v) : 0;

	if (en == NULL || en->type != ENTRY_FILE)
		return err_set(e, ERR_FAILED, "there is no file '%s' in '%s'",
		    path, s->dir.path);
	if (en->size > DELTA_FILE_MAX)
		return err_set(e, ERR_GUARD, "'%s' is too large for a delta",
		    path);
	if (s->is_wanted[i])
		return err_set(e, ERR_USAGE, "'%s' is there twice", path);
	s->is_wanted[i] = true;
	s->wanted[s->n++] = (uint32_t)i;
	return 0;
}

/*
 * All paths, up to an empty line, before anything is answered: the client need
 * not read while it writes.
 */
static int
read_paths(struct signatures *s, struct err *e)
{
	struct buf path = BUF_INIT;
	int c = 0;

	s->wanted = xcalloc(s->m.n, sizeof(*s->wanted));
	s->is_wanted = xcalloc(s->m.n, sizeof(*s->is_wanted));
	while (c == 0 &&
	    (c = wire_read_line(s->r->in, &path, PATH_LEN_MAX,
		 clock_ms() + PATHS_MS, e)) > 0 &&
	    path.len > 0)
		c = want(s, buf_str(&path), e);
	buf_release(&path);
	return c < 0 ? -1 : 0;
}

/* Cut the open file, which must be what the manifest says. */
static int
cut_file(struct signatures *s, int fd, const struct entry *en, struct err *e)
{
	uint8_t digest[HASH_LEN];
	int64_t left = en->size;

	cutter_begin(s->cutter, en->size, true, &s->chunks);
	while (left > 0) {
		ssize_t n = io_read(fd, s->window,
		    left < WINDOW ? (size_t)left : WINDOW);

		if (n < 0)
			return err_sys(e, "cannot read '%s/%s'", s->dir.path,
			    en->path);
		if (n == 0)
			break;
		cutter_add(s->cutter, s->window, (size_t)n);
		hash_add(s->hash, s->window, (size_t)n);
		left -= n;
	}
	cutter_end(s->cutter);
	hash_end(s->hash, digest);
	return memcmp(digest, en->digest, HASH_LEN) == 0 ?
	    0 :
	    err_set(e, ERR_INTEGRITY,
		"'%s/%s' is not what its manifest says;; run 'deploy verify'",
		s->dir.path, en->path);
}

/* "chunks" with their number, and the hashes behind it. */
static int
put_file(struct signatures *s, const struct entry *en, struct err *e)
{
	const size_t most = (size_t)chunk_hashes_max(en->size);
	struct request *r = s->r;
	size_t n;
	int c,
	    fd = beneath_open(s->dir.fd, en->path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", s->dir.path,
		    en->path);
	c = cut_file(s, fd, en, e);
	close(fd);
	if (c != 0)
		return -1;
	n = s->chunks.n < most ? s->chunks.n : most;
	wire_put(&r->out, "chunks", "%zu", n);
	buf_add(&r->out, s->chunks.hashes, n * CHUNK_HASH);
	return r->out.len < WINDOW ? 0 : wire_flush(&r->out, r->out_fd, e);
}

static int
answer(struct signatures *s, struct err *e)
{
	int c = read_paths(s, e);

	s->cutter = cutter_new();
	s->hash = hash_new();
	s->window = xmalloc(WINDOW);
	for (size_t i = 0; c == 0 && i < s->n; i++) {
		c = intr_check(e);
		if (c == 0)
			c = put_file(s, &s->m.v[s->wanted[i]], e);
	}
	cutter_free(s->cutter);
	hash_free(s->hash);
	chunks_release(&s->chunks);
	free(s->window);
	free(s->wanted);
	free(s->is_wanted);
	return c;
}

/* A key that may only stage learns of what visitors can read. */
static int
check_allowed(struct request *r, const struct release_id *id, struct err *e)
{
	struct release_id current, bridge;

	if (limits_allow_any_file(r->limits))
		return 0;
	if (bridge_current(&r->store, &current, &bridge, e) != 0)
		return -1;
	return release_id_eq(id, &current) ?
	    0 :
	    err_set(e, ERR_UNREACHABLE,
		"this key may have signatures of the live release, and of no other");
}

int
verb_signatures(struct request *r, struct err *e)
{
	const struct release_id *id = request_id(r, e);
	struct signatures s = { .r = r,
		.dir = DIR_INIT,
		.m = MANIFEST_INIT,
		.chunks = CHUNKS_INIT };
	int c = -1;

	if (id == NULL || store_look(&r->store, r->root, e) != 0 ||
	    check_allowed(r, id, e) != 0)
		return -1;
	if (manifest_read(&s.m, &r->store.manifests, id->text, e) == 0 &&
	    dir_open(&s.dir, &r->store.releases, id->text, e) == 0)
		c = answer(&s, e);
	dir_close(&s.dir);
	manifest_release(&s.m);
	return c;
}
