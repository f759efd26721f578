/* Numbers in text: what is one, what is none, and where the limits are. */
#include "base/number.h"

#include <string.h>

#include "unit.h"

static void
test_numbers(void)
{
	static const struct {
		const char *text;
		int64_t min, max, want;
	} good[] = { { "0", 0, 0, 0 }, { "42", 0, 99, 42 }, { "007", 0, 7, 7 },
		{ "7", 7, 7, 7 },
		{ "9223372036854775807", 0, INT64_MAX, INT64_MAX },
		{ "-5", -5, 5, -5 }, { "-0", -1, 0, 0 },
		{ "-9223372036854775807", INT64_MIN, 0, -INT64_MAX },
		{ "00000000000000000000000000000001", 0, 1, 1 } };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t n = 1234;

		CHECK(
		    number_parse(good[i].text, good[i].min, good[i].max, &n));
		CHECK(n == good[i].want);
		CHECK(number_or(good[i].text, good[i].min, good[i].max,
			  1234) == good[i].want);
	}
}

static void
test_no_numbers(void)
{
	static const struct {
		const char *text;
		int64_t min, max;
	} bad[] = { { NULL, 0, 9 }, { "", 0, 9 }, { "-", -9, 9 },
		{ "-1", 0, 9 }, { "--1", -9, 9 }, { "+1", -9, 9 },
		{ " 1", 0, 9 }, { "1 ", 0, 9 }, { "1\n", 0, 9 },
		{ "1.5", 0, 9 }, { "1e3", 0, 9999 }, { "0x1", 0, 9 },
		{ "a", 0, 99 }, { "main.7", 0, 9 }, { "\xc2\xb2", 0, 9 },
		{ "10", 0, 9 }, { "6", 7, 9 }, { "-6", -5, 9 },
		{ "9223372036854775808", 0, INT64_MAX },
		{ "-9223372036854775808", INT64_MIN, 0 },
		{ "18446744073709551617", 0, INT64_MAX },
		{ "99999999999999999999999", 0, INT64_MAX } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t n = 1234;

		CHECK(!number_parse(bad[i].text, bad[i].min, bad[i].max, &n));
		CHECK(n == 1234);
		CHECK(
		    number_or(bad[i].text, bad[i].min, bad[i].max, -1) == -1);
	}
}

static void
test_scan(void)
{
	int64_t n = -1;
	const char *rest = number_scan("12 34", 0, 99, &n);

	REQUIRE(rest != NULL);
	CHECK(n == 12);
	CHECK_STR(rest, " 34");
	CHECK(number_scan(rest, 0, 99, &n) == NULL);
	CHECK(n == 12);
	CHECK_STR(number_scan("-3x", -9, 9, &n), "x");
	CHECK(n == -3);
	CHECK(number_scan("x3", 0, 9, &n) == NULL);
	CHECK(number_scan("100", 0, 99, &n) == NULL);
}

static void
test_digits(void)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned int base;
		int64_t max, want; /* want -1: none */
	} t[] = { { "0755", 4, 8, 07777, 0755 }, { "0758", 4, 8, 07777, -1 },
		{ "0758", 3, 8, 07777, 075 }, { "17777", 5, 8, 07777, -1 },
		{ "ff", 2, 16, 255, 255 }, { "FF", 2, 16, 254, -1 },
		{ "fg", 2, 16, 999, -1 }, { "a", 1, 10, 99, -1 },
		{ "9", 1, 10, 3, -1 }, { "101", 3, 2, 9, 5 },
		{ "", 0, 10, 9, -1 }, { "-1", 2, 10, 9, -1 },
		{ "7fffffffffffffff", 16, 16, INT64_MAX, INT64_MAX },
		{ "8000000000000000", 16, 16, INT64_MAX, -1 } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int64_t n = -1;
		bool is = number_digits(t[i].text, t[i].len, t[i].base,
		    t[i].max, &n);

		CHECK(is == (t[i].want >= 0));
		CHECK(n == t[i].want);
	}
}

UNIT_MAIN(UNIT(test_numbers), UNIT(test_no_numbers), UNIT(test_scan),
    UNIT(test_digits))
