#include "remote/pack_edits.h"

#include <string.h>
#include <unistd.h>

#include "base/varint.h"
#include "content/zstream.h"
#include "os/intr.h"
#include "remote/pack_file.h"

static void
add_record(struct buf *out, const struct buf *record)
{
	varint_add(out, record->len);
	buf_add(out, buf_str(record), record->len);
}

/* All that stands before the files. */
static void
print_head(const struct pack_edits_source *src, struct buf *out)
{
	struct buf meta = BUF_INIT, edits = BUF_INIT;

	meta_print(src->meta, &meta);
	edits_print(src->edits, src->base, src->m, &edits);
	buf_adds(out, WIRE_EDITS_MAGIC);
	add_record(out, &meta);
	add_record(out, &edits);
	add_record(out, src->rules);
	buf_release(&meta);
	buf_release(&edits);
}

/* The bytes behind the head. */
static int64_t
count_bytes(const struct pack_edits_source *src)
{
	int64_t sum = 0;

	for (size_t i = 0; i < src->m->n; i++)
		if (src->edits->v[i].source == EDIT_WHOLE)
			sum += src->m->v[i].size;
		else if (src->edits->v[i].source == EDIT_DELTA)
			sum += delta_size(src->deltas[i]);
	return sum;
}

/* For pack_files_put(). */
static int
put_piece(void *ctx, const void *data, size_t len, struct err *e)
{
	return zwriter_add(ctx, data, len, e);
}

static int
put_delta(struct pack_files *files, int fd, const struct entry *en,
    const struct delta *d, struct zwriter *z, struct err *e)
{
	struct buf b = BUF_INIT;
	int64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n; i++) {
		const struct delta_step *s = &d->v[i];

		delta_print_own(d, i, &b);
		r = zwriter_add(z, b.data, b.len, e);
		if (r == 0)
			r = pack_files_put_part(files, fd, en, at, s->own,
			    put_piece, z, e);
		buf_reset(&b);
		delta_print_run(d, i, &b);
		if (r == 0)
			r = zwriter_add(z, buf_str(&b), b.len, e);
		buf_reset(&b);
		at += (int64_t)s->own + s->bytes;
	}
	buf_release(&b);
	return r;
}

/* The file of the entry, or its delta. */
static int
put_file(const struct pack_edits_source *src, struct pack_files *files,
    size_t i, struct zwriter *z, struct err *e)
{
	const struct entry *en = &src->m->v[i];
	bool fetched = src->is_fetched != NULL && src->is_fetched[i];
	int r, fd = pack_files_open(files, en, fetched, e);

	if (fd < 0)
		return -1;
	if (src->edits->v[i].source == EDIT_DELTA)
		r = put_delta(files, fd, en, src->deltas[i], z, e);
	else
		r = pack_files_put(files, fd, en, put_piece, z, e);
	pack_files_close(files, fd);
	return r;
}

static int
put_files(const struct pack_edits_source *src, struct zwriter *z,
    struct err *e)
{
	struct pack_files files;
	int r = 0;

	pack_files_init(&files, src->build, src->fetched, src->tally);
	for (size_t i = 0; r == 0 && i < src->m->n; i++) {
		if (src->edits->v[i].source != EDIT_WHOLE &&
		    src->edits->v[i].source != EDIT_DELTA)
			continue;
		r = intr_check(e);
		if (r == 0)
			r = put_file(src, &files, i, z, e);
	}
	pack_files_release(&files);
	return r;
}

int
pack_edits_write(const struct pack_edits_source *src,
    int (*write)(void *ctx, const void *data, size_t len, struct err *e),
    void *ctx, struct err *e)
{
	struct buf head = BUF_INIT;
	struct zwriter *z;
	int r;

	print_head(src, &head);
	z = zwriter_new((int64_t)head.len + count_bytes(src), write, ctx);
	r = zwriter_add(z, head.data, head.len, e);
	if (r == 0)
		r = put_files(src, z, e);
	if (r == 0)
		r = zwriter_end(z, e);
	zwriter_free(z);
	buf_release(&head);
	return r;
}
