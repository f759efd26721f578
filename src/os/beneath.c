#include "os/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"

/* -1 with ENOSYS where there is no such call. */
static int
open_at_once(int at, const char *path, int flags, mode_t mode)
{
	const struct open_how how = { .flags = (unsigned int)flags,
		.mode = (flags & O_CREAT) != 0 ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS };
	long fd;

	do {
		fd = syscall(SYS_openat2, at, path, &how, sizeof(how));
		/* EAGAIN: something was renamed on the way. */
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return (int)fd;
}

/* Open one component that is a directory, in `at`. */
static int
step(int at, const char *name, size_t len)
{
	char one[PATH_NAME_MAX + 1];

	if (len > PATH_NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(one, name, len);
	one[len] = '\0';
	return openat(at, one, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The same for kernels before 5.6, and where a filter forbids the call. */
static int
open_by_steps(int at, const char *path, int flags, mode_t mode)
{
	int dir = at, fd = -1;
	const char *p = path;

	if (*p == '\0') {
		errno = ENOENT;
		return -1;
	}
	if (*p == '/')
		goto leads_out;
	for (;;) {
		size_t len = strcspn(p, "/");
		int next;

		if (len == 2 && memcmp(p, "..", 2) == 0)
			goto leads_out;
		if (p[len] == '\0')
			break;
		next = step(dir, len == 0 ? "." : p, len == 0 ? 1 : len);
		if (dir != at)
			close(dir);
		if (next < 0)
			return -1;
		dir = next;
		p += len + 1;
	}
	fd = openat(dir, *p == '\0' ? "." : p, flags | O_NOFOLLOW, mode);
	if (dir != at) {
		int saved = errno;

		close(dir);
		errno = saved;
	}
	return fd;

leads_out:
	if (dir != at)
		close(dir);
	errno = EXDEV;
	return -1;
}

int
beneath_open(int at, const char *path, int flags, mode_t mode)
{
	int fd;

	flags |= O_CLOEXEC;
	fd = open_at_once(at, path, flags, mode);
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	return open_by_steps(at, path, flags, mode);
}

/* The path of the directory that `base`, the last component, is in. */
static char *
dup_above(const char *path, const char *base)
{
	return base == path ? xstrdup(".") :
			      xstrndup(path, (size_t)(base - path - 1));
}

static int
open_above(const struct dir *at, const char *above, struct dir *parent,
    struct err *e)
{
	parent->fd = beneath_open(at->fd, above, O_RDONLY | O_DIRECTORY, 0);
	if (parent->fd < 0)
		return err_sys(e, "cannot open the directory '%s/%s'",
		    at->path, above);
	parent->path = xasprintf("%s/%s", at->path, above);
	return 0;
}

int
beneath_open_parent(const struct dir *at, const char *path, struct dir *parent,
    const char **name, struct err *e)
{
	const char *base = path_base(path);
	char *above = dup_above(path, base);
	int r = open_above(at, above, parent, e);

	free(above);
	if (name != NULL)
		*name = base;
	return r;
}

/* Is `above` the path of the directory that `base` is in? */
static bool
is_above(const char *above, const char *path, const char *base)
{
	size_t len = strlen(above);

	if (base == path)
		return strcmp(above, ".") == 0;
	return (size_t)(base - path) == len + 1 &&
	    memcmp(above, path, len) == 0;
}

const struct dir *
beneath_keep_parent(struct beneath_parent *k, const struct dir *at,
    const char *path, const char **name, struct err *e)
{
	const char *base = path_base(path);

	*name = base;
	if (k->above != NULL && is_above(k->above, path, base))
		return &k->dir;
	beneath_parent_close(k);
	k->above = dup_above(path, base);
	if (open_above(at, k->above, &k->dir, e) == 0)
		return &k->dir;
	beneath_parent_close(k);
	return NULL;
}

void
beneath_parent_close(struct beneath_parent *k)
{
	dir_close(&k->dir);
	free(k->above);
	k->above = NULL;
}
