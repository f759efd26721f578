#include "remote/pack_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "os/io.h"

enum { WINDOW = 256 * 1024 };

void
pack_files_init(struct pack_files *f, const struct dir *build,
    const struct dir *fetched, struct pack_tally *tally)
{
	*f = (struct pack_files){ build, fetched, hash_new(), xmalloc(WINDOW),
		tally };
}

void
pack_files_release(struct pack_files *f)
{
	hash_free(f->hash);
	free(f->window);
}

int
pack_files_open(const struct pack_files *f, const struct entry *en,
    bool fetched, struct err *e)
{
	const struct dir *from = fetched ? f->fetched : f->build;
	char digest[HASH_HEX + 1];
	int fd;

	hash_hex(en->digest, digest);
	fd = openat(from->fd, fetched ? digest : en->path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err_sys(e, "cannot open '%s/%s'", from->path, en->path);
	return fd;
}

/* Where it was read, for messages; what was fetched has no changes. */
static const char *
place(const struct pack_files *f)
{
	return f->build != NULL ? f->build->path : f->fetched->path;
}

static int
has_changed(const struct pack_files *f, const struct entry *en, struct err *e)
{
	return err_set(e, ERR_FAILED,
	    "'%s/%s' changed while it was read;; stage when the build has ended",
	    place(f), en->path);
}

/* Some of `left` bytes into the window: how many, 0 at the end, -1. */
static ssize_t
read_piece(struct pack_files *f, int fd, const struct entry *en, int64_t left,
    struct err *e)
{
	ssize_t n =
	    io_read(fd, f->window, left < WINDOW ? (size_t)left : WINDOW);

	if (n < 0)
		return err_sys(e, "cannot read '%s/%s'", place(f), en->path);
	if (f->tally != NULL)
		f->tally->bytes += n;
	return n;
}

void
pack_files_close(struct pack_files *f, int fd)
{
	close(fd);
	if (f->tally != NULL)
		f->tally->files++;
}

int
pack_files_put(struct pack_files *f, int fd, const struct entry *en,
    int (*put)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e)
{
	uint8_t digest[HASH_LEN];
	int64_t left = en->size;

	while (left > 0) {
		ssize_t n = read_piece(f, fd, en, left, e);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		hash_add(f->hash, f->window, (size_t)n);
		if (put(ctx, f->window, (size_t)n, e) != 0)
			return -1;
		left -= n;
	}
	hash_end(f->hash, digest);
	return left == 0 && memcmp(digest, en->digest, HASH_LEN) == 0 ?
	    0 :
	    has_changed(f, en, e);
}

int
pack_files_put_part(struct pack_files *f, int fd, const struct entry *en,
    int64_t from, int64_t len,
    int (*put)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e)
{
	if (lseek(fd, from, SEEK_SET) < 0)
		return err_sys(e, "cannot read '%s/%s'", place(f), en->path);
	while (len > 0) {
		ssize_t n = read_piece(f, fd, en, len, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return has_changed(f, en, e);
		if (put(ctx, f->window, (size_t)n, e) != 0)
			return -1;
		len -= n;
	}
	return 0;
}
