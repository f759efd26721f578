#include "config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
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
		ret = load_file(c, path, "mend or remove it", e);
	free(path);
	return ret;
}
