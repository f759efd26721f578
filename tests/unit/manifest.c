#include "content/manifest.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/path.h"
#include "place.h"

#define HEAD "#mtree v2.0\n"
#define HEX "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define FILE_LINE(name) \
	name " type=file mode=0644 size=1 sha256digest=" HEX "\n"

/* Parse `text`; the message of a failure, or NULL. */
static const char *
failure(const char *text)
{
	static struct err e;
	struct manifest m = MANIFEST_INIT;
	size_t len = strlen(text);
	/* Exactly as long as the text: a sanitizer sees what reads on. */
	char *copy = malloc(len);
	int r;

	memcpy(copy, text, len);
	e = (struct err)ERR_INIT;
	r = manifest_parse(&m, copy, len, "NAME", &e);
	free(copy);
	manifest_release(&m);
	if (r == 0)
		return NULL;
	CHECK(e.code == ERR_INTEGRITY);
	return e.text;
}

static void
check_failure(const char *text, const char *want, int line)
{
	const char *why = failure(text);

	if (why == NULL || strstr(why, want) == NULL) {
		printf("# %d: got '%s', want '%s'\n", line,
		    why == NULL ? "(parsed)" : why, want);
		unit_failed = true;
	}
}

#define CHECK_FAILS(text, want) check_failure(text, want, __LINE__)
#define CHECK_PARSES(text) CHECK_STR(failure(text), NULL)

static struct entry *
add_file(struct manifest *m, const char *path, char seed)
{
	struct entry *en = manifest_add(m, path, ENTRY_FILE);

	en->mode = 0644;
	en->size = seed;
	en->mtime = 1763751785;
	memset(en->digest, seed, HASH_LEN);
	return en;
}

static bool
is_same_digest(const struct manifest *a, const struct manifest *b)
{
	uint8_t x[HASH_LEN], y[HASH_LEN];

	manifest_digest(a, x);
	manifest_digest(b, y);
	return memcmp(x, y, HASH_LEN) == 0;
}

static void
test_sort_and_find(void)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	CHECK(manifest_sort(&m, &e) == 0);
	CHECK(manifest_find(&m, "a") == NULL);
	for (char c = 'z'; c >= 'a'; c--) {
		const char name[] = { c, '\0' };

		add_file(&m, name, c);
	}
	manifest_add(&m, "dir", ENTRY_DIR);
	add_file(&m, "dir/x", 1);
	add_file(&m, "dir.x", 2);
	REQUIRE(manifest_sort(&m, &e) == 0);
	for (size_t i = 1; i < m.n; i++)
		CHECK(path_compare(m.v[i - 1].path, m.v[i].path) < 0);
	REQUIRE(manifest_find(&m, "dir/x") != NULL);
	CHECK(manifest_find(&m, "dir/x")->size == 1);
	CHECK(manifest_find(&m, "dir.x")->size == 2);
	CHECK(manifest_find(&m, "a") == &m.v[0]);
	CHECK(manifest_find(&m, "z") == &m.v[m.n - 1]);
	CHECK(manifest_find(&m, "") == NULL);
	CHECK(manifest_find(&m, "zz") == NULL);
	CHECK(manifest_totals(&m).files == 28);
	add_file(&m, "m", 9);
	CHECK(manifest_sort(&m, &e) == -1);
	CHECK(e.code == ERR_INTEGRITY);
	CHECK(strstr(e.text, "'m' is there twice") != NULL);
	manifest_release(&m);
}

static void
test_sorted_duplicate(void)
{
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	add_file(&m, "a", 1);
	add_file(&m, "a", 1);
	CHECK(manifest_sort(&m, &e) == -1);
	manifest_release(&m);
}

static void
test_totals(void)
{
	struct manifest m = MANIFEST_INIT;
	struct entry *en;

	CHECK(manifest_totals(&m).files == 0);
	add_file(&m, "a", 3);
	add_file(&m, "b", 4);
	manifest_add(&m, "c", ENTRY_DIR)->size = 1000;
	en = manifest_add(&m, "d", ENTRY_LINK);
	manifest_set_link(&m, en, "a");
	CHECK(manifest_totals(&m).files == 2);
	CHECK(manifest_totals(&m).bytes == 7);
	manifest_release(&m);
}

static void
test_same(void)
{
	struct manifest m = MANIFEST_INIT;
	struct entry a, b, link, other;

	a = *add_file(&m, "a", 1);
	b = a;
	b.mtime = 5;
	b.mark = ENTRY_CARRIED;
	b.last = 7;
	CHECK(entry_is_same(&a, &b));
	b.mode = 0755;
	CHECK(!entry_is_same(&a, &b));
	b = a;
	b.size++;
	CHECK(!entry_is_same(&a, &b));
	b = a;
	b.digest[HASH_LEN - 1]++;
	CHECK(!entry_is_same(&a, &b));
	b.type = ENTRY_DIR;
	CHECK(!entry_is_same(&a, &b));
	link = *manifest_add(&m, "l", ENTRY_LINK);
	manifest_set_link(&m, &link, "x");
	other = link;
	CHECK(entry_is_same(&link, &other));
	manifest_set_link(&m, &other, "y");
	CHECK(!entry_is_same(&link, &other));
	manifest_release(&m);
}

/* The names that other tools choke on. */
static const char *const nasty[] = {
	" leading",
	"#comment",
	"*",
	"-rf",
	".tmp-1",
	"..a",
	"a b",
	"a\\012b",
	"a\\b",
	"a=b",
	"a\\",
	"c:d",
	"e,f",
	"link=x",
	"q\"'`$(id)",
	"s;t&u|v",
	"trailing ",
	"type=file",
	"z\\",
	"~",
	"\xc3\xa4",
	"a\xcc\x88",
	"\xa4\xff\xfe",
	"\xe2\x80\xae",
	"/set",
};

static void
test_round_trip(void)
{
	struct manifest m = MANIFEST_INIT, again = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	struct entry *en;
	char longest[PATH_LEN_MAX + 1];

	for (size_t i = 0; i < sizeof(nasty) / sizeof(nasty[0]); i++) {
		char path[64];

		if (nasty[i][0] == '/')
			snprintf(path, sizeof(path), "x%s", nasty[i]);
		else
			snprintf(path, sizeof(path), "%s", nasty[i]);
		add_file(&m, path, (char)(i + 1));
		snprintf(path, sizeof(path), "l%zu", i);
		en = manifest_add(&m, path, ENTRY_LINK);
		en->mode = 0777;
		/* "/set" would leave the tree. */
		manifest_set_link(&m, en, nasty[i] + (*nasty[i] == '/'));
	}
	/* Every byte becomes four, twice: the longest line there is. */
	memset(longest, '\xe4', sizeof(longest));
	for (size_t i = 200; i < sizeof(longest); i += 201)
		longest[i] = '/';
	longest[PATH_LEN_MAX] = '\0';
	en = manifest_add(&m, longest, ENTRY_LINK);
	en->mode = 0777;
	manifest_set_link(&m, en, longest);
	en = add_file(&m, "carried", 1);
	en->mark = ENTRY_CARRIED;
	en->last = 253402300799;
	en->mtime = 253402300799;
	en->size = INT64_MAX / 2;
	en->mode = 0755;
	manifest_add(&m, "dir", ENTRY_DIR)->mode = 02755;
	REQUIRE(manifest_sort(&m, &e) == 0);

	REQUIRE(enter(&d) == 0);
	CHECK(manifest_write(&m, &d, "m", &e) == 0);
	if (!CHECK(manifest_read(&again, &d, "m", &e) == 0))
		printf("# %s\n", e.text);
	CHECK(again.n == m.n);
	for (size_t i = 0; i < m.n && i < again.n; i++) {
		const struct entry *x = &m.v[i], *y = &again.v[i];

		CHECK_STR(y->path, x->path);
		CHECK_STR(y->link, x->link);
		CHECK(y->type == x->type);
		CHECK(y->mark == x->mark);
		CHECK(y->mode == x->mode);
		CHECK(y->size == x->size);
		CHECK(y->last == x->last);
		CHECK(y->type == ENTRY_DIR || y->mtime == x->mtime);
		CHECK(memcmp(y->digest, x->digest, HASH_LEN) == 0);
	}
	CHECK(is_same_digest(&m, &again));
	manifest_release(&again);
	manifest_release(&m);
	leave(&d);
}

static void
test_empty_round_trip(void)
{
	struct manifest m = MANIFEST_INIT, again = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	CHECK(manifest_write(&m, &d, "m", &e) == 0);
	CHECK(manifest_read(&again, &d, "m", &e) == 0);
	CHECK(again.n == 0);
	CHECK(is_same_digest(&m, &again));
	manifest_release(&again);
	leave(&d);
}

static void
test_write_replaces_nothing(void)
{
	struct manifest m = MANIFEST_INIT;
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	REQUIRE(enter(&d) == 0);
	CHECK(manifest_write(&m, &d, "m", &e) == 0);
	CHECK(fstatat(d.fd, "m", &st, 0) == 0);
	CHECK((st.st_mode & 07777) == 0644);
	CHECK(manifest_write(&m, &d, "m", &e) == -1);
	CHECK(symlinkat("elsewhere", d.fd, "l") == 0);
	CHECK(manifest_write(&m, &d, "l", &e) == -1);
	CHECK(faccessat(d.fd, "elsewhere", F_OK, 0) != 0);
	CHECK(manifest_read(&m, &d, "l", &e) == -1);
	CHECK(manifest_read(&m, &d, "none", &e) == -1);
	CHECK(strstr(e.text, "/none'") != NULL);
	leave(&d);
}

/* The digest names the content and its marks, not when it came. */
static void
test_digest(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;

	CHECK(is_same_digest(&a, &b));
	add_file(&a, "x", 1);
	CHECK(!is_same_digest(&a, &b));
	add_file(&b, "x", 1);
	b.v[0].mtime = 99;
	CHECK(is_same_digest(&a, &b));
	b.v[0].mark = ENTRY_CARRIED;
	b.v[0].last = 5;
	CHECK(!is_same_digest(&a, &b));
	a.v[0].mark = ENTRY_CARRIED;
	a.v[0].last = 6;
	CHECK(is_same_digest(&a, &b));
	b.v[0].mode = 0755;
	CHECK(!is_same_digest(&a, &b));
	b.v[0].mode = 0644;
	b.v[0].digest[31] ^= 1;
	CHECK(!is_same_digest(&a, &b));
	b.v[0].digest[31] ^= 1;
	manifest_add(&b, "y", ENTRY_DIR);
	CHECK(!is_same_digest(&a, &b));
	manifest_release(&a);
	manifest_release(&b);
}

/* What a name contains cannot look like the line of something else. */
static void
test_digest_is_unambiguous(void)
{
	struct manifest a = MANIFEST_INIT, b = MANIFEST_INIT;
	struct entry *en;

	en = manifest_add(&a, "x", ENTRY_LINK);
	manifest_set_link(&a, en, "y tags=shared");
	en = manifest_add(&b, "x", ENTRY_LINK);
	manifest_set_link(&b, en, "y");
	en->mark = ENTRY_SHARED;
	CHECK(!is_same_digest(&a, &b));
	manifest_release(&a);
	manifest_release(&b);
}

static void
test_parse_values(void)
{
	static const char text[] =
	    HEAD ". type=dir mode=0755\n"
		 "./b type=file mode=0755 size=9223372036854775807 time=0.999 "
		 "sha256digest=" HEX " tags=carried,last-12\n"
		 "# a comment\n\n"
		 "./a type=dir mode=2755 uid=0 nosuch=key flag time=12\n"
		 "./a/s\\040t type=link link=../../../shared/a/s\\040t "
		 "tags=shared\n"
		 "./c   size=0  type=file sha256=" HEX " mode=0000000644 "
		 "time=253402300799.5 tags=foreign \n";
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	uint8_t digest[HASH_LEN];

	CHECK(hash_unhex(HEX, digest) == 0);
	if (!CHECK(manifest_parse(&m, text, strlen(text), "x", &e) == 0))
		printf("# %s\n", e.text);
	REQUIRE(m.n == 4);
	CHECK_STR(m.v[0].path, "a");
	CHECK(m.v[0].type == ENTRY_DIR && m.v[0].mode == 02755);
	CHECK_STR(m.v[1].path, "a/s t");
	CHECK_STR(m.v[1].link, "../../../shared/a/s t");
	CHECK(m.v[1].type == ENTRY_LINK && m.v[1].mark == ENTRY_SHARED);
	CHECK(m.v[1].mode == 0777);
	CHECK_STR(m.v[2].path, "b");
	CHECK(m.v[2].size == INT64_MAX && m.v[2].mode == 0755);
	CHECK(m.v[2].mtime == 0);
	CHECK(m.v[2].mark == ENTRY_CARRIED && m.v[2].last == 12);
	CHECK(memcmp(m.v[2].digest, digest, HASH_LEN) == 0);
	CHECK(m.v[3].mode == 0644 && m.v[3].size == 0);
	CHECK(m.v[3].mtime == 253402300799);
	CHECK(m.v[3].mark == ENTRY_BUILD);
	CHECK(memcmp(m.v[3].digest, digest, HASH_LEN) == 0);
	manifest_release(&m);
}

static void
test_parse_frame(void)
{
	CHECK_PARSES(HEAD);
	CHECK_PARSES(HEAD ". type=dir mode=0755\n");
	CHECK_FAILS("", "'NAME' is empty");
	CHECK_FAILS("\n", "NAME:1: no '#mtree v2.0'");
	CHECK_FAILS("#mtree\n", "NAME:1: ");
	CHECK_FAILS("#mtree v2.0\r\n", "NAME:1: ");
	CHECK_FAILS("#mtree v2.0", "NAME:0: the end of a line is missing");
	CHECK_FAILS(FILE_LINE("./a"), "NAME:1: ");
	CHECK_FAILS(HEAD FILE_LINE("./a") "./b type=dir mode=0755",
	    "the end of a line is missing");
	CHECK_FAILS(HEAD FILE_LINE("./a") FILE_LINE("./b") FILE_LINE("./a"),
	    "NAME: the path 'a' is there twice");
}

static void
test_parse_nul(void)
{
	static const char text[] = HEAD "./a\0b type=dir mode=0755\n";
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	CHECK(manifest_parse(&m, text, sizeof(text) - 1, "N", &e) == -1);
	CHECK(strstr(e.text, "N:2: a NUL byte") != NULL);
	manifest_release(&m);
}

static void
test_parse_names(void)
{
	CHECK_FAILS(HEAD FILE_LINE("a"), "NAME:2: a name that does not");
	CHECK_FAILS(HEAD FILE_LINE("/a"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("../a"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE(".//a"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./a/../../b"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("././a"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./.."), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./\\056\\056/a"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./a\\057\\056\\056"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./a\\012b"), "NAME:2: ");
	CHECK_FAILS(HEAD FILE_LINE("./a\\000"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a\\"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a\\04"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a\\400"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a\\08x"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a\\x20"), "NAME:2: a broken name");
	CHECK_FAILS(HEAD FILE_LINE("./a") "\n# c\n" FILE_LINE("b"),
	    "NAME:5: ");
	CHECK_FAILS(HEAD "/set type=file\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=dir \\\nmode=0755\n", "NAME:2: ");
	/* A byte that needs no escape may have one. */
	CHECK_PARSES(HEAD FILE_LINE("./\\141"));
}

static void
test_parse_wrong_values(void)
{
	static const char *const wrong[] = {
		"type=file2",
		"type=",
		"type",
		"type=block",
		"type=Dir",
		"mode=8",
		"mode=",
		"mode=-1",
		"mode=10000",
		"mode=0x1ff",
		"mode=00000000000000000000000000010000",
		"mode=755a",
		"size=-1",
		"size=",
		"size=1k",
		"size=9223372036854775808",
		"size=18446744073709551616",
		"size=99999999999999999999999",
		"size=+1",
		"size=0x10",
		"time=",
		"time=.5",
		"time=-1",
		"time=253402300800",
		"time=9223372036854775808",
		"time=1e9",
		"sha256digest=",
		"sha256digest=00",
		"sha256digest=" HEX "0",
		"sha256=zz" HEX,
		"link=\\",
		"link=a\\000",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text),
		    HEAD "./a %s type=file mode=0644 "
			 "size=1 sha256digest=" HEX "\n",
		    wrong[i]);
		if (strncmp(wrong[i], "type", 4) == 0)
			snprintf(text, sizeof(text), HEAD "./a %s\n",
			    wrong[i]);
		CHECK_FAILS(text, "NAME:2: a wrong value");
	}
	CHECK_FAILS(HEAD FILE_LINE("./a") "./b type=file mode=0644 size=1 "
					  "sha256digest="
					  "g123456789abcdef0123456789abcdef"
					  "0123456789abcdef0123456789abcdef\n",
	    "NAME:3: a wrong value");
}

/* Sizes that cannot be added up. */
static void
test_parse_sums(void)
{
	static const char text[] = HEAD
	    "./a type=file mode=0644 size=9223372036854775807 sha256=" HEX "\n"
	    "./b type=file mode=0644 size=1 sha256=" HEX "\n";

	CHECK_FAILS(text, "too large");
}

static void
test_parse_missing_keywords(void)
{
	CHECK_FAILS(HEAD "./a\n", "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a type=file mode=0644 size=1\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=file mode=0644 sha256=" HEX "\n",
	    "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a type=file size=1 sha256=" HEX "\n",
	    "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a mode=0644 size=1 sha256=" HEX "\n",
	    "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a type=dir\n", "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a type=link mode=0777\n",
	    "NAME:2: a keyword is missing");
	CHECK_FAILS(HEAD "./a type=dir mode=0755 link=b\n",
	    "NAME:2: a link target on what is not a link");
	CHECK_PARSES(HEAD "./a type=link link=b\n");
}

/* Every mode that there is: two of files, two of directories, one of links. */
static void
test_parse_modes(void)
{
	static const struct {
		const char *line;
		unsigned int good[2];
	} kinds[] = {
		{ "./a type=file size=1 sha256=" HEX, { 0644, 0755 } },
		{ "./a type=dir", { 0755, 02755 } },
		{ "./a type=link link=b", { 0777, 0777 } },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned int mode = 0; mode <= 07777; mode++) {
			struct manifest m = MANIFEST_INIT;
			struct err e = ERR_INIT;
			char text[256];
			bool good = mode == kinds[i].good[0] ||
			    mode == kinds[i].good[1];

			snprintf(text, sizeof(text), HEAD "%s mode=0%o\n",
			    kinds[i].line, mode);
			CHECK((manifest_parse(&m, text, strlen(text), "NAME",
				   &e) == 0) == good);
			CHECK(good || e.code == ERR_INTEGRITY);
			manifest_release(&m);
		}
}

static void
test_parse_links(void)
{
	CHECK_FAILS(HEAD "./a type=link link=/etc\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=link link=../b\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=link link=\\056./b\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=link link=\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=link link=b\\012\n", "NAME:2: ");
	CHECK_FAILS(HEAD "./a type=link link=/etc tags=carried,last-1\n",
	    "NAME:2: ");
	CHECK_PARSES(HEAD "./a/b type=link link=../c\n");
	CHECK_PARSES(HEAD "./a type=link tags=shared link=../../shared/a\n");
	CHECK_FAILS(HEAD "./a type=link tags=shared link=/etc\n",
	    "NAME:2: a shared link to another place");
	CHECK_FAILS(HEAD "./a/b type=link tags=shared link=../../shared/b\n",
	    "NAME:2: a shared link to another place");
}

/* Nothing can be in what is no directory, in whichever order it comes. */
static void
test_parse_parents(void)
{
	CHECK_FAILS(HEAD "./a/b type=link link=c\n./a type=link link=c\n",
	    "'a/b' is in 'a', which is not a directory");
	CHECK_PARSES(HEAD "./a-b type=link link=c\n./a type=link link=c\n");
	CHECK_PARSES(HEAD "./a/b type=link link=c\n"
			  "./a type=dir mode=0755\n");
}

/* Broken tags are somebody else's, and no error. */
static void
test_parse_tags(void)
{
	static const char text[] = HEAD
	    "./a type=dir mode=0755 tags=carried,last-x\n"
	    "./b type=dir mode=0755 tags=carried,last-\n"
	    "./c type=dir mode=0755 tags=sharedx\n"
	    "./d type=dir mode=0755 tags=carried,last-99999999999999999999\n";
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;

	REQUIRE(manifest_parse(&m, text, strlen(text), "x", &e) == 0);
	REQUIRE(m.n == 4);
	CHECK(m.v[0].mark == ENTRY_CARRIED && m.v[0].last == 0);
	CHECK(m.v[1].mark == ENTRY_BUILD);
	CHECK(m.v[2].mark == ENTRY_BUILD);
	CHECK(m.v[3].last == 0);
	manifest_release(&m);
}

/* A text with a line of `len` bytes that is its third. */
static char *
with_long_line(size_t len)
{
	struct buf b = BUF_INIT;
	size_t begin;

	buf_adds(&b, HEAD ". type=dir mode=0755\n");
	begin = b.len;
	buf_adds(&b, "./a type=dir mode=0755 x=");
	while (b.len - begin < len)
		buf_addc(&b, 'y');
	buf_addc(&b, '\n');
	return buf_detach(&b);
}

static void
test_parse_long_lines(void)
{
	char *text = with_long_line(65536);

	CHECK_PARSES(text);
	free(text);
	text = with_long_line(65537);
	CHECK_FAILS(text, "NAME:3: a line that is too long");
	/* Also when its end is not there. */
	text[strlen(text) - 1] = '\0';
	CHECK_FAILS(text, "NAME:3: a line that is too long");
	free(text);
}

static void
write_text(const struct dir *d, const char *name, const char *text, size_t len)
{
	FILE *f;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", d->path, name);
	f = fopen(path, "w");
	if (!CHECK(f != NULL))
		return;
	CHECK(fwrite(text, 1, len, f) == len);
	CHECK(fclose(f) == 0);
}

/* Whatever part of a line the end of a piece falls on. */
static void
test_read_in_pieces(void)
{
	struct dir d = DIR_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter(&d) == 0);
	for (size_t pad = 0; pad < 200; pad++) {
		struct manifest m = MANIFEST_INIT, same = MANIFEST_INIT;
		struct buf b = BUF_INIT;
		size_t lines = 0;

		buf_addf(&b, "#mtree v2.0\n#%*s\n", (int)pad, "");
		while (b.len < 3 * 64 * 1024)
			buf_addf(&b, FILE_LINE("./f%06zu"), lines++);
		if (pad == 0) {
			/* The file ends where a piece ends. */
			buf_addf(&b, "#%*s\n",
			    (int)(64 * 1024 - b.len % (64 * 1024) - 2), "");
			CHECK(b.len % (64 * 1024) == 0);
		}
		write_text(&d, "m", b.data, b.len);
		CHECK(manifest_read(&m, &d, "m", &e) == 0);
		CHECK(m.n == lines);
		CHECK(manifest_parse(&same, b.data, b.len, "x", &e) == 0);
		CHECK(is_same_digest(&m, &same));
		manifest_release(&same);
		manifest_release(&m);
		buf_release(&b);
		if (unit_failed)
			break;
	}
	leave(&d);
}

static void
test_read_names_the_line(void)
{
	struct dir d = DIR_INIT;
	struct manifest m = MANIFEST_INIT;
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	char want[64];
	size_t lines = 1;

	REQUIRE(enter(&d) == 0);
	buf_adds(&b, HEAD);
	while (b.len < 200000)
		buf_addf(&b, FILE_LINE("./f%06zu"), lines++);
	buf_adds(&b, "./bad type=file mode=9\n");
	write_text(&d, "m", b.data, b.len);
	CHECK(manifest_read(&m, &d, "m", &e) == -1);
	snprintf(want, sizeof(want), "/m:%zu: a wrong value", lines + 1);
	CHECK(strstr(e.text, want) != NULL);
	CHECK(e.code == ERR_INTEGRITY);
	manifest_release(&m);

	/* Cut short in the middle of a line, and of a piece. */
	write_text(&d, "cut", b.data, 150000);
	CHECK(manifest_read(&m, &d, "cut", &e) == -1);
	CHECK(strstr(e.text, "the end of a line is missing") != NULL);
	manifest_release(&m);
	write_text(&d, "empty", "", 0);
	CHECK(manifest_read(&m, &d, "empty", &e) == -1);
	CHECK(strstr(e.text, "is empty") != NULL);
	manifest_release(&m);

	/* One line without an end, longer than any piece. */
	buf_reset(&b);
	buf_adds(&b, HEAD "./");
	while (b.len < 300000)
		buf_addc(&b, 'x');
	write_text(&d, "long", b.data, b.len);
	CHECK(manifest_read(&m, &d, "long", &e) == -1);
	CHECK(strstr(e.text, "/long:2: a line that is too long") != NULL);
	manifest_release(&m);
	buf_release(&b);
	leave(&d);
}

UNIT_MAIN(UNIT(test_sort_and_find), UNIT(test_sorted_duplicate),
    UNIT(test_totals), UNIT(test_same), UNIT(test_round_trip),
    UNIT(test_empty_round_trip), UNIT(test_write_replaces_nothing),
    UNIT(test_digest), UNIT(test_digest_is_unambiguous),
    UNIT(test_parse_values), UNIT(test_parse_frame), UNIT(test_parse_nul),
    UNIT(test_parse_names), UNIT(test_parse_wrong_values),
    UNIT(test_parse_missing_keywords), UNIT(test_parse_modes),
    UNIT(test_parse_sums), UNIT(test_parse_links), UNIT(test_parse_parents),
    UNIT(test_parse_tags), UNIT(test_parse_long_lines),
    UNIT(test_read_in_pieces), UNIT(test_read_names_the_line))
