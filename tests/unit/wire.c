/* Lines of an answer: one each, and a sentence for every failure. */
#include "host/wire.h"

#include <string.h>

#include "unit.h"

static void
test_put_is_one_line(void)
{
	struct buf b = BUF_INIT;

	wire_put(&b, "locked", "%s", "ann\ncurrent\tevil\r\nok\n");
	CHECK_STR(b.data, "locked\tann current\tevil  ok \n");
	buf_reset(&b);
	wire_put(&b, "free", "%d\t%d", 1, 2);
	CHECK_STR(b.data, "free\t1\t2\n");
	buf_release(&b);
}

static void
test_error(void)
{
	static const char none[] = "the host failed and does not say why";
	static const struct {
		const char *value;
		enum err_code code;
		const char *text;
	} cases[] = {
		{ "5\ta pack is damaged", ERR_INTEGRITY, "a pack is damaged" },
		{ "10\tno space", ERR_GUARD, "no space" },
		{ "1\ta\tb", ERR_FAILED, "a\\x09b" },
		{ "0\tx", ERR_FAILED, "x" },
		{ "11\tx", ERR_FAILED, "x" },
		{ "-1\tx", ERR_FAILED, "-1\\x09x" },
		{ "x", ERR_FAILED, "x" },
		{ "5", ERR_INTEGRITY, "5" },
		{ "3\t", ERR_LOCKED, none },
		{ "", ERR_FAILED, none },
		{ "\t", ERR_FAILED, none },
		{ "2\t\x1b[2J", ERR_USAGE, "\\x1b[2J" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(wire_error(cases[i].value, &e) == -1);
		CHECK_STR(e.text, cases[i].text);
		if (!CHECK(e.code == cases[i].code))
			printf("# %s: %d\n", cases[i].value, (int)e.code);
		CHECK(e.answered);
	}
}

UNIT_MAIN(UNIT(test_put_is_one_line), UNIT(test_error))
