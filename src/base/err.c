#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The bytes of the control character at `s`, or 0 when it is none. */
static size_t
control_len(const char *s)
{
	size_t n = utf8_len(s);

	return !utf8_is_control(s) ? 0 : n > 0 ? n : 1;
}

/*
 * Copy `in` to `out`, escaping control characters, cutting with "..." what
 * does not fit in `size` bytes.
 */
static void
copy_clean(char *out, size_t size, const char *in)
{
	size_t n = 0, len, whole;

	for (; *in != '\0'; in += len > 0 ? len : whole) {
		size_t need;

		/* Not into the middle of a character, which is no control. */
		whole = utf8_len(in) > 0 ? utf8_len(in) : 1;
		len = control_len(in);
		need = len > 0 ? 4 * len : whole;
		if (n + need + 4 > size) {
			/* Appending to what is cut already: no room. */
			if (n + 4 <= size) {
				memcpy(out + n, "...", 3);
				n += 3;
			}
			break;
		}
		if (len == 0) {
			memcpy(out + n, in, whole);
			n += whole;
		}
		for (size_t i = 0; i < len; i++, n += 4)
			snprintf(out + n, 5, "\\x%02x", (unsigned char)in[i]);
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
