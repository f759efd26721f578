#include "content/guard.h"

#include "unit.h"

/* Add files called a00, a01, ...; or with another prefix. */
static void
add_pages(struct manifest *m, const char *prefix, int n)
{
	for (int i = 0; i < n; i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%02d", prefix, i);
		manifest_add(m, path, ENTRY_FILE);
	}
}

/* The guards' verdict on `m`: NULL, or the message. */
static const char *
refusal(struct manifest *m, struct manifest *live, unsigned int max_delete)
{
	static struct err e;

	e = (struct err)ERR_INIT;
	CHECK(manifest_sort(m, &e) == 0);
	CHECK(live == NULL || manifest_sort(live, &e) == 0);
	if (guard_check_build(m, &e) == 0 &&
	    (live == NULL ||
		guard_check_deletions(m, live, max_delete, &e) == 0))
		return NULL;
	CHECK(e.code == ERR_GUARD);
	return e.text;
}

static void
check_refused(const char *got, const char *want, int line)
{
	if (got == NULL || strstr(got, want) == NULL) {
		printf("# %d: '%s' lacks '%s'\n", line,
		    got != NULL ? got : "(accepted)", want);
		unit_failed = true;
	}
}

#define CHECK_REFUSED(got, want) check_refused(got, want, __LINE__)

static void
test_empty(void)
{
	struct manifest m = MANIFEST_INIT, live = MANIFEST_INIT;

	CHECK_REFUSED(refusal(&m, NULL, 50), "empty");
	CHECK_REFUSED(refusal(&m, &live, 100), "empty");
	/* Directories and links are no content. */
	manifest_add(&m, "d", ENTRY_DIR);
	manifest_set_link(&m, manifest_add(&m, "index.html", ENTRY_LINK),
	    "nowhere");
	CHECK_REFUSED(refusal(&m, NULL, 50), "empty");
	manifest_release(&m);
}

static void
test_index(void)
{
	struct manifest m = MANIFEST_INIT;

	add_pages(&m, "page", 3);
	CHECK_REFUSED(refusal(&m, NULL, 50), "no index.html");
	manifest_add(&m, "sub", ENTRY_DIR);
	manifest_add(&m, "sub/index.html", ENTRY_FILE);
	manifest_add(&m, "INDEX.HTML", ENTRY_FILE);
	CHECK_REFUSED(refusal(&m, NULL, 50), "no index.html");
	manifest_add(&m, "index.html", ENTRY_FILE);
	CHECK_STR(refusal(&m, NULL, 50), NULL);
	manifest_release(&m);
}

static void
test_index_is_a_link_or_directory(void)
{
	struct manifest m = MANIFEST_INIT;

	manifest_add(&m, "home.html", ENTRY_FILE);
	manifest_set_link(&m, manifest_add(&m, "index.html", ENTRY_LINK),
	    "home.html");
	CHECK_STR(refusal(&m, NULL, 50), NULL);
	manifest_release(&m);
	manifest_add(&m, "home.html", ENTRY_FILE);
	manifest_add(&m, "index.html", ENTRY_DIR);
	CHECK_REFUSED(refusal(&m, NULL, 50), "no index.html");
	manifest_release(&m);
}

/* The mistake of an archive with one directory in it gets its cure. */
static void
test_one_directory(void)
{
	struct manifest m = MANIFEST_INIT;

	manifest_add(&m, "public", ENTRY_DIR);
	manifest_add(&m, "public/index.html", ENTRY_FILE);
	CHECK_REFUSED(refusal(&m, NULL, 50), "'public/'");
	CHECK_REFUSED(refusal(&m, NULL, 50), "--strip");
	manifest_add(&m, "public.txt", ENTRY_FILE);
	CHECK_REFUSED(refusal(&m, NULL, 50), "--override=build");
	manifest_release(&m);
}

static void
test_deletions(void)
{
	struct manifest m = MANIFEST_INIT, live = MANIFEST_INIT;

	/* 10 live paths, of which the build lacks 5. */
	manifest_add(&live, "index.html", ENTRY_FILE);
	add_pages(&live, "a", 4);
	add_pages(&live, "b", 5);
	manifest_add(&m, "index.html", ENTRY_FILE);
	add_pages(&m, "a", 4);
	CHECK_STR(refusal(&m, &live, 50), NULL);
	CHECK_STR(refusal(&m, &live, 100), NULL);
	CHECK_REFUSED(refusal(&m, &live, 49), "lacks 5 of the 10 paths");
	CHECK_REFUSED(refusal(&m, &live, 49), "(49%)");
	CHECK_REFUSED(refusal(&m, &live, 0), "lacks 5");
	/* What is added does not make up for what is gone. */
	add_pages(&m, "new", 50);
	CHECK_REFUSED(refusal(&m, &live, 49), "lacks 5");
	/* A live site that is empty has nothing to lose. */
	manifest_release(&live);
	CHECK_STR(refusal(&m, &live, 0), NULL);
	manifest_release(&m);
}

/* Just more than half of an odd number: no rounding in its favour. */
static void
test_deletions_do_not_round(void)
{
	struct manifest m = MANIFEST_INIT, live = MANIFEST_INIT;

	manifest_add(&live, "index.html", ENTRY_FILE);
	add_pages(&live, "a", 2);
	manifest_add(&m, "index.html", ENTRY_FILE);
	CHECK_REFUSED(refusal(&m, &live, 66), "lacks 2 of the 3");
	CHECK_STR(refusal(&m, &live, 67), NULL);
	manifest_release(&m);
	manifest_release(&live);
}

static void
test_what_counts_as_a_path(void)
{
	struct manifest m = MANIFEST_INIT, live = MANIFEST_INIT;
	struct entry *en;

	manifest_add(&live, "index.html", ENTRY_FILE);
	manifest_add(&live, "dir", ENTRY_DIR);
	for (int i = 0; i < 10; i++) {
		char path[32];

		snprintf(path, sizeof(path), "c%d", i);
		en = manifest_add(&live, path, ENTRY_FILE);
		en->mark = ENTRY_CARRIED;
		snprintf(path, sizeof(path), "s%d", i);
		en = manifest_add(&live, path, ENTRY_LINK);
		manifest_set_link(&live, en, "../../shared/x");
		en->mark = ENTRY_SHARED;
	}
	manifest_add(&m, "index.html", ENTRY_FILE);
	CHECK_STR(refusal(&m, &live, 0), NULL);
	/* A file that became a directory is a path still. */
	manifest_add(&live, "x", ENTRY_FILE);
	manifest_add(&m, "x", ENTRY_DIR);
	CHECK_STR(refusal(&m, &live, 0), NULL);
	/* What is carried on is not left out. */
	manifest_add(&live, "y", ENTRY_FILE);
	manifest_add(&m, "y", ENTRY_FILE)->mark = ENTRY_CARRIED;
	CHECK_STR(refusal(&m, &live, 0), NULL);
	/* A link of the build counts. */
	en = manifest_add(&live, "l", ENTRY_LINK);
	manifest_set_link(&live, en, "x");
	CHECK_REFUSED(refusal(&m, &live, 0), "lacks 1 of the 4");
	manifest_release(&m);
	manifest_release(&live);
}

static void
test_room(void)
{
	static const struct {
		struct guard_room need, free;
		const char *want; /* NULL: it fits */
	} t[] = { { { 0, 0 }, { 0, 0 }, NULL }, { { 10, 2 }, { 10, 2 }, NULL },
		{ { 1500, 2 }, { 1499, 2 },
		    "needs 1.5 kB, '/srv/x' has 1.5 kB free" },
		{ { 3000000, 2 }, { 12, 9 },
		    "needs 3.0 MB, '/srv/x' has 12 B free" },
		{ { 10, 3 }, { 10, 2 },
		    "needs 3 inodes, '/srv/x' has 2 free" },
		/* What is not known refuses nothing. */
		{ { INT64_MAX, INT64_MAX }, { -1, -1 }, NULL },
		{ { INT64_MAX, 1 }, { -1, 0 }, "needs 1 inode, " },
		{ { 1, INT64_MAX }, { 0, -1 }, "needs 1 B" },
		{ { -1, -1 }, { 0, 0 }, NULL } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct err e = ERR_INIT;
		int r = guard_check_room(&t[i].need, &t[i].free, "/srv/x", &e);

		CHECK(r == (t[i].want == NULL ? 0 : -1));
		if (t[i].want == NULL)
			continue;
		CHECK(e.code == ERR_GUARD);
		CHECK_REFUSED(e.text, t[i].want);
		CHECK_REFUSED(e.text, "run 'deploy prune'");
	}
}

UNIT_MAIN(UNIT(test_room), UNIT(test_empty), UNIT(test_index),
    UNIT(test_index_is_a_link_or_directory), UNIT(test_one_directory),
    UNIT(test_deletions), UNIT(test_deletions_do_not_round),
    UNIT(test_what_counts_as_a_path))
