#include "root/verify.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "content/tree.h"
#include "os/beneath.h"
#include "os/io.h"
#include "os/log.h"
#include "os/pool.h"
#include "os/progress.h"
#include "root/meta.h"

enum { WINDOW = 256 * 1024, GRAIN = 32 };

struct check {
	const struct dir *dir;
	const struct manifest *m;
	pthread_mutex_t lock; /* guards found */
	struct strvec *found;
};

struct worker {
	struct hash *hash;
	char *window;
};

static void *
worker_begin(void *ctx)
{
	struct worker *w = xmalloc(sizeof(*w));

	(void)ctx;
	w->hash = hash_new();
	w->window = xmalloc(WINDOW);
	return w;
}

static void
worker_end(void *ctx, void *local)
{
	struct worker *w = local;

	(void)ctx;
	hash_free(w->hash);
	free(w->window);
	free(w);
}

static void
report(struct check *c, const char *path, const char *what)
{
	pthread_mutex_lock(&c->lock);
	strvec_addf(c->found, "%s: %s", path, what);
	pthread_mutex_unlock(&c->lock);
}

/* Hash the file; 0, or -1 with errno. */
static int
hash_file(const struct check *c, struct worker *w, const char *path,
    uint8_t digest[HASH_LEN])
{
	int fd = beneath_open(c->dir->fd, path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = io_read(fd, w->window, WINDOW)) > 0)
		hash_add(w->hash, w->window, (size_t)n);
	hash_end(w->hash, digest);
	close(fd);
	return n < 0 ? -1 : 0;
}

/*
 * A file whose content went bad, with the same size and time, would be linked
 * into every later release.  With another time it is not what any manifest
 * says: it is copied anew, and browsers ask for it again.  Only its owner can do
 * that; who cannot has told of it all the same.  (Both times: place.c.)
 */
static void
mark(const struct check *c, const char *path)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
		{ .tv_sec = 0 } };
	int fd = beneath_open(c->dir->fd, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (futimens(fd, times) != 0 || fsync(fd) != 0)
		log_debug("'%s/%s' cannot be marked as bad", c->dir->path,
		    path);
	close(fd);
}

static int
check_item(void *ctx, void *local, size_t i, struct err *e)
{
	struct check *c = ctx;
	const struct entry *en = &c->m->v[i];
	uint8_t digest[HASH_LEN];

	(void)e;
	if (en->type != ENTRY_FILE)
		return 0;
	/* What is missing or of another type, tree_compare() reports. */
	if (hash_file(c, local, en->path, digest) != 0) {
		if (faccessat(c->dir->fd, en->path, F_OK,
			AT_SYMLINK_NOFOLLOW) == 0)
			report(c, en->path, "cannot be read");
	} else if (memcmp(digest, en->digest, HASH_LEN) != 0) {
		report(c, en->path, "has other content");
		mark(c, en->path);
	}
	progress_add(1, en->size);
	return 0;
}

static int
check_contents(const struct dir *d, const struct manifest *m,
    struct strvec *found, struct err *e)
{
	struct check c = { .dir = d, .m = m, .found = found };
	const struct pool_job job = { m->n, GRAIN, &c, worker_begin,
		check_item, worker_end };
	struct manifest_totals t = manifest_totals(m);
	int r;

	pthread_mutex_init(&c.lock, NULL);
	progress_begin("verifying", t.files, t.bytes);
	r = pool_run(&job, e);
	progress_end();
	pthread_mutex_destroy(&c.lock);
	return r;
}

/* The manifest itself may have been changed: the meta knows its digest. */
static void
check_digest(const struct store *s, const struct release_id *id,
    const struct manifest *m, struct strvec *found)
{
	struct meta meta = META_INIT;
	struct err why = ERR_INIT;
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	manifest_digest(m, digest);
	hash_hex(digest, hex);
	if (meta_read(s, id, &meta, &why) != 0)
		strvec_addf(found, "meta of %s: %s", id->text, why.text);
	else if (meta.digest[0] != '\0' && strcmp(meta.digest, hex) != 0)
		strvec_addf(found,
		    "manifest of %s: has digest %s instead of %s", id->text,
		    hex, meta.digest);
	meta_release(&meta);
}

int
verify(const struct store *s, const struct release_id *id,
    struct strvec *found, struct manifest_totals *totals, struct err *e)
{
	struct manifest m = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	int r = dir_look(&s->releases, id->text, e);

	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(e, ERR_USAGE,
		    "there is no release '%s' in '%s';; see 'deploy list'",
		    id->text, s->root.path);
	r = -1;
	if (manifest_read(&m, &s->manifests, id->text, e) != 0)
		e->code = ERR_INTEGRITY;
	else if (dir_open(&d, &s->releases, id->text, e) == 0 &&
	    tree_compare(&d, &m, found, e) == 0 &&
	    check_contents(&d, &m, found, e) == 0) {
		check_digest(s, id, &m, found);
		strvec_sort(found);
		r = 0;
	}
	*totals = manifest_totals(&m);
	dir_close(&d);
	manifest_release(&m);
	return r;
}
