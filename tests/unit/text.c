/* Text for people: nothing in it disturbs a terminal; sizes in words. */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void
test_clean(void)
{
	static const struct {
		const char *in, *want;
	} t[] = { { "", "" }, { "plain text", "plain text" },
		{ "a\tb\nc\r", "a\\x09b\\x0ac\\x0d" },
		{ "\033[31m", "\\x1b[31m" }, { "\x7f", "\\x7f" },
		/* UTF-8 as it is: two, three and four bytes. */
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
		    "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xc2\xa0", "\xc2\xa0" },
		/* C1, in UTF-8 and bare. */
		{ "\xc2\x80", "\\xc2\\x80" },
		{ "\xc2\x9b"
		  "31m",
		    "\\xc2\\x9b"
		    "31m" },
		{ "\xc2\x9f", "\\xc2\\x9f" },
		{ "\x9b"
		  "31m",
		    "\\x9b"
		    "31m" },
		{ "\x80", "\\x80" }, { "\x9f", "\\x9f" },
		/* The separators of lines and paragraphs. */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
		{ "\xe2\x80\xa9", "\\xe2\\x80\\xa9" },
		{ "\xe2\x80\xa6", "\xe2\x80\xa6" },
		/* No UTF-8: cut short, too long, a surrogate, beyond. */
		{ "\xe9t\xe9", "\\xe9t\\xe9" }, { "\xc3", "\\xc3" },
		{ "\xe2\x82", "\\xe2\\x82" }, { "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xc1\x9b", "\\xc1\\x9b" },
		{ "\xe0\x82\x9b", "\\xe0\\x82\\x9b" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xff", "\\xff" } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char out[64], *whole = text_cleanf("%s", t[i].in);

		CHECK(text_clean(out, sizeof(out), t[i].in) ==
		    strlen(t[i].want));
		CHECK_STR(out, t[i].want);
		CHECK_STR(whole, t[i].want);
		free(whole);
	}
}

static void
test_passwords(void)
{
	static const struct {
		const char *in, *want;
	} t[] = {
		{ "'https://me:pw@host/x.git' in '/tmp'",
		    "'https://me:***@host/x.git' in '/tmp'" },
		{ "ssh://me:p@w@h:22/x and http://a:b@c",
		    "ssh://me:***@h:22/x and http://a:***@c" },
		{ "postgresql://me:p@db/q", "postgresql://me:***@db/q" },
		/* Not percent-encoded. */
		{ "postgresql://me:p/w@db/q", "postgresql://me:***@db/q" },
		{ "postgresql://me:p#w@db/q", "postgresql://me:***@db/q" },
		{ "'postgresql:///q?user=me&password=p%w&x=y'",
		    "'postgresql:///q?user=me&password=***&x=y'" },
		{ "postgresql:///q?password=pw",
		    "postgresql:///q?password=***" },
		/* A token. */
		{ "https://ghp_x@host/x.git", "https://***@host/x.git" },
		{ "https://ghp_x:@host/", "https://***@host/" },
		{ "https://ghp_x:x-oauth-basic@host/", "https://***@host/" },
		/* None. */
		{ "ssh://git@host:22/~me/x", "ssh://git@host:22/~me/x" },
		{ "https://host:443/@me", "https://host:443/@me" },
		{ "https://host/a:b@c", "https://host/a:b@c" },
		{ "https://[::1]:80/@me", "https://[::1]:80/@me" },
		{ "git@host:x", "git@host:x" },
		{ "://", "://" },
		{ "://:@", "://:***@" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char *once = text_cleanf("%s", t[i].in);
		char *twice = text_cleanf("%s", once);

		CHECK_STR(once, t[i].want);
		CHECK_STR(twice, t[i].want);
		free(once);
		free(twice);
	}
}

/* Whatever does not fit ends in "...", and no character is divided. */
static void
test_cut(void)
{
	static const char *const in[] = { "aaaaaaaaaaaaaaaaaaaaaaaa",
		"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
		"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac",
		"\033\033\033\033\033\033", "\x9b\x9b\x9b\x9b\x9b" };
	char out[20];

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		for (size_t size = 4; size < 14; size++) {
			size_t n,
			    piece = in[i][0] == 'a' ? 1 :
			    in[i][0] == '\xc3'	    ? 2 :
			    in[i][0] == '\xe2'	    ? 3 :
						      4;

			memset(out, '#', sizeof(out));
			n = text_clean(out, size, in[i]);
			CHECK(n < size && out[n] == '\0');
			CHECK(strcmp(out + n - 3, "...") == 0);
			CHECK((n - 3) % piece == 0);
			CHECK(out[size] == '#');
		}
}

static void
test_long(void)
{
	char in[20000], *out;

	memset(in, '\x9b', sizeof(in) - 1);
	in[sizeof(in) - 1] = '\0';
	out = text_cleanf("%s", in);
	CHECK(strlen(out) > TEXT_LINE_MAX - 8 && strlen(out) < TEXT_LINE_MAX);
	CHECK_STR(out + strlen(out) - 3, "...");
	free(out);
}

static void
test_sizes(void)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} t[] = { { 0, "0 B" }, { 1, "1 B" }, { 999, "999 B" },
		{ 1000, "1.0 kB" }, { 1449, "1.4 kB" }, { 1500000, "1.5 MB" },
		{ 2000000000, "2.0 GB" }, { 3000000000000, "3.0 TB" },
		{ 4000000000000000, "4000.0 TB" } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char out[TEXT_SIZE_LEN];

		text_size(t[i].bytes, out);
		CHECK_STR(out, t[i].want);
	}
}

UNIT_MAIN(UNIT(test_clean), UNIT(test_passwords), UNIT(test_cut),
    UNIT(test_long), UNIT(test_sizes))
