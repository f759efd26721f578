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

void
quote_add(struct buf *out, const char *word)
{
	buf_addc(out, ' ');
	if (is_plain(word)) {
		buf_adds(out, word);
		return;
	}
	buf_addc(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *word);
	}
	buf_addc(out, '\'');
}
