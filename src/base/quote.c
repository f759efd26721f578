#include "base/quote.h"

#include <stdbool.h>
#include <string.h>

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

void
quote_add(struct buf *out, const char *word)
{
	buf_addc(out, ' ');
	if (is_plain(word)) {
		buf_adds(out, word);
		return;
	}
	add_quoted(out, word, SIZE_MAX);
}

const char *
quote_text(char out[QUOTE_MAX], const char *word, size_t n)
{
	struct buf b = BUF_INIT;

	add_quoted(&b, word, n);
	if (b.len < QUOTE_MAX)
		memcpy(out, b.data, b.len + 1);
	else
		strcpy(out, "...");
	buf_release(&b);
	return out;
}
