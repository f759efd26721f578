#include "content/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "content/digest_index.h"
#include "os/file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/pool.h"
#include "os/progress.h"

enum {
	WINDOW = 1024 * 1024, /* a file up to this is read once, whole */
	GRAIN = 32,	      /* files that one thread takes in a row */
	READ_TRIES = 3,	      /* for a file that changes meanwhile */
	/* A large file starts its way to the disk while others follow. */
	EARLY_SYNC = 256 * 1024,
};

enum fill_action {
	FILL_NONE, /* not ours, or nothing left to do */
	FILL_COPY,
	FILL_LINK,
	FILL_DONE, /* copied while it was read */
};

struct fill_step {
	enum fill_action action;
	const char *from; /* FILL_LINK: path in the base */
};

struct fill_index {
	struct digest_index *by_digest;
};

/* What one thread works with. */
struct worker {
	struct hash *hash;
	char *window; /* WINDOW bytes */
};

static void *
worker_begin(void *ctx)
{
	struct worker *w = xmalloc(sizeof(*w));

	(void)ctx;
	w->hash = hash_new();
	w->window = xmalloc(WINDOW);
	return w;
}

static void
worker_end(void *ctx, void *local)
{
	struct worker *w = local;

	(void)ctx;
	hash_free(w->hash);
	free(w->window);
	free(w);
}

/* Is the target the source: content that lies there already? */
static bool
is_in_place(const struct fill *f)
{
	return f->source == f->target;
}

void
fill_init(struct fill *f)
{
	f->linked = f->copied = 0;
	f->copied_bytes = 0;
	f->steps = xcalloc(f->m->n, sizeof(*f->steps));
	f->index = xmalloc(sizeof(*f->index));
	f->index->by_digest = digest_index_new(f->base.manifest);
	f->write = false;
}

void
fill_release(struct fill *f)
{
	free(f->steps);
	if (f->index != NULL)
		digest_index_free(f->index->by_digest);
	free(f->index);
	f->steps = NULL;
	f->index = NULL;
}

/* Reading. */

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

/*
 * Hash the open file from here to its end into `digest`; when it is smaller
 * than the window, that holds it whole afterwards.  `expect` is its size as
 * far as known: it saves the read that only finds the end.  Returns the
 * number of bytes, or -1 with errno.
 */
static int64_t
hash_fd(struct worker *w, int fd, int64_t expect, uint8_t digest[HASH_LEN])
{
	size_t want = expect < WINDOW ? (size_t)expect : WINDOW;
	int64_t size = 0;
	ssize_t n;

	do {
		n = io_read(fd, w->window, want);
		if (n < 0)
			break;
		hash_add(w->hash, w->window, (size_t)n);
		size += n;
	} while (n == WINDOW);
	hash_end(w->hash, digest);
	return n < 0 ? -1 : size;
}

/* Hash a source file that holds still.  Sets size and digest.  0 or -1. */
static int
hash_source(struct worker *w, int fd, const struct dir *d, struct entry *en,
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
			return err_sys(e, "cannot read '%s/%s'", d->path,
			    en->path);
		if (is_unchanged(&before, &after) && en->size == after.st_size)
			return 0;
	}
	return err_set(e, ERR_FAILED,
	    "'%s/%s' changed while it was read; "
	    "stage when the build has ended",
	    d->path, en->path);
}

/* Open a regular file of a tree to read.  The descriptor or -1. */
static int
open_file(const struct dir *d, const char *path, struct err *e)
{
	int fd = openat(d->fd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		err_sys(e, "cannot open '%s/%s'", d->path, path);
	return fd;
}

/* Decide how the file comes into the target, and its mtime. */
static void
decide(const struct fill *f, struct entry *en, struct fill_step *step)
{
	const struct entry *same = NULL, *moved;

	if (f->base.manifest != NULL)
		same = manifest_find(f->base.manifest, en->path);
	if (same != NULL && same->type != ENTRY_FILE)
		same = NULL;
	step->action = FILL_COPY;
	step->from = NULL;
	en->mtime = f->mtime;
	if (same != NULL && same->size == en->size &&
	    memcmp(same->digest, en->digest, HASH_LEN) == 0) {
		en->mtime = same->mtime;
		if (same->mode == en->mode) {
			step->action = FILL_LINK;
			step->from = same->path;
		}
		return;
	}
	moved = digest_index_find(f->index->by_digest, en->digest, en->mode);
	if (moved == NULL || same != NULL || moved->mtime != f->base.mtime)
		return;
	step->action = FILL_LINK;
	step->from = moved->path;
	en->mtime = moved->mtime;
}

/* Writing. */

/* Give the open file its mode, group and mtime. */
static int
finish_file(int fd, const struct entry *en, gid_t gid)
{
	const struct timespec times[2] = { { 0, UTIME_OMIT },
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
copy_bytes(struct worker *w, int in, int out)
{
	ssize_t n;

	if (lseek(in, 0, SEEK_SET) != 0)
		return -1;
	do {
		n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		return 0;
	if (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP &&
	    errno != ENOSYS)
		return -1;
	do {
		n = io_read(in, w->window, WINDOW);
		if (n < 0 || io_write(out, w->window, (size_t)n) != 0)
			return -1;
	} while (n == WINDOW);
	return 0;
}

/*
 * Copy the open source to the new file `out` so that `out` has the entry's
 * digest; 0, 1 when it has not (the source changed), -1 with errno.
 */
static int
copy_checked(struct worker *w, int in, int out, const struct entry *en)
{
	uint8_t digest[HASH_LEN];
	int64_t size;

	if (ftruncate(out, 0) != 0 || lseek(out, 0, SEEK_SET) != 0 ||
	    copy_bytes(w, in, out) != 0 || lseek(out, 0, SEEK_SET) != 0)
		return -1;
	size = hash_fd(w, out, WINDOW, digest);
	if (size < 0)
		return -1;
	return size != en->size || memcmp(digest, en->digest, HASH_LEN) != 0;
}

/*
 * Fill the new file `out`, from the window where that holds the content,
 * else from `in`.  0, 1 when the source changed, -1 with errno.
 */
static int
write_content(struct worker *w, int in, int out, const struct entry *en,
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

/* Make the file `en` in the target from the open source.  0 or -1. */
static int
store_file(struct worker *w, int in, const struct dir *target,
    const struct entry *en, gid_t gid, bool in_window, struct err *e)
{
	int out = create_file(target, en->path), r;

	if (out < 0)
		return err_sys(e, "cannot create '%s/%s'", target->path,
		    en->path);
	r = write_content(w, in, out, en, in_window);
	if (r == 1)
		err_set(e, ERR_FAILED,
		    "the source of '%s' changed while it "
		    "was copied; stage when the build has ended",
		    en->path);
	else if (r != 0 || finish_file(out, en, gid) != 0)
		r = err_sys(e, "cannot write '%s/%s'", target->path, en->path);
	if (io_close(out) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", target->path, en->path);
	return r == 0 ? 0 : -1;
}

/*
 * Give a file that has other names in the target (hard links of an archive)
 * an inode of its own: each path has its own mtime.  0 or -1.
 */
static int
unshare(struct worker *w, int fd, const struct fill *f, const struct entry *en,
    struct err *e)
{
	struct entry copy = *en;
	char tmp[64];

	file_tmp_name(tmp);
	copy.path = tmp;
	if (store_file(w, fd, f->scratch, &copy, f->gid, false, e) != 0) {
		unlinkat(f->scratch->fd, tmp, 0);
		return -1;
	}
	if (renameat(f->scratch->fd, tmp, f->target->fd, en->path) == 0)
		return 0;
	err_sys(e, "cannot replace '%s/%s'", f->target->path, en->path);
	unlinkat(f->scratch->fd, tmp, 0);
	return -1;
}

/* What lies in the target already only needs its attributes. */
static int
keep_file(struct worker *w, int fd, const struct fill *f,
    const struct entry *en, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot examine '%s/%s'", f->target->path,
		    en->path);
	if (st.st_nlink > 1)
		return unshare(w, fd, f, en, e);
	if (finish_file(fd, en, f->gid) != 0)
		return err_sys(e, "cannot change '%s/%s'", f->target->path,
		    en->path);
	return 0;
}

/* The open file `en` is new content: store it if it is time to. */
static int
read_new(const struct fill *f, struct worker *w, int fd, struct entry *en,
    struct fill_step *step, struct err *e)
{
	/* Exactly a window could have more behind it: not trusted. */
	bool in_window = en->size < WINDOW;
	int r;

	if (!f->write)
		return 0;
	r = is_in_place(f) ?
	    keep_file(w, fd, f, en, e) :
	    store_file(w, fd, f->target, en, f->gid, in_window, e);
	if (r == 0)
		step->action = FILL_DONE;
	return r;
}

/* Hash one entry, and store it when its content is new. */
static int
read_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	struct entry *en = &f->m->v[i];
	int fd, r;

	if (en->mark != ENTRY_BUILD || en->type == ENTRY_DIR)
		return 0;
	if (en->type == ENTRY_LINK) {
		en->mtime = f->mtime;
		return 0;
	}
	if (f->hashed && !f->write) {
		decide(f, en, &f->steps[i]);
		return 0;
	}
	fd = open_file(f->source, en->path, e);
	if (fd < 0)
		return -1;
	r = hash_source(local, fd, f->source, en, e);
	if (r == 0) {
		decide(f, en, &f->steps[i]);
		if (f->steps[i].action == FILL_COPY)
			r = read_new(f, local, fd, en, &f->steps[i], e);
	}
	close(fd);
	progress_add(1, en->size);
	return r;
}

/* Make the directories; in place, those of the build are there. */
static int
make_directories(const struct fill *f, struct err *e)
{
	for (size_t i = 0; i < f->m->n; i++) {
		const struct entry *en = &f->m->v[i];

		if (en->type == ENTRY_DIR &&
		    (en->mark != ENTRY_BUILD || !is_in_place(f)) &&
		    dir_make(f->target, en->path, e) != 0)
			return -1;
	}
	return 0;
}

/* Count what the steps say. */
static void
count_steps(struct fill *f)
{
	f->linked = f->copied = 0;
	f->copied_bytes = 0;
	for (size_t i = 0; i < f->m->n; i++) {
		if (f->steps[i].action == FILL_LINK)
			f->linked++;
		if (f->steps[i].action == FILL_COPY ||
		    f->steps[i].action == FILL_DONE) {
			f->copied++;
			f->copied_bytes += f->m->v[i].size;
		}
	}
}

int
fill_read(struct fill *f, bool write, struct err *e)
{
	const struct pool_job job = { f->m->n, GRAIN, f, worker_begin,
		read_item, worker_end };
	int r = 0;

	f->write = write;
	if (write)
		r = make_directories(f, e);
	if (r == 0)
		r = pool_run(&job, e);
	count_steps(f);
	return r;
}

/* What fill_hash() works on. */
struct hashing {
	const struct dir *source;
	struct manifest *m;
};

static int
hash_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct hashing *h = ctx;
	struct entry *en = &h->m->v[i];
	int fd, r;

	if (en->type != ENTRY_FILE)
		return 0;
	fd = open_file(h->source, en->path, e);
	if (fd < 0)
		return -1;
	r = hash_source(local, fd, h->source, en, e);
	close(fd);
	progress_add(1, en->size);
	return r;
}

int
fill_hash(const struct dir *source, struct manifest *m, struct err *e)
{
	struct hashing h = { source, m };
	const struct pool_job job = { m->n, GRAIN, &h, worker_begin, hash_item,
		worker_end };

	return pool_run(&job, e);
}

/* A file of a complete release that is to be linked. */
struct origin {
	const struct dir *dir;
	const char *path;
	gid_t gid; /* that it must have; -1: any */
};

/* Is the origin still what its manifest says, as far as a stat tells? */
static bool
is_intact(const struct origin *o, const struct entry *en)
{
	struct stat st;

	return fstatat(o->dir->fd, o->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == en->size &&
	    /* Ours have whole seconds: an edit within the same one shows. */
	    st.st_mtim.tv_sec == en->mtime && st.st_mtim.tv_nsec == 0 &&
	    (st.st_mode & 07777) == en->mode &&
	    (o->gid == (gid_t)-1 || st.st_gid == o->gid);
}

/*
 * Has the origin the content that the entry says?  Read again.  1 or 0; -1
 * when that cannot be found out.
 */
static int
has_content(struct worker *w, const struct origin *o, const struct entry *en,
    struct err *e)
{
	uint8_t digest[HASH_LEN];
	int fd = open_file(o->dir, o->path, e);
	int64_t size;

	if (fd < 0)
		return e->sys == ENOENT || e->sys == ENOTDIR ||
			e->sys == ELOOP ?
		    0 :
		    -1;
	size = hash_fd(w, fd, en->size, digest);
	if (size < 0)
		err_sys(e, "cannot read '%s/%s'", o->dir->path, o->path);
	close(fd);
	if (size < 0)
		return -1;
	return size == en->size && memcmp(digest, en->digest, HASH_LEN) == 0;
}

/*
 * Link the origin as the new name target/path.  Returns 0; 1 when the
 * content must be copied instead; -1 on an error.
 */
static int
try_link(const struct origin *o, const struct dir *target, const char *path,
    const struct entry *en, struct err *e)
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

/* In place: a link to the base takes the place of the unpacked file. */
static int
replace_by_link(const struct fill *f, const struct origin *o,
    const struct entry *en, struct err *e)
{
	char tmp[64];
	int r;

	file_tmp_name(tmp);
	r = try_link(o, f->scratch, tmp, en, e);
	if (r == 0 &&
	    renameat(f->scratch->fd, tmp, f->target->fd, en->path) != 0) {
		r = err_sys(e, "cannot replace '%s/%s'", f->target->path,
		    en->path);
		unlinkat(f->scratch->fd, tmp, 0);
	}
	return r;
}

/* Copy a file whose digest is known from the source to the target. */
static int
copy_known(const struct fill *f, struct worker *w, struct entry *en,
    struct err *e)
{
	int fd = open_file(f->source, en->path, e), r;

	if (fd < 0)
		return -1;
	r = is_in_place(f) ?
	    keep_file(w, fd, f, en, e) :
	    store_file(w, fd, f->target, en, f->gid, false, e);
	close(fd);
	return r;
}

static int
place_link(const struct fill *f, const struct entry *en, struct err *e)
{
	const struct timespec times[2] = { { 0, UTIME_OMIT },
		{ en->mtime, 0 } };

	if (!is_in_place(f) &&
	    symlinkat(en->link, f->target->fd, en->path) != 0)
		return err_sys(e, "cannot make the link '%s/%s'",
		    f->target->path, en->path);
	if (utimensat(f->target->fd, en->path, times, AT_SYMLINK_NOFOLLOW) !=
	    0)
		return err_sys(e, "cannot change '%s/%s'", f->target->path,
		    en->path);
	return 0;
}

/* Bring one entry into the target that is not there yet. */
static int
place_item(void *ctx, void *local, size_t i, struct err *e)
{
	const struct fill *f = ctx;
	struct entry *en = &f->m->v[i];
	struct fill_step *step = &f->steps[i];
	const struct origin o = { f->base.dir, step->from, f->gid };
	struct err ignored = ERR_INIT;
	int r = 1;

	if (en->mark != ENTRY_BUILD)
		return 0;
	if (en->type == ENTRY_LINK)
		return place_link(f, en, e);
	if (en->type == ENTRY_DIR || step->action == FILL_DONE)
		return 0;
	if (step->action == FILL_LINK &&
	    (!f->distrust || has_content(local, &o, en, &ignored) == 1))
		r = is_in_place(f) ? replace_by_link(f, &o, en, e) :
				     try_link(&o, f->target, en->path, en, e);
	if (r == 1) {
		step->action = FILL_COPY;
		r = copy_known(f, local, en, e);
	}
	progress_add(1, en->size);
	return r;
}

/* Modes and groups of the directories, when nothing is made in them more. */
static int
finish_directories(const struct fill *f, struct err *e)
{
	for (size_t i = 0; i < f->m->n; i++) {
		const struct entry *en = &f->m->v[i];

		if (en->type != ENTRY_DIR)
			continue;
		if ((f->gid != (gid_t)-1 &&
			fchownat(f->target->fd, en->path, (uid_t)-1, f->gid,
			    AT_SYMLINK_NOFOLLOW) != 0) ||
		    fchmodat(f->target->fd, en->path, en->mode, 0) != 0)
			return err_sys(e, "cannot change '%s/%s'",
			    f->target->path, en->path);
	}
	return 0;
}

int
fill_place(struct fill *f, struct err *e)
{
	const struct pool_job job = { f->m->n, GRAIN, f, worker_begin,
		place_item, worker_end };
	int r = 0;

	if (!f->write)
		r = make_directories(f, e);
	if (r == 0)
		r = pool_run(&job, e);
	if (r == 0)
		r = finish_directories(f, e);
	count_steps(f);
	return r;
}

/* Copy one file from another release, checked. */
static int
copy_from(const struct origin *o, const struct entry *en,
    const struct dir *target, struct err *e)
{
	struct worker *w = worker_begin(NULL);
	int fd = open_file(o->dir, o->path, e);
	int r = fd < 0 ? -1 : store_file(w, fd, target, en, o->gid, false, e);

	if (fd >= 0)
		close(fd);
	worker_end(NULL, w);
	return r;
}

int
fill_can_bring(const struct dir *release, const char *path,
    const struct entry *en, struct err *e)
{
	const struct origin o = { release, path, (gid_t)-1 };
	struct worker *w;
	int r;

	if (is_intact(&o, en))
		return 1;
	w = worker_begin(NULL);
	r = has_content(w, &o, en, e);
	worker_end(NULL, w);
	return r;
}

int
fill_from(const struct dir *release, const char *path, const struct entry *en,
    const struct dir *target, gid_t gid, struct err *e)
{
	const struct origin o = { release, path, gid };
	int r = try_link(&o, target, en->path, en, e);

	return r == 1 ? copy_from(&o, en, target, e) : r;
}

const char *
fill_base_path(const struct fill *f, size_t i)
{
	return f->steps[i].action == FILL_LINK ? f->steps[i].from : NULL;
}

/* What was put there by others. */

/* It is not as the manifest says. */
static int
misfit(const struct fill_adopt *a, const struct entry *en, const char *what,
    struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%s/%s' %s", a->dir->path, en->path,
	    what);
}

/* Has the file all that the entry says, but for the content? */
static bool
is_dressed(const struct fill_adopt *a, const struct stat *st,
    const struct entry *en)
{
	return st->st_mtim.tv_sec == en->mtime && st->st_mtim.tv_nsec == 0 &&
	    (st->st_mode & 07777) == en->mode &&
	    (a->gid == (gid_t)-1 || st->st_gid == a->gid);
}

/* The open file: its content, then its attributes. */
static int
adopt_open(const struct fill_adopt *a, struct worker *w, int fd,
    struct entry *en, struct err *e)
{
	const struct fill f = { .source = a->dir,
		.target = a->dir,
		.scratch = a->scratch,
		.gid = a->gid };
	struct entry is = *en;
	struct stat st;

	if (hash_source(w, fd, a->dir, &is, e) != 0)
		return -1;
	if (is.size != en->size ||
	    memcmp(is.digest, en->digest, HASH_LEN) != 0)
		return misfit(a, en,
		    "has other content than its manifest "
		    "says",
		    e);
	if (fstat(fd, &st) != 0)
		return err_sys(e, "cannot examine '%s/%s'", a->dir->path,
		    en->path);
	return is_dressed(a, &st, en) ? 0 : keep_file(w, fd, &f, en, e);
}

/* A link, made anew where another name may share it. */
static int
adopt_link(const struct fill_adopt *a, const struct entry *en, struct err *e)
{
	const struct fill f = { .target = a->dir };
	char target[PATH_MAX];
	ssize_t n =
	    readlinkat(a->dir->fd, en->path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	if (n < 0 || strcmp(target, en->link) != 0)
		return misfit(a, en, "is not the link that its manifest says",
		    e);
	if (unlinkat(a->dir->fd, en->path, 0) != 0)
		return err_sys(e, "cannot replace '%s/%s'", a->dir->path,
		    en->path);
	return place_link(&f, en, e);
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
	if (fstatat(a->dir->fd, en->path, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode))
		return misfit(a, en, "is missing, or no file", e);
	fd = open_file(a->dir, en->path, e);
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
		if (fstatat(a->dir->fd, en->path, &st, AT_SYMLINK_NOFOLLOW) !=
			0 ||
		    !S_ISDIR(st.st_mode))
			return misfit(a, en, "is missing, or no directory", e);
	}
	return 0;
}

int
fill_adopt(const struct fill_adopt *a, struct err *e)
{
	const struct pool_job job = { a->m->n, GRAIN, (void *)(uintptr_t)a,
		worker_begin, adopt_item, worker_end };

	return check_directories(a, e) == 0 ? pool_run(&job, e) : -1;
}
