#include "base/path.h"

#include <time.h>

#include "unit.h"

/* Is `path` accepted? */
static bool
fits(const char *path)
{
	struct err e = ERR_INIT;

	return path_check(path, &e) == 0;
}

/* Is a link at `path` to `target` accepted? */
static bool
stays(const char *path, const char *target)
{
	struct err e = ERR_INIT;

	return path_check_link(path, target, &e) == 0;
}

static void
test_check_accepts(void)
{
	CHECK(fits("a"));
	CHECK(fits("a/b/c.html"));
	CHECK(fits(".htaccess"));
	CHECK(fits("..."));
	CHECK(fits("..a/b.."));
	CHECK(fits("a b"));
	CHECK(fits(" "));
	CHECK(fits("-rf"));
	CHECK(fits("a\\b"));
	CHECK(fits("\xc3\xa4/a\xcc\x88")); /* both normal forms */
	CHECK(fits("\xff\xfe"));	   /* no UTF-8, but a name */
}

static void
test_check_refuses(void)
{
	CHECK(!fits(""));
	CHECK(!fits("/"));
	CHECK(!fits("/etc/passwd"));
	CHECK(!fits("."));
	CHECK(!fits(".."));
	CHECK(!fits("./a"));
	CHECK(!fits("a/."));
	CHECK(!fits("a/.."));
	CHECK(!fits("../a"));
	CHECK(!fits("a/../b"));
	CHECK(!fits("a/./b"));
	CHECK(!fits("a//b"));
	CHECK(!fits("a/"));
	CHECK(!fits("a\nb"));
	CHECK(!fits("a\tb"));
	CHECK(!fits("\x1b[2J"));
	CHECK(!fits("a\x7f"));
	CHECK(!fits("\x01"));
}

static void
test_check_limits(void)
{
	char path[PATH_LEN_MAX + 8];
	struct err e = ERR_INIT;
	size_t n = 0;

	memset(path, 'x', sizeof(path));
	path[PATH_NAME_MAX] = '\0';
	CHECK(fits(path));
	path[PATH_NAME_MAX] = 'x';
	path[PATH_NAME_MAX + 1] = '\0';
	CHECK(!fits(path));

	/* Components of 15 and a slash: 16 * 256 = 4096 bytes with the last. */
	memset(path, 'x', sizeof(path));
	for (n = 15; n < sizeof(path); n += 16)
		path[n] = '/';
	path[PATH_LEN_MAX] = '\0';
	CHECK(strlen(path) == PATH_LEN_MAX);
	CHECK(fits(path));
	path[PATH_LEN_MAX] = 'x';
	path[PATH_LEN_MAX + 1] = '\0';
	CHECK(path_check(path, &e) == -1);
	CHECK(e.code == ERR_INTEGRITY);
	CHECK(strstr(e.text, "longer than 4095") != NULL);
}

static void
test_check_depth(void)
{
	char path[2 * PATH_DEPTH_MAX + 8];

	for (size_t i = 0; i < sizeof(path); i += 2) {
		path[i] = 'd';
		path[i + 1] = '/';
	}
	path[2 * PATH_DEPTH_MAX - 1] = '\0';
	CHECK(fits(path));
	path[2 * PATH_DEPTH_MAX - 1] = '/';
	path[2 * PATH_DEPTH_MAX + 1] = '\0';
	CHECK(!fits(path));
}

static void
test_check_escapes_in_message(void)
{
	struct err e = ERR_INIT;

	CHECK(path_check("a\nb\x1b", &e) == -1);
	CHECK(e.code == ERR_INTEGRITY);
	CHECK(strstr(e.text, "a\\x0ab\\x1b") != NULL);
	CHECK(strchr(e.text, '\n') == NULL);
}

static void
test_link_accepts(void)
{
	CHECK(stays("a", "b"));
	CHECK(stays("a", "b/c"));
	CHECK(stays("a", "./b"));
	CHECK(stays("a", "."));
	CHECK(stays("a/b", "../c"));
	CHECK(stays("a/b", ".."));
	CHECK(stays("a/b", "./../c"));
	CHECK(stays("a/b/c", "../../d"));
	CHECK(stays("a", "nothing-there"));
	CHECK(stays("a", "a"));
	CHECK(stays("a", "...")); /* a name */
	CHECK(stays("a", "b//c"));
}

static void
test_link_refuses(void)
{
	CHECK(!stays("a", ""));
	CHECK(!stays("a", "/"));
	CHECK(!stays("a", "/etc/passwd"));
	CHECK(!stays("a", ".."));
	CHECK(!stays("a", "../b"));
	CHECK(!stays("a", "./../b"));
	CHECK(!stays("a", ".//..//b"));
	CHECK(!stays("a/b", "../../c"));
	CHECK(!stays("a/b/c", "../../../d"));
	/* `x` may be a link itself. */
	CHECK(!stays("a", "x/../../etc"));
	CHECK(!stays("a/b", "x/.."));
	CHECK(!stays("a/b", "../x/.."));
	CHECK(!stays("a", "b\nc"));
	CHECK(!stays("a", "b\x7f"));
}

static void
test_link_too_long(void)
{
	char target[PATH_LEN_MAX + 2];

	memset(target, 'x', sizeof(target));
	target[PATH_LEN_MAX] = '\0';
	CHECK(stays("a", target));
	target[PATH_LEN_MAX] = 'x';
	target[PATH_LEN_MAX + 1] = '\0';
	CHECK(!stays("a", target));
}

/* Strictly ascending: every pair is compared both ways. */
static void
test_compare_order(void)
{
	static const char *const order[] = {
		"",
		"a",
		"a/",
		"a/b",
		"a/b/c",
		"a/b!",
		"a/b0",
		"a\x01",
		"a b",
		"a!",
		"a-b",
		"a.b",
		"a0",
		"aa",
		"ab",
		"b",
		"\x7f",
		"\x80",
		"\xc3\xa4",
		"\xff",
	};
	size_t n = sizeof(order) / sizeof(order[0]);

	for (size_t i = 0; i < n; i++) {
		CHECK(path_compare(order[i], order[i]) == 0);
		for (size_t k = i + 1; k < n; k++) {
			if (!CHECK(path_compare(order[i], order[k]) < 0) ||
			    !CHECK(path_compare(order[k], order[i]) > 0))
				printf("# '%s' '%s'\n", order[i], order[k]);
		}
	}
}

static void
test_match_last_component(void)
{
	CHECK(path_match("a", "a"));
	CHECK(path_match("a", "x/y/a"));
	CHECK(!path_match("a", "a/b"));
	CHECK(!path_match("a", "ab"));
	CHECK(!path_match("a", "b/ab"));
	CHECK(path_match("*.map", "js/app.js.map"));
	CHECK(!path_match("*.map", "js/app.map.js"));
	CHECK(!path_match("*.map", "app.map/x"));
	CHECK(path_match("*", "a/b"));
	CHECK(path_match("*", ".hidden"));
	CHECK(path_match("?", "x/a"));
	CHECK(!path_match("?", "x/ab"));
	CHECK(path_match("[ab].txt", "a.txt"));
	CHECK(!path_match("[!ab].txt", "a.txt"));
	CHECK(path_match("a\\*", "a*"));
	CHECK(!path_match("a\\*", "ab"));
	CHECK(path_match(".DS_Store", "deep/down/.DS_Store"));
	CHECK(!path_match("A", "a"));
}

static void
test_match_whole_path(void)
{
	CHECK(path_match("a/b", "a/b"));
	CHECK(!path_match("a/b", "x/a/b"));
	CHECK(!path_match("a/b", "a/b/c"));
	CHECK(!path_match("a/b", "a"));
	CHECK(path_match("/a", "a"));
	CHECK(!path_match("/a", "x/a"));
	CHECK(path_match("a/*", "a/b"));
	CHECK(!path_match("a/*", "a/b/c"));
	CHECK(!path_match("a/*", "a"));
	CHECK(path_match("*/b", "a/b"));
	CHECK(!path_match("*/b", "b"));
	CHECK(!path_match("*/b", "a/a/b"));
	CHECK(!path_match("a?b", "a/b"));
	CHECK(!path_match("a*b", "a/b"));
	/* A slash in a bracket is none of a path. */
	CHECK(!path_match("a[/]b", "a/b"));
}

static void
test_match_double_star(void)
{
	CHECK(path_match("**", "a"));
	CHECK(path_match("**", "a/b/c"));
	CHECK(path_match("a/**", "a/b"));
	CHECK(path_match("a/**", "a/b/c"));
	CHECK(!path_match("a/**", "a"));
	CHECK(!path_match("a/**", "b/a/c"));
	CHECK(path_match("**/a", "a"));
	CHECK(path_match("**/a", "x/a"));
	CHECK(path_match("**/a", "x/y/a"));
	CHECK(!path_match("**/a", "x/ya"));
	CHECK(path_match("a/**/b", "a/b"));
	CHECK(path_match("a/**/b", "a/x/b"));
	CHECK(path_match("a/**/b", "a/x/y/b"));
	CHECK(path_match("a/**/b", "a/b/b"));
	CHECK(!path_match("a/**/b", "a/x/bb"));
	CHECK(!path_match("a/**/b", "a"));
	CHECK(path_match("/**/a", "x/a"));
	CHECK(path_match("**/a/**", "a/b"));
	CHECK(path_match("**/a/**", "x/a/b/c"));
	CHECK(!path_match("**/a/**", "x/a"));
	CHECK(path_match("**/**/a", "a"));
	CHECK(path_match("a/**/**/b", "a/x/b"));
	CHECK(path_match("**/x/**/x", "x/x"));
	CHECK(!path_match("**/x/**/x", "x"));
	/* An earlier match of what stands behind must be given up again. */
	CHECK(path_match("**/a/b", "a/a/b"));
	CHECK(path_match("**/a/*/b", "a/a/c/b"));
	CHECK(path_match("a/**/c/**/e", "a/c/b/c/d/e"));
	CHECK(!path_match("a/**/c/**/e", "a/b/d/e"));
	/* In a component with something else it is two stars. */
	CHECK(path_match("a**", "ab"));
	CHECK(!path_match("a**/c", "a/b/c"));
}

static void
test_match_odd_patterns(void)
{
	char pattern[PATH_LEN_MAX + 8];

	CHECK(path_match("a/", "a"));
	CHECK(path_match("a/", "x/a")); /* a name, as without it */
	CHECK(path_match("a/b///", "a/b"));
	CHECK(path_match("/a/", "a"));
	CHECK(!path_match("/a/", "x/a"));
	CHECK(!path_match("", "a"));
	CHECK(!path_match("/", "a"));
	CHECK(!path_match("//", "a"));
	CHECK(!path_match("[", "a"));
	CHECK(!path_match("a//b", "a/b"));
	memset(pattern, '*', sizeof(pattern));
	pattern[sizeof(pattern) - 1] = '\0';
	CHECK(!path_match(pattern, "a")); /* longer than any path */
}

/*
 * Neither many "**" nor many '*' may make it slow: the paths are those of an
 * archive that somebody else made.
 */
static void
test_match_is_fast(void)
{
	char path[512] = "", pattern[512] = "";
	const clock_t start = clock();

	for (int i = 0; i < 100; i++)
		strcat(path, "a/");
	strcat(path, "a");
	/* One more "**" at a time: seen before it takes years. */
	for (int i = 0; i < 30; i++) {
		strcat(pattern, "**/a/");
		strcat(pattern, "b");
		CHECK(!path_match(pattern, path));
		REQUIRE(clock() - start < 2 * CLOCKS_PER_SEC);
		pattern[strlen(pattern) - 1] = '\0';
	}

	memset(path, 'a', 200);
	path[200] = '\0';
	CHECK(!path_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", path));
	CHECK(clock() - start < 2 * CLOCKS_PER_SEC);
}

static void
test_match_any(void)
{
	struct strvec none = STRVEC_INIT, some = STRVEC_INIT;

	CHECK(!path_match_any(&none, "a"));
	strvec_add(&some, "node_modules");
	strvec_add(&some, "/top/*.txt");
	CHECK(path_match_any(&some, "node_modules"));
	CHECK(path_match_any(&some, "x/node_modules/y/z.js"));
	CHECK(path_match_any(&some, "top/a.txt"));
	CHECK(path_match_any(&some, "top/a.txt/b"));
	CHECK(!path_match_any(&some, "x/top/a.txt"));
	CHECK(!path_match_any(&some, "x/node_modules2/y"));
	CHECK(!path_match_any(&some, ""));
	strvec_release(&some);
}

static void
test_is_within(void)
{
	CHECK(path_is_within("a", "a"));
	CHECK(path_is_within("a/b", "a"));
	CHECK(path_is_within("a/b/c", "a/b"));
	CHECK(!path_is_within("ab", "a"));
	CHECK(!path_is_within("a.b", "a"));
	CHECK(!path_is_within("a", "a/b"));
	CHECK(!path_is_within("b/a", "a"));
}

static void
test_base(void)
{
	const char *path = "a/b/c.html";

	CHECK_STR(path_base("a"), "a");
	CHECK(path_base(path) == path + 4);
	CHECK_STR(path_base("a/"), "");
}

UNIT_MAIN(UNIT(test_check_accepts), UNIT(test_check_refuses),
    UNIT(test_check_limits), UNIT(test_check_depth),
    UNIT(test_check_escapes_in_message), UNIT(test_link_accepts),
    UNIT(test_link_refuses), UNIT(test_link_too_long),
    UNIT(test_compare_order), UNIT(test_match_last_component),
    UNIT(test_match_whole_path), UNIT(test_match_double_star),
    UNIT(test_match_odd_patterns), UNIT(test_match_is_fast),
    UNIT(test_match_any), UNIT(test_is_within), UNIT(test_base))
