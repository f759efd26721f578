#include "root/verify.h"

#include <errno.h>
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
#include "root/present.h"

enum { WINDOW = 256 * 1024, GRAIN = 32 };

struct check {
	const struct dir *dir;
	struct verified *out;
	pthread_mutex_t lock; /* guards out->found */
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
	strvec_addf(&c->out->found, "%s: %s", path, what);
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
	const struct entry *en = &c->out->m.v[i];
	uint8_t digest[HASH_LEN];

	(void)e;
	if (en->type != ENTRY_FILE)
		return 0;
	/* What is missing or of another type, tree_compare() reports. */
	if (hash_file(c, local, en->path, digest) != 0) {
		c->out->bad[i] = true;
		if (faccessat(c->dir->fd, en->path, F_OK,
			AT_SYMLINK_NOFOLLOW) == 0)
			report(c, en->path, "cannot be read");
	} else if (memcmp(digest, en->digest, HASH_LEN) != 0) {
		c->out->bad[i] = true;
		report(c, en->path, "has other content");
		mark(c, en->path);
	}
	progress_add(1, en->size);
	return 0;
}

static int
check_contents(const struct dir *d, struct verified *out, struct err *e)
{
	struct check c = { .dir = d, .out = out };
	const struct pool_job job = { out->m.n, GRAIN, &c, worker_begin,
		check_item, worker_end };
	int r;

	out->bad = xcalloc(out->m.n, sizeof(*out->bad));
	pthread_mutex_init(&c.lock, NULL);
	progress_begin("verifying", (int64_t)out->totals.files,
	    out->totals.bytes);
	r = pool_run(&job, e);
	progress_end();
	pthread_mutex_destroy(&c.lock);
	return r;
}

/*
 * The manifest itself may have been changed: the meta knows its digest.  With
 * another one nothing is compared: it is the manifest that is wrong, not the
 * files.
 */
static void
check_digest(const struct store *s, const struct release_id *id,
    struct verified *out)
{
	struct meta meta = META_INIT;
	struct err why = ERR_INIT;
	uint8_t digest[HASH_LEN];
	char hex[HASH_HEX + 1];

	manifest_digest(&out->m, digest);
	hash_hex(digest, hex);
	if (meta_read(s, id, &meta, &why) != 0)
		strvec_addf(&out->found, "meta of %s: %s", id->text, why.text);
	else if (meta.digest[0] != '\0' && strcmp(meta.digest, hex) != 0) {
		strvec_addf(&out->found,
		    "manifest of %s: has digest %s instead of %s", id->text,
		    hex, meta.digest);
		out->no_manifest = true;
	}
	meta_release(&meta);
}

static int
read_manifest(const struct store *s, const struct release_id *id,
    struct verified *out, struct err *e)
{
	struct err why = ERR_INIT;

	if (manifest_read(&out->m, &s->manifests, id->text, &why) == 0) {
		check_digest(s, id, out);
		return 0;
	}
	if (why.code != ERR_INTEGRITY && why.sys != ELOOP) {
		*e = why;
		return -1;
	}
	strvec_addf(&out->found, "manifest of %s: %.*s", id->text,
	    err_problem_len(&why), err_problem(&why));
	out->no_manifest = true;
	return 0;
}

int
verify(const struct store *s, const struct release_id *id,
    struct verified *out, struct err *e)
{
	struct dir d = DIR_INIT;
	int r = -1;

	if (present(s, id, e) != 0 || read_manifest(s, id, out, e) != 0)
		return -1;
	if (out->no_manifest) {
		manifest_release(&out->m);
		return 0;
	}
	out->totals = manifest_totals(&out->m);
	if (dir_open(&d, &s->releases, id->text, e) == 0 &&
	    tree_compare(&d, &out->m, &out->found, e) == 0 &&
	    check_contents(&d, out, e) == 0) {
		strvec_sort(&out->found);
		r = 0;
	}
	dir_close(&d);
	return r;
}

void
verified_release(struct verified *v)
{
	strvec_release(&v->found);
	manifest_release(&v->m);
	free(v->bad);
	*v = (struct verified)VERIFIED_INIT;
}
