#include "remote/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "content/libarchive.h"
#include "os/intr.h"
#include "remote/pack_file.h"

/* A pack that is being written. */
struct pack {
	const struct pack_source *src;
	struct archive *a;
	struct archive_entry *en;
	struct pack_files files;
	const char *path; /* of the file that is packed */
	char *prefix;	  /* ".deploy/incoming/<id>" */
	int (*write)(void *ctx, const void *data, size_t len, struct err *e);
	void *ctx;
	struct err *err; /* of write, for the callback */
	bool write_failed;
};

/* libarchive's output. */
static la_ssize_t
on_write(struct archive *a, void *ctx, const void *data, size_t len)
{
	struct pack *p = ctx;

	if (p->write(p->ctx, data, len, p->err) != 0) {
		p->write_failed = true;
		la.archive_set_error(a, EIO, "the output failed");
		return -1;
	}
	return (la_ssize_t)len;
}

/* What libarchive says, unless the output said it better. */
static int
failed(struct pack *p, const char *path, struct err *e)
{
	if (p->write_failed)
		return -1;
	return err_set(e, ERR_FAILED, "cannot pack '%s': %s", path,
	    la.archive_error_string(p->a) != NULL ?
		la.archive_error_string(p->a) :
		"no memory");
}

/* Begin an entry of the tar. */
static int
put_header(struct pack *p, const char *name, mode_t type, mode_t mode,
    int64_t size, int64_t mtime, struct err *e)
{
	la.archive_entry_set_pathname(p->en, name);
	la.archive_entry_set_filetype(p->en, type);
	la.archive_entry_set_perm(p->en, mode);
	la.archive_entry_set_mtime(p->en, mtime, 0);
	la.archive_entry_set_size(p->en, size);
	la.archive_entry_set_uid(p->en, 0);
	la.archive_entry_set_gid(p->en, 0);
	if (la.archive_write_header(p->a, p->en) != ARCHIVE_OK)
		return failed(p, name, e);
	return 0;
}

static int
put_data(struct pack *p, const char *name, const void *data, size_t len,
    struct err *e)
{
	if (len > 0 && la.archive_write_data(p->a, data, len) < 0)
		return failed(p, name, e);
	return 0;
}

/* A record of ours, whole in memory. */
static int
put_record(struct pack *p, const char *suffix, const struct buf *b,
    struct err *e)
{
	char *name = xasprintf("%s.%s", p->prefix, suffix);
	int r;

	la.archive_entry_clear(p->en);
	r = put_header(p, name, AE_IFREG, 0644, (int64_t)b->len,
	    p->src->meta->mtime, e);
	if (r == 0)
		r = put_data(p, name, buf_str(b), b->len, e);
	free(name);
	return r;
}

/* For pack_files_put(). */
static int
put_piece(void *ctx, const void *data, size_t len, struct err *e)
{
	struct pack *p = ctx;

	return put_data(p, p->path, data, len, e);
}

/* A file that travels. */
static int
put_file(struct pack *p, const char *name, const struct entry *en,
    bool fetched, struct err *e)
{
	int fd = pack_files_open(&p->files, en, fetched, e), r;

	if (fd < 0)
		return -1;
	p->path = en->path;
	r = put_header(p, name, AE_IFREG, en->mode, en->size, en->mtime, e);
	if (r == 0)
		r = pack_files_put(&p->files, fd, en, put_piece, p, e);
	pack_files_close(&p->files, fd);
	return r;
}

/* A file that the host has: the old file's own mode and mtime. */
static int
put_hard_link(struct pack *p, const char *name, const struct entry *en,
    const struct pack_origin *o, struct err *e)
{
	char *target = xasprintf("releases/%s/%s", o->release->text, o->path);
	int r;

	la.archive_entry_set_hardlink(p->en, target);
	r = put_header(p, name, AE_IFREG, en->mode, 0, en->mtime, e);
	free(target);
	return r;
}

static int
put_entry(struct pack *p, size_t i, struct err *e)
{
	const struct entry *en = &p->src->m->v[i];
	struct pack_origin o = { NULL, NULL, false };
	char *name = xasprintf("%s/%s", p->prefix, en->path);
	int r;

	la.archive_entry_clear(p->en);
	if (en->type == ENTRY_FILE)
		p->src->origin(p->src->ctx, i, &o);
	if (en->type == ENTRY_DIR) {
		r = put_header(p, name, AE_IFDIR, en->mode, 0,
		    p->src->meta->mtime, e);
	} else if (en->type == ENTRY_LINK) {
		la.archive_entry_set_symlink(p->en, en->link);
		r = put_header(p, name, AE_IFLNK, 0777, 0, en->mtime, e);
	} else if (o.release != NULL) {
		r = put_hard_link(p, name, en, &o, e);
	} else {
		r = put_file(p, name, en, o.fetched, e);
	}
	free(name);
	return r;
}

/* Manifest and meta come first: the host checks the rest against them. */
static int
put_all(struct pack *p, struct err *e)
{
	struct buf manifest = BUF_INIT, meta = BUF_INIT;
	int r;

	manifest_print(p->src->m, &manifest);
	meta_print(p->src->meta, &meta);
	r = put_record(p, "manifest", &manifest, e);
	if (r == 0)
		r = put_record(p, "meta", &meta, e);
	buf_release(&manifest);
	buf_release(&meta);
	for (size_t i = 0; r == 0 && i < p->src->m->n; i++) {
		r = intr_check(e);
		if (r == 0 && (p->src->there == NULL || !p->src->there[i]))
			r = put_entry(p, i, e);
	}
	return r;
}

const char *
pack_compression_name(enum pack_compression c)
{
	static const char *const names[] = { "none", "gzip", "zstd" };

	return names[c];
}

static int
add_filter(struct pack *p)
{
	switch (p->src->compression) {
	case PACK_ZSTD:
		if (la.archive_write_add_filter_zstd(p->a) != ARCHIVE_OK)
			return -1;
		return la.archive_write_set_filter_option(p->a, "zstd",
			   "compression-level",
			   p->src->thorough ? "5" : "3") == ARCHIVE_OK ?
		    0 :
		    -1;
	case PACK_GZIP:
		return la.archive_write_add_filter_gzip(p->a) == ARCHIVE_OK ?
		    0 :
		    -1;
	case PACK_PLAIN:
		break;
	}
	return 0;
}

static int
open_archive(struct pack *p, struct err *e)
{
	if (libarchive_load(e) != 0)
		return -1;
	p->a = la.archive_write_new();
	p->en = la.archive_entry_new();
	if (p->a == NULL || p->en == NULL ||
	    la.archive_write_set_format_gnutar(p->a) != ARCHIVE_OK ||
	    la.archive_write_set_bytes_per_block(p->a, 0) != ARCHIVE_OK ||
	    add_filter(p) != 0 ||
	    la.archive_write_open(p->a, p, NULL, on_write, NULL) != ARCHIVE_OK)
		return failed(p, p->prefix, e);
	return 0;
}

int
pack_write(const struct pack_source *src,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e)
{
	struct pack p = { .src = src, .write = write, .ctx = ctx, .err = e };
	int r;

	pack_files_init(&p.files, src->build, src->fetched, src->tally);
	p.prefix = xasprintf(".deploy/incoming/%s", src->meta->id.text);
	r = open_archive(&p, e);
	if (r == 0)
		r = put_all(&p, e);
	if (r == 0 && la.archive_write_close(p.a) != ARCHIVE_OK)
		r = failed(&p, p.prefix, e);
	if (p.en != NULL)
		la.archive_entry_free(p.en);
	if (p.a != NULL)
		la.archive_write_free(p.a);
	pack_files_release(&p.files);
	free(p.prefix);
	return r;
}
