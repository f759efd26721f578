#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { LINE = 64 };

bool
base64_decode(const char *text, struct buf *out)
{
	uint32_t bits = 0;
	size_t n = 0;

	buf_reserve(out, strlen(text));
	for (; *text != '\0' && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (strchr(" \t\r\n", *text) != NULL)
			continue;
		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (++n % 4 != 1)
			buf_addc(out, (char)(bits >> ((4 - n % 4) % 4 * 2)));
	}
	return n > 1 && n % 4 != 1 && text[strspn(text, "= \t\r\n")] == '\0';
}

void
base64_encode(const void *data, size_t len, struct buf *out)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)p[i] << 16;

		bits |= i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= i + 2 < len ? p[i + 2] : 0;
		buf_addc(out, digits[bits >> 18]);
		buf_addc(out, digits[bits >> 12 & 63]);
		buf_addc(out, i + 1 < len ? digits[bits >> 6 & 63] : '=');
		buf_addc(out, i + 2 < len ? digits[bits & 63] : '=');
		if ((i / 3 + 1) % (LINE / 4) == 0 || i + 3 >= len)
			buf_addc(out, '\n');
	}
}
