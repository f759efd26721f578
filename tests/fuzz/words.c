/*
 * Words that are numbers, durations, overrides, times and release ids: what
 * is taken is what was written, and fits.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/duration.h"
#include "base/number.h"
#include "base/override.h"
#include "base/release.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As strtoll(3) has it, which takes more. */
static void
check_number(const char *s, int64_t min, int64_t max)
{
	int64_t n = 7;

	if (!number_parse(s, min, max, &n)) {
		MUST(n == 7);
		return;
	}
	MUST(n >= min && n <= max);
	MUST(n == strtoll(s, NULL, 10));
	MUST(strspn(s, "-0123456789") == strlen(s) && *s != '\0');
	MUST(number_or(s, min, max, min) == n);
}

static void
check_duration(const char *s)
{
	struct err e = ERR_INIT;
	int64_t n = 7;

	if (duration_parse(s, &n, &e) != 0)
		MUST(n == 7 && e.code == ERR_USAGE && e.text[0] != '\0');
	else
		MUST(n >= 0 && n <= INT64_C(36500) * 86400);
}

static void
check_override(const char *s)
{
	struct err e = ERR_INIT;
	unsigned int set = 0, again = 0;
	struct buf b = BUF_INIT;

	if (override_parse(s, OVERRIDE_FLIP, &set, &e) != 0) {
		MUST(e.code == ERR_USAGE && e.text[0] != '\0');
		return;
	}
	MUST((set & ~(unsigned int)OVERRIDE_FLIP) == 0);
	override_print(set, &b);
	MUST(set == 0 ||
	    override_parse(buf_str(&b), OVERRIDE_FLIP, &again, &e) == 0);
	MUST(again == set);
	buf_release(&b);
}

/* An id names a moment, and its text is the moment's. */
static void
check_id(const char *s)
{
	struct release_id id;
	char text[32];

	if (!release_id_parse(&id, s)) {
		MUST(release_id_is_none(&id) && release_id_time(&id) == 0);
		return;
	}
	release_format_time(release_id_time(&id), text);
	MUST(strncmp(text, s, 4) == 0);
	MUST(strncmp(text + 5, s + 4, 2) == 0);
	MUST(strncmp(text + 8, s + 6, 2) == 0);
	MUST(strncmp(text + 11, s + 9, 2) == 0);
	MUST(strncmp(text + 14, s + 11, 2) == 0);
	MUST(strncmp(text + 17, s + 13, 2) == 0);
}

static void
check_time(const char *s)
{
	int64_t ms = release_parse_time(s);
	char text[32];

	MUST(ms >= -1 || *s != '\0');
	if (ms < 0)
		return;
	release_format_time(ms, text);
	MUST(release_parse_time(text) == ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = xstrndup((const char *)data, size);

	check_number(s, 0, INT64_MAX);
	check_number(s, INT64_MIN, INT64_MAX);
	check_number(s, -1, 65535);
	check_duration(s);
	check_override(s);
	check_id(s);
	check_time(s);
	free(s);
	return 0;
}
