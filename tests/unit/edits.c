/* Edits between random manifests, and what no edits are. */
#include "content/edits.h"

#include <stdlib.h>

#include "base/path.h"
#include "base/varint.h"
#include "unit.h"

#define OTHER "20200101T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"

enum { TIME = 1700000000, ROUNDS = 3000 };

static const struct edits_limits plenty = { 100000, 1 << 20 };

static struct entry *
add_file(struct manifest *m, const char *path, int64_t size, int content)
{
	struct entry *en = manifest_add(m, path, ENTRY_FILE);

	en->mode = 0644;
	en->size = size;
	en->mtime = TIME;
	memset(en->digest, content, HASH_LEN);
	return en;
}

static bool
is_same_text(const struct manifest *a, const struct manifest *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same;

	manifest_print(a, &x);
	manifest_print(b, &y);
	same = strcmp(buf_str(&x), buf_str(&y)) == 0;
	buf_release(&x);
	buf_release(&y);
	return same;
}

/* Digests that edits do not have. */
static void
fill_digests(struct manifest *got, const struct edits *x,
    const struct manifest *m)
{
	for (size_t i = 0; i < x->n && i < m->n; i++)
		if (x->v[i].source == EDIT_WHOLE ||
		    x->v[i].source == EDIT_RULES ||
		    x->v[i].source == EDIT_DELTA ||
		    x->v[i].source == EDIT_GZIP)
			memcpy(got->v[i].digest, m->v[i].digest, HASH_LEN);
}

/* Print and read back: the same manifest, and the same sources. */
static size_t
check_round(const struct edits *x, const struct manifest *base,
    const struct manifest *m)
{
	struct manifest got = MANIFEST_INIT;
	struct edits back = EDITS_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	size_t len;

	edits_print(x, base, m, &b);
	CHECK(edits_parse(&back, base, &plenty, b.data, b.len, &got, &e) == 0);
	CHECK_STR(e.text, "");
	CHECK(back.n == m->n && got.n == m->n && back.mtime == x->mtime);
	fill_digests(&got, x, m);
	CHECK(is_same_text(&got, m));
	for (size_t i = 0; i < x->n && i < back.n; i++)
		CHECK(x->v[i].source == back.v[i].source &&
		    x->v[i].from == back.v[i].from &&
		    x->v[i].set == back.v[i].set);
	len = b.len;
	manifest_release(&got);
	edits_release(&back);
	buf_release(&b);
	return len;
}

static unsigned int seed;

static unsigned int
any(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* A directory, a link or a file, of few names, sizes and times. */
static void
add_any(struct manifest *m, const char *path)
{
	struct entry *en;

	switch (any(8)) {
	case 0:
		manifest_add(m, path, ENTRY_DIR)->mode = any(2) ? 0755 : 02755;
		return;
	case 1:
		en = manifest_add(m, path, ENTRY_LINK);
		manifest_set_link(m, en, any(2) ? "a" : "b/c");
		en->mtime = TIME + any(3);
		return;
	default:
		en = add_file(m, path, any(5) * 1000, (int)any(3));
		en->mode = any(4) ? 0644 : 0755;
		en->mtime = TIME + any(3) - 1;
		if (any(8) == 0) {
			en->mark = ENTRY_CARRIED;
			en->last = TIME + any(100) - 50;
		}
	}
}

static void
make_any(struct manifest *m)
{
	char path[32];

	for (int i = 0; i < 26; i++) {
		snprintf(path, sizeof(path), "%s%c", any(3) ? "name" : "",
		    'a' + i);
		if (any(3) > 0)
			add_any(m, path);
	}
}

/* A file of the base, or -1. */
static int
any_file(const struct manifest *base)
{
	unsigned int i = base->n > 0 ? any((unsigned int)base->n) : 0;

	return i < base->n && base->v[i].type == ENTRY_FILE ? (int)i : -1;
}

/* Some source for a file that its content allows. */
static void
choose(struct edits *x, const struct manifest *base, struct entry *en)
{
	struct edit *ed = edits_add(x);
	const struct entry *old = manifest_find(base, en->path);
	int from = any_file(base);

	if (en->type != ENTRY_FILE)
		return;
	ed->source = EDIT_WHOLE;
	if (old != NULL && old->type == ENTRY_FILE && any(2))
		from = (int)(old - base->v);
	if (from >= 0 && any(2)) {
		ed->source = any(2) ? EDIT_RULES : EDIT_DELTA;
		if (ed->source == EDIT_RULES)
			ed->set = (uint8_t)any(EDITS_SETS_MAX);
		ed->from = (uint32_t)from;
	} else if (from >= 0 && any(2)) {
		ed->source = EDIT_BASE;
		ed->from = (uint32_t)from;
		en->size = base->v[from].size;
		memcpy(en->digest, base->v[from].digest, HASH_LEN);
	} else if (any(4) == 0) {
		ed->source = EDIT_OTHER;
	} else if (any(2)) {
		ed->source = EDIT_GZIP;
	}
}

static void
test_random(void)
{
	for (seed = 1; seed != 0 && !unit_failed; seed = seed * 7 + 1) {
		struct manifest base = MANIFEST_INIT, m = MANIFEST_INIT;
		struct edits x = EDITS_INIT;
		struct err e = ERR_INIT;
		struct release_id other;
		static int rounds;

		make_any(&base);
		make_any(&m);
		/* Nothing may stand below what is no directory. */
		CHECK(manifest_check(&base, "base", &e) == 0);
		CHECK(manifest_check(&m, "new", &e) == 0);
		(void)release_id_parse(&other, OTHER);
		release_ids_add(&x.others, &other);
		x.mtime = TIME;
		for (size_t i = 0; i < m.n; i++)
			choose(&x, &base, &m.v[i]);
		check_round(&x, &base, &m);
		manifest_release(&base);
		manifest_release(&m);
		edits_release(&x);
		if (++rounds == ROUNDS)
			break;
	}
}

/* What a form is made of: a file beside it that comes before. */
static void
test_plain(void)
{
	static const struct {
		const char *form, *plain;
	} rows[] = {
		{ "a.js.gz", "a.js" },
		{ "d/b.js.gz", "d/b.js" },
		{ "a.js", NULL },
		{ "b.js.gz", NULL },
		{ "d.gz", NULL }, /* a directory */
		{ "l.gz", NULL }, /* a link */
		{ "a.js.br", NULL },
		{ ".gz", NULL },
		{ "a.js.gz.gz", "a.js.gz" },
	};
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		add_file(&m, rows[i].form, 1, 1);
	manifest_add(&m, "d", ENTRY_DIR)->mode = 0755;
	manifest_add(&m, "l", ENTRY_LINK)->mode = 0777;
	add_file(&m, "d/b.js", 1, 1);
	manifest_set_link(&m, &m.v[m.n - 2], "a.js");
	CHECK(manifest_sort(&m, &e) == 0);
	CHECK(manifest_check(&m, "m", &e) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct entry *plain =
		    edits_plain(&m, manifest_find(&m, rows[i].form));

		CHECK_STR(plain != NULL ? plain->path : "",
		    rows[i].plain != NULL ? rows[i].plain : "");
	}
	manifest_release(&m);
}

static void
test_nothing(void)
{
	struct manifest none = MANIFEST_INIT, m = MANIFEST_INIT;
	struct edits x = EDITS_INIT;
	struct err e = ERR_INIT;

	check_round(&x, &none, &none);
	add_file(&m, "a", 5, 1);
	check_round(&x, &m, &none);
	edits_add(&x)->source = EDIT_WHOLE;
	check_round(&x, &none, &m);
	CHECK(manifest_check(&m, "m", &e) == 0);
	manifest_release(&m);
	edits_release(&x);
}

/* 10,000 files of which all changed by a rule, but two. */
static void
test_small(void)
{
	struct manifest base = MANIFEST_INIT, m = MANIFEST_INIT;
	struct edits x = EDITS_INIT;
	char path[64];

	x.mtime = TIME + 1;
	for (size_t i = 0; i < 10000; i++) {
		bool same = i == 77 || i == 5000;
		struct edit *ed = edits_add(&x);

		snprintf(path, sizeof(path), "page-%05zu.html", i);
		add_file(&base, path, (int64_t)i * 10, (int)(i & 127));
		add_file(&m, path, (int64_t)i * 10,
		    (int)(i & 127) + (same ? 0 : 128))
		    ->mtime = same ? TIME : TIME + 1;
		*ed = (struct edit){ same ? EDIT_BASE : EDIT_RULES, 0,
			(uint32_t)i };
	}
	/* A byte for each size, all zero, and next to nothing else. */
	CHECK(check_round(&x, &base, &m) < 10000 + 100);
	manifest_release(&base);
	manifest_release(&m);
	edits_release(&x);
}

static const struct edits_limits few = { 4, 16 };

/* Numbers of varint.h between the head and the end. */
static void
check_refused(const char *what, const char *sizes, const char *names,
    const uint64_t *ops, size_t n)
{
	struct manifest base = MANIFEST_INIT, got = MANIFEST_INIT;
	struct edits x = EDITS_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;
	const uint8_t digest[HASH_LEN] = { 0 };

	add_file(&base, "b", 10, 1);
	manifest_add(&base, "d", ENTRY_DIR);
	buf_add(&b, digest, HASH_LEN);
	varint_add(&b, TIME);
	varint_add(&b, 0);
	varint_add(&b, strlen(sizes));
	buf_adds(&b, sizes);
	varint_add(&b, strlen(names));
	buf_adds(&b, names);
	for (size_t i = 0; i < n; i++)
		varint_add(&b, ops[i]);
	CHECK(edits_parse(&x, &base, &few, b.data, b.len, &got, &e) != 0);
	CHECK(e.code == ERR_INTEGRITY);
	if (strstr(e.text, what) == NULL)
		CHECK_STR(e.text, what);
	manifest_release(&base);
	manifest_release(&got);
	edits_release(&x);
	buf_release(&b);
}

#define OPS(...) \
	(const uint64_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)

enum { SAME, GONE, WHOLE, RULES, ENTRY, DELTA, GZIP };
#define OP(op, count) ((uint64_t)(count) << 3 | (op))
/* Flags of an entry, as in edits.c. */
#define NEW_FILE(source) OP(ENTRY, (source) << 4)
#define NEW_LINK OP(ENTRY, ENTRY_LINK)
#define NEW_DIR OP(ENTRY, ENTRY_DIR)

static void
test_refused(void)
{
	check_refused("no end", "", "", OPS(OP(SAME, 1)));
	check_refused("more entries than the base", "", "", OPS(OP(SAME, 3)));
	check_refused("more entries than the base", "", "",
	    OPS(OP(SAME, 1), OP(DELTA, 2)));
	check_refused("more entries than the base", "", "",
	    OPS(OP(SAME, 1), OP(GZIP, 2)));
	check_refused("not a file of the build", "\x02", "",
	    OPS(OP(SAME, 1), OP(GZIP, 1)));
	check_refused("a wrong size", "\x15", "",
	    OPS(OP(GZIP, 1), OP(SAME, 1)));
	check_refused("not a file of the build", "\x02", "",
	    OPS(OP(SAME, 1), OP(DELTA, 1)));
	check_refused("a wrong size", "\x15", "",
	    OPS(OP(DELTA, 1), OP(SAME, 1)));
	check_refused("not a file of the base", "", "e",
	    OPS(OP(SAME, 2), NEW_FILE(EDIT_DELTA), 0, 1, 0644, 0, 1));
	check_refused("more entries than the base", "", "",
	    OPS(OP(GONE, UINT64_MAX >> 3)));
	check_refused("is none", "", "", OPS(OP(7, 1)));
	check_refused("not a file of the build", "\x02", "",
	    OPS(OP(SAME, 1), OP(WHOLE, 1)));
	check_refused("a wrong size", "", "", OPS(OP(WHOLE, 1), OP(SAME, 1)));
	/* 10 - 11 */
	check_refused("a wrong size", "\x15", "",
	    OPS(OP(WHOLE, 1), OP(SAME, 1)));
	check_refused("more sizes", "\x02\x02", "",
	    OPS(OP(WHOLE, 1), OP(SAME, 1)));
	check_refused("a wrong set", "\x02", "",
	    OPS(OP(RULES, 1), EDITS_SETS_MAX, OP(SAME, 1)));
	check_refused("not in order", "", "",
	    OPS(OP(SAME, 2), NEW_DIR, 1, 0, 0755));
	check_refused("not in order", "", "a",
	    OPS(OP(SAME, 1), NEW_DIR, 0, 1, 0755, OP(SAME, 1)));
	check_refused("a wrong name", "", "ab",
	    OPS(OP(SAME, 2), NEW_DIR, 2, 1, 0755));
	check_refused("a wrong name", "", "a",
	    OPS(OP(SAME, 2), NEW_DIR, 0, 2, 0755));
	check_refused("mode", "", "e", OPS(OP(SAME, 2), NEW_DIR, 0, 1, 0777));
	check_refused("'..'", "", "e/..",
	    OPS(OP(SAME, 2), NEW_DIR, 0, 4, 0755));
	check_refused("which is not a directory", "", "b/x",
	    OPS(OP(SAME, 1), NEW_DIR, 0, 3, 0755, OP(SAME, 1)));
	check_refused("link", "", "e../x",
	    OPS(OP(SAME, 2), NEW_LINK, 0, 1, 0777, 0, 4));
	check_refused("without content", "", "e",
	    OPS(OP(SAME, 2), NEW_FILE(EDIT_NONE), 0, 1, 0644, 0));
	/* The directory, which is one behind. */
	check_refused("not a file of the base", "", "e",
	    OPS(OP(SAME, 2), NEW_FILE(EDIT_BASE), 0, 1, 0644, 0, 1));
	check_refused("a release that is none", "", "e",
	    OPS(OP(SAME, 2), NEW_FILE(EDIT_OTHER), 0, 1, 0644, 0, 0));
	check_refused("too many entries", "", "efg",
	    OPS(OP(SAME, 2), NEW_DIR, 0, 1, 0755, NEW_DIR, 0, 1, 0755, NEW_DIR,
		0, 1, 0755));
	check_refused("more names", "", "eeeeeeeeeeef",
	    OPS(OP(SAME, 2), NEW_DIR, 0, 11, 0755, NEW_DIR, 10, 1, 0755));
}

UNIT_MAIN(UNIT(test_random), UNIT(test_nothing), UNIT(test_plain),
    UNIT(test_small), UNIT(test_refused))
