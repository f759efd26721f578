/* UTF-8: what is text, and what is made of the rest. */
#include "base/utf8.h"

#include "unit.h"

#define BAD "\xef\xbf\xbd"

static const char *
cleaned(const char *data, size_t len)
{
	static struct buf out;

	buf_release(&out);
	utf8_add(&out, data, len);
	return buf_str(&out);
}

#define CLEANED(text) cleaned(text, sizeof(text) - 1)

static void
test_lengths(void)
{
	CHECK(utf8_len("a") == 1);
	CHECK(utf8_len("\xc3\xa4") == 2);
	CHECK(utf8_len("\xe2\x82\xac") == 3);
	CHECK(utf8_len("\xf0\x9f\x98\x80") == 4);
	CHECK(utf8_len("\xc0\x80") == 0);
	CHECK(utf8_len("\xe0\x80\x80") == 0);
	CHECK(utf8_len("\xed\xa0\x80") == 0);
	CHECK(utf8_len("\xf4\x90\x80\x80") == 0);
	CHECK(utf8_len("\xff") == 0);
	CHECK(utf8_len("\xe2\x82") == 0);
}

static void
test_clean_text(void)
{
	CHECK_STR(CLEANED("a\tb\nc \xc3\xa4"), "a\tb\nc \xc3\xa4");
	CHECK_STR(CLEANED("a\0b\x1b[31m\x7f\r"), "ab[31m");
	CHECK_STR(CLEANED("\xff"
			  "a\xe2\x82"),
	    BAD "a" BAD BAD);
	CHECK_STR(CLEANED(""), "");
	/* C1, as U+009B and as a byte; the separators. */
	CHECK_STR(CLEANED("a\xc2\x9b"
			  "b\xc2\x80\xc2\x9f\xc2\xa0"),
	    "ab\xc2\xa0");
	CHECK_STR(CLEANED("a\x9b"
			  "b"),
	    "a" BAD "b");
	CHECK_STR(CLEANED("a\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"),
	    "a\xe2\x80\xaa");
	/* Not beyond the end. */
	CHECK_STR(cleaned("\xc3\xa4", 1), BAD);
}

static void
test_widths(void)
{
	static const struct {
		const char *text;
		size_t width;
	} cases[] = {
		{ "a", 1 }, { " ", 1 }, { "\xc3\xbc", 1 }, /* u umlaut */
		{ "\xcc\x8b", 0 },	   /* double acute, combining */
		{ "\xcd\xaf", 0 },	   /* the last of its block */
		{ "\xcd\xb0", 1 },	   /* the one behind it */
		{ "\xe1\x84\x80", 2 },	   /* Hangul */
		{ "\xe2\x80\x8d", 0 },	   /* joiner */
		{ "\xe2\x82\xac", 1 },	   /* euro */
		{ "\xe6\xbc\xa2", 2 },	   /* Han */
		{ "\xef\xbc\xa1", 2 },	   /* full width A */
		{ "\xef\xbd\xb1", 1 },	   /* half width a */
		{ "\xef\xb8\x8f", 0 },	   /* a selector */
		{ "\xf0\x9f\x9a\x80", 2 }, /* rocket */
		{ "\xf0\xa0\x80\x80", 2 }, /* Han, beyond the plane */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK(utf8_width(cases[i].text) == cases[i].width);
}

UNIT_MAIN(UNIT(test_lengths), UNIT(test_clean_text), UNIT(test_widths))
