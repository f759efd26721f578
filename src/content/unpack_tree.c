#include "content/unpack_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

void
unpack_tree_release(struct unpack_tree *t)
{
	while (t->depth > 0)
		dir_close(&t->stack[t->depth--]);
}

/* Close the directories that are not above `path`. */
static void
ascend(struct unpack_tree *t, const char *path)
{
	while (t->depth > 0 && !path_is_within(path, t->cwd)) {
		char *slash = strrchr(t->cwd, '/');

		dir_close(&t->stack[t->depth--]);
		*(slash != NULL ? slash : t->cwd) = '\0';
	}
}

/* Open the directory `name` in the last one; make it if it is not there. */
static int
descend_one(struct unpack_tree *t, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	size_t len = strlen(t->cwd);

	if (t->depth == PATH_DEPTH_MAX)
		BUG("a path that path_check() refuses");
	if (dir_ensure(&t->stack[t->depth + 1], &t->stack[t->depth], name,
		&why) != 0) {
		*e = why;
		if (why.sys == ENOTDIR || why.sys == ELOOP) {
			err_set(e, ERR_INTEGRITY,
			    "the archive has names below '%s%s%s', which is a file or symbolic link in it",
			    t->cwd, len > 0 ? "/" : "", name);
			e->sys = why.sys;
		}
		return -1;
	}
	t->depth++;
	snprintf(t->cwd + len, sizeof(t->cwd) - len, "%s%s",
	    len > 0 ? "/" : "", name);
	return 0;
}

/*
 * Make `path` the last directory of the stack.  On failure the stack is as
 * deep as it could be: e->sys is ENOTDIR or ELOOP when something else stands
 * at the next name.
 */
static int
descend(struct unpack_tree *t, const char *path, struct err *e)
{
	ascend(t, path);
	while (strlen(t->cwd) < strlen(path)) {
		char name[PATH_NAME_MAX + 1];
		const char *p = path + strlen(t->cwd) + (t->depth > 0);

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "/"), p);
		if (descend_one(t, name, e) != 0)
			return -1;
	}
	return 0;
}

/*
 * Make the directory above `path` the last of the stack.  Returns it, or
 * NULL.
 */
static const struct dir *
descend_above(struct unpack_tree *t, const char *path, struct err *e)
{
	const char *base = path_base(path);
	char above[PATH_LEN_MAX + 1];

	snprintf(above, sizeof(above), "%.*s",
	    (int)(base > path ? base - path - 1 : 0), path);
	return descend(t, above, e) == 0 ? &t->stack[t->depth] : NULL;
}

/*
 * Remove what stands at `path`, in `d`: an entry that comes again replaces
 * it.  A directory that is not empty is not removed.
 */
static int
clear_way(const struct dir *d, const char *path, struct err *e)
{
	const char *name = path_base(path);

	if (unlinkat(d->fd, name, 0) == 0)
		return 0;
	if (errno == EISDIR || errno == EPERM) {
		if (unlinkat(d->fd, name, AT_REMOVEDIR) == 0)
			return 0;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return err_set(e, ERR_INTEGRITY,
			    "the archive has '%s' twice, as a directory with content and as something else",
			    path);
	}
	return err_sys(e, "cannot replace '%s/%s'", d->path, name);
}

int
unpack_tree_dir(struct unpack_tree *t, const char *path, struct err *e)
{
	const struct dir *above = descend_above(t, path, e);
	struct err why = ERR_INIT;

	if (above == NULL)
		return -1;
	if (descend(t, path, &why) == 0)
		return 0;
	if (why.sys == ENOTDIR || why.sys == ELOOP)
		return clear_way(above, path, e) != 0 ? -1 :
							descend(t, path, e);
	*e = why;
	return -1;
}

int
unpack_tree_symlink(struct unpack_tree *t, const char *path,
    const char *target, struct err *e)
{
	const struct dir *d = descend_above(t, path, e);
	const char *name = path_base(path);

	if (d == NULL)
		return -1;
	if (target == NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the symbolic link '%s' has no target", path);
	if (path_check_link(path, target, e) != 0)
		return -1;
	if (symlinkat(target, d->fd, name) == 0)
		return 0;
	if (errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		if (symlinkat(target, d->fd, name) == 0)
			return 0;
	}
	return err_sys(e, "cannot make the link '%s/%s'", d->path, name);
}

int
unpack_tree_create(struct unpack_tree *t, const char *path, bool executable,
    struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	mode_t mode = executable ? 0755 : 0644;
	const struct dir *d = descend_above(t, path, e);
	const char *name = path_base(path);
	int fd;

	if (d == NULL)
		return -1;
	fd = openat(d->fd, name, flags, mode);
	if (fd < 0 && errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		fd = openat(d->fd, name, flags, mode);
	}
	/* Whatever the umask. */
	if (fd < 0 || fchmod(fd, mode) != 0) {
		err_sys(e, "cannot create '%s/%s'", d->path, name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int
unpack_tree_open(struct unpack_tree *t, const char *path, struct err *e)
{
	const struct dir *d = descend_above(t, path, e);
	const char *name = path_base(path);
	int fd;

	if (d == NULL)
		return -1;
	fd = openat(d->fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err_sys(e, "cannot open '%s/%s'", d->path, name);
	return fd;
}

/*
 * Open the directory above `path`, which must be there already; no symbolic
 * link is followed.  Leaves ENOENT or ENOTDIR in e->sys.
 */
static int
open_above(struct dir *d, const struct dir *top, const char *path,
    struct err *e)
{
	const char *base = path_base(path);
	struct dir up;

	if (dir_open(d, top, ".", e) != 0)
		return -1;
	while (path < base) {
		char name[PATH_NAME_MAX + 1];
		int len = (int)strcspn(path, "/"), r;

		snprintf(name, sizeof(name), "%.*s", len, path);
		path += len + 1;
		up = *d;
		*d = (struct dir)DIR_INIT;
		r = dir_open(d, &up, name, e);
		dir_close(&up);
		if (r != 0)
			return -1;
	}
	return 0;
}

int
unpack_tree_find(const struct unpack_tree *tree, struct unpack_target *t,
    struct err *e)
{
	const char *name = path_base(t->path);
	struct err why = ERR_INIT;
	struct stat st;
	ssize_t n;

	if (open_above(&t->dir, &tree->stack[0], t->path, &why) != 0) {
		if (why.sys == ENOENT || why.sys == ENOTDIR ||
		    why.sys == ELOOP)
			return 0;
		*e = why;
		return -1;
	}
	if (fstatat(t->dir.fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	t->found = S_ISREG(st.st_mode) || S_ISLNK(st.st_mode);
	t->size = st.st_size;
	if (!S_ISLNK(st.st_mode))
		return 0;
	n = readlinkat(t->dir.fd, name, t->link, sizeof(t->link) - 1);
	if (n < 0)
		return err_sys(e, "cannot read the link '%s/%s'", t->dir.path,
		    name);
	t->link[n] = '\0';
	return 0;
}

int
unpack_tree_link(struct unpack_tree *tree, const char *path,
    const struct unpack_target *t, struct err *e)
{
	const struct dir *d = descend_above(tree, path, e);
	const char *name = path_base(path), *from = path_base(t->path);

	if (d == NULL)
		return -1;
	/* It may be at another depth. */
	if (*t->link != '\0')
		return unpack_tree_symlink(tree, path, t->link, e);
	if (linkat(t->dir.fd, from, d->fd, name, 0) == 0)
		return 0;
	if (errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		if (linkat(t->dir.fd, from, d->fd, name, 0) == 0)
			return 0;
	}
	return err_sys(e, "cannot link '%s' to '%s/%s'", t->path, d->path,
	    name);
}
