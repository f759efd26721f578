#include "base/utf8.h"

#include <stdint.h>
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

/* The code point of the sequence at `s`. */
static uint32_t
code_point(const char *s)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t len = utf8_len(s);
	uint32_t c = (unsigned char)s[0] & masks[len];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

struct range {
	uint32_t first, last;
};

static bool
is_in(const struct range *ranges, size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

size_t
utf8_width(const char *s)
{
	/* Marks, joiners and selectors of Unicode 15, by blocks. */
	static const struct range none[] = { { 0x300, 0x36f },
		{ 0x483, 0x489 }, { 0x591, 0x5bd }, { 0x610, 0x61a },
		{ 0x64b, 0x65f }, { 0x6d6, 0x6dc }, { 0xe31, 0xe31 },
		{ 0xe34, 0xe3a }, { 0xe47, 0xe4e }, { 0x1ab0, 0x1aff },
		{ 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
		{ 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0000, 0xe01ef } };
	/* East_Asian_Width W and F, by blocks. */
	static const struct range two[] = { { 0x1100, 0x115f },
		{ 0x231a, 0x231b }, { 0x23e9, 0x23ec }, { 0x2705, 0x2705 },
		{ 0x2728, 0x2728 }, { 0x274c, 0x274c }, { 0x2e80, 0x303e },
		{ 0x3041, 0x33ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff },
		{ 0xa000, 0xa4cf }, { 0xa960, 0xa97f }, { 0xac00, 0xd7a3 },
		{ 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff01, 0xff60 },
		{ 0xffe0, 0xffe6 }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff },
		{ 0x1f900, 0x1f9ff }, { 0x1fa70, 0x1faff },
		{ 0x20000, 0x3fffd } };
	uint32_t c = (unsigned char)*s < 0x80 ? 0 : code_point(s);

	return c == 0					 ? 1 :
	    is_in(none, sizeof(none) / sizeof(*none), c) ? 0 :
	    is_in(two, sizeof(two) / sizeof(*two), c)	 ? 2 :
							   1;
}
