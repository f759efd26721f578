#include "content/diff.h"

#include "unit.h"

/* Add a file whose content is known by a letter. */
static void
add_file(struct manifest *m, const char *path, char content, int64_t size)
{
	struct entry *en = manifest_add(m, path, ENTRY_FILE);

	en->mode = 0644;
	en->size = size;
	memset(en->digest, content, HASH_LEN);
}

static void
add_link(struct manifest *m, const char *path, const char *target)
{
	struct entry *en = manifest_add(m, path, ENTRY_LINK);

	en->mode = 0777;
	manifest_set_link(m, en, target);
}

/* The difference as "A path\n" lines; sorts both first. */
static const char *
compare(struct manifest *a, struct manifest *b)
{
	static char out[1024];
	struct diff d = DIFF_INIT;
	struct err e = ERR_INIT;
	size_t count[3] = { 0, 0, 0 };

	CHECK(manifest_sort(a, &e) == 0);
	CHECK(manifest_sort(b, &e) == 0);
	diff_manifests(&d, a, b);
	out[0] = '\0';
	for (size_t i = 0; i < d.n; i++) {
		char line[128];

		snprintf(line, sizeof(line), "%c %s %lld %lld\n",
		    "AMD"[d.v[i].kind], d.v[i].path,
		    (long long)d.v[i].old_size, (long long)d.v[i].new_size);
		strcat(out, line);
		count[d.v[i].kind]++;
	}
	CHECK(memcmp(count, d.count, sizeof(count)) == 0);
	diff_release(&d);
	diff_release(&d);
	return out;
}

static void
test_nothing(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	CHECK_STR(compare(&a, &b), "");
	add_file(&a, "x", 'x', 1);
	add_file(&b, "x", 'x', 1);
	b.v[0].mtime = 7;
	b.v[0].mark = ENTRY_CARRIED;
	CHECK_STR(compare(&a, &b), "");
	manifest_release(&a);
	manifest_release(&b);
}

static void
test_all_kinds(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	add_file(&a, "changed", 'x', 10);
	add_file(&b, "changed", 'y', 20);
	add_file(&a, "removed", 'x', 30);
	add_file(&b, "added", 'x', 40);
	add_file(&a, "same", 's', 50);
	add_file(&b, "same", 's', 50);
	add_file(&a, "same-size", 's', 60);
	add_file(&b, "same-size", 't', 60);
	CHECK_STR(compare(&a, &b),
	    "A added 0 40\n"
	    "M changed 10 20\n"
	    "D removed 30 0\n"
	    "M same-size 60 60\n");
	CHECK_STR(compare(&b, &a),
	    "D added 40 0\n"
	    "M changed 20 10\n"
	    "A removed 0 30\n"
	    "M same-size 60 60\n");
	manifest_release(&a);
	manifest_release(&b);
}

static void
test_from_and_to_nothing(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	add_file(&b, "b", 'x', 1);
	add_file(&b, "a", 'x', 2);
	CHECK_STR(compare(&a, &b), "A a 0 2\nA b 0 1\n");
	CHECK_STR(compare(&b, &a), "D a 2 0\nD b 1 0\n");
	manifest_release(&b);
}

static void
test_mode_and_type(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	add_file(&a, "mode", 'x', 1);
	add_file(&b, "mode", 'x', 1);
	b.v[0].mode = 0755;
	add_file(&a, "to-link", 'x', 5);
	add_link(&b, "to-link", "mode");
	add_link(&a, "target", "one");
	add_link(&b, "target", "two");
	add_link(&a, "unchanged", "one");
	add_link(&b, "unchanged", "one");
	CHECK_STR(compare(&a, &b),
	    "M mode 1 1\n"
	    "M target 0 0\n"
	    "M to-link 5 0\n");
	manifest_release(&a);
	manifest_release(&b);
}

static void
test_directories(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	/* A directory shows in what it holds. */
	manifest_add(&a, "old", ENTRY_DIR);
	add_file(&a, "old/x", 'x', 1);
	manifest_add(&b, "new", ENTRY_DIR);
	manifest_add(&b, "new/sub", ENTRY_DIR);
	add_file(&b, "new/sub/x", 'x', 1);
	add_file(&b, "new.x", 'x', 1);
	CHECK_STR(compare(&a, &b),
	    "A new/sub/x 0 1\n"
	    "A new.x 0 1\n"
	    "D old/x 1 0\n");
	manifest_release(&a);
	manifest_release(&b);

	/* An empty one does not; setgid on one is no change of content. */
	manifest_add(&a, "both", ENTRY_DIR);
	manifest_add(&b, "both", ENTRY_DIR)->mode = 02755;
	manifest_add(&a, "empty", ENTRY_DIR);
	manifest_add(&b, "hollow", ENTRY_DIR);
	add_file(&b, "hollow.x", 'x', 1);
	CHECK_STR(compare(&a, &b),
	    "D empty 0 0\n"
	    "A hollow 0 0\n"
	    "A hollow.x 0 1\n");
	manifest_release(&a);
	manifest_release(&b);
}

/* A file where a directory was, and the other way. */
static void
test_file_and_directory(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	add_file(&a, "x", 'x', 7);
	manifest_add(&b, "x", ENTRY_DIR);
	add_file(&b, "x/y", 'y', 8);
	CHECK_STR(compare(&a, &b), "M x 7 0\nA x/y 0 8\n");
	CHECK_STR(compare(&b, &a), "M x 0 7\nD x/y 8 0\n");
	manifest_release(&a);
	manifest_release(&b);
}

/* What changed for those who had the one or the other. */
static void
test_unite(void)
{
	struct manifest one = MANIFEST_INIT, other = MANIFEST_INIT;
	struct manifest new = MANIFEST_INIT;
	struct diff d = DIFF_INIT, more = DIFF_INIT;
	struct err e = ERR_INIT;

	add_file(&one, "both", 'x', 1);
	add_file(&other, "both", 'y', 2);
	add_file(&new, "both", 'z', 3);
	add_file(&one, "first", 'x', 1);
	add_file(&new, "first", 'z', 1);
	add_file(&other, "first", 'z', 1);
	add_file(&other, "gone", 'x', 1);
	add_file(&one, "mixed", 'x', 1);
	add_file(&new, "mixed", 'z', 1);
	CHECK(manifest_sort(&one, &e) == 0);
	CHECK(manifest_sort(&other, &e) == 0);
	CHECK(manifest_sort(&new, &e) == 0);
	diff_manifests(&d, &one, &new);
	diff_manifests(&more, &other, &new);
	diff_unite(&d, &more);
	CHECK(d.n == 4);
	CHECK_STR(d.v[0].path, "both");
	CHECK(d.v[0].kind == DIFF_CHANGED);
	CHECK_STR(d.v[1].path, "first");
	CHECK_STR(d.v[2].path, "gone");
	CHECK(d.v[2].kind == DIFF_REMOVED);
	/* Changed for the one, added for the other. */
	CHECK_STR(d.v[3].path, "mixed");
	CHECK(d.v[3].kind == DIFF_CHANGED);
	CHECK(d.count[DIFF_ADDED] == 0 && d.count[DIFF_CHANGED] == 3 &&
	    d.count[DIFF_REMOVED] == 1);
	diff_drop(&d, &new, (const bool[]){ true, true, false });
	CHECK(d.n == 2 && d.count[DIFF_CHANGED] == 1);
	CHECK_STR(d.v[0].path, "gone");
	CHECK_STR(d.v[1].path, "mixed");
	diff_release(&d);
	diff_unite(&d, &d);
	CHECK(d.n == 0);
	diff_release(&d);
	diff_release(&more);
	manifest_release(&one);
	manifest_release(&other);
	manifest_release(&new);
}

UNIT_MAIN(UNIT(test_nothing), UNIT(test_all_kinds),
    UNIT(test_from_and_to_nothing), UNIT(test_mode_and_type),
    UNIT(test_directories), UNIT(test_file_and_directory), UNIT(test_unite))
