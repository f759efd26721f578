/* The names of previews, and the lines in which hosts tell of them. */
#include "root/previews.h"

#include <string.h>

#include "base/label.h"
#include "unit.h"

#define ID "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"
#define A16 "aaaaaaaaaaaaaaaa"
#define A63 A16 A16 A16 "aaaaaaaaaaaaaaa"

static void
test_names(void)
{
	static const char *const good[] = { "a", "pr-12", "4u", "1-2", "x--y",
		A63, "currents" };
	static const char *const bad[] = { "", "-", "-a", "a-", "A", "a_b",
		"a.b", "..", "a/b", "a b", "\xc3\xa9", "12", "current",
		"previous", "latest", "none", A63 "a", "a\n" };
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		if (!CHECK(label_check(good[i], &e) == 0))
			printf("# %s\n", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		e = (struct err)ERR_INIT;
		if (!CHECK(
			label_check(bad[i], &e) == -1 && e.code == ERR_USAGE))
			printf("# %s\n", bad[i]);
	}
}

static void
test_lines(void)
{
	static const char *const bad[] = { "", "a", "a\t", "a\t" ID,
		"a\t" ID "\t", "a\t" ID "\tx", "a\t" ID "\t-1", "A\t" ID "\t1",
		"12\t" ID "\t1", "a\tx\t1", A63 "a\t" ID "\t1",
		"a\t" ID "\t99999999999999999999" };
	struct previews p = PREVIEWS_INIT;
	struct release_id id;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		previews_parse(&p, bad[i]);
	CHECK(p.n == 0);
	previews_parse(&p, "pr-12\t" ID "\t100");
	REQUIRE(p.n == 1);
	CHECK_STR(p.v[0].name, "pr-12");
	CHECK_STR(p.v[0].id.text, ID);
	CHECK(p.v[0].until == 100);
	CHECK(previews_find(&p, "pr-12") == &p.v[0]);
	CHECK(previews_find(&p, "pr") == NULL);
	CHECK(release_id_parse(&id, ID));
	CHECK(previews_show(&p, &id, 99));
	CHECK(!previews_show(&p, &id, 100));
	CHECK(!previews_show(&p, &release_id_none, 0));
	previews_release(&p);
}

UNIT_MAIN(UNIT(test_names), UNIT(test_lines))
