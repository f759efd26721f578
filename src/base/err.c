#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
	text_clean(e->text, sizeof(e->text), raw);
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
	text_clean(e->text, sizeof(e->text), raw);
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
	text_clean(e->text, sizeof(e->text), raw);
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
	text_clean(e->text + n, sizeof(e->text) - n, raw);
	return -1;
}
