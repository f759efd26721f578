/* Entries of systemd's journal: what a line is, and what has more than one. */
#include "os/journald.h"

#include <string.h>

#include "unit.h"

static void
test_add(void)
{
	static const struct {
		const char *value, *want;
		size_t len;
	} t[] = {
#define ENTRY(text) text, sizeof(text) - 1
		{ "", ENTRY("MESSAGE=\n") },
		{ "a line", ENTRY("MESSAGE=a line\n") },
		{ "a=b", ENTRY("MESSAGE=a=b\n") },
		{ "\n", ENTRY("MESSAGE\n\1\0\0\0\0\0\0\0\n\n") },
		{ "two\nlines",
		    ENTRY("MESSAGE\n\11\0\0\0\0\0\0\0two\nlines\n") },
		/* No field of its own comes of it. */
		{ "x\nPRIORITY=0",
		    ENTRY("MESSAGE\n\14\0\0\0\0\0\0\0x\nPRIORITY=0\n") },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct buf b = BUF_INIT;

		journald_add(&b, "MESSAGE", t[i].value);
		CHECK(b.len == t[i].len &&
		    memcmp(b.data, t[i].want, b.len) == 0);
		buf_release(&b);
	}
}

static void
test_long(void)
{
	char value[301];
	struct buf b = BUF_INIT;

	memset(value, '\n', 300);
	value[300] = '\0';
	journald_add(&b, "A", value);
	CHECK(b.len == 2 + 8 + 300 + 1);
	CHECK(memcmp(b.data, "A\n\x2c\1\0\0\0\0\0\0\n", 11) == 0);
	buf_release(&b);
}

UNIT_MAIN(UNIT(test_add), UNIT(test_long))
