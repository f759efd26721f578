#include "site/scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/io.h"
#include "os/log.h"

#define PREFIX "deploy-build-"
#define LOCK "lock"
#define UNLOCKED "lock.new" /* is not swept */

/* ---- what was left ----------------------------------------------------- */

/* Is it one of ours whose owner is dead?  It is locked then, by `lock`. */
static bool
is_left(const struct dir *d, int *lock)
{
	struct stat st;

	if (fstat(d->fd, &st) != 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 07777) != 0700)
		return false;
	*lock = openat(d->fd, LOCK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return *lock >= 0 && io_flock(*lock, LOCK_EX | LOCK_NB) == 0;
}

static void
sweep_one(const struct dir *tmp, const char *name)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	int lock = -1;

	if (dir_open(&d, tmp, name, &e) != 0)
		return;
	if (is_left(&d, &lock) && dir_remove_tree(tmp, name, &e) != 0)
		log_warn("left of an earlier build: %s", e.text);
	if (lock >= 0)
		close(lock);
	dir_close(&d);
}

/* Best effort: who cannot list the directory has nothing to sweep. */
static void
sweep(const char *tmp)
{
	struct strvec names = STRVEC_INIT;
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	if (dir_open_path(&d, tmp, &e) == 0 && dir_list(&d, &names, &e) == 0)
		for (size_t i = 0; i < names.n; i++)
			if (strncmp(names.v[i], PREFIX, strlen(PREFIX)) == 0)
				sweep_one(&d, names.v[i]);
	strvec_release(&names);
	dir_close(&d);
}

/* ---- one of ours ------------------------------------------------------- */

/* Lock it before a sweep may look at it. */
static int
take_lock(struct scratch *s, struct err *e)
{
	s->lock = openat(s->dir.fd, UNLOCKED,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->lock >= 0 && io_flock(s->lock, LOCK_EX | LOCK_NB) == 0 &&
	    renameat(s->dir.fd, UNLOCKED, s->dir.fd, LOCK) == 0)
		return 0;
	return err_sys(e, "cannot lock '%s'", s->dir.path);
}

int
scratch_make(struct scratch *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *path;
	int r = 0;

	if (tmp == NULL || *tmp != '/')
		tmp = "/tmp";
	sweep(tmp);
	path = xasprintf("%s/" PREFIX "XXXXXX", tmp);
	if (mkdtemp(path) == NULL)
		r = err_sys(e, "cannot make a directory '%s' for the build",
		    path);
	else if (dir_open_path(&s->dir, path, e) != 0 ||
	    take_lock(s, e) != 0 || dir_make(&s->dir, "site", e) != 0)
		r = -1;
	else
		s->path = xasprintf("%s/site", path);
	free(path);
	if (r != 0)
		scratch_remove(s);
	return r;
}

void
scratch_remove(struct scratch *s)
{
	struct err e = ERR_INIT;
	struct dir none = { .fd = AT_FDCWD, .path = (char[]){ "" } };

	if (s->dir.fd >= 0 && dir_remove_tree(&none, s->dir.path, &e) != 0)
		log_warn("%s", e.text);
	dir_close(&s->dir);
	if (s->lock >= 0)
		close(s->lock);
	free(s->path);
	*s = (struct scratch)SCRATCH_INIT;
}
