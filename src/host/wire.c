#include "host/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "base/strvec.h"
#include "os/io.h"

void
wire_put(struct buf *out, const char *key, const char *fmt, ...)
{
	char value[8192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	buf_addf(out, "%s\t%s\n", key, value);
}

int
wire_flush(struct buf *out, struct err *e)
{
	if (out->len > 0 && io_write(STDOUT_FILENO, out->data, out->len) != 0)
		return err_sys(e, "cannot answer the client");
	buf_reset(out);
	return 0;
}

void
wire_put_end(struct buf *out, const struct err *e)
{
	if (e->code == ERR_OK)
		buf_adds(out, "ok\n");
	else
		wire_put(out, "error", "%d\t%s", (int)e->code, e->text);
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
wire_error(const char *value, struct err *e)
{
	int64_t code = ERR_FAILED;
	const char *end = number_scan(value, ERR_OK + 1, ERR_GUARD, &code);

	if (end == NULL)
		end = value + strspn(value, "0123456789");
	err_set(e, (enum err_code)code, "%s", *end == '\t' ? end + 1 : value);
	e->answered = true;
	return -1;
}

/* Characters that mean nothing to a shell. */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') ||
	    (c != '\0' && strchr("._/-+,@:%=", c) != NULL) ||
	    (unsigned char)c >= 0x80;
}

/* One word at *p, which is no blank, into `word`.  0 or -1. */
static int
read_word(const char **p, struct buf *word, struct err *e)
{
	while (**p != '\0' && **p != ' ') {
		if (is_plain(**p)) {
			buf_addc(word, *(*p)++);
		} else if (strncmp(*p, "\\'", 2) == 0) {
			buf_addc(word, '\'');
			*p += 2;
		} else if (**p == '\'') {
			size_t n = strcspn(*p + 1, "'");

			if ((*p)[n + 1] == '\0')
				return err_set(e, ERR_USAGE,
				    "a quote in the "
				    "command is not closed");
			buf_add(word, *p + 1, n);
			*p += n + 2;
		} else {
			return err_set(e, ERR_USAGE,
			    "the command has '%c', "
			    "which is not allowed here",
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

void
wire_quote(struct buf *out, const char *word)
{
	const char *p = word;

	while (is_plain(*p))
		p++;
	if (*p == '\0' && p > word) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (p = word; *p != '\0'; p++) {
		if (*p == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *p);
	}
	buf_addc(out, '\'');
}
