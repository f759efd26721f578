#include "content/fill_adopt.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/pool.h"

enum { GRAIN = 32 }; /* files that one thread takes in a row */

/* It is not as the manifest says. */
static int
misfit(const struct fill_adopt *a, const struct entry *en, const char *what,
    struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%s/%s' %s", a->place.dir->path,
	    en->path, what);
}

/* Has the file all that the entry says, but for the content? */
static bool
is_dressed(const struct fill_adopt *a, const struct stat *st,
    const struct entry *en)
{
	return st->st_mtim.tv_sec == en->mtime && st->st_mtim.tv_nsec == 0 &&
	    (st->st_mode & 07777) == en->mode &&
	    (a->place.gid == (gid_t)-1 || st->st_gid == a->place.gid);
}

/* The open file: its content, then its attributes. */
static int
adopt_open(const struct fill_adopt *a, struct placer *w, int fd,
    struct entry *en, struct err *e)
{
	struct entry is = *en;
	struct stat st;

	if (place_hash(w, fd, a->place.dir, &is, e) != 0)
		return -1;
	if (is.size != en->size ||
	    memcmp(is.digest, en->digest, HASH_LEN) != 0)
		return misfit(a, en,
		    "has other content than its manifest says", e);
	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot examine '%s/%s'", a->place.dir->path,
		    en->path);
	return is_dressed(a, &st, en) ? 0 :
					place_keep(w, fd, &a->place, en, e);
}

/* A link, made anew where another name may share it. */
static int
adopt_link(const struct fill_adopt *a, const struct entry *en, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n =
	    readlinkat(a->place.dir->fd, en->path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	if (n < 0 || strcmp(target, en->link) != 0)
		return misfit(a, en, "is not the link that its manifest says",
		    e);
	if (unlinkat(a->place.dir->fd, en->path, 0) != 0)
		return err_sys(e, "cannot replace '%s/%s'", a->place.dir->path,
		    en->path);
	return place_symlink(a->place.dir, en, e);
}

static int
adopt_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill_adopt *a = ctx;
	struct entry *en = &a->m->v[i];
	struct stat st;
	int fd, r;

	if (a->skip[i] || en->type == ENTRY_DIR)
		return 0;
	if (en->type == ENTRY_LINK)
		return adopt_link(a, en, e);
	if (fstatat(a->place.dir->fd, en->path, &st, AT_SYMLINK_NOFOLLOW) !=
		0 ||
	    !S_ISREG(st.st_mode))
		return misfit(a, en, "is missing, or no file", e);
	fd = place_open(a->place.dir, en->path, e);
	if (fd < 0)
		return -1;
	r = adopt_open(a, local, fd, en, e);
	close(fd);
	return r;
}

/*
 * The directories, outermost first: nothing below is opened through one that
 * is a link.
 */
static int
check_directories(const struct fill_adopt *a, struct err *e)
{
	for (size_t i = 0; i < a->m->n; i++) {
		const struct entry *en = &a->m->v[i];
		struct stat st;

		if (en->type != ENTRY_DIR)
			continue;
		if (fstatat(a->place.dir->fd, en->path, &st,
			AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISDIR(st.st_mode))
			return misfit(a, en, "is missing, or no directory", e);
	}
	return 0;
}

int
fill_adopt(const struct fill_adopt *a, struct err *e)
{
	const struct pool_job job = { a->m->n, GRAIN, (void *)(uintptr_t)a,
		placer_begin, adopt_item, placer_end };

	return check_directories(a, e) == 0 ? pool_run(&job, e) : -1;
}
