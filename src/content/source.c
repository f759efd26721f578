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
#include "content/tree.h"
#include "content/unpack.h"
#include "os/log.h"
#include "os/progress.h"

static int
open_named(struct source *s, const char *path, struct err *e)
{
	struct stat st;

	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	s->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) != 0) {
		err_sys(e, "cannot open the source '%s'", path);
		if (e->sys == ENOENT) {
			e->code = ERR_USAGE;
			err_append(e, ";; build the site first");
		}
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

/* Remove the temporary directory. */
static void
remove_scratch(struct source *s)
{
	static char here[] = ".";
	const struct dir cwd = { AT_FDCWD, here };
	struct err e = ERR_INIT;

	if (s->scratch.path != NULL &&
	    dir_remove_tree(&cwd, s->scratch.path, &e) != 0)
		log_warn("%s", e.text);
	dir_close(&s->scratch);
}

void
source_close(struct source *s)
{
	remove_scratch(s);
	dir_close(&s->dir);
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	*s = (struct source)SOURCE_INIT;
}

static bool
is_archive(const struct source *s)
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

	is = !is_archive(s) && realpath(s->dir.path, source) != NULL &&
	    (realpath(path, there) != NULL ||
		realpath(dirname(copy), there) != NULL);
	free(copy);
	if (!is)
		return false;
	n = strlen(source);
	return strncmp(there, source, n) == 0 &&
	    (there[n] == '/' || there[n] == '\0');
}

/* The reader counts the bytes of the archive. */
static void
count(void *ctx, int64_t bytes)
{
	(void)ctx;
	(void)bytes;
	progress_add(1, 0);
}

/* Make a temporary directory for what is in an archive. */
static int
make_scratch(struct source *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *path = xasprintf("%s/deploy-preview-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	int r;

	if (mkdtemp(path) == NULL) {
		r = err_sys(e, "cannot make a temporary directory '%s'", path);
	} else {
		r = dir_open_path(&s->scratch, path, e);
		if (r != 0)
			rmdir(path);
	}
	free(path);
	return r;
}

/* Unpack an archive into the empty directory. */
static int
unpack_into(struct source *s, const struct dir *into, bool strip,
    struct err *e)
{
	struct unpack_options opt = { .exclude = s->exclude,
		.strip = strip,
		.progress = count };
	struct dir_space space;
	int r;

	s->unpacked = into;
	if (dir_space(into, &space, e) != 0)
		return -1;
	if (space.bytes < INT64_MAX)
		opt.max_bytes = (int64_t)space.bytes;
	progress_begin("unpacking", 0, 0);
	r = unpack(s->fd, s->name, into, &opt, &s->excluded, e);
	progress_end();
	return r;
}

const struct dir *
source_files(const struct source *s)
{
	return is_archive(s) ? s->unpacked : &s->dir;
}

int
source_read(struct source *s, const struct dir *into,
    const struct strvec *exclude, bool strip, struct manifest *m,
    struct err *e)
{
	struct tree_walk w = { .exclude = exclude };

	s->exclude = exclude;
	s->excluded = 0;
	if (is_archive(s) &&
	    ((into == NULL && make_scratch(s, e) != 0) ||
		unpack_into(s, into != NULL ? into : &s->scratch, strip, e) !=
		    0))
		return -1;
	if (tree_read(source_files(s), &w, m, e) != 0)
		return -1;
	s->stamp = w.stamp;
	s->excluded += w.excluded;
	return 0;
}

int
source_check(const struct source *s, const struct manifest *m, struct err *e)
{
	uint64_t stamp;

	/* What was unpacked is ours. */
	if (is_archive(s))
		return 0;
	if (tree_stamp(&s->dir, m, s->exclude, &stamp, e) != 0)
		return -1;
	if (stamp == s->stamp)
		return 0;
	return err_set(e, ERR_FAILED,
	    "'%s' changed while it was read;; stage when the build has ended",
	    s->dir.path);
}
