#include "queue/queue_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

char *
queue_dir_default(struct err *e)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (base != NULL && *base == '/')
		return xasprintf("%s/deploy", base);
	if (home != NULL && *home == '/')
		return xasprintf("%s/.local/state/deploy", home);
	err_set(e, ERR_USAGE,
	    "where is the queue? set 'queue' in deploy.yml, or HOME");
	return NULL;
}

/* Make a directory and those above it.  What cannot be made shows later. */
static void
make_path(const char *path)
{
	char *copy = xstrdup(path);

	for (char *p = strchr(copy + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(copy, 0700);
		*p = '/';
	}
	(void)mkdir(copy, 0700);
	free(copy);
}

int
queue_dir_open(struct dir *d, const char *path, bool make, struct err *e)
{
	struct dir real = DIR_INIT;
	struct stat st;
	char *resolved;

	if (make)
		make_path(path);
	resolved = realpath(path, NULL);
	if (dir_open_path(&real, resolved != NULL ? resolved : path, e) != 0) {
		free(resolved);
		return err_prefix(e, "the queue: ");
	}
	free(resolved);
	if (fstat(real.fd, &st) != 0) {
		err_sys(e, "cannot look at '%s'", path);
	} else if ((st.st_mode & S_IWOTH) != 0) {
		err_set(e, ERR_USAGE,
		    "everybody can write to the queue's directory '%s';; run 'chmod o-w' on it",
		    path);
	} else {
		*d = real;
		return 0;
	}
	dir_close(&real);
	return -1;
}

/*
 * Give what we have just made to the users of the directory, when root has to
 * its owner.  The group is the directory's already where that is setgid, which
 * is the rule.
 */
static int
share(const struct dir *at, int fd, bool is_dir)
{
	struct stat st;

	if (fstat(at->fd, &st) != 0 ||
	    (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) != 0 &&
		errno != EPERM))
		return -1;
	if ((st.st_mode & S_IWGRP) == 0)
		return fchmod(fd, is_dir ? 0700 : 0600);
	if (fchown(fd, (uid_t)-1, st.st_gid) != 0 && errno != EPERM)
		return -1;
	return fchmod(fd, is_dir ? 02770 : 0660);
}

int
queue_dir_enter(struct dir *d, const struct dir *at, const char *name,
    struct err *e)
{
	bool made = mkdirat(at->fd, name, 0700) == 0;

	if (!made && errno != EEXIST)
		return err_sys(e, "cannot make '%s/%s'", at->path, name);
	if (dir_open(d, at, name, e) != 0)
		return -1;
	if (!made || share(at, d->fd, true) == 0)
		return 0;
	err_sys(e, "cannot make '%s/%s'", at->path, name);
	dir_close(d);
	return -1;
}

int
queue_dir_file(const struct dir *at, const char *name, int flags,
    struct err *e)
{
	struct stat st;
	int fd, safe = flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	fd = openat(at->fd, name, safe | O_CREAT | O_EXCL, 0600);
	if (fd >= 0 && share(at, fd, false) == 0)
		return fd;
	if (fd < 0 && errno == EEXIST)
		fd = openat(at->fd, name, safe);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	if (fd >= 0)
		err_set(e, ERR_FAILED, "'%s/%s' is no file", at->path, name);
	else
		err_sys(e, "cannot open '%s/%s'", at->path, name);
	if (fd >= 0)
		close(fd);
	return -1;
}
