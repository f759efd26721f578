#include "base/utf8.h"

#include <string.h>

size_t
utf8_len(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 :
	    s[0] < 0xc2	       ? 0 :
	    s[0] < 0xe0	       ? 2 :
	    s[0] < 0xf0	       ? 3 :
	    s[0] < 0xf5	       ? 4 :
				 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool
utf8_is_control(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (utf8_len(text) == 0)
		return c[0] >= 0x80 && c[0] < 0xa0;
	return c[0] < ' ' || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0) ||
	    (c[0] == 0xe2 && c[1] == 0x80 && (c[2] & 0xfe) == 0xa8);
}

void
utf8_add(struct buf *out, const char *data, size_t len)
{
	struct buf text = BUF_INIT;
	const char *s;
	size_t n;

	/* So that it ends in a NUL, behind which nothing is looked at. */
	buf_add(&text, data, len);
	for (s = buf_str(&text); s < text.data + len; s += n == 0 ? 1 : n) {
		unsigned char c = (unsigned char)*s;

		n = utf8_len(s);
		if (n == 0)
			buf_adds(out, "\xef\xbf\xbd");
		else if (!utf8_is_control(s) || c == '\t' || c == '\n')
			buf_add(out, s, n);
	}
	buf_release(&text);
}
