#include "base/quote.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

/* Does it mean itself?  Not so "~", "=" in zsh, or a word of nothing. */
static bool
is_plain(const char *word)
{
	static const char safe[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "-_./:,@%+=";

	return *word != '\0' && *word != '=' &&
	    strspn(word, safe) == strlen(word);
}

/* At most `n` bytes of it. */
static void
add_quoted(struct buf *out, const char *word, size_t n)
{
	buf_addc(out, '\'');
	for (; n > 0 && *word != '\0'; word++, n--) {
		if (*word == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *word);
	}
	buf_addc(out, '\'');
}

/* Would a message show each of its first `n` bytes as it is? */
static bool
is_shown(const char *word, size_t n)
{
	for (size_t len; n > 0 && *word != '\0'; word += len) {
		len = utf8_len(word);
		if (len == 0 || utf8_is_control(word))
			return false;
		if (len >= n)
			return true;
		n -= len;
	}
	return true;
}

/* As plain ASCII: $'...' (POSIX.1-2024, 2.2.4), with octal numbers. */
static void
add_escaped(struct buf *out, const char *word, size_t n)
{
	buf_adds(out, "$'");
	for (; n > 0 && *word != '\0'; word++, n--) {
		unsigned char c = (unsigned char)*word;

		if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c < ' ' || c >= 0x7f)
			buf_addf(out, "\\%03o", c);
		else
			buf_addf(out, "%s%c",
			    c == '\'' || c == '\\' ? "\\" : "", c);
	}
	buf_addc(out, '\'');
}

/* For people, who see what a message makes of it. */
static void
add_pasted(struct buf *out, const char *word, size_t n)
{
	if (is_shown(word, n))
		add_quoted(out, word, n);
	else
		add_escaped(out, word, n);
}

void
quote_add(struct buf *out, const char *word)
{
	buf_addc(out, ' ');
	if (is_plain(word))
		buf_adds(out, word);
	else
		add_pasted(out, word, SIZE_MAX);
}

void
quote_for_sh(struct buf *out, const char *word)
{
	if (is_plain(word))
		buf_adds(out, word);
	else
		add_quoted(out, word, SIZE_MAX);
}

const char *
quote_text(char out[QUOTE_MAX], const char *word, size_t n)
{
	struct buf b = BUF_INIT;

	add_pasted(&b, word, n);
	if (b.len < QUOTE_MAX)
		memcpy(out, b.data, b.len + 1);
	else
		strcpy(out, "...");
	buf_release(&b);
	return out;
}
