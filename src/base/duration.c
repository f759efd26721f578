#include "base/duration.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { YEARS_MAX = 100 };

/* Seconds in a unit; "" is a unit too.  0 for what is none. */
static int64_t
unit_seconds(const char *unit)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
		{ "d", 86400 }, { "w", 7 * 86400 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].unit) == 0)
			return units[i].seconds;
	return 0;
}

int
duration_parse(const char *text, int64_t *seconds, struct err *e)
{
	const int64_t max = (int64_t)YEARS_MAX * 365 * 86400;
	size_t len = strspn(text, "0123456789");
	int64_t unit = unit_seconds(text + len), n = 0;

	if (len == 0 || unit == 0)
		return err_set(e, ERR_USAGE,
		    "'%s' is not a duration: a whole number with s, m, h, d or w behind it, such as 90s or 7d",
		    text);
	for (size_t i = 0; i < len && n <= max; i++)
		n = n * 10 + (text[i] - '0');
	if (n > max / unit)
		return err_set(e, ERR_USAGE, "'%s' is longer than %d years",
		    text, YEARS_MAX);
	*seconds = n * unit;
	return 0;
}

void
duration_format(int64_t ms, char out[DURATION_LEN])
{
	long long s = (long long)(ms < 0 ? -ms : ms) / 1000;

	if (s < 100)
		snprintf(out, DURATION_LEN, "%lld s", s);
	else if (s < 100 * 60)
		snprintf(out, DURATION_LEN, "%lld min", s / 60);
	else if (s < 72 * 3600)
		snprintf(out, DURATION_LEN, "%lld h", s / 3600);
	else
		snprintf(out, DURATION_LEN, "%lld d", s / 86400);
}
