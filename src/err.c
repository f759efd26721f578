#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Copy `in` to `out`, escaping control characters, cutting with "..." what
 * does not fit in `size` bytes.
 */
static void
copy_clean(char *out, size_t size, const char *in)
{
	size_t n = 0;

	for (; *in != '\0'; in++) {
		unsigned char c = (unsigned char)*in;
		size_t need = c < 0x20 || c == 0x7f ? 4 : 1;

		if (n + need + 4 > size) {
			/* Appending to what is cut already: no room. */
			if (n + 4 <= size) {
				memcpy(out + n, "...", 3);
				n += 3;
			}
			break;
		}
		if (need == 1)
			out[n] = (char)c;
		else
			snprintf(out + n, 5, "\\x%02x", c);
		n += need;
	}
	out[n] = '\0';
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	char raw[sizeof(e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	e->code = code;
	e->sys = 0;
	e->answered = false;
	copy_clean(e->text, sizeof(e->text), raw);
	return -1;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	char raw[sizeof(e->text)];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw) - 128, fmt, ap);
	va_end(ap);
	n = strlen(raw);
	snprintf(raw + n, sizeof(raw) - n, ": %s", strerror(saved));
	e->code = saved == ENOSPC || saved == EDQUOT ? ERR_GUARD : ERR_FAILED;
	e->sys = saved;
	copy_clean(e->text, sizeof(e->text), raw);
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char raw[sizeof(e->text)];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	n = strlen(raw);
	snprintf(raw + n, sizeof(raw) - n, "%s", e->text);
	copy_clean(e->text, sizeof(e->text), raw);
	return -1;
}

int
err_append(struct err *e, const char *fmt, ...)
{
	char raw[sizeof(e->text)];
	size_t n = strlen(e->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	copy_clean(e->text + n, sizeof(e->text) - n, raw);
	return -1;
}
