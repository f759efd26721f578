#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

void
text_size(int64_t bytes, char out[TEXT_SIZE_LEN])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double n = (double)bytes;
	int u = 0;

	while (n >= 1000 && u < 4) {
		n /= 1000;
		u++;
	}
	snprintf(out, TEXT_SIZE_LEN, u == 0 ? "%.0f %s" : "%.1f %s", n,
	    units[u]);
}

const char *
text_count(char out[TEXT_COUNT_LEN], int64_t n, const char *one,
    const char *many)
{
	snprintf(out, TEXT_COUNT_LEN, "%lld %s", (long long)n,
	    TEXT_PLURAL(n, one, many));
	return out;
}

size_t
text_clean(char *out, size_t size, const char *in)
{
	size_t n = 0, len;

	for (; *in != '\0'; in += len) {
		bool escape;

		len = utf8_len(in);
		escape = len == 0 || utf8_is_control(in);
		len = len == 0 ? 1 : len;
		if (n + (escape ? 4 * len : len) + 4 > size) {
			/* Appending to what is cut already: no room. */
			if (n + 4 <= size) {
				memcpy(out + n, "...", 3);
				n += 3;
			}
			break;
		}
		for (size_t i = 0; escape && i < len; i++, n += 4)
			snprintf(out + n, 5, "\\x%02x", (unsigned char)in[i]);
		if (!escape) {
			memcpy(out + n, in, len);
			n += len;
		}
	}
	out[n] = '\0';
	return n;
}

char *
text_vcleanf(const char *fmt, va_list ap)
{
	char raw[TEXT_LINE_MAX], out[TEXT_LINE_MAX];

	vsnprintf(raw, sizeof(raw), fmt, ap);
	text_clean(out, sizeof(out), raw);
	return xstrdup(out);
}

char *
text_cleanf(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = text_vcleanf(fmt, ap);
	va_end(ap);
	return out;
}
