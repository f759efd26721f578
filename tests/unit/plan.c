#include "content/plan.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/path.h"
#include "unit.h"

enum { NEW = 1000, BASE = 500 };

/*
 * A tree in words, one an entry:
 *
 *	a/		a directory
 *	b=X		a file whose content is X
 *	b=X*		the same, executable
 *	b=X@7		with this mtime
 *	c>d		a link
 *	...~7		carried, last live in a build at second 7
 *	...^		shared
 */
static void
add_word(struct manifest *m, char *word, const char *end)
{
	char *mark = word + strcspn(word, "~^"), *mtime, *what;
	char kind;
	struct entry *en;

	*(char *)(uintptr_t)end = '\0';
	kind = *mark;
	if (kind != '\0')
		*mark++ = '\0';
	mtime = word + strcspn(word, "@");
	if (*mtime != '\0')
		*mtime++ = '\0';
	what = word + strcspn(word, "=>/");
	while (*what == '/' && what[1] != '\0')
		what += 1 + strcspn(what + 1, "=>/");
	if (*what == '/') {
		*what = '\0';
		en = manifest_add(m, word, ENTRY_DIR);
	} else if (*what == '>') {
		*what = '\0';
		en = manifest_add(m, word, ENTRY_LINK);
		manifest_set_link(m, en, what + 1);
	} else {
		*what++ = '\0';
		en = manifest_add(m, word, ENTRY_FILE);
		en->mode = strchr(what, '*') != NULL ? 0755 : 0644;
		en->size = 10 + what[0] % 3;
		memset(en->digest, what[0], HASH_LEN);
	}
	en->mtime = atoll(mtime);
	if (kind == '^')
		en->mark = ENTRY_SHARED;
	if (kind == '~') {
		en->mark = ENTRY_CARRIED;
		en->last = atoll(mark);
	}
}

static void
add_tree(struct manifest *m, const char *words)
{
	char *copy = xstrdup(words), *save = NULL;
	struct err e = ERR_INIT;

	for (char *w = strtok_r(copy, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		add_word(m, w, w + strlen(w));
	free(copy);
	CHECK(manifest_sort(m, &e) == 0);
}

/* The way of an entry as a word: how, from where, at which time. */
static void
print_step(const struct plan *p, size_t i, char *out, size_t size)
{
	const struct entry *en = &p->m.v[i];
	const struct plan_step *s = &p->steps[i];
	size_t len;

	switch (s->way) {
	case PLAN_MAKE:
		snprintf(out, size, "make %s", en->path);
		break;
	case PLAN_COPY:
		snprintf(out, size, "%s %s",
		    s->base != NULL ? "change" : "new", en->path);
		break;
	case PLAN_LINK:
		snprintf(out, size, "link %s", en->path);
		if (strcmp(s->base->path, en->path) != 0)
			snprintf(out, size, "link %s from %s", en->path,
			    s->base->path);
		break;
	case PLAN_CARRY:
		snprintf(out, size, "carry %s from %s", en->path,
		    s->release->text);
		break;
	case PLAN_SHARE:
		snprintf(out, size, "share %s>%s", en->path, en->link);
		break;
	}
	len = strlen(out);
	if (en->type != ENTRY_DIR)
		snprintf(out + len, size - len, " @%lld",
		    (long long)en->mtime);
	len = strlen(out);
	if (en->type == ENTRY_DIR && en->mode != 0755)
		snprintf(out + len, size - len, " %04o",
		    (unsigned int)en->mode);
}

/* All steps, "; " between them. */
static const char *
print_steps(const struct plan *p)
{
	static char out[4096];
	char step[256];

	out[0] = '\0';
	for (size_t i = 0; i < p->m.n; i++) {
		print_step(p, i, step, sizeof(step));
		if (i > 0)
			strcat(out, "; ");
		strcat(out, step);
	}
	return out;
}

struct row {
	const char *build;
	const char *base; /* NULL: none */
	const char *want; /* steps, or a part of the error */
	const char *shared, *carry, *group;
	const char *earlier; /* another release, "E", live until 900 */
	unsigned int max_delete;
	bool guarded, live, fails;
};

/* What is not at hand: the file that is called "damaged". */
static int
is_usable(void *ctx, const struct release_id *id, const struct entry *en,
    struct err *e)
{
	(void)ctx;
	(void)id;
	(void)e;
	return strcmp(path_base(en->path), "damaged") != 0;
}

/* The plan of a row, into `p`; `base` is to be released after it. */
static int
make_plan(struct plan *p, const struct row *t, struct rules *rules,
    struct manifest *base, struct err *e)
{
	struct extras_earlier earlier[2] = { { { "E" }, 900000,
						 MANIFEST_INIT },
		{ { "B" }, INT64_MAX, MANIFEST_INIT } };
	struct plan_base b = { .mtime = BASE,
		.live = t->live,
		.carry = { .now = 1000000,
		    .earlier = earlier,
		    .n = t->base != NULL ? 2 : 1,
		    .usable = is_usable } };
	int r;

	*rules = (struct rules){ .carry_for = 200,
		.max_delete = t->max_delete,
		.group = (char *)(uintptr_t)t->group };
	if (t->shared != NULL)
		strvec_add(&rules->shared, t->shared);
	if (t->carry != NULL)
		strvec_add(&rules->carry, t->carry);
	add_tree(&p->m, t->build);
	if (t->earlier != NULL)
		add_tree(&earlier[0].m, t->earlier);
	if (t->base != NULL) {
		add_tree(base, t->base);
		add_tree(&earlier[1].m, t->base);
		b.m = base;
	}
	r = plan_begin(p, rules, t->guarded, e);
	if (r == 0)
		r = plan_compare(p, &b, NEW, e);
	if (r == 0) {
		plan_files(p);
		plan_end(p);
	}
	manifest_release(&earlier[0].m);
	manifest_release(&earlier[1].m);
	return r;
}

static void
end_plan(struct plan *p, struct rules *rules, struct manifest *base)
{
	plan_release(p);
	strvec_release(&rules->shared);
	strvec_release(&rules->carry);
	manifest_release(base);
}

static void
check_row(const struct row *t)
{
	struct plan p = PLAN_INIT;
	struct manifest base = MANIFEST_INIT;
	struct rules rules;
	struct err e = ERR_INIT;
	int r = make_plan(&p, t, &rules, &base, &e);

	if (t->fails) {
		if (!CHECK(r == -1) || !CHECK(strstr(e.text, t->want) != NULL))
			printf("# build '%s': %s\n", t->build, e.text);
	} else if (CHECK(r == 0)) {
		CHECK_STR(print_steps(&p), t->want);
	}
	end_plan(&p, &rules, &base);
	CHECK(p.m.n == 0 && p.steps == NULL);
}

static void
check_rows(const struct row *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&t[i]);
}

#define ROWS(t) check_rows(t, sizeof(t) / sizeof((t)[0]))

static void
test_first_time(void)
{
	static const struct row t[] = {
		{ "", NULL, .want = "" },
		{ "a=A", NULL, .want = "new a @1000" },
		{ "d/ d/a=A d/e/ l>d/a", NULL,
		    .want = "make d; new d/a @1000; make d/e; make l @1000" },
		/* The same content twice is twice new. */
		{ "a=A b=A", NULL, .want = "new a @1000; new b @1000" },
		/* A base without anything is none. */
		{ "a=A", "", .want = "new a @1000" },
	};

	ROWS(t);
}

static void
test_same_path(void)
{
	static const struct row t[] = {
		/* Equal content keeps its time, whenever it was new. */
		{ "a=A", "a=A@500", .want = "link a @500" },
		{ "a=A", "a=A@3", .want = "link a @3" },
		{ "a=B", "a=A@500", .want = "change a @1000" },
		/* Another mode alone: new inode, same bytes, same time. */
		{ "a=A*", "a=A@500", .want = "change a @500" },
		{ "a=A", "a=A*@500", .want = "change a @500" },
		{ "a=A*", "a=A*@500", .want = "link a @500" },
		/* Another type was no file to be compared with. */
		{ "a=A", "a>b", .want = "new a @1000" },
		{ "a=A", "a/ a/b=B@500", .want = "new a @1000" },
		{ "a>b", "a=A@500", .want = "make a @1000" },
		{ "a>b", "a>b@500", .want = "make a @1000" },
		{ "a/", "a=A@500", .want = "make a" },
		/* Neighbours in the order of paths. */
		{ "a/ a/b=B a-b=C ab=D", "a/ a/b=B@1 a-b=C@2 ab=D@3",
		    .want = "make a; link a/b @1; link a-b @2; link ab @3" },
		{ "b=B", "a=A@1 b=B@2 c=C@3", .want = "link b @2" },
		{ "a=A b=B c=C", "b=B@2",
		    .want = "new a @1000; link b @2; new c @1000" },
		/* What was carried or shared in the base counts as content. */
		{ "a=A", "a=A@3~700", .want = "link a @3" },
	};

	ROWS(t);
}

static void
test_moved(void)
{
	static const struct row t[] = {
		{ "b=A", "a=A@500", .want = "link b from a @500" },
		{ "d/ d/b=A", "a=A@500",
		    .want = "make d; link d/b from a @500" },
		/* Older than the base: other bytes could be cached there. */
		{ "b=A", "a=A@499", .want = "new b @1000" },
		/* The base has something else at this path. */
		{ "b=A", "a=A@500 b=B@500", .want = "change b @1000" },
		{ "b=A*", "a=A@500", .want = "new b @1000" },
		{ "b=A c=A", "a=A@500",
		    .want = "link b from a @500; link c from a @500" },
		/* What stays is linked from its own path. */
		{ "a=A b=A", "a=A@500",
		    .want = "link a @500; link b from a @500" },
	};

	ROWS(t);
}

static void
test_shared(void)
{
	static const struct row t[] = {
		{ "a=A", NULL,
		    .want = "new a @1000; share up>../../shared/up @1000",
		    .shared = "up" },
		{ "a=A", NULL,
		    .want =
			"new a @1000; make x; make x/y; share x/y/z>../../../../shared/x/y/z @1000",
		    .shared = "x/y/z" },
		/* An empty directory of the build gives way. */
		{ "a=A up/", NULL,
		    .want = "new a @1000; share up>../../shared/up @1000",
		    .shared = "up" },
		{ "a=A up/ up/b=B", NULL, .want = "the build has 'up'",
		    .shared = "up", .fails = true },
		{ "a=A up=U", NULL, .want = "the build has 'up'",
		    .shared = "up", .fails = true },
		{ "x=X", NULL, .want = "the build has 'x/y'", .shared = "x/y",
		    .fails = true },
		/* As old as what is new, whatever the base had. */
		{ "a=A", "up>../../shared/up@500^",
		    .want = "new a @1000; share up>../../shared/up @1000",
		    .shared = "up" },
	};

	ROWS(t);
}

static void
test_carried(void)
{
	static const struct row t[] = {
		{ "i=I", "i=I@500 a.js=A@400",
		    .want = "carry a.js from B @400; link i @500",
		    .carry = "*.js" },
		/* Never over what the build has. */
		{ "a.js=B", "a.js=A@400", .want = "change a.js @1000",
		    .carry = "*.js" },
		{ "a.js/ a.js/b=B", "a.js=A@400",
		    .want = "make a.js; new a.js/b @1000", .carry = "*.js" },
		/* Nor below a file of it. */
		{ "d=D", "d/ d/a.js=A@400", .want = "new d @1000",
		    .carry = "**/*.js" },
		{ "i=I", "d/ d/a.js=A@400",
		    .want = "make d; carry d/a.js from B @400; new i @1000",
		    .carry = "d/*.js" },
		{ "i=I", "l.js>i@400",
		    .want = "new i @1000; carry l.js from B @400",
		    .carry = "*.js" },
		/* The release that had it last. */
		{ "i=I", "a.js=A@400",
		    .want = "carry a.js from B @400; new i @1000",
		    .carry = "*.js", .earlier = "a.js=B@300" },
		{ "i=I", NULL, .want = "carry a.js from E @300; new i @1000",
		    .carry = "*.js", .earlier = "a.js=B@300" },
		/* For as long as the rules say: 200 seconds before 1000. */
		{ "i=I", "a.js=A@400~800",
		    .want = "carry a.js from B @400; new i @1000",
		    .carry = "*.js" },
		{ "i=I", "a.js=A@400~799", .want = "new i @1000",
		    .carry = "*.js" },
		/* What is shared is not carried, nor what is damaged. */
		{ "i=I", "a.js>x@400^", .want = "new i @1000",
		    .carry = "*.js" },
		{ "i=I", "damaged=A@400", .want = "new i @1000",
		    .carry = "*" },
		{ "i=I", "i=I@500 a=A@1", .want = "link i @500" },
	};

	ROWS(t);
}

/* What is made comes among the rest; old content keeps its time. */
static void
test_made(void)
{
	struct rules rules = RULES_INIT;
	struct manifest base = MANIFEST_INIT;
	struct plan p = PLAN_INIT;
	struct plan_made made[3] = { { .path = "a.gz", .size = 7 },
		{ .path = "b.gz", .size = 10 + 'Z' % 3 },
		{ .path = "b-c.gz", .size = 7 } };
	struct err e = ERR_INIT;

	memset(made[0].digest, 1, HASH_LEN);
	memset(made[1].digest, 'Z', HASH_LEN);
	memset(made[2].digest, 2, HASH_LEN);
	add_tree(&p.m, "a=A b=B b-c/ z=Y");
	add_tree(&base, "b=B@3 b.gz=Z@3 y=Y@500");
	REQUIRE(plan_begin(&p, &rules, false, &e) == 0);
	REQUIRE(
	    plan_compare(&p, &(struct plan_base){ .m = &base, .mtime = BASE },
		NEW, &e) == 0);
	plan_files(&p);
	plan_add_made(&p, &base, made, 3);
	CHECK_STR(print_steps(&p),
	    "new a @1000; new a.gz @1000; link b @3; make b-c; "
	    "new b-c.gz @1000; link b.gz @3; link z from y @500");
	for (size_t i = 0; i < p.m.n; i++)
		CHECK(p.steps[i].made == (strchr(p.m.v[i].path, '.') != NULL));
	plan_end(&p);
	CHECK(p.linked == 3 && p.copied == 3);
	CHECK(manifest_find(&p.m, "b-c.gz") != NULL);
	CHECK(manifest_sort(&p.m, &e) == 0);
	plan_add_made(&p, &base, NULL, 0);
	CHECK(p.m.n == 7);
	plan_release(&p);
	manifest_release(&base);
	rules_release(&rules);
}

static void
test_group(void)
{
	static const struct row t[] = {
		{ "d/ d/a=A", NULL, .want = "make d 2755; new d/a @1000",
		    .group = "www" },
		{ "i=I", NULL,
		    .want =
			"new i @1000; make s 2755; share s/up>../../../shared/s/up @1000",
		    .group = "www", .shared = "s/up" },
		{ "i=I", "d/ d/a=A@4",
		    .want = "make d 2755; carry d/a from B @4; new i @1000",
		    .group = "www", .carry = "d/*" },
	};

	ROWS(t);
}

static void
test_guards(void)
{
	static const struct row t[] = {
		{ "", NULL, .want = "the build is empty", .guarded = true,
		    .fails = true },
		{ "a=A", NULL, .want = "no index.html", .guarded = true,
		    .fails = true },
		{ "a=A", NULL, .want = "new a @1000" },
		{ "index.html=I", "a=A@1 b=B@2 index.html=I@3",
		    .want = "lacks 2 of the 3 paths", .guarded = true,
		    .live = true, .max_delete = 50, .fails = true },
		{ "index.html=I", "a=A@1 b=B@2 index.html=I@3",
		    .want = "link index.html @3", .guarded = true,
		    .live = true, .max_delete = 67 },
		/* Of what is not live nobody misses anything. */
		{ "index.html=I", "a=A@1 b=B@2 index.html=I@3",
		    .want = "link index.html @3", .guarded = true,
		    .max_delete = 50 },
		/* Nor where it was overridden. */
		{ "index.html=I", "a=A@1 b=B@2 index.html=I@3",
		    .want = "link index.html @3", .live = true,
		    .max_delete = 50 },
		/* What is carried on is not left out. */
		{ "index.html=I", "a=A@1 b=B@2 index.html=I@3",
		    .want =
			"carry a from B @1; carry b from B @2; link index.html @3",
		    .guarded = true, .live = true, .max_delete = 50,
		    .carry = "?" },
	};

	ROWS(t);
}

static void
test_sums(void)
{
	static const struct row t = { "d/ d/n=A i=B same=C@9 moved=D",
		"i=Z@1 same=C@500 was=D@500 c.js=E@2", .want = "",
		.carry = "*.js", .shared = "up" };
	struct plan p = PLAN_INIT;
	struct manifest base = MANIFEST_INIT;
	struct rules rules;
	struct err e = ERR_INIT;
	struct guard_room room;

	REQUIRE(make_plan(&p, &t, &rules, &base, &e) == 0);
	CHECK(p.linked == 2); /* same, moved */
	CHECK(p.copied == 2); /* d/n, i */
	CHECK(p.carried == 1);
	CHECK(p.copied_bytes == 10 + 'A' % 3 + 10 + 'B' % 3);
	CHECK(p.totals.files == 5);
	CHECK(strlen(p.digest) == HASH_HEX);
	/* d, d/n, i, up need inodes; so much in blocks of 1000. */
	room = plan_room(&p, 1000);
	CHECK(room.inodes == 4);
	CHECK(room.bytes == p.copied_bytes + 4 * (500 + 256));
	room = plan_most_room(&p, 1000);
	CHECK(room.inodes == 7);
	CHECK(room.bytes == p.totals.bytes + 7 * (500 + 256));
	/* A link that could not be made is a copy. */
	for (size_t i = 0; i < p.m.n; i++)
		if (strcmp(p.m.v[i].path, "same") == 0)
			p.steps[i].way = PLAN_COPY;
	plan_count(&p);
	CHECK(p.linked == 1 && p.copied == 3);
	plan_close(&p);
	CHECK(p.steps == NULL && p.m.n == 7 && p.copied == 3);
	end_plan(&p, &rules, &base);
}

/* Where nothing is carried, the digest needs no base. */
static void
test_early_digest(void)
{
	static const struct row t = { "d/ d/a=A i=I", "i=I@5 b=B@6",
		.want = "", .shared = "up", .group = "www" };
	struct plan p = PLAN_INIT, q = PLAN_INIT;
	struct manifest base = MANIFEST_INIT, none = MANIFEST_INIT;
	struct rules rules, same;
	struct err e = ERR_INIT;
	struct row early = t;

	REQUIRE(make_plan(&p, &t, &rules, &base, &e) == 0);
	same = rules;
	add_tree(&q.m, early.build);
	REQUIRE(plan_begin(&q, &same, false, &e) == 0);
	plan_end(&q);
	CHECK_STR(q.digest, p.digest);
	CHECK(q.linked == 0 && q.copied == 0);
	plan_release(&q);
	end_plan(&p, &rules, &base);
	manifest_release(&none);
}

/* ---- what must hold of any two trees ------------------------------------- */

static unsigned int seed;

static unsigned int
draw(unsigned int below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % below;
}

/* Some files with few names, contents, modes and times. */
static void
draw_tree(struct manifest *m)
{
	struct err e = ERR_INIT;

	for (char name = 'a'; name < 'i'; name++) {
		char word[16];

		if (draw(3) == 0)
			continue;
		snprintf(word, sizeof(word), "%c=%c%s@%u", name,
		    'A' + (int)draw(4), draw(4) == 0 ? "*" : "",
		    BASE - draw(2));
		add_word(m, word, word + strlen(word));
	}
	CHECK(manifest_sort(m, &e) == 0);
}

static bool
has_content(const struct entry *a, const struct entry *b)
{
	return a->size == b->size &&
	    memcmp(a->digest, b->digest, HASH_LEN) == 0;
}

/* Is the step right?  As the header says it, not as the code does. */
static bool
is_right(const struct plan *p, const struct manifest *base, size_t i)
{
	const struct entry *en = &p->m.v[i], *linked;
	const struct entry *same = manifest_find(base, en->path);
	const struct plan_step *s = &p->steps[i];

	/* Never other bytes with the time and size that a cache may have. */
	if (same != NULL && same->mtime == en->mtime && !has_content(same, en))
		return false;
	if (same != NULL && has_content(same, en) && en->mtime != same->mtime)
		return false;
	if (s->way == PLAN_COPY)
		return same == NULL || en->mode != same->mode ||
		    !has_content(same, en);
	linked = s->base;
	return s->way == PLAN_LINK && has_content(linked, en) &&
	    linked->mode == en->mode && linked->mtime == en->mtime &&
	    (linked == same || (same == NULL && linked->mtime == BASE));
}

static void
test_any_trees(void)
{
	static const struct rules rules = RULES_INIT;

	for (seed = 1; seed < 20000; seed += 7) {
		struct plan p = PLAN_INIT;
		struct manifest base = MANIFEST_INIT;
		struct plan_base b = { .m = &base, .mtime = BASE };
		struct err e = ERR_INIT;
		unsigned int began = seed;
		bool right = true;

		draw_tree(&p.m);
		draw_tree(&base);
		right &= plan_begin(&p, &rules, false, &e) == 0 &&
		    plan_compare(&p, &b, NEW, &e) == 0;
		/* In any order: threads take files as they come. */
		for (size_t i = p.m.n; right && i-- > 0;)
			plan_file(&p, i);
		plan_end(&p);
		for (size_t i = 0; right && i < p.m.n; i++)
			right = is_right(&p, &base, i);
		right &= p.linked + p.copied == p.m.n;
		plan_release(&p);
		manifest_release(&base);
		seed = began;
		if (!CHECK(right)) {
			printf("# with seed %u\n", began);
			return;
		}
	}
}

UNIT_MAIN(UNIT(test_first_time), UNIT(test_same_path), UNIT(test_moved),
    UNIT(test_shared), UNIT(test_carried), UNIT(test_made), UNIT(test_group),
    UNIT(test_guards), UNIT(test_sums), UNIT(test_early_digest),
    UNIT(test_any_trees))
