#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/quote.h"
#include "os/io.h"

#define TMP_PREFIX ".tmp-"

int
file_open_named(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && fcntl(fd, F_SETFL, 0) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Read the open file whole; refuse what is no regular file or too long. */
static int
read_open(int fd, const struct dir *at, const char *name, size_t max,
    struct buf *out, struct err *e)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot examine '%s/%s'", at->path, name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "'%s/%s' is not a regular file",
		    at->path, name);
	if ((unsigned long long)st.st_size > max)
		return err_set(e, ERR_FAILED,
		    "'%s/%s' is longer than the limit of %zu bytes", at->path,
		    name, max);
	buf_reserve(out, (size_t)st.st_size);
	n = io_read(fd, out->data + out->len, (size_t)st.st_size);
	if (n < 0)
		return err_sys(e, "cannot read '%s/%s'", at->path, name);
	out->len += (size_t)n;
	out->data[out->len] = '\0';
	return 0;
}

int
file_read(const struct dir *at, const char *name, size_t max, struct buf *out,
    struct err *e)
{
	int fd, r;

	/* O_NONBLOCK: a FIFO planted here must not stop us. */
	fd = openat(at->fd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", at->path, name);
	r = read_open(fd, at, name, max, out, e);
	close(fd);
	return r;
}

void
file_tmp_name(char out[64])
{
	static atomic_uint counter;
	unsigned long long r = 0;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		r = (unsigned long long)getpid();
	snprintf(out, 64, TMP_PREFIX "%llx.%ld.%u", r, (long)getpid(),
	    atomic_fetch_add(&counter, 1));
}

/* Write and fsync the new file `tmp`; remove it again on failure. */
static int
write_aside(const struct dir *at, const char *tmp, const void *data,
    size_t len, mode_t mode, struct err *e)
{
	int fd = openat(at->fd, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r = 0;

	if (fd < 0)
		return err_sys(e, "cannot create '%s/%s'", at->path, tmp);
	if (fchmod(fd, mode) != 0 || io_write(fd, data, len) != 0 ||
	    fsync(fd) != 0)
		r = err_sys(e, "cannot write '%s/%s'", at->path, tmp);
	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", at->path, tmp);
	if (r != 0)
		unlinkat(at->fd, tmp, 0);
	return r;
}

int
file_publish(const struct dir *at, const char *name, const void *data,
    size_t len, struct err *e)
{
	return file_publish_mode(at, name, data, len, 0644, e);
}

int
file_publish_mode(const struct dir *at, const char *name, const void *data,
    size_t len, mode_t mode, struct err *e)
{
	char tmp[64];

	file_tmp_name(tmp);
	if (write_aside(at, tmp, data, len, mode, e) != 0)
		return -1;
	/* A crash here leaves the temporary file; file_sweep() takes it. */
	if (renameat(at->fd, tmp, at->fd, name) != 0) {
		err_sys(e, "cannot replace '%s/%s'", at->path, name);
		unlinkat(at->fd, tmp, 0);
		return -1;
	}
	return dir_sync(at, e);
}

/* The directory that `path` is in; the caller frees. */
static char *
parent_of(const char *path)
{
	const char *name = strrchr(path, '/');

	return name == NULL ? xstrdup(".") :
	    name == path    ? xstrdup("/") :
			      xstrndup(path, (size_t)(name - path));
}

int
file_no_place(const char *path, struct err *e)
{
	char *parent = parent_of(path);
	struct buf word = BUF_INIT;

	if (e->sys == ENOENT && access(parent, F_OK) != 0) {
		quote_add(&word, parent);
		err_append(e, ";; run: mkdir -p%s", word.data);
	}
	buf_release(&word);
	free(parent);
	return -1;
}

int
file_publish_path(const char *path, const void *data, size_t len,
    struct err *e)
{
	const char *name = strrchr(path, '/');
	char *parent = parent_of(path);
	struct dir dir = DIR_INIT;
	int r = dir_open_path(&dir, parent, e);

	if (r != 0)
		file_no_place(path, e);
	name = name != NULL ? name + 1 : path;
	if (r == 0 && *name == '\0')
		r = err_set(e, ERR_USAGE, "'%s' is no file", path);
	if (r == 0)
		r = file_publish(&dir, name, data, len, e);
	dir_close(&dir);
	free(parent);
	return r;
}

/* Append to the open file; see file_append(). */
static int
append_open(int fd, const struct dir *at, const char *name, const void *data,
    size_t len, struct err *e)
{
	struct stat st;
	char last = '\n';

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size > 0 &&
		(lseek(fd, -1, SEEK_END) < 0 || io_read(fd, &last, 1) != 1)))
		return err_sys(e, "cannot examine '%s/%s'", at->path, name);
	if ((last != '\n' && io_write(fd, "\n", 1) != 0) ||
	    io_write(fd, data, len) != 0 || fsync(fd) != 0)
		return err_sys(e, "cannot append to '%s/%s'", at->path, name);
	return 0;
}

int
file_append(const struct dir *at, const char *name, const void *data,
    size_t len, struct err *e)
{
	int fd, r;

	fd = openat(at->fd, name,
	    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0644);
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", at->path, name);
	r = append_open(fd, at, name, data, len, e);
	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot append to '%s/%s'", at->path, name);
	/* Whether it was made just now is not worth a question. */
	return r == 0 ? dir_sync(at, e) : -1;
}

int
file_remove(const struct dir *at, const char *name, struct err *e)
{
	/* Also when it is gone: who removed it may not have got further. */
	if (unlinkat(at->fd, name, 0) != 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s/%s'", at->path, name);
	return dir_sync(at, e);
}

bool
file_is_tmp(const char *name)
{
	return strncmp(name, TMP_PREFIX, strlen(TMP_PREFIX)) == 0;
}

void
file_sweep(const struct dir *at)
{
	struct strvec names = STRVEC_INIT;
	struct err ignored = ERR_INIT;

	if (dir_list(at, &names, &ignored) == 0)
		for (size_t i = 0; i < names.n; i++)
			if (file_is_tmp(names.v[i]))
				unlinkat(at->fd, names.v[i], 0);
	strvec_release(&names);
}
