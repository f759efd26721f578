#include "os/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "os/io.h"

/* Deeper trees than path.h allows are nobody's release. */
enum { DEPTH_MAX = 512 };

int
dir_open_path(struct dir *d, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char first;

	if (fd < 0 && errno == ENOENT && readlink(path, &first, 1) > 0) {
		errno = ENOENT;
		return err_sys(e,
		    "cannot open the directory '%s', a link to what is not there",
		    path);
	}
	if (fd < 0)
		return err_sys(e, "cannot open the directory '%s'", path);
	d->fd = fd;
	d->path = xstrdup(path);
	return 0;
}

int
dir_open(struct dir *d, const struct dir *at, const char *name, struct err *e)
{
	int fd = openat(at->fd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open the directory '%s/%s'",
		    at->path, name);
	d->fd = fd;
	d->path = xasprintf("%s/%s", at->path, name);
	return 0;
}

void
dir_close(struct dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->path);
	*d = (struct dir)DIR_INIT;
}

int
dir_make(const struct dir *at, const char *name, struct err *e)
{
	if (mkdirat(at->fd, name, 0755) != 0 ||
	    fchmodat(at->fd, name, 0755, 0) != 0)
		return err_sys(e, "cannot make the directory '%s/%s'",
		    at->path, name);
	return 0;
}

int
dir_ensure(struct dir *d, const struct dir *at, const char *name,
    struct err *e)
{
	if (dir_make(at, name, e) != 0 && e->sys != EEXIST)
		return -1;
	return dir_open(d, at, name, e);
}

int
dir_sync(const struct dir *d, struct err *e)
{
	if (fsync(d->fd) != 0)
		return err_sys(e, "cannot write the directory '%s' to disk",
		    d->path);
	return 0;
}

int
dir_list(const struct dir *d, struct strvec *out, struct err *e)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dp = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (dp == NULL) {
		err_sys(e, "cannot read the directory '%s'", d->path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (errno = 0, (de = readdir(dp)) != NULL)
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			strvec_add(out, de->d_name);
	if (errno != 0) {
		err_sys(e, "cannot read the directory '%s'", d->path);
		closedir(dp);
		return -1;
	}
	if (closedir(dp) != 0)
		return err_sys(e, "cannot read the directory '%s'", d->path);
	strvec_sort(out);
	return 0;
}

bool
dir_has(const struct dir *at, const char *name)
{
	struct stat st;

	return fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

int
dir_look(const struct dir *at, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(at->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	if (errno == ENOENT)
		return 0;
	return err_sys(e, "cannot examine '%s/%s'", at->path, name);
}

int
dir_rename_new(const struct dir *from, const char *a, const struct dir *to,
    const char *b, struct err *e)
{
	if (renameat2(from->fd, a, to->fd, b, RENAME_NOREPLACE) == 0)
		return 0;
	/*
	 * NFS and old kernels know no flags, and what confines a container may
	 * know no such call; the names are unique anyway.
	 */
	if (errno == EINVAL || errno == ENOSYS || errno == EPERM ||
	    errno == EOPNOTSUPP) {
		if (faccessat(to->fd, b, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			errno = EEXIST;
		else if (renameat(from->fd, a, to->fd, b) == 0)
			return 0;
	}
	return err_sys(e, "cannot rename '%s/%s' to '%s/%s'", from->path, a,
	    to->path, b);
}

/* What a removal goes on with after an error. */
struct removal {
	struct err *first;
	int depth;
};

static void remove_entry(struct removal *r, const struct dir *at,
    const char *name);

/* Keep the first error only. */
static void
removal_failed(struct removal *r, const char *dir, const char *name)
{
	if (r->first->code == ERR_OK)
		err_sys(r->first, "cannot remove '%s/%s'", dir, name);
}

/* Or in which he cannot remove anything; where that fails, so does more. */
static void
allow_changes(const struct dir *d)
{
	struct stat st;

	if (fstat(d->fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(d->fd, 0700);
}

/* Empty the directory `name` in `at`. */
static void
remove_children(struct removal *r, const struct dir *at, const char *name)
{
	struct dir d = DIR_INIT;
	struct strvec names = STRVEC_INIT;
	struct err e = ERR_INIT;

	/* A release may hold directories that its owner cannot enter. */
	if (dir_open(&d, at, name, &e) != 0 && e.sys == EACCES &&
	    fchmodat(at->fd, name, 0700, 0) == 0)
		err_ignore(dir_open(&d, at, name, &e));
	if (d.fd >= 0)
		allow_changes(&d);
	if ((d.fd < 0 || dir_list(&d, &names, &e) != 0) && e.sys != ENOENT) {
		errno = e.sys;
		removal_failed(r, at->path, name);
	}
	for (size_t i = 0; i < names.n; i++)
		remove_entry(r, &d, names.v[i]);
	strvec_release(&names);
	dir_close(&d);
}

static void
remove_entry(struct removal *r, const struct dir *at, const char *name)
{
	if (unlinkat(at->fd, name, 0) == 0 || errno == ENOENT)
		return;
	if (errno != EISDIR && errno != EPERM) {
		removal_failed(r, at->path, name);
		return;
	}
	if (unlinkat(at->fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return;
	if (errno != ENOTEMPTY && errno != EEXIST) {
		removal_failed(r, at->path, name);
		return;
	}
	if (r->depth >= DEPTH_MAX) {
		errno = ELOOP;
		removal_failed(r, at->path, name);
		return;
	}
	r->depth++;
	remove_children(r, at, name);
	r->depth--;
	if (unlinkat(at->fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		removal_failed(r, at->path, name);
}

int
dir_remove_tree(const struct dir *at, const char *name, struct err *e)
{
	struct err first = ERR_INIT;
	struct removal r = { .first = &first };

	remove_entry(&r, at, name);
	if (first.code == ERR_OK)
		return 0;
	*e = first;
	return -1;
}

static int sync_each(const struct dir *d, int depth, struct err *e);

/* fsync the entry `name`: a file, or a directory and what is in it. */
static int
sync_entry(const struct dir *d, const char *name, int depth, struct err *e)
{
	struct dir sub = DIR_INIT;
	struct stat st;
	int fd, r;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, "cannot examine '%s/%s'", d->path, name);
	if (S_ISDIR(st.st_mode)) {
		r = dir_open(&sub, d, name, e);
		if (r == 0)
			r = sync_each(&sub, depth + 1, e);
		dir_close(&sub);
		return r;
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	fd = openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", d->path, name);
	r = fsync(fd);
	if (r != 0)
		err_sys(e, "cannot write '%s/%s' to disk", d->path, name);
	close(fd);
	return r;
}

/* fsync every file and directory below `d`, and `d` itself. */
static int
sync_each(const struct dir *d, int depth, struct err *e)
{
	struct strvec names = STRVEC_INIT;
	int r;

	if (depth > DEPTH_MAX) {
		errno = ELOOP;
		return err_sys(e, "cannot write '%s' to disk", d->path);
	}
	r = dir_list(d, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = sync_entry(d, names.v[i], depth, e);
	strvec_release(&names);
	return r == 0 ? dir_sync(d, e) : -1;
}

static const char *
network_name(unsigned long type)
{
	switch (type) {
	case NFS_SUPER_MAGIC:
		return "NFS";
	case SMB_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
		return "SMB";
	case CEPH_SUPER_MAGIC:
		return "Ceph";
	case AFS_SUPER_MAGIC:
		return "AFS";
	default:
		return NULL;
	}
}

const char *
dir_network(const struct dir *d)
{
	struct statfs sf;

	return fstatfs(d->fd, &sf) == 0 ?
	    network_name((unsigned long)sf.f_type) :
	    NULL;
}

/* File systems whose syncfs ends in this machine, not on the server. */
static bool
syncfs_is_weak(const struct dir *d)
{
	struct statfs sf;

	if (fstatfs(d->fd, &sf) != 0 ||
	    network_name((unsigned long)sf.f_type) != NULL)
		return true;
	switch ((unsigned long)sf.f_type) {
	case FUSE_SUPER_MAGIC:
	case V9FS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

int
dir_sync_tree(const struct dir *d, struct err *e)
{
	if (syncfs_is_weak(d))
		return sync_each(d, 0, e);
	if (syncfs(d->fd) != 0)
		return err_sys(e, "cannot write '%s' to disk", d->path);
	return 0;
}

int
dir_space(const struct dir *d, struct dir_space *out, struct err *e)
{
	struct statvfs sv;

	if (fstatvfs(d->fd, &sv) != 0)
		return err_sys(e, "cannot ask for the free space of '%s'",
		    d->path);
	out->block = sv.f_frsize > 0 ? sv.f_frsize : 4096;
	/* A tmpfs without a limit, or a FUSE that does not count. */
	out->bytes = sv.f_blocks > 0 ?
	    (unsigned long long)sv.f_bavail * out->block :
	    LLONG_MAX;
	out->inodes = sv.f_files > 0 ? sv.f_favail : LLONG_MAX;
	return 0;
}

/* The random number of this start of the system, up to its first '-'. */
static bool
read_boot(char out[16])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : io_read(fd, out, 15);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "-\n")] = '\0';
	return true;
}

void
dir_place(const char *path, struct buf *out)
{
	size_t n = strlen(path);
	char *above = xstrdup(path), boot[16];
	struct stat st;
	bool there;

	while (n > 1 && above[n - 1] == '/')
		n--;
	above[n] = '\0';
	while (
	    !(there = stat(above, &st) == 0 && S_ISDIR(st.st_mode)) && n > 1) {
		while (n > 1 && path[n - 1] != '/')
			n--;
		/* Not the slash, unless nothing is before it. */
		n -= n > 1;
		above[n] = '\0';
	}
	if (there && read_boot(boot))
		buf_addf(out, "%s:%llu:%llu%s", boot,
		    (unsigned long long)st.st_dev,
		    (unsigned long long)st.st_ino, n > 1 ? path + n : path);
	free(above);
}
