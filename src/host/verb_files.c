/* files: contents of a release, for a client or a host that lacks them. */
#include "host/verbs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "content/manifest.h"
#include "content/place.h"
#include "content/zstream.h"
#include "host/limits.h"
#include "host/request.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/io.h"
#include "root/bridge.h"
#include "root/store.h"

enum {
	PATHS_MS = 60000, /* until the client says which file it wants */
	/* What is compressed is few and small. */
	SAMPLES_BYTES = 1024 * 1024,
};

/* What is wanted of the release. */
struct files {
	struct request *r;
	struct dir dir;
	struct manifest m;
	bool packed;	/* all contents at once, as one zstd stream */
	int64_t max;	/* bytes that it may have; -1: any number */
	struct buf all; /* these contents */
};

/* Open the file of the manifest's entry, which must have its size. */
static int
open_file(const struct files *f, const struct entry *en, struct err *e)
{
	const struct dir *d = &f->dir;
	int fd = beneath_open(d->fd, en->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0) {
		err_sys(e, "cannot open '%s/%s'", d->path, en->path);
		return place_lost(e);
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == en->size)
		return fd;
	close(fd);
	return err_set(e, ERR_INTEGRITY,
	    "'%s/%s' is not what its manifest says;; run 'deploy verify'",
	    d->path, en->path);
}

/* The file of the manifest's entry, its size first. */
static int
put_file(struct files *f, const struct entry *en, struct err *e)
{
	struct request *r = f->r;
	char window[64 * 1024];
	int64_t left = en->size;
	int fd = open_file(f, en, e);

	if (fd < 0)
		return -1;
	wire_put(&r->out, "size", "%lld", (long long)left);
	while (left > 0) {
		ssize_t n = io_read(fd, window,
		    left < (int64_t)sizeof(window) ? (size_t)left :
						     sizeof(window));

		if (n <= 0)
			break;
		buf_add(&r->out, window, (size_t)n);
		left -= n;
		if (wire_flush(&r->out, r->out_fd, e) != 0)
			break;
	}
	close(fd);
	if (left == 0)
		return 0;
	/* It was announced: the client takes what comes next for content. */
	r->last = true;
	return err_set(e, ERR_INTEGRITY, "cannot read all of '%s/%s'",
	    f->dir.path, en->path);
}

/* The file's size, and its bytes behind those of the others. */
static int
keep_file(struct files *f, const struct entry *en, struct err *e)
{
	ssize_t n;
	int fd;

	if (en->size > SAMPLES_BYTES - (int64_t)f->all.len)
		return err_set(e, ERR_GUARD,
		    "files of more than %d bytes are not compressed",
		    SAMPLES_BYTES);
	fd = open_file(f, en, e);
	if (fd < 0)
		return -1;
	wire_put(&f->r->out, "size", "%lld", (long long)en->size);
	buf_reserve(&f->all, (size_t)en->size);
	n = io_read(fd, f->all.data + f->all.len, (size_t)en->size);
	close(fd);
	if (n != en->size)
		return err_set(e, ERR_INTEGRITY, "cannot read all of '%s/%s'",
		    f->dir.path, en->path);
	f->all.len += (size_t)n;
	return 0;
}

/* For zwriter_new(). */
static int
into_buf(void *ctx, const void *data, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, data, len);
	return 0;
}

/* Behind all sizes: "zstd" with the length of the stream, and the stream. */
static int
put_packed(struct files *f, struct err *e)
{
	struct buf packed = BUF_INIT;
	struct zwriter *z =
	    zwriter_new((int64_t)f->all.len, into_buf, &packed);
	int c = zwriter_add(z, buf_str(&f->all), f->all.len, e);

	if (c == 0)
		c = zwriter_end(z, e);
	if (c == 0 && f->max >= 0 && (int64_t)packed.len > f->max)
		c = err_set(e, ERR_GUARD,
		    "compressed, they are %s, not %lld at most",
		    TEXT_COUNT(packed.len, "byte", "bytes"),
		    (long long)f->max);
	if (c == 0) {
		wire_put(&f->r->out, "zstd", "%zu", packed.len);
		buf_add(&f->r->out, packed.data, packed.len);
	}
	zwriter_free(z);
	buf_release(&packed);
	return c;
}

/* The paths that follow, up to an empty line, each a file of the manifest. */
static int
put_files(struct files *f, struct err *e)
{
	struct buf path = BUF_INIT;
	int c = 0;

	while (c == 0 &&
	    (c = wire_read_line(f->r->in, &path, PATH_LEN_MAX,
		 clock_ms() + PATHS_MS, e)) > 0 &&
	    path.len > 0) {
		const struct entry *en = manifest_find(&f->m, buf_str(&path));

		if (en == NULL || en->type != ENTRY_FILE)
			c = err_set(e, ERR_FAILED,
			    "there is no file '%s' in '%s'", buf_str(&path),
			    f->dir.path);
		else
			c = f->packed ? keep_file(f, en, e) :
					put_file(f, en, e);
	}
	buf_release(&path);
	if (c < 0)
		return -1;
	return f->packed ? put_packed(f, e) : 0;
}

/* A key that may only stage reads what visitors can read. */
static int
check_allowed(const struct files *f, const struct release_id *id,
    struct err *e)
{
	struct release_id current, bridge;

	if (limits_allow_any_file(f->r->limits))
		return 0;
	if (bridge_current(&f->r->store, &current, &bridge, e) != 0)
		return -1;
	return f->packed && release_id_eq(id, &current) ?
	    0 :
	    err_set(e, ERR_UNREACHABLE,
		"this key may have samples of the live release, but not 'files'");
}

int
verb_files(struct request *r, struct err *e)
{
	const char *how = request_option(r, "compress", "none");
	const struct release_id *id = request_id(r, e);
	struct files f = { .r = r,
		.dir = DIR_INIT,
		.m = MANIFEST_INIT,
		.packed = strcmp(how, "zstd") == 0,
		.all = BUF_INIT };
	int c = -1;

	if (id == NULL)
		return -1;
	if (!f.packed && strcmp(how, "none") != 0)
		return err_set(e, ERR_USAGE,
		    "'files' wants --compress=zstd, or none, not '%s'", how);
	if (request_number(r, "bytes", -1, &f.max, e) != 0 ||
	    store_look(&r->store, r->root, e) != 0 ||
	    check_allowed(&f, id, e) != 0)
		return -1;
	if (manifest_read(&f.m, &r->store.manifests, id->text, e) == 0 &&
	    dir_open(&f.dir, &r->store.releases, id->text, e) == 0)
		c = put_files(&f, e);
	dir_close(&f.dir);
	manifest_release(&f.m);
	buf_release(&f.all);
	return c;
}
