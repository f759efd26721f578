#include "remote/pack_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "os/io.h"
#include "os/progress.h"

enum { WINDOW = 256 * 1024 };

void
pack_files_init(struct pack_files *f, const struct dir *build,
    const struct dir *fetched)
{
	*f =
	    (struct pack_files){ build, fetched, hash_new(), xmalloc(WINDOW) };
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

int
pack_files_put(struct pack_files *f, int fd, const struct entry *en,
    int (*put)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e)
{
	uint8_t digest[HASH_LEN];
	int64_t left = en->size;

	while (left > 0) {
		size_t want = left < WINDOW ? (size_t)left : WINDOW;
		ssize_t n = io_read(fd, f->window, want);

		if (n < 0)
			return err_sys(e, "cannot read '%s/%s'", place(f),
			    en->path);
		if (n == 0)
			break;
		hash_add(f->hash, f->window, (size_t)n);
		if (put(ctx, f->window, (size_t)n, e) != 0)
			return -1;
		progress_add(0, n);
		left -= n;
	}
	hash_end(f->hash, digest);
	if (left == 0 && memcmp(digest, en->digest, HASH_LEN) == 0)
		return 0;
	return err_set(e, ERR_FAILED,
	    "'%s/%s' changed while it was read;; stage when the build has ended",
	    place(f), en->path);
}
