#include "content/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/utf8.h"
#include "content/reader.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/jail.h"

enum { ENTRIES_MAX = 10000000 };

/* Where entries go. */
struct job {
	const struct unpack_options *opt;
	struct reader r;
	/* The open directories from the top, which is the caller's, down. */
	struct dir stack[PATH_DEPTH_MAX + 1];
	size_t depth;
	char cwd[PATH_LEN_MAX + 1]; /* the path of the last one */
	char *first;		    /* the leading directory that is dropped */
	char *left_out;		    /* what was counted as excluded last */
	size_t excluded;
	int64_t bytes, entries, max_entries;
};

/*
 * Make a path of a name in the archive: "./", "//" and a trailing "/" are
 * taken out; "" is the top.  `out` has room for PATH_LEN_MAX + 1.
 */
static int
clean_name(const char *name, char *out, struct err *e)
{
	size_t len = 0;

	if (name == NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the archive has a name that is no text;; use tar");
	if (name[0] == '\0')
		return err_set(e, ERR_INTEGRITY,
		    "the archive has an entry without a name");
	if (name[0] == '/')
		return err_set(e, ERR_INTEGRITY, "the name '%s' is absolute",
		    name);
	while (*name != '\0') {
		size_t n = strcspn(name, "/");

		if (n > 0 && !(n == 1 && name[0] == '.')) {
			if (len + n + 1 > PATH_LEN_MAX)
				return err_set(e, ERR_INTEGRITY,
				    "the name '...%.100s' is longer than %d bytes",
				    name, PATH_LEN_MAX);
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, name, n);
			len += n;
		}
		name += n;
		name += *name == '/';
	}
	out[len] = '\0';
	return 0;
}

/* Is the path left out, by its own name or by a directory above it? */
static bool
is_excluded(const struct unpack_options *opt, const char *path)
{
	for (const char *p = path; *p != '\0'; p += *p == '/') {
		size_t n = strcspn(p, "/");

		if (n == 4 && memcmp(p, ".git", 4) == 0)
			return true;
		p += n;
	}
	return opt->exclude != NULL && path_match_any(opt->exclude, path);
}

/* Count an excluded path; what is below a directory counts as one. */
static void
count_excluded(struct job *j, char *path)
{
	for (char *p = strchr(path, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (is_excluded(j->opt, path))
			break;
		*p = '/';
	}
	if (j->left_out != NULL && strcmp(j->left_out, path) == 0)
		return;
	free(j->left_out);
	j->left_out = xstrdup(path);
	j->excluded++;
}

/*
 * Is `path` fit for a release?  The names of a zip or 7z are in UTF-8 here, if
 * the archive tells in any way what they are: else they stay as they were on
 * another system.
 */
static int
check_name(const struct job *j, const char *path, struct err *e)
{
	size_t n;

	for (const char *p = path; !j->r.is_stream && *p != '\0'; p += n) {
		n = utf8_len(p);
		if (n == 0)
			return err_set(e, ERR_INTEGRITY,
			    "the name '%s' is not in UTF-8, but in a character set that the archive does not name (CP437?);; make it anew with names in UTF-8, or as tar",
			    path);
	}
	return path_check(path, e);
}

/*
 * Take the leading directory off a path.  Returns 0; 1 when the path is not
 * in it but excluded; -1.
 */
static int
strip_first(struct job *j, char *path, bool dir, struct err *e)
{
	size_t len = strcspn(path, "/");

	if (path[0] == '\0')
		return 0;
	if (j->first == NULL) {
		if (path_is_of_macos(path) && is_excluded(j->opt, path))
			return 1;
		j->first = xstrndup(path, len);
		if (check_name(j, j->first, e) != 0)
			return -1;
	}
	if (strlen(j->first) != len || memcmp(j->first, path, len) != 0) {
		if (is_excluded(j->opt, path))
			return 1;
		if (path_is_of_macos(path) || path_is_of_macos(j->first))
			return err_set(e, ERR_INTEGRITY,
			    "'%s' is beside '%s', put there by macOS;; leave it out with --exclude=__MACOSX --exclude=.DS_Store --exclude='._*'",
			    path_is_of_macos(path) ? path : j->first,
			    path_is_of_macos(path) ? j->first : path);
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is not in the directory '%s', in which all should be when a leading directory is stripped",
		    path, j->first);
	}
	if (path[len] == '\0' && !dir && path_is_of_macos(path))
		return err_set(e, ERR_INTEGRITY,
		    "'%s' was put there by macOS;; leave it out with --exclude=.DS_Store --exclude='._*'",
		    path);
	if (path[len] == '\0' && !dir)
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is no directory: nothing is left when a leading directory is stripped",
		    path);
	len += path[len] == '/';
	memmove(path, path + len, strlen(path + len) + 1);
	return 0;
}

/*
 * Turn the name of an entry into a path in the tree.  Returns 0; 1 for what
 * needs no work: the top itself, and what is excluded; -1.
 */
static int
choose_path(struct job *j, const char *name, bool dir, char *path,
    struct err *e)
{
	int r;

	if (clean_name(name, path, e) != 0)
		return -1;
	if (j->opt->strip) {
		r = strip_first(j, path, dir, e);
		if (r > 0)
			count_excluded(j, path);
		if (r != 0)
			return r;
	}
	if (path[0] == '\0')
		return dir ? 1 :
			     err_set(e, ERR_INTEGRITY,
				 "'%s' is the top and no directory", name);
	if (is_excluded(j->opt, path)) {
		count_excluded(j, path);
		return 1;
	}
	return check_name(j, path, e);
}

/* Close the directories that are not above `path`. */
static void
ascend(struct job *j, const char *path)
{
	while (j->depth > 0 && !path_is_within(path, j->cwd)) {
		char *slash = strrchr(j->cwd, '/');

		dir_close(&j->stack[j->depth--]);
		*(slash != NULL ? slash : j->cwd) = '\0';
	}
}

/* Open the directory `name` in the last one; make it if it is not there. */
static int
descend_one(struct job *j, const char *name, struct err *e)
{
	struct err why = ERR_INIT;
	size_t len = strlen(j->cwd);

	if (j->depth == PATH_DEPTH_MAX)
		BUG("a path that path_check() refuses");
	if (dir_ensure(&j->stack[j->depth + 1], &j->stack[j->depth], name,
		&why) != 0) {
		*e = why;
		if (why.sys == ENOTDIR || why.sys == ELOOP) {
			err_set(e, ERR_INTEGRITY,
			    "the archive has names below '%s%s%s', which is a file or symbolic link in it",
			    j->cwd, len > 0 ? "/" : "", name);
			e->sys = why.sys;
		}
		return -1;
	}
	j->depth++;
	snprintf(j->cwd + len, sizeof(j->cwd) - len, "%s%s",
	    len > 0 ? "/" : "", name);
	return 0;
}

/*
 * Make `path` the last directory of the stack.  On failure the stack is as
 * deep as it could be: e->sys is ENOTDIR or ELOOP when something else stands
 * at the next name.
 */
static int
descend(struct job *j, const char *path, struct err *e)
{
	ascend(j, path);
	while (strlen(j->cwd) < strlen(path)) {
		char name[PATH_NAME_MAX + 1];
		const char *p = path + strlen(j->cwd) + (j->depth > 0);

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, "/"), p);
		if (descend_one(j, name, e) != 0)
			return -1;
	}
	return 0;
}

/*
 * Make the directory above `path` the last of the stack.  Returns it, or
 * NULL.
 */
static const struct dir *
descend_above(struct job *j, const char *path, struct err *e)
{
	const char *base = path_base(path);
	char above[PATH_LEN_MAX + 1];

	snprintf(above, sizeof(above), "%.*s",
	    (int)(base > path ? base - path - 1 : 0), path);
	return descend(j, above, e) == 0 ? &j->stack[j->depth] : NULL;
}

/*
 * Remove what stands at `path`, in `d`: an entry that comes again replaces
 * it.  A directory that is not empty is not removed.
 */
static int
clear_way(const struct dir *d, const char *path, struct err *e)
{
	const char *name = path_base(path);

	if (unlinkat(d->fd, name, 0) == 0)
		return 0;
	if (errno == EISDIR || errno == EPERM) {
		if (unlinkat(d->fd, name, AT_REMOVEDIR) == 0)
			return 0;
		if (errno == ENOTEMPTY || errno == EEXIST)
			return err_set(e, ERR_INTEGRITY,
			    "the archive has '%s' twice, as a directory with content and as something else",
			    path);
	}
	return err_sys(e, "cannot replace '%s/%s'", d->path, name);
}

/* Make the directory `path`, and stay in it: what follows is often there. */
static int
make_dir(struct job *j, const char *path, struct err *e)
{
	const struct dir *above = descend_above(j, path, e);
	struct err why = ERR_INIT;

	if (above == NULL)
		return -1;
	if (descend(j, path, &why) == 0)
		return 0;
	if (why.sys == ENOTDIR || why.sys == ELOOP)
		return clear_way(above, path, e) != 0 ? -1 :
							descend(j, path, e);
	*e = why;
	return -1;
}

/* Make the symbolic link `path`. */
static int
make_symlink(struct job *j, const char *path, const char *target,
    struct err *e)
{
	const struct dir *d = descend_above(j, path, e);
	const char *name = path_base(path);

	if (d == NULL)
		return -1;
	if (target == NULL)
		return err_set(e, ERR_INTEGRITY,
		    "the symbolic link '%s' has no target", path);
	if (path_check_link(path, target, e) != 0)
		return -1;
	if (symlinkat(target, d->fd, name) == 0)
		return 0;
	if (errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		if (symlinkat(target, d->fd, name) == 0)
			return 0;
	}
	return err_sys(e, "cannot make the link '%s/%s'", d->path, name);
}

/* Refuse `more` bytes when the bound does not allow them. */
static int
check_bound(const struct job *j, int64_t more, struct err *e)
{
	int64_t max = j->opt->max_bytes;

	if (max > 0 && more > max - j->bytes)
		return err_set(e, ERR_GUARD,
		    "the archive has more content than the limit of %lld bytes",
		    (long long)max);
	return 0;
}

/* What copy_data() knows of a file. */
struct content {
	const char *path;
	int64_t size;  /* announced, or -1 */
	int64_t holes; /* in a sparse file: bytes that are stored, or -1 */
	int64_t end;   /* where the content ends so far */
	int64_t got;   /* bytes that came */
};

/* Take from the entry what it announces. */
static void
content_init(struct content *c, const char *path, struct archive_entry *en)
{
	la_int64_t offset, len;

	*c = (struct content){ .path = path, .size = -1, .holes = -1 };
	if (archive_entry_size_is_set(en))
		c->size = archive_entry_size(en);
	if (archive_entry_sparse_reset(en) == 0)
		return;
	c->holes = 0;
	while (archive_entry_sparse_next(en, &offset, &len) == ARCHIVE_OK)
		c->holes += len;
}

/* Write one block where it belongs. */
static int
write_block(struct job *j, struct content *c, int fd, const void *data,
    size_t len, int64_t offset, struct err *e)
{
	int64_t end;

	if (len == 0)
		return 0;
	if (offset < c->end || offset > INT64_MAX - (int64_t)len ||
	    (c->holes < 0 && offset != c->end))
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged: the parts of '%s' overlap",
		    c->path);
	end = offset + (int64_t)len;
	if (c->size >= 0 && end > c->size)
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged: '%s' is longer than announced",
		    c->path);
	if (check_bound(j, end, e) != 0)
		return -1;
	if ((offset > c->end && lseek(fd, offset, SEEK_SET) < 0) ||
	    io_write(fd, data, len) != 0)
		return err_sys(e, "cannot write '%s/%s'", j->stack[0].path,
		    c->path);
	c->end = end;
	c->got += (int64_t)len;
	return 0;
}

/* All is written: is it all?  A hole at the end is made here. */
static int
finish_content(struct job *j, struct content *c, int fd, struct err *e)
{
	if (c->holes >= 0 ? c->got != c->holes :
			    c->size >= 0 && c->end != c->size)
		return err_set(e, ERR_INTEGRITY,
		    "the archive is damaged or cut short: '%s' is shorter than announced",
		    c->path);
	if (c->end < c->size) {
		if (ftruncate(fd, c->size) != 0)
			return err_sys(e, "cannot write '%s/%s'",
			    j->stack[0].path, c->path);
		c->end = c->size;
	}
	j->bytes += c->end;
	if (j->opt->progress != NULL)
		j->opt->progress(j->opt->progress_ctx, c->end);
	return 0;
}

/* Copy the content of the entry to the open, empty file. */
static int
copy_data(struct job *j, const char *path, struct archive_entry *en, int fd,
    struct err *e)
{
	struct content c;
	const void *data;
	la_int64_t offset;
	size_t len;
	int s;

	content_init(&c, path, en);
	if (check_bound(j, c.size, e) != 0)
		return -1;
	while ((s = archive_read_data_block(j->r.ar, &data, &len, &offset)) ==
	    ARCHIVE_OK)
		if (write_block(j, &c, fd, data, len, offset, e) != 0 ||
		    intr_check(e) != 0)
			return -1;
	if (s != ARCHIVE_EOF) {
		reader_failed(&j->r, e);
		return err_append(e, " (in '%s')", path);
	}
	return finish_content(j, &c, fd, e);
}

/* Fill the open file and close it. */
static int
fill(struct job *j, const char *path, struct archive_entry *en, int fd,
    struct err *e)
{
	int r = copy_data(j, path, en, fd, e);

	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s/%s'", j->stack[0].path, path);
	return r;
}

/* Make the regular file `path`. */
static int
make_file(struct job *j, const char *path, struct archive_entry *en,
    struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	mode_t mode = (archive_entry_perm(en) & 0111) != 0 ? 0755 : 0644;
	const struct dir *d = descend_above(j, path, e);
	const char *name = path_base(path);
	int fd;

	if (d == NULL)
		return -1;
	fd = openat(d->fd, name, flags, mode);
	if (fd < 0 && errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		fd = openat(d->fd, name, flags, mode);
	}
	/* Whatever the umask. */
	if (fd < 0 || fchmod(fd, mode) != 0) {
		err_sys(e, "cannot create '%s/%s'", d->path, name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fill(j, path, en, fd, e);
}

/*
 * Open the directory above `path`, which must be there already; no symbolic
 * link is followed.  Leaves ENOENT or ENOTDIR in e->sys.
 */
static int
open_above(struct dir *d, const struct dir *top, const char *path,
    struct err *e)
{
	const char *base = path_base(path);
	struct dir up;

	if (dir_open(d, top, ".", e) != 0)
		return -1;
	while (path < base) {
		char name[PATH_NAME_MAX + 1];
		int len = (int)strcspn(path, "/"), r;

		snprintf(name, sizeof(name), "%.*s", len, path);
		path += len + 1;
		up = *d;
		*d = (struct dir)DIR_INIT;
		r = dir_open(d, &up, name, e);
		dir_close(&up);
		if (r != 0)
			return -1;
	}
	return 0;
}

/* What a hard link points to. */
struct target {
	char path[PATH_LEN_MAX + 1];
	struct dir dir; /* above it */
	bool found;	/* a regular file is there */
	int64_t size;
};

/* Find the file that the hard link `path` points to. */
static int
find_target(struct job *j, const char *path, const char *name,
    struct target *t, struct err *e)
{
	struct err why = ERR_INIT;
	struct stat st;

	if (clean_name(name, t->path, e) != 0 ||
	    (j->opt->strip && strip_first(j, t->path, false, e) < 0) ||
	    path_check(t->path, e) != 0)
		return err_prefix(e, "the hard link '%s': ", path);
	if (open_above(&t->dir, &j->stack[0], t->path, &why) != 0) {
		if (why.sys == ENOENT || why.sys == ENOTDIR ||
		    why.sys == ELOOP)
			return 0;
		*e = why;
		return -1;
	}
	if (fstatat(t->dir.fd, path_base(t->path), &st, AT_SYMLINK_NOFOLLOW) ==
		0 &&
	    S_ISREG(st.st_mode)) {
		t->found = true;
		t->size = st.st_size;
	}
	return 0;
}

/* Make `path` another name of the file. */
static int
link_target(struct job *j, const char *path, const struct target *t,
    struct err *e)
{
	const struct dir *d = descend_above(j, path, e);
	const char *name = path_base(path), *from = path_base(t->path);

	if (d == NULL)
		return -1;
	if (linkat(t->dir.fd, from, d->fd, name, 0) == 0)
		return 0;
	if (errno == EEXIST) {
		if (clear_way(d, path, e) != 0)
			return -1;
		if (linkat(t->dir.fd, from, d->fd, name, 0) == 0)
			return 0;
	}
	return err_sys(e, "cannot link '%s' to '%s/%s'", t->path, d->path,
	    name);
}

/* Give the file that `path` is a name of its content. */
static int
fill_link(struct job *j, const char *path, struct archive_entry *en,
    struct err *e)
{
	const struct dir *d = descend_above(j, path, e);
	const char *name = path_base(path);
	int fd;

	if (d == NULL)
		return -1;
	fd = openat(d->fd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s/%s'", d->path, name);
	return fill(j, path, en, fd, e);
}

/*
 * Does the entry bring the content of the empty file `t`?  A newc cpio has it
 * with the last name of a file.
 */
static bool
brings_content(struct job *j, struct archive_entry *en, const struct target *t)
{
	int format = archive_format(j->r.ar);

	return t->found && t->size == 0 && archive_entry_size(en) > 0 &&
	    (format == ARCHIVE_FORMAT_CPIO_SVR4_NOCRC ||
		format == ARCHIVE_FORMAT_CPIO_SVR4_CRC);
}

/*
 * Make the hard link `path`.  One that has content but does not bring it for
 * all becomes a file of its own: pax allows it, and in an old cpio other
 * files can look like links.
 */
static int
make_link(struct job *j, const char *path, struct archive_entry *en,
    struct err *e)
{
	struct target t = { .dir = DIR_INIT };
	int r = find_target(j, path, archive_entry_hardlink(en), &t, e);
	bool fills = r == 0 && brings_content(j, en, &t);

	if (r == 0 && archive_entry_size(en) > 0 && !fills)
		r = make_file(j, path, en, e);
	else if (r == 0 && !t.found)
		r = err_set(e, ERR_INTEGRITY,
		    "the hard link '%s' points to '%s', which is no earlier file of the archive, or excluded",
		    path, t.path);
	else if (r == 0 && strcmp(path, t.path) != 0)
		r = link_target(j, path, &t, e);
	if (r == 0 && fills)
		r = fill_link(j, path, en, e);
	dir_close(&t.dir);
	return r;
}

/*
 * An excluded name of a file may be the one that brings the content of the
 * others along (newc cpio): refuse that, they would stay empty.
 */
static int
check_left_out(struct job *j, struct archive_entry *en, struct err *e)
{
	struct target t = { .dir = DIR_INIT };
	const char *name = archive_entry_hardlink(en);
	int r;

	if (name == NULL || archive_entry_size(en) == 0)
		return 0;
	r = find_target(j, "", name, &t, e);
	if (r == 0 && brings_content(j, en, &t))
		r = err_set(e, ERR_INTEGRITY,
		    "'%s' is the same file as an excluded one, which has the content;; use tar",
		    t.path);
	dir_close(&t.dir);
	return r;
}

/* Make what the entry says at `path`. */
static int
make_entry(struct job *j, const char *path, bool dir, struct archive_entry *en,
    struct err *e)
{
	if (archive_entry_hardlink(en) != NULL)
		return make_link(j, path, en, e);
	if (dir)
		return make_dir(j, path, e);
	switch (archive_entry_filetype(en)) {
	case AE_IFREG:
		return make_file(j, path, en, e);
	case AE_IFLNK:
		return make_symlink(j, path, archive_entry_symlink(en), e);
	default:
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is a device, socket, FIFO or of an unknown kind;; remove or exclude it",
		    path);
	}
}

/*
 * Is the entry a directory?  A file whose name ends in a slash is one, too,
 * in old archives.  Nothing that has content is, but in a tar, where GNU
 * stores lists of names so.  Returns 1, 0 or -1.
 */
static int
is_directory(struct job *j, struct archive_entry *en, const char *name,
    struct err *e)
{
	size_t len = name != NULL ? strlen(name) : 0;
	bool dir = archive_entry_filetype(en) == AE_IFDIR;

	if (!dir &&
	    (archive_entry_filetype(en) != AE_IFREG || len == 0 ||
		name[len - 1] != '/'))
		return 0;
	if (archive_entry_size(en) > 0 && (!dir || !j->r.is_stream))
		return err_set(e, ERR_INTEGRITY,
		    "'%s' is a directory with the content of a file", name);
	return 1;
}

/* Unpack one entry. */
static int
unpack_entry(struct job *j, struct archive_entry *en, const char *name,
    struct err *e)
{
	char path[PATH_LEN_MAX + 1];
	int r, dir;

	if (++j->entries > j->max_entries)
		return err_set(e, ERR_GUARD,
		    "the archive has more entries than the limit of %lld",
		    (long long)j->max_entries);
	dir = is_directory(j, en, name, e);
	if (dir < 0)
		return -1;
	r = choose_path(j, name, dir > 0, path, e);
	if (r == 0)
		r = make_entry(j, path, dir > 0, en, e);
	else if (r > 0)
		r = check_left_out(j, en, e);
	if (r < 0)
		return -1;
	/* What was not read is damaged, too, if it is not there. */
	r = archive_read_data_skip(j->r.ar);
	return r == ARCHIVE_OK ? 0 : reader_failed(&j->r, e);
}

/* Unpack all entries. */
static int
unpack_entries(struct job *j, struct err *e)
{
	struct archive_entry *en = NULL;
	const char *name = NULL;
	int more;

	while ((more = reader_next(&j->r, &en, &name, e)) > 0)
		if (intr_check(e) != 0 || unpack_entry(j, en, name, e) != 0)
			return -1;
	if (more == 0 && j->entries == 0)
		return err_set(e, ERR_INTEGRITY, "the archive is empty");
	return more;
}

/* What unpack() was asked to do. */
struct request {
	struct job *j;
	int fd;
	const struct dir *into;
};

static int
read_archive(void *ctx, struct err *e)
{
	const struct request *q = ctx;
	struct job *j = q->j;
	int r = reader_open(&j->r, q->fd, q->into, j->opt->max_bytes, e);

	if (r == 0)
		r = unpack_entries(j, e);
	/* Here, because its locale is this thread's. */
	reader_release(&j->r);
	return r;
}

int
unpack(int fd, const char *name, const struct dir *into,
    const struct unpack_options *opt, size_t *excluded, struct err *e)
{
	struct job *j = xcalloc(1, sizeof(*j));
	struct request q = { j, fd, into };
	const struct jail_place place = { into->fd, JAIL_WRITE };
	int r;

	j->opt = opt;
	j->max_entries = opt->max_entries > 0 ? opt->max_entries : ENTRIES_MAX;
	j->stack[0] = *into;
	r = jail_run(&place, 1, read_archive, &q, e);
	*excluded = j->excluded;
	while (j->depth > 0)
		dir_close(&j->stack[j->depth--]);
	free(j->first);
	free(j->left_out);
	free(j);
	return r == 0 ? 0 : err_prefix(e, "%s: ", name);
}
