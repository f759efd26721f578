#include "host/receive_tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "content/fill_adopt.h"
#include "content/libarchive.h"
#include "content/manifest.h"
#include "os/intr.h"
#include "root/incoming.h"

/* A pack that is a tar. */
struct tar {
	struct receiver *r;
	struct archive *a;
	char *prefix; /* ".deploy/incoming/<id>" */
	bool *seen;   /* for each entry of the manifest */
};

static la_ssize_t
on_read(struct archive *a, void *ctx, const void **data)
{
	struct receiver *r = ctx;
	ssize_t n = receiver_read(r);

	*data = r->window;
	if (n < 0)
		la.archive_set_error(a, errno, "%s", strerror(errno));
	return n;
}

static int
damaged(struct tar *t, struct err *e)
{
	return receiver_damaged(t->r, la.archive_error_string(t->a), e);
}

static int
hostile(struct tar *t, const char *name, const char *what, struct err *e)
{
	return receiver_hostile(t->r, name, what, e);
}

/* The next header: 1, 0 at the end of the pack, -1. */
static int
next_header(struct tar *t, struct archive_entry **en, struct err *e)
{
	int c = la.archive_read_next_header(t->a, en);

	if (c == ARCHIVE_EOF)
		return 0;
	if (c != ARCHIVE_OK && c != ARCHIVE_WARN)
		return damaged(t, e);
	if (la.archive_entry_pathname(*en) == NULL)
		return hostile(t, "?", "an entry without a name", e);
	return 1;
}

/* The record `suffix`, at most `max` bytes, into `out`. */
static int
read_record(struct tar *t, const char *suffix, size_t max, struct buf *out,
    struct err *e)
{
	char *name = xasprintf("%s.%s", t->prefix, suffix);
	struct archive_entry *en;
	la_ssize_t n = 0;
	int c = next_header(t, &en, e);

	if (c == 0)
		c = damaged(t, e);
	else if (c > 0 &&
	    (strcmp(la.archive_entry_pathname(en), name) != 0 ||
		la.archive_entry_filetype(en) != AE_IFREG ||
		la.archive_entry_size(en) < 0 ||
		(uint64_t)la.archive_entry_size(en) > max))
		c = hostile(t, la.archive_entry_pathname(en),
		    "where its records should be", e);
	while (c > 0) {
		buf_reserve(out, RECEIVER_PIECE);
		n = la.archive_read_data(t->a, out->data + out->len,
		    RECEIVER_PIECE);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if (receiver_check_ratio(t->r, name, out->len, e) != 0)
			c = -1;
	}
	free(name);
	if (c > 0 && n < 0)
		c = damaged(t, e);
	return c > 0 ? 0 : -1;
}

/* Each line costs more memory than it has bytes. */
static int
check_lines(struct tar *t, const struct buf *text, struct err *e)
{
	size_t max = receiver_entries_max(t->r), n = 0;
	const char *p = text->data, *end = p + text->len;

	while (p != NULL && p < end && n <= max) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p == NULL ? NULL : p + 1;
		n++;
	}
	return n <= max ?
	    0 :
	    err_set(e, ERR_GUARD,
		"the pack for release %s has more than %zu entries",
		t->r->o->id->text, max);
}

static int
read_records(struct tar *t, struct err *e)
{
	struct buf manifest = BUF_INIT, meta = BUF_INIT;
	int c = -1;

	if (read_record(t, "manifest", RECEIVER_MANIFEST, &manifest, e) == 0 &&
	    check_lines(t, &manifest, e) == 0 &&
	    manifest_parse(&t->r->m, buf_str(&manifest), manifest.len,
		"the pack's manifest", e) == 0 &&
	    receiver_check_parents(t->r, e) == 0 &&
	    read_record(t, "meta", RECEIVER_META, &meta, e) == 0 &&
	    meta_parse(buf_str(&meta), meta.len, "the pack's meta",
		&t->r->meta, e) == 0)
		c = 0;
	buf_release(&manifest);
	buf_release(&meta);
	if (c == 0)
		c = receiver_check_meta(t->r, e);
	t->seen = xcalloc(t->r->m.n, sizeof(*t->seen));
	return c;
}

/* The entry's bytes from the stream to the open file, hashed. */
static int
copy_data(struct tar *t, int fd, const struct entry *en, struct err *e)
{
	int64_t done = 0;
	const void *data;
	size_t len;
	la_int64_t at;
	int c;

	while ((c = la.archive_read_data_block(t->a, &data, &len, &at)) ==
	    ARCHIVE_OK) {
		if (at != done)
			return hostile(t, en->path,
			    "with more bytes than announced", e);
		if (receiver_write(t->r, fd, en, &done, data, len, e) != 0)
			return -1;
	}
	if (c != ARCHIVE_EOF)
		return damaged(t, e);
	return receiver_finish(t->r, fd, en, done, e);
}

static int
receive_file(struct tar *t, const struct entry *en, struct err *e)
{
	int fd = receiver_create(t->r, en, e);

	if (fd < 0)
		return -1;
	return receiver_close(t->r, fd, en, copy_data(t, fd, en, e), e);
}

/*
 * Cut "releases/<id>/<path>" in two.  The path, or NULL when it is nothing
 * like that.
 */
static const char *
split_origin(const char *target, struct release_id *id)
{
	const size_t skip = strlen("releases/");
	struct err ignored = ERR_INIT;
	const char *rest = NULL;

	if (strncmp(target, "releases/", skip) == 0)
		rest = release_id_scan(id, target + skip);
	return rest != NULL && *rest == '/' &&
		path_check(rest + 1, &ignored) == 0 ?
	    rest + 1 :
	    NULL;
}

static int
receive_hard_link(struct tar *t, const struct entry *en, const char *target,
    struct err *e)
{
	struct release_id id;
	const char *path = split_origin(target, &id);

	if (path == NULL)
		return hostile(t, en->path,
		    "a hard link to no file of a release", e);
	return receiver_bring(t->r, en, &id, path, e);
}

static int
receive_link(struct tar *t, const struct entry *en, const char *target,
    struct err *e)
{
	if (target == NULL || strcmp(target, en->link) != 0)
		return hostile(t, en->path,
		    "with another target than its manifest says", e);
	return receiver_link(t->r, en, e);
}

/* The entry of the manifest that the header stands for; once each. */
static const struct entry *
expect(struct tar *t, const char *name, struct err *e)
{
	size_t n = strlen(t->prefix);
	char path[PATH_LEN_MAX + 2];
	const struct entry *en = NULL;
	size_t len;

	if (strncmp(name, t->prefix, n) == 0 && name[n] == '/') {
		snprintf(path, sizeof(path), "%s", name + n + 1);
		len = strlen(path);
		/* Directories end in a slash. */
		if (len > 0 && path[len - 1] == '/')
			path[len - 1] = '\0';
		en = manifest_find(&t->r->m, path);
	}
	if (en == NULL || t->seen[en - t->r->m.v]) {
		hostile(t, name,
		    en == NULL ? "which is not in its manifest" : "twice", e);
		return NULL;
	}
	t->seen[en - t->r->m.v] = true;
	return en;
}

/* An entry that comes itself, and is no link to what is there. */
static int
receive_whole(struct tar *t, const struct entry *en, struct archive_entry *ae,
    struct err *e)
{
	switch (la.archive_entry_filetype(ae)) {
	case AE_IFREG:
		if (en->type == ENTRY_FILE)
			return receive_file(t, en, e);
		break;
	case AE_IFDIR:
		if (en->type == ENTRY_DIR)
			return dir_make(&t->r->in->dir, en->path, e);
		break;
	case AE_IFLNK:
		if (en->type == ENTRY_LINK)
			return receive_link(t, en,
			    la.archive_entry_symlink(ae), e);
		break;
	default:
		break;
	}
	return hostile(t, en->path, "with another type than its manifest says",
	    e);
}

static int
receive_entry(struct tar *t, struct archive_entry *ae, struct err *e)
{
	const struct entry *en = expect(t, la.archive_entry_pathname(ae), e);
	const char *hard = la.archive_entry_hardlink(ae);

	if (en == NULL)
		return -1;
	if (!manifest_mode_is_allowed(en->type, la.archive_entry_perm(ae)) &&
	    la.archive_entry_filetype(ae) != AE_IFLNK)
		return hostile(t, en->path, "with a mode that no release has",
		    e);
	if ((hard != NULL || la.archive_entry_filetype(ae) != AE_IFREG) &&
	    la.archive_entry_size(ae) > 0)
		return hostile(t, en->path, "with content that no file has",
		    e);
	t->r->out->files += en->type == ENTRY_FILE;
	if (hard != NULL && en->type != ENTRY_FILE)
		return hostile(t, en->path,
		    "with another type than its manifest says", e);
	if (hard != NULL)
		return receive_hard_link(t, en, hard, e);
	if (receive_whole(t, en, ae, e) == 0)
		return 0;
	return e->sys == ENOENT ?
	    hostile(t, en->path, "before its directory", e) :
	    -1;
}

/* Every entry of the manifest must have come. */
static int
check_all_seen(struct tar *t, struct err *e)
{
	for (size_t i = 0; i < t->r->m.n; i++)
		if (!t->seen[i])
			return err_set(e, ERR_INTEGRITY,
			    "the pack for release %s lacks '%s' (it was cut short)",
			    t->r->o->id->text, t->r->m.v[i].path);
	return 0;
}

/* What did not come is to be there: is it what the manifest says? */
static int
adopt_rest(struct tar *t, struct err *e)
{
	const struct fill_adopt a = { .place = { .dir = &t->r->in->dir,
					  .scratch =
					      &t->r->in->store->incoming,
					  .gid = t->r->o->gid },
		.m = &t->r->m,
		.skip = t->seen };

	for (size_t i = 0; i < t->r->m.n; i++)
		t->r->out->files +=
		    t->r->m.v[i].type == ENTRY_FILE && !t->seen[i];
	return fill_adopt(&a, e);
}

static int
receive_all(struct tar *t, struct err *e)
{
	struct archive_entry *ae;
	int c = read_records(t, e);

	while (c == 0) {
		if (intr_check(e) != 0)
			return -1;
		c = next_header(t, &ae, e);
		if (c == 0)
			break;
		if (c > 0)
			c = receive_entry(t, ae, e);
	}
	if (c == 0)
		c = t->r->o->filled ? adopt_rest(t, e) : check_all_seen(t, e);
	return c;
}

static int
open_archive(struct tar *t, struct err *e)
{
	t->a = la.archive_read_new();
	if (t->a == NULL ||
	    la.archive_read_support_format_tar(t->a) != ARCHIVE_OK ||
	    la.archive_read_support_filter_zstd(t->a) != ARCHIVE_OK ||
	    la.archive_read_support_filter_gzip(t->a) != ARCHIVE_OK ||
	    la.archive_read_open(t->a, t->r, NULL, on_read, NULL) !=
		ARCHIVE_OK)
		return damaged(t, e);
	/* Packed once, or not: each more would unpack what is no tar. */
	if (la.archive_filter_count(t->a) > 2)
		return hostile(t, la.archive_filter_name(t->a, 0),
		    "packed more than once", e);
	return 0;
}

int
receive_tar(struct receiver *r, struct err *e)
{
	struct tar t = { .r = r };
	int c;

	t.prefix = xasprintf(".deploy/incoming/%s", r->o->id->text);
	c = open_archive(&t, e);
	if (c == 0)
		c = receive_all(&t, e);
	if (t.a != NULL)
		la.archive_read_free(t.a);
	free(t.seen);
	free(t.prefix);
	return c;
}
