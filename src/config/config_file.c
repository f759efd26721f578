#include "config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/quote.h"
#include "config/config_read.h"
#include "config/yamltext.h"
#include "os/file.h"
#include "os/io.h"
#include "os/log.h"

#define FILE_NAME "deploy.yml"
#define OTHER_NAME "deploy.yaml" /* where there is no FILE_NAME */

/* Read the whole file; `origin` is a cure that says who named it. */
static int
read_file(const char *path, const char *origin, struct buf *out, struct err *e)
{
	int fd = file_open_named(path), sys = errno;
	ssize_t n = -1;

	if (fd >= 0) {
		buf_reserve(out, YAMLTEXT_MAX + 1);
		n = io_read(fd, out->data, YAMLTEXT_MAX + 1);
		sys = errno;
		close(fd);
	}
	if (n < 0) {
		errno = sys;
		err_sys(e, "cannot read the configuration '%s'", path);
		e->code = ERR_USAGE;
		return err_append(e, "; %s", origin);
	}
	out->len = (size_t)n;
	out->data[out->len] = '\0';
	return 0;
}

/*
 * The directory of a file as an absolute path without symbolic links, so that
 * a ".." behind it means what it says.  The caller frees it.
 */
static char *
directory_of(const char *path, struct err *e)
{
	char *copy = xstrdup(path), *real = realpath(dirname(copy), NULL);

	if (real == NULL) {
		err_sys(e, "cannot find the directory of '%s'", path);
		e->code = ERR_USAGE;
	}
	free(copy);
	return real;
}

/* Is there a file of that name, even one that leads nowhere? */
static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* Say, once in a process, that there are two files. */
static void
tell_unread(const char *other, const char *path)
{
	static bool told; /* a worker looks again and again */

	if (!told)
		log_warn(
		    "'%s' is not read, as there is '%s'; remove one of them",
		    other, path);
	told = true;
}

/*
 * The path of the configuration in `dir`, with a '/' at its end or empty,
 * which the caller frees; NULL when there is none.
 */
static char *
search_in(const char *dir)
{
	char *path = xasprintf("%s" FILE_NAME, dir),
	     *other = xasprintf("%s" OTHER_NAME, dir);
	bool first = is_there(path), second = is_there(other);

	if (first && second)
		tell_unread(other, path);
	if (!first) {
		free(path);
		path = second ? xstrdup(other) : NULL;
	}
	free(other);
	return path;
}

/* As search_in(), in the current directory or the nearest above that has one. */
static char *
search(void)
{
	char *path = search_in(""), *dir, *slash;

	if (path != NULL)
		return path;
	dir = getcwd(NULL, 0);
	while (path == NULL && dir != NULL &&
	    (slash = strrchr(dir, '/')) != NULL) {
		slash[1] = '\0';
		path = search_in(dir);
		*slash = '\0';
	}
	free(dir);
	return path;
}

/* Can members of the directory's group make files there, and are we one? */
static bool
is_ours_by_group(const struct stat *dir)
{
	gid_t groups[NGROUPS_MAX];
	int n;

	if ((dir->st_mode & S_IWGRP) == 0)
		return false;
	if (dir->st_gid == getegid())
		return true;
	n = getgroups(NGROUPS_MAX, groups);
	while (n > 0)
		if (groups[--n] == dir->st_gid)
			return true;
	return false;
}

/*
 * May what this user owns in `dir` tell us what to run?  Not what a stranger
 * put into a directory of everybody, such as /tmp; what belongs to who owns
 * the directory that we are in may, since we are there on purpose.
 */
static bool
is_trusted(uid_t owner, const struct stat *dir)
{
	struct stat here;

	if (owner == geteuid() || owner == 0)
		return true;
	if ((dir->st_mode & S_IWOTH) != 0)
		return false;
	return is_ours_by_group(dir) ||
	    (stat(".", &here) == 0 && here.st_uid == owner);
}

/* A file that nobody named: refuse one that another user has planted. */
static int
check_owner(const char *path, struct err *e)
{
	char *copy = xstrdup(path);
	const char *name = dirname(copy);
	struct stat dir, link, file;
	int r = 0;

	/* What cannot be looked at cannot be read either, and that is told. */
	if (stat(name, &dir) == 0 && lstat(path, &link) == 0 &&
	    stat(path, &file) == 0 &&
	    (!is_trusted(link.st_uid, &dir) || !is_trusted(file.st_uid, &dir)))
		r = err_set(e, ERR_USAGE,
		    "'%s' is found from here, but belongs to the user %lu, who is neither you nor the owner of this directory;; if you trust it, name it: -c %s",
		    path,
		    (unsigned long)(is_trusted(link.st_uid, &dir) ?
			    file.st_uid :
			    link.st_uid),
		    QUOTED(path));
	free(copy);
	return r;
}

/* Read and parse the file at `path`. */
static int
load_file(struct config *c, const char *path, const char *origin,
    struct err *e)
{
	struct buf text = BUF_INIT;
	char *dir = NULL;
	int ret = -1;

	if (read_file(path, origin, &text, e) == 0 &&
	    (dir = directory_of(path, e)) != NULL)
		ret = config_parse(c, buf_str(&text), text.len, path, dir, e);
	free(dir);
	buf_release(&text);
	return ret;
}

int
config_load(struct config *c, const char *file, struct err *e)
{
	const char *env = getenv("DEPLOY_CONFIG");
	char *path;
	int ret = 0;

	*c = (struct config)CONFIG_INIT;
	if (file != NULL)
		return load_file(c, file, "check the name after -c", e);
	if (env != NULL && env[0] != '\0')
		return load_file(c, env, "check $DEPLOY_CONFIG", e);
	path = search();
	if (path != NULL)
		ret = check_owner(path, e);
	if (path != NULL && ret == 0)
		ret = load_file(c, path, "mend or remove it", e);
	free(path);
	return ret;
}
