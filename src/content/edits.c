#include "content/edits.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/varint.h"
#include "content/decode.h"

enum operation {
	OP_SAME,
	OP_GONE,
	OP_WHOLE,
	OP_RULES,
	OP_ENTRY,
	OP_DELTA,
	OP_GZIP,
};

enum { OP_BITS = 3 };

/*
 * The flags of an entry that is told whole.  What follows it, in this order:
 *
 *	its name, if it replaces none: how many bytes it has in common with the
 *	    name of the entry before, how many follow, and those in the column
 *	mode
 *	of files and links: the time, as a difference to that of new content
 *	of what is carried: when it was last live, as the same difference
 *	of a link: the length of its target, which is in the column of names
 *	of a file: EDIT_BASE, EDIT_RULES and EDIT_DELTA: which file of the
 *	    base, as the difference to the next entry of it; EDIT_OTHER: number
 *	    of the release, 32 bytes of digest; EDIT_RULES: the set
 *
 * and the size, in the column of sizes: as it is, or of EDIT_RULES and
 * EDIT_DELTA as a difference; of EDIT_BASE it is known.
 */
enum {
	ENTRY_TYPE = 3, /* enum entry_type */
	ENTRY_MARK_SHIFT = 2,
	ENTRY_MARK_MASK = 3, /* enum entry_mark */
	ENTRY_SOURCE_SHIFT = 4,
	ENTRY_SOURCE_MASK = 7, /* enum edit_source */
	ENTRY_REPLACES = 128,
	ENTRY_FLAGS_MAX = 255,
};

enum { OTHERS_MAX = 1024 };

void
edits_release(struct edits *x)
{
	free(x->v);
	release_ids_release(&x->others);
	*x = (struct edits)EDITS_INIT;
}

struct edit *
edits_add(struct edits *x)
{
	if (x->n == x->cap) {
		x->cap = x->cap > 0 ? x->cap + x->cap / 2 : 64;
		x->v = xreallocarray(x->v, x->cap, sizeof(*x->v));
	}
	x->v[x->n] = (struct edit){ EDIT_NONE, 0, 0 };
	return &x->v[x->n++];
}

const struct entry *
edits_plain(const struct manifest *m, const struct entry *form)
{
	const char *suffix = encodings[ENCODING_GZIP].suffix;
	size_t len = strlen(form->path), less = strlen(suffix);
	const struct entry *plain;
	char path[PATH_LEN_MAX + 1];

	if (len <= less || len > PATH_LEN_MAX ||
	    strcmp(form->path + len - less, suffix) != 0)
		return NULL;
	memcpy(path, form->path, len - less);
	path[len - less] = '\0';
	plain = manifest_find(m, path);
	return plain != NULL && plain->type == ENTRY_FILE && plain < form ?
	    plain :
	    NULL;
}

/* ---- writing ----------------------------------------------------------- */

struct printer {
	const struct edits *x;
	const struct manifest *base, *m;
	struct buf sizes, names, ops;
	size_t at;	    /* next entry of the base */
	const char *before; /* path of the last entry */
	/* A run that has not ended. */
	enum operation op;
	uint8_t set;
	size_t count;
};

static void
end_run(struct printer *p)
{
	if (p->count == 0)
		return;
	varint_add(&p->ops, (uint64_t)p->count << OP_BITS | p->op);
	if (p->op == OP_RULES)
		varint_add(&p->ops, p->set);
	p->count = 0;
}

/* One more entry of the base for this operation. */
static void
run(struct printer *p, enum operation op, uint8_t set)
{
	if (p->op != op || p->set != set)
		end_run(p);
	p->op = op;
	p->set = set;
	p->count++;
	p->at++;
}

/* Would the lines of a manifest be the same? */
static bool
is_equal(const struct entry *a, const struct entry *b)
{
	return entry_is_same(a, b) && a->mark == b->mark &&
	    (a->type == ENTRY_DIR || a->mtime == b->mtime) &&
	    (a->mark != ENTRY_CARRIED || a->last == b->last);
}

/* Does the operation for many say all of the file? */
static bool
is_plain(const struct printer *p, const struct entry *old,
    const struct entry *en)
{
	return old->type == ENTRY_FILE && en->type == ENTRY_FILE &&
	    old->mark == ENTRY_BUILD && en->mark == ENTRY_BUILD &&
	    old->mode == en->mode && en->mtime == p->x->mtime;
}

static size_t
common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

static void
put_name(struct printer *p, const char *path)
{
	size_t same = common_prefix(p->before, path);
	size_t len = strlen(path + same);

	varint_add(&p->ops, same);
	varint_add(&p->ops, len);
	buf_add(&p->names, path + same, len);
}

/* Where the content of a file comes from, and how much it is. */
static void
put_content(struct printer *p, const struct entry *en, const struct edit *ed)
{
	int64_t old = 0;

	switch ((enum edit_source)ed->source) {
	case EDIT_BASE:
	case EDIT_RULES:
	case EDIT_DELTA:
		old = p->base->v[ed->from].size;
		varint_add_signed(&p->ops, (int64_t)ed->from - (int64_t)p->at);
		break;
	case EDIT_OTHER:
		varint_add(&p->ops, ed->from);
		buf_add(&p->ops, en->digest, HASH_LEN);
		break;
	case EDIT_WHOLE:
	case EDIT_GZIP:
	case EDIT_NONE:
		break;
	}
	if (ed->source == EDIT_RULES)
		varint_add(&p->ops, ed->set);
	if (ed->source != EDIT_BASE)
		varint_add_signed(&p->sizes, en->size - old);
}

static void
put_entry(struct printer *p, const struct entry *en, const struct edit *ed,
    bool replaces)
{
	uint64_t flags = (uint64_t)en->type |
	    (uint64_t)en->mark << ENTRY_MARK_SHIFT |
	    (uint64_t)ed->source << ENTRY_SOURCE_SHIFT |
	    (replaces ? ENTRY_REPLACES : 0);

	end_run(p);
	varint_add(&p->ops, flags << OP_BITS | OP_ENTRY);
	if (!replaces)
		put_name(p, en->path);
	varint_add(&p->ops, en->mode);
	if (en->type != ENTRY_DIR)
		varint_add_signed(&p->ops, en->mtime - p->x->mtime);
	if (en->mark == ENTRY_CARRIED)
		varint_add_signed(&p->ops, en->last - p->x->mtime);
	if (en->type == ENTRY_LINK) {
		varint_add(&p->ops, strlen(en->link));
		buf_adds(&p->names, en->link);
	}
	if (en->type == ENTRY_FILE)
		put_content(p, en, ed);
	p->at += replaces;
}

/* An entry that the base has, too, as `old`. */
static void
put_known(struct printer *p, const struct entry *old, const struct entry *en,
    const struct edit *ed)
{
	bool plain = is_plain(p, old, en);

	if (is_equal(old, en) &&
	    (ed->source == EDIT_NONE ||
		(ed->source == EDIT_BASE && ed->from == p->at))) {
		run(p, OP_SAME, 0);
	} else if (plain && ed->source == EDIT_WHOLE) {
		varint_add_signed(&p->sizes, en->size - old->size);
		run(p, OP_WHOLE, 0);
	} else if (plain && ed->source == EDIT_RULES && ed->from == p->at) {
		varint_add_signed(&p->sizes, en->size - old->size);
		run(p, OP_RULES, ed->set);
	} else if (plain && ed->source == EDIT_DELTA && ed->from == p->at) {
		varint_add_signed(&p->sizes, en->size - old->size);
		run(p, OP_DELTA, 0);
	} else if (plain && ed->source == EDIT_GZIP) {
		varint_add_signed(&p->sizes, en->size - old->size);
		run(p, OP_GZIP, 0);
	} else {
		put_entry(p, en, ed, true);
	}
}

static void
put_all(struct printer *p)
{
	for (size_t i = 0; i < p->m->n; i++) {
		const struct entry *en = &p->m->v[i], *old = NULL;
		int c = -1;

		while (p->at < p->base->n) {
			old = &p->base->v[p->at];
			c = path_compare(en->path, old->path);
			if (c <= 0)
				break;
			run(p, OP_GONE, 0);
		}
		if (c == 0 && p->at < p->base->n)
			put_known(p, old, en, &p->x->v[i]);
		else
			put_entry(p, en, &p->x->v[i], false);
		p->before = en->path;
	}
	while (p->at < p->base->n)
		run(p, OP_GONE, 0);
	end_run(p);
}

static void
put_column(struct buf *out, const struct buf *column)
{
	varint_add(out, column->len);
	buf_add(out, buf_str(column), column->len);
}

void
edits_print(const struct edits *x, const struct manifest *base,
    const struct manifest *m, struct buf *out)
{
	struct printer p = { .x = x,
		.base = base,
		.m = m,
		.sizes = BUF_INIT,
		.names = BUF_INIT,
		.ops = BUF_INIT,
		.before = "" };

	put_all(&p);
	buf_add(out, x->digest, HASH_LEN);
	varint_add(out, (uint64_t)x->mtime);
	varint_add(out, x->others.n);
	for (size_t i = 0; i < x->others.n; i++)
		buf_add(out, x->others.v[i].text, RELEASE_ID_LEN);
	put_column(out, &p.sizes);
	put_column(out, &p.names);
	buf_add(out, buf_str(&p.ops), p.ops.len);
	buf_release(&p.sizes);
	buf_release(&p.names);
	buf_release(&p.ops);
}

/* ---- reading ----------------------------------------------------------- */

struct reader {
	struct edits *x;
	const struct manifest *base;
	struct manifest *m;
	const struct edits_limits *limits;
	struct varint_in sizes, names, ops;
	size_t at;	  /* next entry of the base */
	size_t new_bytes; /* of names and targets */
	char path[PATH_LEN_MAX + 1];
};

static int
bad(const char *what, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "the pack's edits have %s", what);
}

/* A path that manifest_check() knows. */
static void
set_path(struct reader *r, const char *path)
{
	memcpy(r->path, path, strlen(path) + 1);
}

/* Add an entry called r->path, which must come behind the one before. */
static struct entry *
add_entry(struct reader *r, enum entry_type type, struct err *e)
{
	size_t n = r->m->n;

	if (n >= r->limits->entries) {
		bad("too many entries", e);
		return NULL;
	}
	if (n > 0 && path_compare(r->m->v[n - 1].path, r->path) >= 0) {
		bad("names that are not in order", e);
		return NULL;
	}
	edits_add(r->x);
	return manifest_add(r->m, r->path, type);
}

/* Add the next entry of the base as it is. */
static struct entry *
take_base(struct reader *r, struct err *e)
{
	const struct entry *old = &r->base->v[r->at];
	struct entry *en;
	const char *path;

	set_path(r, old->path);
	en = add_entry(r, old->type, e);
	if (en == NULL)
		return NULL;
	path = en->path;
	*en = *old;
	en->path = path;
	if (old->link != NULL)
		manifest_set_link(r->m, en, old->link);
	if (old->type == ENTRY_FILE)
		r->x->v[r->x->n - 1] =
		    (struct edit){ EDIT_BASE, 0, (uint32_t)r->at };
	r->at++;
	return en;
}

/* The next of the base is a file with new content. */
static int
take_changed(struct reader *r, enum edit_source source, uint8_t set,
    struct err *e)
{
	uint32_t from = (uint32_t)r->at;
	struct entry *en = take_base(r, e);

	if (en == NULL)
		return -1;
	if (en->type != ENTRY_FILE || en->mark != ENTRY_BUILD)
		return bad("new content for what is not a file of the build",
		    e);
	if (!varint_take_from(&r->sizes, en->size, &en->size))
		return bad("a wrong size", e);
	en->mtime = r->x->mtime;
	memset(en->digest, 0, HASH_LEN);
	r->x->v[r->x->n - 1] = (struct edit){ (uint8_t)source, set,
		source == EDIT_WHOLE || source == EDIT_GZIP ? 0 : from };
	return 0;
}

static int
take_set(struct reader *r, uint8_t *set, struct err *e)
{
	uint64_t n;

	if (!varint_take(&r->ops, EDITS_SETS_MAX - 1, &n))
		return bad("a wrong set of rules", e);
	*set = (uint8_t)n;
	return 0;
}

/* Where the content is from that an operation gives to many. */
static enum edit_source
source_of(enum operation op)
{
	return op == OP_RULES ? EDIT_RULES :
	    op == OP_DELTA    ? EDIT_DELTA :
	    op == OP_GZIP     ? EDIT_GZIP :
				EDIT_WHOLE;
}

/* So many entries of the base at once. */
static int
take_run(struct reader *r, enum operation op, uint64_t count, struct err *e)
{
	uint8_t set = 0;

	if (count > r->base->n - r->at)
		return bad("more entries than the base", e);
	if (op == OP_RULES && take_set(r, &set, e) != 0)
		return -1;
	if (op == OP_GONE) {
		r->at += count;
		return 0;
	}
	for (; count > 0; count--) {
		int c;

		if (op == OP_SAME)
			c = take_base(r, e) != NULL ? 0 : -1;
		else
			c = take_changed(r, source_of(op), set, e);
		if (c != 0)
			return -1;
	}
	return 0;
}

/* Bytes of the column of names, to a string of at most PATH_LEN_MAX. */
static int
take_text(struct reader *r, char *out, size_t room, struct err *e)
{
	uint64_t len;
	const char *p;

	if (!varint_take(&r->ops, room, &len))
		return bad("a wrong name", e);
	p = varint_take_bytes(&r->names, len);
	if (p == NULL || memchr(p, '\0', len) != NULL)
		return bad("a wrong name", e);
	memcpy(out, p, len);
	out[len] = '\0';
	return 0;
}

/* The name of a new entry into r->path. */
static int
take_name(struct reader *r, struct err *e)
{
	size_t n = r->m->n;
	const char *before = n > 0 ? r->m->v[n - 1].path : "";
	uint64_t same;

	if (!varint_take(&r->ops, strlen(before), &same))
		return bad("a wrong name", e);
	memcpy(r->path, before, same);
	if (take_text(r, r->path + same, PATH_LEN_MAX - same, e) != 0)
		return -1;
	r->new_bytes += strlen(r->path);
	return r->new_bytes <= r->limits->names ?
	    0 :
	    bad("more names than they could hold", e);
}

/* Which file of the base: its number. */
static int
take_from(struct reader *r, uint32_t *from, struct err *e)
{
	int64_t n;

	if (!varint_take_from(&r->ops, (int64_t)r->at, &n) ||
	    (uint64_t)n >= r->base->n || r->base->v[n].type != ENTRY_FILE)
		return bad("what is not a file of the base", e);
	*from = (uint32_t)n;
	return 0;
}

/* The number of another release, and what its file has. */
static int
take_other(struct reader *r, struct entry *en, uint32_t *from, struct err *e)
{
	const char *digest;
	uint64_t n;

	if (r->x->others.n == 0 ||
	    !varint_take(&r->ops, r->x->others.n - 1, &n))
		return bad("a release that is none", e);
	digest = varint_take_bytes(&r->ops, HASH_LEN);
	if (digest == NULL)
		return bad("no end", e);
	memcpy(en->digest, digest, HASH_LEN);
	*from = (uint32_t)n;
	return 0;
}

static int
take_content(struct reader *r, enum edit_source source, struct entry *en,
    struct err *e)
{
	struct edit ed = { (uint8_t)source, 0, 0 };
	int64_t old = 0;

	switch (source) {
	case EDIT_BASE:
	case EDIT_RULES:
	case EDIT_DELTA:
		if (take_from(r, &ed.from, e) != 0)
			return -1;
		old = r->base->v[ed.from].size;
		break;
	case EDIT_OTHER:
		if (take_other(r, en, &ed.from, e) != 0)
			return -1;
		break;
	case EDIT_WHOLE:
	case EDIT_GZIP:
		break;
	case EDIT_NONE:
	default:
		return bad("a file without content", e);
	}
	if (source == EDIT_RULES && take_set(r, &ed.set, e) != 0)
		return -1;
	en->size = old;
	if (source == EDIT_BASE)
		memcpy(en->digest, r->base->v[ed.from].digest, HASH_LEN);
	else if (!varint_take_from(&r->sizes, old, &en->size))
		return bad("a wrong size", e);
	r->x->v[r->x->n - 1] = ed;
	return 0;
}

/* What belongs to no type, and the target of a link. */
static int
take_values(struct reader *r, struct entry *en, struct err *e)
{
	char target[PATH_LEN_MAX + 1];
	uint64_t mode;

	if (!varint_take(&r->ops, 07777, &mode) ||
	    (en->type != ENTRY_DIR &&
		!varint_take_from(&r->ops, r->x->mtime, &en->mtime)) ||
	    (en->mark == ENTRY_CARRIED &&
		!varint_take_from(&r->ops, r->x->mtime, &en->last)))
		return bad("a wrong value", e);
	en->mode = (uint16_t)mode;
	if (en->type != ENTRY_LINK)
		return 0;
	if (take_text(r, target, PATH_LEN_MAX, e) != 0)
		return -1;
	r->new_bytes += strlen(target);
	manifest_set_link(r->m, en, target);
	return 0;
}

static int
take_entry(struct reader *r, uint64_t flags, struct err *e)
{
	enum edit_source source =
	    flags >> ENTRY_SOURCE_SHIFT & ENTRY_SOURCE_MASK;
	bool replaces = (flags & ENTRY_REPLACES) != 0;
	struct entry *en;

	if (flags > ENTRY_FLAGS_MAX || (flags & ENTRY_TYPE) > ENTRY_LINK ||
	    (flags >> ENTRY_MARK_SHIFT & ENTRY_MARK_MASK) > ENTRY_CARRIED)
		return bad("an entry of no type", e);
	if (replaces) {
		if (r->at >= r->base->n)
			return bad("more entries than the base", e);
		set_path(r, r->base->v[r->at].path);
	} else if (take_name(r, e) != 0) {
		return -1;
	}
	en = add_entry(r, flags & ENTRY_TYPE, e);
	if (en == NULL)
		return -1;
	en->mark = flags >> ENTRY_MARK_SHIFT & ENTRY_MARK_MASK;
	if (take_values(r, en, e) != 0)
		return -1;
	if (en->type == ENTRY_FILE && take_content(r, source, en, e) != 0)
		return -1;
	r->at += replaces;
	return 0;
}

static int
take_operation(struct reader *r, struct err *e)
{
	uint64_t n;

	if (!varint_take(&r->ops, UINT64_MAX, &n))
		return bad("no end", e);
	switch (n & ((1 << OP_BITS) - 1)) {
	case OP_SAME:
		return take_run(r, OP_SAME, n >> OP_BITS, e);
	case OP_GONE:
		return take_run(r, OP_GONE, n >> OP_BITS, e);
	case OP_WHOLE:
		return take_run(r, OP_WHOLE, n >> OP_BITS, e);
	case OP_RULES:
		return take_run(r, OP_RULES, n >> OP_BITS, e);
	case OP_DELTA:
		return take_run(r, OP_DELTA, n >> OP_BITS, e);
	case OP_GZIP:
		return take_run(r, OP_GZIP, n >> OP_BITS, e);
	case OP_ENTRY:
		return take_entry(r, n >> OP_BITS, e);
	default:
		return bad("an operation that is none", e);
	}
}

/* One of the two columns that stand before the operations. */
static int
take_column(struct reader *r, struct varint_in *out, struct err *e)
{
	uint64_t len;

	if (!varint_take(&r->ops, r->ops.left, &len))
		return bad("no end", e);
	out->left = len;
	out->p = varint_take_bytes(&r->ops, len);
	return out->p != NULL ? 0 : bad("no end", e);
}

static int
take_head(struct reader *r, struct err *e)
{
	const char *digest = varint_take_bytes(&r->ops, HASH_LEN);
	uint64_t mtime, n;

	if (digest == NULL || !varint_take(&r->ops, INT64_MAX, &mtime) ||
	    !varint_take(&r->ops, OTHERS_MAX, &n))
		return bad("no head", e);
	memcpy(r->x->digest, digest, HASH_LEN);
	r->x->mtime = (int64_t)mtime;
	for (; n > 0; n--) {
		const char *p = varint_take_bytes(&r->ops, RELEASE_ID_LEN);
		char text[RELEASE_ID_LEN + 1];
		struct release_id id;

		if (p == NULL)
			return bad("no end", e);
		memcpy(text, p, RELEASE_ID_LEN);
		text[RELEASE_ID_LEN] = '\0';
		if (!release_id_parse(&id, text))
			return bad("a release that is none", e);
		release_ids_add(&r->x->others, &id);
	}
	return take_column(r, &r->sizes, e) == 0 ?
	    take_column(r, &r->names, e) :
	    -1;
}

int
edits_parse(struct edits *x, const struct manifest *base,
    const struct edits_limits *limits, const char *text, size_t len,
    struct manifest *m, struct err *e)
{
	struct reader r = { .x = x,
		.base = base,
		.m = m,
		.limits = limits,
		.ops = { text, len } };

	if (take_head(&r, e) != 0)
		return -1;
	while (r.ops.left > 0)
		if (take_operation(&r, e) != 0)
			return -1;
	if (r.at < base->n)
		return bad("no end", e);
	if (r.sizes.left > 0 || r.names.left > 0)
		return bad("more sizes or names than entries", e);
	return manifest_check(m, "the pack's edits", e);
}
