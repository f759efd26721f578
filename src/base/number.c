#include "base/number.h"

#include <string.h>

/* The value of a digit; 16 for what is none. */
static unsigned int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

bool
number_digits(const char *s, size_t len, unsigned int base, int64_t max,
    int64_t *out)
{
	int64_t n = 0;

	if (len == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned int d = digit(s[i]);

		if (d >= base || d > max || n > (max - d) / base)
			return false;
		n = n * base + d;
	}
	*out = n;
	return true;
}

const char *
number_scan(const char *s, int64_t min, int64_t max, int64_t *out)
{
	bool negative = *s == '-' && min < 0;
	const char *digits = s + negative;
	size_t len = strspn(digits, "0123456789");
	int64_t n;

	/* INT64_MIN, whose digits do not fit, is a number that nobody wants. */
	if (!number_digits(digits, len, 10, INT64_MAX, &n))
		return NULL;
	if (negative)
		n = -n;
	if (n < min || n > max)
		return NULL;
	*out = n;
	return digits + len;
}

bool
number_parse(const char *s, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;
	const char *end = s != NULL ? number_scan(s, min, max, &n) : NULL;

	if (end == NULL || *end != '\0')
		return false;
	*out = n;
	return true;
}

int64_t
number_or(const char *s, int64_t min, int64_t max, int64_t otherwise)
{
	int64_t n = otherwise;

	return number_parse(s, min, max, &n) ? n : otherwise;
}
