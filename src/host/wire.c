#include "host/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/utf8.h"
#include "os/intr.h"
#include "os/io.h"

_Static_assert(WIRE_FIRST_MAX <= sizeof(((struct wire_in *)0)->data),
    "what comes first fits");

/* A value is a line; tabs divide it, and no terminal minds the rest. */
static void
blank_controls(char *s)
{
	while (*s != '\0') {
		size_t n = utf8_len(s);

		if (n == 0)
			n = 1;
		if (*s != '\t' && utf8_is_control(s))
			memset(s, ' ', n);
		s += n;
	}
}

void
wire_put(struct buf *out, const char *key, const char *fmt, ...)
{
	char value[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	blank_controls(value);
	buf_addf(out, "%s\t%s\n", key, value);
}

int
wire_flush(struct buf *out, int fd, struct err *e)
{
	if (out->len > 0 && io_write(fd, out->data, out->len) != 0)
		return err_sys(e, "cannot answer the client");
	buf_reset(out);
	return 0;
}

void
wire_put_end(struct buf *out, const struct err *e)
{
	int problem = (int)e->problem + err_problem_len(e);

	if (e->code == ERR_OK)
		buf_adds(out, "ok\n");
	else
		wire_put(out, "error", "%d\t%.*s%s%s", (int)e->code, problem,
		    e->text, e->cure > 0 ? "\t" : "", err_cure(e));
}

void
wire_split(char *line, struct wire_line *out)
{
	char *tab = strchr(line, '\t');

	out->key = line;
	out->value = "";
	if (tab != NULL) {
		*tab = '\0';
		out->value = tab + 1;
	}
}

int
wire_error(const char *value, bool there, struct err *e)
{
	int64_t code = ERR_FAILED;
	const char *text = number_scan(value, ERR_OK + 1, ERR_GUARD, &code);
	const char *cure;
	int n;

	if (text == NULL)
		text = value + strspn(value, "0123456789");
	if (*text != '\t') {
		/* It is no code: all of it is what was said. */
		n = (int)strlen(value);
		text = value;
	} else {
		text++;
		n = (int)strcspn(text, "\t");
	}
	cure = text[n] == '\t' ? text + n + 1 : "";
	if (n == 0)
		err_set(e, (enum err_code)code,
		    "the host failed and does not say why");
	else if (*cure == '\0')
		err_set(e, (enum err_code)code, "%.*s", n, text);
	else
		err_set(e, (enum err_code)code, "%.*s;; %s%s", n, text,
		    there ? "the host advises: " : "", cure);
	/* Its one guard is the room that it has. */
	if (code == ERR_GUARD)
		e->sys = ENOSPC;
	return err_in(e, PHASE_ANSWER, "");
}

/* Characters that mean nothing to any shell, wherever they stand. */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("._/-+,@:", c) != NULL);
}

/* ---------------------------------------------------------------- requests */

void
wire_put_word(struct buf *out, const char *word)
{
	for (; *word != '\0'; word++) {
		if (*word == '\n')
			buf_adds(out, "\\n");
		else if (*word == '\\')
			buf_adds(out, "\\\\");
		else
			buf_addc(out, *word);
	}
	buf_addc(out, '\n');
}

/* Read more into the empty window, until `end`.  1, 0 at the end, -1. */
static int
fill_window(struct wire_in *in, int64_t end, struct err *e)
{
	int ready;
	ssize_t n;

	do {
		int64_t left = end == INT64_MAX ? INT_MAX : end - clock_ms();

		ready = left > 0 ? io_wait(in->fd, left) : 0;
		if (ready < 0 && errno == EINTR && intr_check(e) != 0)
			return -1;
	} while (ready < 0 && errno == EINTR);
	if (ready == 0) {
		err_set(e, ERR_FAILED, "nothing came in time");
		e->sys = ETIMEDOUT;
		return -1;
	}
	n = ready < 0 ? -1 : io_read_some(in->fd, in->data, sizeof(in->data));
	if (n < 0)
		return err_sys(e, "cannot read from the client");
	in->at = 0;
	in->len = (size_t)n;
	return n > 0;
}

int
wire_read_line(struct wire_in *in, struct buf *line, size_t max, int64_t end,
    struct err *e)
{
	buf_reset(line);
	for (;;) {
		const char *from = in->data + in->at;
		const char *nl = memchr(from, '\n', in->len);
		size_t n = nl != NULL ? (size_t)(nl - from) : in->len;
		int r;

		if (n > max - line->len)
			return err_set(e, ERR_USAGE,
			    "a line of the request is longer than %zu bytes",
			    max);
		buf_add(line, from, n);
		in->at += n + (nl != NULL);
		in->len -= n + (nl != NULL);
		if (nl != NULL)
			return 1;
		r = fill_window(in, end, e);
		if (r <= 0)
			return r;
	}
}

ssize_t
wire_read_some(struct wire_in *in, void *data, size_t len)
{
	if (in->len == 0)
		return io_read_some(in->fd, data, len);
	if (len > in->len)
		len = in->len;
	memcpy(data, in->data + in->at, len);
	in->at += len;
	in->len -= len;
	return (ssize_t)len;
}

/* Undo wire_put_word(), in place.  0 or -1. */
static int
read_back(struct buf *line, struct err *e)
{
	char *to = line->data;

	if (strlen(buf_str(line)) != line->len)
		return err_set(e, ERR_USAGE, "the request has a NUL");
	for (const char *p = line->data; p != NULL && *p != '\0'; p++) {
		if (*p != '\\') {
			*to++ = *p;
		} else if (p[1] == 'n' || p[1] == '\\') {
			*to++ = *++p == 'n' ? '\n' : '\\';
		} else {
			return err_set(e, ERR_USAGE,
			    "the request has a '\\' before '%.1s'", p + 1);
		}
	}
	if (to != NULL) {
		*to = '\0';
		line->len = (size_t)(to - line->data);
	}
	return 0;
}

void
wire_put_first(struct buf *out, const char *request)
{
	for (; *request != '\0'; request++)
		if (is_plain(*request))
			buf_addc(out, *request);
		else
			buf_addf(out, "%%%02x", (unsigned char)*request);
}

/* The byte that two digits stand for; -1: they are none. */
static int
read_hex(const char *p)
{
	static const char digits[] = "0123456789abcdef";
	const char *high = *p != '\0' ? strchr(digits, p[0]) : NULL;
	const char *low =
	    high != NULL && p[1] != '\0' ? strchr(digits, p[1]) : NULL;

	return low != NULL ? (int)((high - digits) << 4 | (low - digits)) : -1;
}

int
wire_take_first(struct wire_in *in, const char *word, struct err *e)
{
	for (; *word != '\0' && in->len < WIRE_FIRST_MAX; word++) {
		int c = *word == '%' ? read_hex(word + 1) : *word;

		if (c <= 0 || (*word != '%' && !is_plain(*word)))
			break;
		in->data[in->len++] = (char)c;
		word += *word == '%' ? 2 : 0;
	}
	if (*word == '\0')
		return 0;
	return err_set(e, ERR_USAGE,
	    "the request in the command is longer than %d bytes, or not encoded",
	    WIRE_FIRST_MAX);
}

int
wire_read_request(struct wire_in *in, struct strvec *words, struct err *e)
{
	struct buf line = BUF_INIT;
	size_t left = WIRE_REQUEST_MAX;
	int r;

	while ((r = wire_read_line(in, &line, left, INT64_MAX, e)) > 0 &&
	    line.len > 0) {
		left -= line.len;
		r = read_back(&line, e);
		if (r != 0)
			break;
		strvec_add(words, buf_str(&line));
	}
	buf_release(&line);
	return r;
}

/* ---------------------------------------------- words for a login shell */

/*
 * What no quotes hold in every shell: fish undoes \\ and \' between them,
 * csh and tcsh look for history after ! everywhere.
 */
static bool
needs_backslash(char c)
{
	return c == '\\' || c == '\'' || c == '!';
}

int
wire_quote(struct buf *out, const char *word, struct err *e)
{
	const char *p = word;
	bool quoted = false;

	while (is_plain(*p))
		p++;
	if (*p == '\0' && p > word) {
		buf_adds(out, word);
		return 0;
	}
	for (p = word; *p != '\0'; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(e, ERR_USAGE,
			    "'%s' has a control character, which no login shell takes in a command",
			    word);
		if (needs_backslash(*p) == quoted) {
			buf_addc(out, '\'');
			quoted = !quoted;
		}
		if (needs_backslash(*p))
			buf_addc(out, '\\');
		buf_addc(out, *p);
	}
	if (quoted || p == word)
		buf_adds(out, quoted ? "'" : "''");
	return 0;
}

/* What stands between single quotes at **p, which is one. */
static int
read_quoted(const char **p, struct buf *word, struct err *e)
{
	size_t n = strcspn(*p + 1, "'");

	if ((*p)[n + 1] == '\0')
		return err_set(e, ERR_USAGE,
		    "a quote in the command is not closed");
	buf_add(word, *p + 1, n);
	*p += n + 2;
	return 0;
}

/* One word at *p, which is no blank, into `word`.  0 or -1. */
static int
read_word(const char **p, struct buf *word, struct err *e)
{
	while (**p != '\0' && **p != ' ') {
		if (is_plain(**p) || **p == '=' || **p == '%' ||
		    (unsigned char)**p >= 0x80) {
			buf_addc(word, *(*p)++);
		} else if (**p == '\\' && needs_backslash((*p)[1])) {
			buf_addc(word, (*p)[1]);
			*p += 2;
		} else if (**p == '\'') {
			if (read_quoted(p, word, e) != 0)
				return -1;
		} else {
			return err_set(e, ERR_USAGE,
			    "the command has '%c', which is not allowed here",
			    **p);
		}
	}
	return 0;
}

int
wire_split_command(const char *line, struct strvec *out, struct err *e)
{
	struct buf word = BUF_INIT;
	int r = 0;

	while (r == 0) {
		while (*line == ' ')
			line++;
		if (*line == '\0')
			break;
		buf_reset(&word);
		r = read_word(&line, &word, e);
		if (r == 0)
			strvec_add(out, buf_str(&word));
	}
	buf_release(&word);
	return r;
}
