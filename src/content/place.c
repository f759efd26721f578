#include "content/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"

enum {
	READ_TRIES = 3, /* for a file that changes meanwhile */
	/* A large file starts its way to the disk while others follow. */
	EARLY_SYNC = 256 * 1024,
	COPY_AT_ONCE = 64 * 1024 * 1024, /* a signal waits for it */
};

struct placer {
	struct hash *hash;
	char *window; /* PLACE_WINDOW bytes */
	char *other;  /* the same, or NULL */
};

void *
placer_begin(void *ctx)
{
	struct placer *w = xmalloc(sizeof(*w));

	(void)ctx;
	w->hash = hash_new();
	w->window = xmalloc(PLACE_WINDOW);
	w->other = NULL;
	return w;
}

void
placer_end(void *ctx, void *placer)
{
	struct placer *w = placer;

	(void)ctx;
	hash_free(w->hash);
	free(w->window);
	free(w->other);
	free(w);
}

/* ---- reading ----------------------------------------------------------- */

/* Did the file stay as it was between the two looks? */
static bool
is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_ino == b->st_ino &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Has a signal come?  errno is EINTR then. */
static bool
is_stopped(void)
{
	if (intr_came())
		errno = EINTR;
	return intr_came();
}

/* Say what errno says of a file, or that a signal has come.  Returns -1. */
static int
fault(struct err *e, const char *doing, const struct dir *d, const char *path)
{
	const int sys = errno;

	if (intr_check(e) != 0)
		return -1;
	errno = sys;
	return err_sys(e, "cannot %s '%s/%s'", doing, d->path, path);
}

/*
 * Hash the open file from here to its end into `digest`; when it is smaller
 * than the window, that holds it whole afterwards.  `expect` is its size as
 * far as known: it saves the read that only finds the end.  Returns the
 * number of bytes, or -1 with errno.
 */
static int64_t
hash_fd(struct placer *w, int fd, int64_t expect, uint8_t digest[HASH_LEN])
{
	size_t want = expect < PLACE_WINDOW ? (size_t)expect : PLACE_WINDOW;
	int64_t size = 0;
	ssize_t n;

	do {
		n = is_stopped() ? -1 : io_read(fd, w->window, want);
		if (n < 0)
			break;
		hash_add(w->hash, w->window, (size_t)n);
		size += n;
	} while (n == PLACE_WINDOW);
	hash_end(w->hash, digest);
	return n < 0 ? -1 : size;
}

int
place_hash(struct placer *w, int fd, const struct dir *d, struct entry *en,
    struct err *e)
{
	for (int i = 0; i < READ_TRIES; i++) {
		struct stat before, after;

		if (fstat(fd, &before) != 0)
			return err_sys(e, "cannot examine '%s/%s'", d->path,
			    en->path);
		if (!S_ISREG(before.st_mode) ||
		    (i > 0 && lseek(fd, 0, SEEK_SET) != 0))
			break;
		en->size = hash_fd(w, fd, before.st_size, en->digest);
		if (en->size < 0 || fstat(fd, &after) != 0)
			return fault(e, "read", d, en->path);
		if (is_unchanged(&before, &after) && en->size == after.st_size)
			return 0;
	}
	return err_set(e, ERR_FAILED,
	    "'%s/%s' changed while it was read;; stage when the build has ended",
	    d->path, en->path);
}

int
place_open(const struct dir *d, const char *path, struct err *e)
{
	int fd = openat(d->fd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err_sys(e, "cannot open '%s/%s'", d->path, path);
	return fd;
}

/* ---- writing ----------------------------------------------------------- */

/*
 * Both times are set: a file system of libfuse 2 (sshfs, mergerfs, bindfs)
 * sets both or, without a word, none.
 */
int
place_dress(int fd, const struct entry *en, gid_t gid)
{
	const struct timespec times[2] = { { 0, UTIME_NOW },
		{ en->mtime, 0 } };

	if (gid != (gid_t)-1 && fchown(fd, (uid_t)-1, gid) != 0)
		return -1;
	if (fchmod(fd, en->mode) != 0)
		return -1;
	return futimens(fd, times);
}

/* Create the file in the target.  The descriptor or -1 with errno. */
static int
create_file(const struct dir *target, const char *path)
{
	return openat(target->fd, path,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

/* Let the kernel copy; where it cannot, through the window.  0 or -1. */
static int
copy_bytes(struct placer *w, int in, int out)
{
	ssize_t n;

	if (lseek(in, 0, SEEK_SET) != 0)
		return -1;
	do {
		n = is_stopped() ?
		    -1 :
		    copy_file_range(in, NULL, out, NULL, COPY_AT_ONCE, 0);
	} while (n > 0 || (n < 0 && errno == EINTR && !is_stopped()));
	if (n == 0)
		return 0;
	if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
	    errno != ENOSYS)
		return -1;
	do {
		n = is_stopped() ? -1 : io_read(in, w->window, PLACE_WINDOW);
		if (n < 0 || io_write(out, w->window, (size_t)n) != 0)
			return -1;
	} while (n == PLACE_WINDOW);
	return 0;
}

/*
 * Copy the open source to the new file `out` so that `out` has the entry's
 * digest; 0, 1 when it has not (the source changed), -1 with errno.
 */
static int
copy_checked(struct placer *w, int in, int out, const struct entry *en)
{
	uint8_t digest[HASH_LEN];
	int64_t size;

	if (ftruncate(out, 0) != 0 || lseek(out, 0, SEEK_SET) != 0 ||
	    copy_bytes(w, in, out) != 0 || lseek(out, 0, SEEK_SET) != 0)
		return -1;
	size = hash_fd(w, out, PLACE_WINDOW, digest);
	if (size < 0)
		return -1;
	return size != en->size || memcmp(digest, en->digest, HASH_LEN) != 0;
}

/*
 * Fill the new file `out`, from the window where that holds the content,
 * else from `in`.  0, 1 when the source changed, -1 with errno.
 */
static int
write_content(struct placer *w, int in, int out, const struct entry *en,
    bool in_window)
{
	int r;

	if (in_window)
		r = io_write(out, w->window, (size_t)en->size);
	else
		r = copy_checked(w, in, out, en);
	/* Only a hint: the sync before the commit is what counts. */
	if (r == 0 && en->size >= EARLY_SYNC)
		(void)sync_file_range(out, 0, 0, SYNC_FILE_RANGE_WRITE);
	return r;
}

int
place_store(struct placer *w, int in, const struct dir *target,
    const struct entry *en, gid_t gid, bool in_window, struct err *e)
{
	int out = create_file(target, en->path), r;

	if (out < 0)
		return err_sys(e, "cannot create '%s/%s'", target->path,
		    en->path);
	r = write_content(w, in, out, en, in_window);
	if (r == 1)
		err_set(e, ERR_FAILED,
		    "the source of '%s' changed while it was copied;; stage when the build has ended",
		    en->path);
	else if (r != 0 || place_dress(out, en, gid) != 0)
		r = fault(e, "write", target, en->path);
	if (io_close(out) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", target->path, en->path);
	return r == 0 ? 0 : -1;
}

/*
 * Give a file that has other names in the target (hard links of an archive)
 * an inode of its own: each path has its own mtime.  0 or -1.
 */
static int
unshare(struct placer *w, int fd, const struct place *p,
    const struct entry *en, struct err *e)
{
	struct entry copy = *en;
	char tmp[64];

	file_tmp_name(tmp);
	copy.path = tmp;
	if (place_store(w, fd, p->scratch, &copy, p->gid, false, e) != 0) {
		unlinkat(p->scratch->fd, tmp, 0);
		return -1;
	}
	if (renameat(p->scratch->fd, tmp, p->dir->fd, en->path) == 0)
		return 0;
	err_sys(e, "cannot replace '%s/%s'", p->dir->path, en->path);
	unlinkat(p->scratch->fd, tmp, 0);
	return -1;
}

int
place_keep(struct placer *w, int fd, const struct place *p,
    const struct entry *en, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot examine '%s/%s'", p->dir->path,
		    en->path);
	if (st.st_nlink > 1)
		return unshare(w, fd, p, en, e);
	if (place_dress(fd, en, p->gid) != 0)
		return err_sys(e, "cannot change '%s/%s'", p->dir->path,
		    en->path);
	return 0;
}

int
place_directories(const struct dir *d, const struct manifest *m, gid_t gid,
    struct err *e)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct entry *en = &m->v[i];

		if (en->type != ENTRY_DIR)
			continue;
		if ((gid != (gid_t)-1 &&
			fchownat(d->fd, en->path, (uid_t)-1, gid,
			    AT_SYMLINK_NOFOLLOW) != 0) ||
		    fchmodat(d->fd, en->path, en->mode, 0) != 0)
			return err_sys(e, "cannot change '%s/%s'", d->path,
			    en->path);
	}
	return 0;
}

int
place_dress_symlink(const struct dir *d, const struct entry *en, struct err *e)
{
	const struct timespec times[2] = { { 0, UTIME_NOW },
		{ en->mtime, 0 } };

	if (utimensat(d->fd, en->path, times, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(e, "cannot change '%s/%s'", d->path, en->path);
	return 0;
}

int
place_symlink(const struct dir *d, const struct entry *en, struct err *e)
{
	if (symlinkat(en->link, d->fd, en->path) != 0)
		return err_sys(e, "cannot make the link '%s/%s'", d->path,
		    en->path);
	return place_dress_symlink(d, en, e);
}

/* ---- from a release ---------------------------------------------------- */

/* Is the origin still what its manifest says, as far as a stat tells? */
static bool
is_intact(const struct place_origin *o, const struct entry *en)
{
	struct stat st;

	return fstatat(o->dir->fd, o->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == en->size &&
	    /* Ours have whole seconds: an edit within the same one shows. */
	    st.st_mtim.tv_sec == en->mtime && st.st_mtim.tv_nsec == 0 &&
	    (st.st_mode & 07777) == en->mode &&
	    (o->gid == (gid_t)-1 || st.st_gid == o->gid);
}

/* Open the origin; 1, 0 when it is no file, -1. */
static int
open_origin(const struct place_origin *o, int *fd, struct err *e)
{
	struct stat st;

	*fd = place_open(o->dir, o->path, e);
	if (*fd < 0)
		return e->sys == ENOENT || e->sys == ENOTDIR ||
			e->sys == ELOOP || e->sys == ENXIO ?
		    0 :
		    -1;
	/* One that has no bytes could pass for an empty file. */
	if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
		return 1;
	close(*fd);
	return 0;
}

int
place_has_content(struct placer *w, const struct place_origin *o,
    const struct entry *en, struct err *e)
{
	uint8_t digest[HASH_LEN];
	int64_t size;
	int fd, r = open_origin(o, &fd, e);

	if (r != 1)
		return r;
	/* One more: a file that grew is another. */
	size = hash_fd(w, fd, en->size + 1, digest);
	if (size < 0)
		fault(e, "read", o->dir, o->path);
	close(fd);
	if (size < 0)
		return -1;
	return size == en->size && memcmp(digest, en->digest, HASH_LEN) == 0;
}

int
place_has_window(struct placer *w, const struct place_origin *o,
    const struct entry *en, struct err *e)
{
	ssize_t n;
	int fd, r = open_origin(o, &fd, e);

	if (r != 1)
		return r;
	if (w->other == NULL)
		w->other = xmalloc(PLACE_WINDOW);
	n = io_read(fd, w->other, (size_t)en->size + 1);
	if (n < 0)
		err_sys(e, "cannot read '%s/%s'", o->dir->path, o->path);
	close(fd);
	if (n < 0)
		return -1;
	return n == en->size && memcmp(w->other, w->window, (size_t)n) == 0;
}

int
place_link(const struct place_origin *o, const struct dir *target,
    const char *path, const struct entry *en, struct err *e)
{
	if (!is_intact(o, en))
		return 1;
	if (linkat(o->dir->fd, o->path, target->fd, path, 0) == 0)
		return 0;
	switch (errno) {
	case EMLINK: /* ext4: 65,000 links */
	case EXDEV:
	case EPERM: /* another owner, fs.protected_hardlinks */
	case EACCES:
	case ENOENT:
	case EOPNOTSUPP:
		return 1;
	default:
		return err_sys(e, "cannot link '%s/%s'", target->path, path);
	}
}

int
place_link_over(const struct place *p, const struct place_origin *o,
    const struct entry *en, struct err *e)
{
	char tmp[64];
	int r;

	file_tmp_name(tmp);
	r = place_link(o, p->scratch, tmp, en, e);
	if (r == 0 &&
	    renameat(p->scratch->fd, tmp, p->dir->fd, en->path) != 0) {
		r = err_sys(e, "cannot replace '%s/%s'", p->dir->path,
		    en->path);
		unlinkat(p->scratch->fd, tmp, 0);
	}
	return r;
}

int
place_lost(struct err *e)
{
	if (e->sys == EMFILE || e->sys == ENFILE || e->sys == ENOMEM)
		return -1;
	e->code = ERR_INTEGRITY;
	return err_append(e,
	    ";; run 'deploy verify', and stage the build again");
}

/* Copying failed: is it the origin that is wrong?  Returns -1. */
static int
blame_origin(struct placer *w, const struct place_origin *o,
    const struct entry *en, struct err *e)
{
	struct err why = ERR_INIT;
	int has;

	if (intr_check(e) != 0)
		return -1;
	has = place_has_content(w, o, en, &why);
	if (has < 0) {
		*e = why;
		return place_lost(e);
	}
	/* No build is being made there. */
	if (has == 0 || e->sys == 0)
		err_set(e, ERR_INTEGRITY,
		    "'%s/%s' is not what its manifest says;; run 'deploy verify', and stage the build again",
		    o->dir->path, o->path);
	return -1;
}

/* Copy one file from another release, checked. */
static int
copy_from(const struct place_origin *o, const struct entry *en,
    const struct dir *target, struct err *e)
{
	struct placer *w = placer_begin(NULL);
	int fd = place_open(o->dir, o->path, e);
	int r = fd < 0 ? -1 : place_store(w, fd, target, en, o->gid, false, e);

	if (fd >= 0)
		close(fd);
	if (r != 0)
		r = blame_origin(w, o, en, e);
	placer_end(NULL, w);
	return r;
}

int
place_can_bring(const struct dir *release, const char *path,
    const struct entry *en, struct err *e)
{
	const struct place_origin o = { release, path, (gid_t)-1 };
	struct placer *w;
	int r;

	if (is_intact(&o, en))
		return 1;
	w = placer_begin(NULL);
	r = place_has_content(w, &o, en, e);
	placer_end(NULL, w);
	return r;
}

int
place_bring(const struct dir *release, const char *path,
    const struct entry *en, const struct dir *target, gid_t gid, struct err *e)
{
	const struct place_origin o = { release, path, gid };
	int r = place_link(&o, target, en->path, en, e);

	return r == 1 ? copy_from(&o, en, target, e) : r;
}
