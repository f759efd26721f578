#include "content/unpack.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "content/reader.h"
#include "content/unpack_data.h"
#include "content/unpack_names.h"
#include "content/unpack_tree.h"
#include "os/intr.h"
#include "os/jail.h"

enum { ENTRIES_MAX = 10000000 };

struct job {
	struct reader r;
	struct unpack_names names;
	struct unpack_tree tree;
	struct unpack_data data;
	int64_t entries, max_entries;
};

/* Make the regular file `path`. */
static int
make_file(struct job *j, const char *path, struct archive_entry *en,
    struct err *e)
{
	bool executable = (la.archive_entry_perm(en) & 0111) != 0;
	int fd = unpack_tree_create(&j->tree, path, executable, e);

	return fd < 0 ? -1 : unpack_data_fill(&j->data, path, en, fd, e);
}

/* Find the file that the hard link `path` points to. */
static int
find_target(struct job *j, const char *path, const char *name,
    struct unpack_target *t, struct err *e)
{
	if (unpack_names_target(&j->names, name, t->path, e) != 0)
		return err_prefix(e, "the hard link '%s': ", path);
	return unpack_tree_find(&j->tree, t, e);
}

/* Give the file that `path` is a name of its content. */
static int
fill_link(struct job *j, const char *path, struct archive_entry *en,
    struct err *e)
{
	int fd = unpack_tree_open(&j->tree, path, e);

	return fd < 0 ? -1 : unpack_data_fill(&j->data, path, en, fd, e);
}

/*
 * Does the entry bring the content of the empty file `t`?  A newc cpio has it
 * with the last name of a file.
 */
static bool
brings_content(struct job *j, struct archive_entry *en,
    const struct unpack_target *t)
{
	int format = la.archive_format(j->r.ar);

	return t->found && *t->link == '\0' && t->size == 0 &&
	    la.archive_entry_size(en) > 0 &&
	    (format == ARCHIVE_FORMAT_CPIO_SVR4_NOCRC ||
		format == ARCHIVE_FORMAT_CPIO_SVR4_CRC);
}

/* What the hard link `path` points to is not in the tree: why. */
static int
no_target(struct job *j, const char *path, const char *target, struct err *e)
{
	const struct strvec *exclude = j->names.exclude;

	if (exclude != NULL && path_match_any(exclude, target))
		return err_set(e, ERR_INTEGRITY,
		    "the hard link '%s' points to '%s', which is excluded;; exclude both, or unpack the archive and stage the directory",
		    path, target);
	return err_set(e, ERR_INTEGRITY,
	    "the hard link '%s' points to '%s', which is not an earlier file of the archive;; exclude it, or make the archive anew",
	    path, target);
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
	struct unpack_target t = { .dir = DIR_INIT };
	int r = find_target(j, path, la.archive_entry_hardlink(en), &t, e);
	bool fills = r == 0 && brings_content(j, en, &t);
	bool has_content = la.archive_entry_size(en) > 0 &&
	    la.archive_entry_filetype(en) != AE_IFLNK;

	if (r == 0 && has_content && !fills)
		r = make_file(j, path, en, e);
	else if (r == 0 && !t.found)
		r = no_target(j, path, t.path, e);
	else if (r == 0 && strcmp(path, t.path) != 0)
		r = unpack_tree_link(&j->tree, path, &t, e);
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
	struct unpack_target t = { .dir = DIR_INIT };
	const char *name = la.archive_entry_hardlink(en);
	int r;

	if (name == NULL || la.archive_entry_size(en) == 0)
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
	if (la.archive_entry_hardlink(en) != NULL)
		return make_link(j, path, en, e);
	if (dir)
		return unpack_tree_dir(&j->tree, path, e);
	switch (la.archive_entry_filetype(en)) {
	case AE_IFREG:
		return make_file(j, path, en, e);
	case AE_IFLNK:
		return unpack_tree_symlink(&j->tree, path,
		    la.archive_entry_symlink(en), e);
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
	bool dir = la.archive_entry_filetype(en) == AE_IFDIR;

	if (!dir &&
	    (la.archive_entry_filetype(en) != AE_IFREG || len == 0 ||
		name[len - 1] != '/'))
		return 0;
	if (la.archive_entry_size(en) > 0 && (!dir || !j->r.is_stream))
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
	r = unpack_names_choose(&j->names, name, dir > 0, path, e);
	if (r == 0)
		r = make_entry(j, path, dir > 0, en, e);
	else if (r > 0)
		r = check_left_out(j, en, e);
	if (r < 0)
		return -1;
	/* What was not read is damaged, too, if it is not there. */
	r = la.archive_read_data_skip(j->r.ar);
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
	int r = reader_open(&j->r, q->fd, q->into, j->data.max_bytes, e);

	/* Those of a zip or 7z are in UTF-8 here. */
	j->names.unicode = !j->r.is_stream;
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

	j->names = (struct unpack_names){ .exclude = opt->exclude,
		.strip = opt->strip };
	j->data = (struct unpack_data){ .r = &j->r,
		.top = into->path,
		.max_bytes = opt->max_bytes,
		.progress = opt->progress,
		.progress_ctx = opt->progress_ctx };
	j->max_entries = opt->max_entries > 0 ? opt->max_entries : ENTRIES_MAX;
	j->tree.stack[0] = *into;
	r = libarchive_load(e);
	if (r == 0)
		r = jail_run(&place, 1, read_archive, &q, e);
	*excluded = j->names.excluded;
	unpack_tree_release(&j->tree);
	unpack_names_release(&j->names);
	free(j);
	return r == 0 ? 0 : err_prefix(e, "%s: ", name);
}
