#include "content/unpack_data.h"

#include <stdbool.h>
#include <unistd.h>

#include "content/libarchive.h"
#include "os/intr.h"
#include "os/io.h"

/* What copy_data() knows of a file. */
struct content {
	const char *path;
	int64_t size;  /* announced, or -1 */
	int64_t holes; /* in a sparse file: bytes that are stored, or -1 */
	int64_t end;   /* where the content ends so far */
	int64_t got;   /* bytes that came */
};

/* Refuse `more` bytes when the bound does not allow them. */
static int
check_bound(const struct unpack_data *d, int64_t more, struct err *e)
{
	int64_t max = d->max_bytes;

	if (max > 0 && more > max - d->bytes)
		return err_set(e, ERR_GUARD,
		    "the archive has more content than the limit of %lld bytes",
		    (long long)max);
	return 0;
}

/* Take from the entry what it announces. */
static void
content_init(struct content *c, const char *path, struct archive_entry *en)
{
	la_int64_t offset, len;

	*c = (struct content){ .path = path, .size = -1, .holes = -1 };
	if (la.archive_entry_size_is_set(en))
		c->size = la.archive_entry_size(en);
	if (la.archive_entry_sparse_reset(en) == 0)
		return;
	c->holes = 0;
	while (la.archive_entry_sparse_next(en, &offset, &len) == ARCHIVE_OK)
		c->holes += len;
}

/* Write one block where it belongs. */
static int
write_block(struct unpack_data *d, struct content *c, int fd, const void *data,
    size_t len, int64_t offset, struct err *e)
{
	int64_t end;

	if (len == 0)
		return 0;
	if (offset < c->end || offset > INT64_MAX - (int64_t)len ||
	    (c->holes < 0 && offset != c->end))
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged: the parts of '%s' overlap",
		    c->path);
	end = offset + (int64_t)len;
	if (c->size >= 0 && end > c->size)
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged: '%s' is longer than announced",
		    c->path);
	if (check_bound(d, end, e) != 0)
		return -1;
	if ((offset > c->end && lseek(fd, offset, SEEK_SET) < 0) ||
	    io_write(fd, data, len) != 0)
		return err_sys(e, "cannot write '%s/%s'", d->top, c->path);
	c->end = end;
	c->got += (int64_t)len;
	return 0;
}

/* All is written: is it all?  A hole at the end is made here. */
static int
finish_content(struct unpack_data *d, struct content *c, int fd, struct err *e)
{
	if (c->holes >= 0 ? c->got != c->holes :
			    c->size >= 0 && c->end != c->size)
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged or cut short: '%s' is shorter than announced",
		    c->path);
	if (c->end < c->size) {
		if (ftruncate(fd, c->size) != 0)
			return err_sys(e, "cannot write '%s/%s'", d->top,
			    c->path);
		c->end = c->size;
	}
	d->bytes += c->end;
	if (d->progress != NULL)
		d->progress(d->progress_ctx, c->end);
	return 0;
}

/* Copy the content of the entry to the open, empty file. */
static int
copy_data(struct unpack_data *d, const char *path, struct archive_entry *en,
    int fd, struct err *e)
{
	struct content c;
	const void *data;
	la_int64_t offset;
	size_t len;
	int s;

	content_init(&c, path, en);
	if (check_bound(d, c.size, e) != 0)
		return -1;
	while ((s = la.archive_read_data_block(d->r->ar, &data, &len,
		    &offset)) == ARCHIVE_OK)
		if (write_block(d, &c, fd, data, len, offset, e) != 0 ||
		    intr_check(e) != 0)
			return -1;
	if (s != ARCHIVE_EOF) {
		reader_failed(d->r, e);
		return err_append(e, " (in '%s')", path);
	}
	return finish_content(d, &c, fd, e);
}

int
unpack_data_fill(struct unpack_data *d, const char *path,
    struct archive_entry *en, int fd, struct err *e)
{
	int r = copy_data(d, path, en, fd, e);

	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", d->top, path);
	return r;
}
