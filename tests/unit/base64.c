#include "base/base64.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

/* RFC 4648, section 10, and what is not quite so. */
static void
test_decode(void)
{
	static const struct {
		const char *text, *data; /* NULL: it is none */
	} cases[] = {
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "Zm9vYmE", "fooba" },
		{ " Zm9v\r\n\tYmFy\n", "foobar" },
		{ "Zg = =\n", "f" },
		{ "+/+/", "\xfb\xff\xbf" },
		{ "", NULL },
		{ "   ", NULL },
		{ "Z", NULL },
		{ "Zm9vY", NULL },
		{ "=", NULL },
		{ "Zg==Zg==", NULL },
		{ "Zm9v-mFy", NULL },
		{ "Zm9v!", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;
		bool is = base64_decode(cases[i].text, &b);

		if (cases[i].data == NULL)
			CHECK(!is);
		else if (*cases[i].data != '\0' && CHECK(is))
			CHECK_STR(buf_str(&b), cases[i].data);
		buf_release(&b);
	}
}

/* What was written is read again, whatever its length. */
static void
test_both_ways(void)
{
	unsigned char data[200];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 37 + 1);
	for (size_t n = 1; n <= sizeof(data); n++) {
		struct buf text = BUF_INIT, back = BUF_INIT;

		base64_encode(data, n, &text);
		CHECK(text.data[text.len - 1] == '\n');
		CHECK(strcspn(buf_str(&text), "\n") <= 64);
		CHECK(base64_decode(buf_str(&text), &back));
		CHECK(back.len == n && memcmp(back.data, data, n) == 0);
		buf_release(&text);
		buf_release(&back);
	}
}

UNIT_MAIN(UNIT(test_decode), UNIT(test_both_ways))
