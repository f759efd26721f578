/* Durations: what is read, and what is none. */
#include "base/duration.h"

#include <string.h>

#include "unit.h"

static void
test_durations(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} good[] = { { "0", 0 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 },
		{ "2h", 7200 }, { "7d", 604800 }, { "2w", 1209600 },
		{ "007d", 604800 }, { "36500d", 3153600000 },
		{ "3153600000", 3153600000 } };
	struct err e = ERR_INIT;
	int64_t n = -1;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(duration_parse(good[i].text, &n, &e) == 0);
		CHECK(n == good[i].want);
	}
}

static void
test_no_durations(void)
{
	static const char *const bad[] = { "", "d", "7x", "7D", "7 d", " 7d",
		"1h30m", "1.5h", "-1d", "+1d", "7dd" };
	struct err e = ERR_INIT;
	int64_t n = -1;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(duration_parse(bad[i], &n, &e) == -1);
		CHECK(e.code == ERR_USAGE);
		CHECK(strstr(e.text, "is not a duration") != NULL);
	}
	CHECK(n == -1);
}

static void
test_too_long(void)
{
	static const char *const longer[] = { "36501d", "5215w", "3153600001",
		"99999999999999999999999999999999999999w" };
	struct err e = ERR_INIT;
	int64_t n = -1;

	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++) {
		CHECK(duration_parse(longer[i], &n, &e) == -1);
		CHECK(e.code == ERR_USAGE);
		CHECK(strstr(e.text, "is longer than 100 years") != NULL);
	}
	CHECK(n == -1);
}

UNIT_MAIN(UNIT(test_durations), UNIT(test_no_durations), UNIT(test_too_long))
