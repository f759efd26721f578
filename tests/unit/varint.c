#include "base/varint.h"

#include "unit.h"

static void
test_there_and_back(void)
{
	static const uint64_t numbers[] = { 0, 1, 127, 128, 300, 16383, 16384,
		UINT32_MAX, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct buf b = BUF_INIT;
		struct varint_in in;
		uint64_t n = 7;

		varint_add(&b, numbers[i]);
		in = (struct varint_in){ b.data, b.len };
		CHECK(varint_take(&in, UINT64_MAX, &n) && n == numbers[i]);
		CHECK(in.left == 0);
		in = (struct varint_in){ b.data, b.len };
		CHECK(
		    numbers[i] == 0 || !varint_take(&in, numbers[i] - 1, &n));
		in = (struct varint_in){ b.data, b.len - 1 };
		CHECK(!varint_take(&in, UINT64_MAX, &n));
		buf_release(&b);
	}
}

static void
test_differences(void)
{
	static const struct {
		int64_t base, n;
		bool holds;
	} cases[] = { { 0, 0, true }, { 5, -5, true }, { 5, -6, false },
		{ 0, INT64_MAX, true }, { 1, INT64_MAX, false },
		{ INT64_MAX, -INT64_MAX, true }, { 0, INT64_MIN, false },
		{ INT64_MAX, INT64_MIN, false }, { 100, 28, true } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;
		struct varint_in in;
		int64_t n = -7;

		varint_add_signed(&b, cases[i].n);
		in = (struct varint_in){ b.data, b.len };
		CHECK(varint_take_from(&in, cases[i].base, &n) ==
		    cases[i].holds);
		CHECK(!cases[i].holds || n == cases[i].base + cases[i].n);
		buf_release(&b);
	}
}

static void
test_too_long(void)
{
	static const char *const texts[] = {
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
		"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "\x80"
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct varint_in in = { texts[i], strlen(texts[i]) };
		uint64_t n = 7;

		CHECK(!varint_take(&in, UINT64_MAX, &n) && n == 7);
	}
}

UNIT_MAIN(UNIT(test_there_and_back), UNIT(test_differences),
    UNIT(test_too_long))
