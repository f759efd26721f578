/* The clocks: they go forward, and agree about how long a pause was. */
#include "base/clock.h"

#include "unit.h"

static void
test_units(void)
{
	int64_t now = clock_now(), ms = clock_ms(), us = clock_us();

	CHECK(now / 1000 >= (int64_t)time(NULL) - 1);
	CHECK(now / 1000 <= (int64_t)time(NULL));
	CHECK(us / 1000 >= ms && us / 1000 < ms + 60000);
}

static void
test_pause(void)
{
	int64_t before = clock_us();

	clock_pause(20);
	CHECK(clock_us() - before >= 20000);
}

static void
test_in(void)
{
	static const int64_t t[] = { 0, 1, 999, 1000, 1001, 86400000 };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int64_t before = clock_now();
		struct timespec ts = clock_in(t[i]);
		int64_t is = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

		CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
		CHECK(is >= before + t[i]);
		CHECK(is <= clock_now() + t[i]);
	}
}

UNIT_MAIN(UNIT(test_units), UNIT(test_pause), UNIT(test_in))
