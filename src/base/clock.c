#include "base/clock.h"

#include <errno.h>

static struct timespec
read_clock(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return ts;
}

static int64_t
to_ms(struct timespec ts)
{
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
clock_now(void)
{
	int64_t now = to_ms(read_clock(CLOCK_REALTIME));

	return now < 0 ? 0 : now;
}

int64_t
clock_ms(void)
{
	return to_ms(read_clock(CLOCK_MONOTONIC));
}

int64_t
clock_us(void)
{
	struct timespec ts = read_clock(CLOCK_MONOTONIC);

	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct timespec
clock_in(int64_t ms)
{
	struct timespec ts = read_clock(CLOCK_REALTIME);

	ts.tv_sec += ms / 1000;
	ts.tv_nsec += ms % 1000 * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

void
clock_pause(int64_t ms)
{
	const struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

void
clock_pause_until(int64_t us)
{
	const struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
	    EINTR)
		;
}
