#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* In a format: a cure begins.  In the text. */
#define MARK ";; "
#define SHOWN "; "
/* Behind a summary. */
#define SUMMED ": "

enum { FORMAT_MAX = 1024 };

/* A part of a format is no literal any more. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* How long is what the format makes of what stands before `end` in it? */
static size_t __attribute__((format(printf, 1, 0)))
length_before(const char *fmt, const char *end, va_list ap)
{
	char head[FORMAT_MAX];
	int n;

	if ((size_t)(end - fmt) >= sizeof(head))
		BUG("a format that is too long");
	memcpy(head, fmt, (size_t)(end - fmt));
	head[end - fmt] = '\0';
	n = vsnprintf(NULL, 0, head, ap);
	return n > 0 ? (size_t)n : 0;
}

#pragma GCC diagnostic pop

/*
 * Put the formatted text, clean, at text[at], with `reserve` bytes left for
 * more.  Where its cure begins; 0: it has none.  The arguments may have been
 * in the text.
 */
static size_t __attribute__((format(printf, 4, 0)))
put(struct err *e, size_t at, size_t reserve, const char *fmt, va_list ap)
{
	const char *mark = strstr(fmt, MARK), *shown = SHOWN;
	const bool more = at > 0 && e->cure > 0;
	size_t size = sizeof(e->text) - reserve, before = 0;
	char raw[sizeof(e->text)];
	va_list again;

	va_copy(again, ap);
	if (mark != NULL)
		before = length_before(fmt, mark, again);
	va_end(again);
	vsnprintf(raw, size, fmt, ap);
	if (mark == NULL || before + strlen(MARK) >= size) {
		text_clean(e->text + at, size - at, raw);
		return 0;
	}
	raw[before] = '\0';
	at += text_clean(e->text + at, size - at, raw);
	/* A cure that asks has its mark. */
	if (more && e->text[at - 1] == '?')
		shown = " ";
	at += text_clean(e->text + at, size - at, shown);
	text_clean(e->text + at, size - at, raw + before + strlen(MARK));
	/* There may be no room for it. */
	return e->text[at] != '\0' ? at : 0;
}

int
err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	e->cure = put(e, 0, 0, fmt, ap);
	va_end(ap);
	e->code = code;
	e->sys = 0;
	e->phase = PHASE_NONE;
	e->problem = e->sum = 0;
	return -1;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	e->cure = put(e, 0, 128, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	n += text_clean(e->text + n, sizeof(e->text) - n, ": ");
	text_clean(e->text + n, sizeof(e->text) - n, strerror(saved));
	e->code = saved == ENOSPC || saved == EDQUOT ? ERR_GUARD : ERR_FAILED;
	e->sys = saved;
	e->phase = PHASE_NONE;
	e->problem = e->sum = 0;
	return saved != EFBIG ?
	    -1 :
	    err_append(e,
		";; raise the limit of what a file may have (ulimit -f)");
}

/* Put the text before the sentence; how many bytes that made. */
static size_t
put_before(struct err *e, const char *raw)
{
	char rest[sizeof(e->text)];
	size_t n;

	memcpy(rest, e->text, sizeof(rest));
	n = text_clean(e->text, sizeof(e->text), raw);
	text_clean(e->text + n, sizeof(e->text) - n, rest);
	if (e->cure > 0)
		e->cure += n;
	if (e->cure >= strlen(e->text))
		e->cure = 0;
	if (e->sum > 0)
		e->sum += n;
	if (e->sum >= strlen(e->text))
		e->sum = 0;
	return n;
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
	n = put_before(e, raw);
	/* Words of a phase stay where they are: before what is wrong. */
	if (e->problem > 0)
		e->problem += n;
	if (e->problem > strlen(e->text))
		e->problem = 0;
	return -1;
}

int
err_sum_up(struct err *e, const char *fmt, ...)
{
	char raw[sizeof(e->text)];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	e->sum = 0;
	err_prefix(e, "%s%s", raw, SUMMED);
	n = strlen(e->text);
	e->sum = strlen(raw) < n ? strlen(raw) : 0;
	return -1;
}

int
err_in(struct err *e, enum err_phase phase, const char *words)
{
	e->phase = phase;
	e->problem = put_before(e, words);
	return -1;
}

int
err_append(struct err *e, const char *fmt, ...)
{
	va_list ap;
	size_t cure;

	va_start(ap, fmt);
	cure = put(e, strlen(e->text), 0, fmt, ap);
	va_end(ap);
	/* More that helps belongs to the same cure. */
	if (e->cure == 0)
		e->cure = cure;
	return -1;
}

const char *
err_problem(const struct err *e)
{
	return e->text + e->problem;
}

int
err_problem_len(const struct err *e)
{
	size_t end = e->cure > 0 ? e->cure - strlen(SHOWN) : strlen(e->text);

	return (int)(end - e->problem);
}

const char *
err_cure(const struct err *e)
{
	return e->cure > 0 ? e->text + e->cure : "";
}

void
err_drop_cure(struct err *e)
{
	if (e->cure > 0)
		e->text[e->cure - strlen(SHOWN)] = '\0';
	e->cure = 0;
}
