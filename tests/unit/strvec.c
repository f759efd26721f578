#include "base/strvec.h"

#include "unit.h"

static void
test_empty(void)
{
	struct strvec sv = STRVEC_INIT;

	CHECK(!strvec_has(&sv, ""));
	strvec_sort(&sv);
	strvec_release(&sv);
	strvec_release(&sv);
	CHECK(sv.n == 0 && sv.v == NULL);
}

static void
test_add(void)
{
	struct strvec sv = STRVEC_INIT;
	char word[] = "one";

	strvec_add(&sv, word);
	word[0] = 'x';
	strvec_add(&sv, "");
	strvec_addf(&sv, "%d/%s", 3, "three");
	CHECK(sv.n == 3);
	CHECK_STR(sv.v[0], "one");
	CHECK_STR(sv.v[1], "");
	CHECK_STR(sv.v[2], "3/three");
	CHECK(sv.v[3] == NULL);
	CHECK(strvec_has(&sv, "one"));
	CHECK(strvec_has(&sv, ""));
	CHECK(!strvec_has(&sv, "on"));
	CHECK(!strvec_has(&sv, "one "));
	strvec_release(&sv);
	CHECK(sv.n == 0);
	strvec_add(&sv, "again");
	CHECK_STR(sv.v[0], "again");
	strvec_release(&sv);
}

/* The NULL at the end is there at every length. */
static void
test_grows(void)
{
	struct strvec sv = STRVEC_INIT;

	for (size_t i = 0; i < 1000; i++) {
		strvec_addf(&sv, "%zu", i);
		CHECK(sv.n == i + 1);
		CHECK(sv.v[i + 1] == NULL);
	}
	CHECK_STR(sv.v[0], "0");
	CHECK_STR(sv.v[999], "999");
	strvec_release(&sv);
}

static void
test_sorts_by_bytes(void)
{
	static const char *const order[] = { "", "A", "Z", "_", "a", "a ",
		"aa", "b", "\x7f", "\xc3\xa4" };
	const size_t n = sizeof(order) / sizeof(order[0]);
	struct strvec sv = STRVEC_INIT;

	for (size_t i = 0; i < n; i++)
		strvec_add(&sv, order[(i * 7 + 3) % n]);
	strvec_sort(&sv);
	for (size_t i = 0; i < n; i++)
		CHECK_STR(sv.v[i], order[i]);
	CHECK(sv.v[n] == NULL);
	strvec_release(&sv);
}

UNIT_MAIN(UNIT(test_empty), UNIT(test_add), UNIT(test_grows),
    UNIT(test_sorts_by_bytes))
