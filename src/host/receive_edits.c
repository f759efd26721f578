#include "host/receive_edits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/varint.h"
#include "content/chunk.h"
#include "content/delta.h"
#include "content/edits.h"
#include "content/place.h"
#include "content/rewrite.h"
#include "content/zstream.h"
#include "host/receive_gzip.h"
#include "host/wire.h"
#include "os/beneath.h"
#include "os/intr.h"
#include "os/io.h"
#include "root/incoming.h"

enum {
	PIECE = 64 * 1024,
	EDITS_MAX = 256 * 1024 * 1024,
	/* Names have much in common: so much longer than their edits. */
	NAMES_FREE = 16 * 1024 * 1024,
	NAMES_RATIO = 64,
	RULES_MAX = 256 * 1024,
};

/* Bytes of the base that are read for rules: so often all of it, and more. */
#define READ_RATIO 4
#define READ_FREE (INT64_C(64) << 20)

/* A pack that is edits. */
struct form {
	struct receiver *r;
	struct zreader *z;
	char *data; /* PIECE bytes of the stream */
	size_t at, len;
	struct edits edits;
	struct rule_sets sets;
	struct rewrite *rewrites[REWRITE_SETS_MAX];
	struct buf old, new;
	struct cutter *cutter;
	struct chunks chunks; /* of the old text of a delta */
	int64_t *starts;      /* of these, and the end of the last */
	size_t n_starts;      /* room for so many */
	char *copy;	      /* PIECE bytes of the old text */
	int64_t may_read;     /* bytes of old files; 0: nothing was read yet */
	int64_t may_compress; /* bytes of new ones */
};

/* zstream.h: the next bytes of the pack. */
static ssize_t
read_pack(void *ctx, const void **data, struct err *e)
{
	struct receiver *r = ctx;
	ssize_t n = receiver_read(r);

	*data = r->window;
	if (n < 0)
		receiver_damaged(r, strerror(errno), e);
	return n;
}

/* At most `max` of the next bytes, at least one: how many, or -1. */
static ssize_t
take_some(struct form *f, size_t max, const char **out, struct err *e)
{
	struct err why = ERR_INIT;
	ssize_t n;

	if (f->at == f->len) {
		n = zreader_read(f->z, f->data, PIECE, &why);
		if (n < 0 && why.code != ERR_INTEGRITY) {
			*e = why;
			return -1;
		}
		if (n <= 0)
			return receiver_damaged(f->r, n < 0 ? why.text : NULL,
			    e);
		f->at = 0;
		f->len = (size_t)n;
	}
	if (max > f->len - f->at)
		max = f->len - f->at;
	*out = f->data + f->at;
	f->at += max;
	return (ssize_t)max;
}

/* The next `len` bytes behind what is in `out`. */
static int
take(struct form *f, const char *name, size_t len, struct buf *out,
    struct err *e)
{
	const char *p;
	ssize_t n;

	for (; len > 0; len -= (size_t)n) {
		n = take_some(f, len, &p, e);
		if (n < 0)
			return -1;
		buf_add(out, p, (size_t)n);
		if (receiver_check_ratio(f->r, name, out->len, e) != 0)
			return -1;
	}
	return 0;
}

/*
 * A number of at most ten bytes, up to `max`; or one that is told as the
 * signed difference to `from`.
 */
static int
take_any(struct form *f, const char *name, uint64_t max, const int64_t *from,
    uint64_t *out, struct err *e)
{
	struct buf b = BUF_INIT;
	bool is_number = false;
	int64_t n = 0;

	do {
		struct varint_in in;

		if (take(f, name, 1, &b, e) != 0) {
			buf_release(&b);
			return -1;
		}
		in = (struct varint_in){ b.data, b.len };
		if (from == NULL) {
			is_number = varint_take(&in, max, out);
		} else {
			is_number = varint_take_from(&in, *from, &n);
			*out = (uint64_t)n;
		}
	} while (!is_number && b.len < 10 &&
	    ((unsigned char)b.data[b.len - 1] & 0x80) != 0);
	buf_release(&b);
	return is_number ?
	    0 :
	    receiver_hostile(f->r, name, "with a wrong number", e);
}

static int
take_number(struct form *f, const char *name, uint64_t max, uint64_t *out,
    struct err *e)
{
	return take_any(f, name, max, NULL, out, e);
}

static int
take_number_from(struct form *f, const char *name, uint64_t from,
    uint64_t *out, struct err *e)
{
	const int64_t n = (int64_t)from;

	return take_any(f, name, 0, &n, out, e);
}

/* A record behind its length. */
static int
take_record(struct form *f, const char *name, size_t max, struct buf *out,
    struct err *e)
{
	uint64_t len;

	return take_number(f, name, max, &len, e) == 0 ?
	    take(f, name, len, out, e) :
	    -1;
}

static int
take_magic(struct form *f, struct err *e)
{
	struct buf b = BUF_INIT;
	int c = take(f, "magic", strlen(WIRE_EDITS_MAGIC), &b, e);

	if (c == 0 && strcmp(buf_str(&b), WIRE_EDITS_MAGIC) != 0)
		c = receiver_hostile(f->r, "?", "where edits should be", e);
	buf_release(&b);
	return c;
}

static int
take_meta(struct form *f, struct err *e)
{
	struct buf b = BUF_INIT;
	int c = take_record(f, "meta", RECEIVER_META, &b, e);

	if (c == 0)
		c = meta_parse(buf_str(&b), b.len, "the pack's meta",
		    &f->r->meta, e);
	buf_release(&b);
	return c;
}

static const struct origin *
open_base(struct form *f, struct err *e)
{
	return receiver_open_origin(f->r, f->r->o->base, e);
}

/* The new manifest, as far as it is known now. */
static int
take_edits(struct form *f, struct err *e)
{
	const struct origin *base = open_base(f, e);
	struct edits_limits limits = { .entries = receiver_entries_max(f->r) };
	struct buf b = BUF_INIT;
	int c = -1;

	if (base != NULL)
		c = take_record(f, "edits", EDITS_MAX, &b, e);
	limits.names = NAMES_FREE + NAMES_RATIO * b.len;
	if (c == 0)
		c = edits_parse(&f->edits, &base->m, &limits, buf_str(&b),
		    b.len, &f->r->m, e);
	buf_release(&b);
	return c == 0 ? receiver_check_parents(f->r, e) : c;
}

static int
take_rules(struct form *f, struct err *e)
{
	struct buf b = BUF_INIT;
	int c = take_record(f, "rules", RULES_MAX, &b, e);

	if (c == 0)
		c = rule_sets_parse(&f->sets, buf_str(&b), b.len, e);
	for (size_t i = 0; c == 0 && i < f->sets.n; i++)
		f->rewrites[i] = rewrite_new(&f->sets.v[i], false);
	buf_release(&b);
	return c;
}

static int
copy_data(struct form *f, int fd, struct entry *en, struct err *e)
{
	int64_t done = 0;

	while (done < en->size) {
		int64_t left = en->size - done;
		const char *p;
		ssize_t n =
		    take_some(f, left < PIECE ? (size_t)left : PIECE, &p, e);

		if (n < 0 ||
		    receiver_write(f->r, fd, en, &done, p, (size_t)n, e) != 0)
			return -1;
	}
	return receiver_finish_new(f->r, fd, en, done, e);
}

/* A file that travels. */
static int
make_whole(struct form *f, struct entry *en, struct err *e)
{
	int fd = receiver_create(f->r, en, e);

	if (fd < 0)
		return -1;
	return receiver_close(f->r, fd, en, copy_data(f, fd, en, e), e);
}

/* A file that the base has. */
static int
make_known(struct form *f, struct entry *en, const struct edit *ed,
    struct err *e)
{
	const struct origin *base = open_base(f, e);

	return base != NULL ? receiver_bring(f->r, en, f->r->o->base,
				  base->m.v[ed->from].path, e) :
			      -1;
}

/* Old files are read again and again for what is made of them: not without
 * end. */
static int
spend(struct form *f, const struct origin *base, const struct entry *old,
    int64_t bytes, struct err *e)
{
	if (f->may_read == 0)
		f->may_read =
		    READ_FREE + READ_RATIO * manifest_totals(&base->m).bytes;
	f->may_read -= bytes;
	return f->may_read > 0 ?
	    0 :
	    receiver_hostile(f->r, old->path, "which is read too often", e);
}

static int
open_old(const struct origin *base, const struct entry *old, struct err *e)
{
	int fd =
	    beneath_open(base->dir.fd, old->path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0) {
		err_sys(e, "cannot open '%s/%s'", base->dir.path, old->path);
		place_lost(e);
	}
	return fd;
}

static int
cannot_read(const struct origin *base, const struct entry *old, struct err *e)
{
	err_sys(e, "cannot read '%s/%s'", base->dir.path, old->path);
	return place_lost(e);
}

/* All of a file of the base, of which a rotten one may be shorter. */
static int
read_old(struct form *f, uint32_t from, struct buf *out, struct err *e)
{
	const struct origin *base = open_base(f, e);
	const struct entry *old = base != NULL ? &base->m.v[from] : NULL;
	ssize_t n;
	int fd;

	if (old == NULL)
		return -1;
	if (old->size > REWRITE_FILE_MAX)
		return receiver_hostile(f->r, old->path,
		    "which is too large for rules", e);
	if (spend(f, base, old, old->size, e) != 0)
		return -1;
	fd = open_old(base, old, e);
	if (fd < 0)
		return -1;
	buf_reserve(out, (size_t)old->size);
	n = io_read(fd, out->data, (size_t)old->size);
	if (n < 0)
		cannot_read(base, old, e);
	close(fd);
	if (n < 0)
		return -1;
	out->len = (size_t)n;
	return 0;
}

/* The new file, from what it is made of. */
static int
put_rewritten(struct form *f, int fd, struct entry *en, const struct edit *ed,
    struct err *e)
{
	int64_t done = 0;
	int c;

	buf_reset(&f->old);
	buf_reset(&f->new);
	if (read_old(f, ed->from, &f->old, e) != 0)
		return -1;
	if (!rewrite_apply(f->rewrites[ed->set], buf_str(&f->old), f->old.len,
		(size_t)en->size, &f->new, NULL))
		return receiver_hostile(f->r, en->path,
		    "with another size than its edits say", e);
	c = receiver_write(f->r, fd, en, &done, buf_str(&f->new), f->new.len,
	    e);
	return c == 0 ? receiver_finish_new(f->r, fd, en, done, e) : c;
}

/* A file that rules make of one of the base. */
static int
make_rewritten(struct form *f, struct entry *en, const struct edit *ed,
    struct err *e)
{
	int fd;

	if (ed->set >= f->sets.n || en->size > REWRITE_FILE_MAX)
		return receiver_hostile(f->r, en->path,
		    "which no rules can make", e);
	fd = receiver_create(f->r, en, e);
	if (fd < 0)
		return -1;
	return receiver_close(f->r, fd, en, put_rewritten(f, fd, en, ed, e),
	    e);
}

/* ---- deltas ------------------------------------------------------------ */

/* A file that is made of an old one, open, piece by piece. */
struct patch {
	struct form *f;
	const struct origin *base;
	const struct entry *old;
	int from; /* the old one */
	int to;
	struct entry *en;
	int64_t done; /* bytes of the new one */
};

/* Where each chunk of the old text begins, and where the last one ends. */
static void
find_starts(struct form *f)
{
	int64_t at = 0;

	if (f->n_starts < f->chunks.n + 1) {
		f->n_starts = f->chunks.cap + 1;
		f->starts =
		    xreallocarray(f->starts, f->n_starts, sizeof(*f->starts));
	}
	f->starts[0] = 0;
	for (size_t i = 0; i < f->chunks.n; i++) {
		at += f->chunks.lengths[i];
		f->starts[i + 1] = at;
	}
}

/* Cut the old text as the client did. */
static int
cut_old(struct patch *p, struct err *e)
{
	struct form *f = p->f;
	int64_t left = p->old->size;

	if (spend(f, p->base, p->old, left, e) != 0)
		return -1;
	cutter_begin(f->cutter, left, false, &f->chunks);
	while (left > 0) {
		ssize_t n = io_read(p->from, f->copy,
		    left < PIECE ? (size_t)left : PIECE);

		if (n < 0)
			return cannot_read(p->base, p->old, e);
		if (n == 0)
			break;
		cutter_add(f->cutter, f->copy, (size_t)n);
		left -= n;
	}
	cutter_end(f->cutter);
	find_starts(f);
	return 0;
}

/* So many bytes of the pack. */
static int
put_own(struct patch *p, uint64_t len, struct err *e)
{
	while (len > 0) {
		const char *data;
		ssize_t n =
		    take_some(p->f, len < PIECE ? len : PIECE, &data, e);

		if (n < 0 ||
		    receiver_write(p->f->r, p->to, p->en, &p->done, data,
			(size_t)n, e) != 0)
			return -1;
		len -= (uint64_t)n;
	}
	return 0;
}

/* These bytes of the old text. */
static int
put_old(struct patch *p, int64_t from, int64_t end, struct err *e)
{
	if (spend(p->f, p->base, p->old, end - from, e) != 0)
		return -1;
	if (lseek(p->from, from, SEEK_SET) < 0)
		return cannot_read(p->base, p->old, e);
	while (from < end) {
		ssize_t n = io_read(p->from, p->f->copy,
		    end - from < PIECE ? (size_t)(end - from) : PIECE);

		if (n < 0)
			return cannot_read(p->base, p->old, e);
		/* Shorter than just now: the size tells. */
		if (n == 0)
			return 0;
		if (receiver_write(p->f->r, p->to, p->en, &p->done, p->f->copy,
			(size_t)n, e) != 0)
			return -1;
		from += n;
	}
	return 0;
}

/* A run of chunks; `next` is the one behind the last run. */
static int
put_run(struct patch *p, uint64_t *next, struct err *e)
{
	struct form *f = p->f;
	const char *name = p->en->path;
	uint64_t count, first;

	if (take_number(f, name, f->chunks.n, &count, e) != 0 ||
	    take_number_from(f, name, *next, &first, e) != 0)
		return -1;
	if (count == 0 || first > f->chunks.n || count > f->chunks.n - first)
		return receiver_hostile(f->r, name,
		    "made of what the base has not", e);
	*next = first + count;
	return put_old(p, f->starts[first], f->starts[*next], e);
}

static int
put_delta(struct patch *p, struct err *e)
{
	uint64_t own, next = 0;

	if (cut_old(p, e) != 0)
		return -1;
	while (p->done < p->en->size) {
		if (take_number(p->f, p->en->path,
			(uint64_t)(p->en->size - p->done), &own, e) != 0 ||
		    put_own(p, own, e) != 0)
			return -1;
		if (p->done < p->en->size && put_run(p, &next, e) != 0)
			return -1;
	}
	return receiver_finish_new(p->f->r, p->to, p->en, p->done, e);
}

/* A file that a delta makes of one of the base. */
static int
make_patched(struct form *f, struct entry *en, const struct edit *ed,
    struct err *e)
{
	struct patch p = { .f = f, .base = open_base(f, e), .en = en };
	int c;

	if (p.base == NULL)
		return -1;
	p.old = &p.base->m.v[ed->from];
	if (p.old->size > DELTA_FILE_MAX)
		return receiver_hostile(f->r, p.old->path,
		    "which is too large for a delta", e);
	p.from = open_old(p.base, p.old, e);
	if (p.from < 0)
		return -1;
	p.to = receiver_create(f->r, en, e);
	c = p.to < 0 ? -1 :
		       receiver_close(f->r, p.to, en, put_delta(&p, e), e);
	close(p.from);
	return c;
}

static int
make_file(struct form *f, struct entry *en, const struct edit *ed,
    struct err *e)
{
	f->r->out->files++;
	switch ((enum edit_source)ed->source) {
	case EDIT_BASE:
		return make_known(f, en, ed, e);
	case EDIT_OTHER:
		return receiver_bring(f->r, en, &f->edits.others.v[ed->from],
		    en->path, e);
	case EDIT_WHOLE:
		return make_whole(f, en, e);
	case EDIT_RULES:
		return make_rewritten(f, en, ed, e);
	case EDIT_DELTA:
		return make_patched(f, en, ed, e);
	case EDIT_GZIP:
		return receive_gzip(f->r, en, &f->may_compress, e);
	case EDIT_NONE:
		break;
	}
	return receiver_hostile(f->r, en->path, "which comes from nowhere", e);
}

static int
make_entry(struct form *f, size_t i, struct err *e)
{
	struct entry *en = &f->r->m.v[i];

	switch ((enum entry_type)en->type) {
	case ENTRY_DIR:
		return dir_make(&f->r->in->dir, en->path, e);
	case ENTRY_LINK:
		return receiver_link(f->r, en, e);
	case ENTRY_FILE:
		break;
	}
	return make_file(f, en, &f->edits.v[i], e);
}

/* Everything is there: is it what was announced? */
static int
check_whole(struct form *f, struct err *e)
{
	uint8_t digest[HASH_LEN];
	char byte = 0;
	ssize_t n = 0;

	if (f->at == f->len) {
		n = zreader_read(f->z, &byte, 1, e);
		if (n < 0 && e->code == ERR_INTEGRITY)
			return receiver_damaged(f->r, "bytes behind its end",
			    e);
	}
	if (n < 0)
		return -1;
	if (n > 0 || f->at < f->len)
		return receiver_damaged(f->r, "bytes behind its end", e);
	manifest_text_digest(&f->r->m, digest);
	if (memcmp(digest, f->edits.digest, HASH_LEN) != 0)
		return err_set(e, ERR_INTEGRITY,
		    "the edits of release %s do not lead to what was announced for %s: something in the base is not as its manifest says, or the pack is wrong",
		    f->r->o->base->text, f->r->o->id->text);
	return receiver_check_meta(f->r, e);
}

static int
receive_all(struct form *f, struct err *e)
{
	if (take_magic(f, e) != 0 || take_meta(f, e) != 0 ||
	    take_edits(f, e) != 0 || take_rules(f, e) != 0)
		return -1;
	for (size_t i = 0; i < f->r->m.n; i++)
		if (intr_check(e) != 0 || make_entry(f, i, e) != 0)
			return -1;
	return check_whole(f, e);
}

int
receive_edits(struct receiver *r, struct err *e)
{
	struct form f = { .r = r,
		.edits = EDITS_INIT,
		.sets = RULE_SETS_INIT,
		.old = BUF_INIT,
		.new = BUF_INIT,
		.chunks = CHUNKS_INIT,
		.may_compress = EDITS_GZIP_MAX };
	int c;

	f.z = zreader_new(read_pack, r);
	f.data = xmalloc(PIECE);
	f.copy = xmalloc(PIECE);
	f.cutter = cutter_new();
	c = receive_all(&f, e);
	for (size_t i = 0; i < f.sets.n; i++)
		rewrite_free(f.rewrites[i]);
	rule_sets_release(&f.sets);
	edits_release(&f.edits);
	buf_release(&f.old);
	buf_release(&f.new);
	cutter_free(f.cutter);
	chunks_release(&f.chunks);
	zreader_free(f.z);
	free(f.starts);
	free(f.copy);
	free(f.data);
	return c;
}
