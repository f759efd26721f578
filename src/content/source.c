#include "content/source.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "content/unpack.h"
#include "os/progress.h"

static int
open_named(struct source *s, const char *path, struct err *e)
{
	struct stat st;

	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) != 0) {
		err_sys(e, "cannot open the source '%s'", path);
		if (e->sys == ENOENT)
			e->code = ERR_USAGE;
		return -1;
	}
	if (S_ISREG(st.st_mode))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE,
		    "the source '%s' is neither a directory nor an archive;; for a pipe use '-'",
		    path);
	s->dir.fd = s->fd;
	s->dir.path = xstrdup(path);
	s->fd = -1;
	return 0;
}

int
source_open(struct source *s, const char *path, struct err *e)
{
	if (strcmp(path, "-") != 0) {
		s->name = xstrdup(path);
		return open_named(s, path, e);
	}
	s->name = xstrdup("standard input");
	if (isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE,
		    "standard input is a terminal;; '-' reads an archive from it, as in: tar c . | deploy stage -");
	s->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (s->fd < 0)
		return err_sys(e, "cannot read standard input");
	return 0;
}

void
source_close(struct source *s)
{
	dir_close(&s->dir);
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	*s = (struct source)SOURCE_INIT;
}

bool
source_is_archive(const struct source *s)
{
	return s->fd >= 0;
}

bool
source_contains(const struct source *s, const char *path)
{
	char source[PATH_MAX], there[PATH_MAX];
	char *copy = xstrdup(path);
	size_t n;
	bool is;

	is = !source_is_archive(s) && realpath(s->dir.path, source) != NULL &&
	    (realpath(path, there) != NULL ||
		realpath(dirname(copy), there) != NULL);
	free(copy);
	if (!is)
		return false;
	n = strlen(source);
	return strncmp(there, source, n) == 0 &&
	    (there[n] == '/' || there[n] == '\0');
}

static void
count(void *ctx, int64_t bytes)
{
	(void)ctx;
	progress_add(1, bytes);
}

int
source_unpack(const struct source *s, const struct dir *into,
    const struct strvec *exclude, bool strip, size_t *excluded, struct err *e)
{
	struct unpack_options opt = { .exclude = exclude,
		.strip = strip,
		.progress = count };
	struct dir_space space;
	int r;

	if (dir_space(into, &space, e) != 0)
		return -1;
	if (space.bytes < INT64_MAX)
		opt.max_bytes = (int64_t)space.bytes;
	progress_begin("unpacking", 0, 0);
	r = unpack(s->fd, s->name, into, &opt, excluded, e);
	progress_end();
	return r;
}
