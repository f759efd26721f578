/* The words of --override, one for each guard. */
#include "base/override.h"

#include <string.h>

#include "unit.h"

static void
test_words(void)
{
	static const struct {
		const char *text;
		unsigned int known;
		int set; /* -1: refused */
	} cases[] = {
		{ "build", OVERRIDE_ALL, OVERRIDE_BUILD },
		{ "freeze", OVERRIDE_ALL, OVERRIDE_FREEZE },
		{ "order", OVERRIDE_ALL, OVERRIDE_ORDER },
		{ "freeze,order", OVERRIDE_ALL, OVERRIDE_FLIP },
		{ "order,freeze", OVERRIDE_FLIP, OVERRIDE_FLIP },
		{ "order,build,freeze", OVERRIDE_ALL, OVERRIDE_ALL },
		{ "order,order", OVERRIDE_ALL, OVERRIDE_ORDER },
		{ "build", OVERRIDE_FLIP, -1 },
		{ "freeze", OVERRIDE_BUILD, -1 },
		{ "freeze", 0, -1 },
		{ "", OVERRIDE_ALL, -1 },
		{ ",", OVERRIDE_ALL, -1 },
		{ "freeze,", OVERRIDE_ALL, -1 },
		{ ",freeze", OVERRIDE_ALL, -1 },
		{ "freeze,,order", OVERRIDE_ALL, -1 },
		{ "freeze order", OVERRIDE_ALL, -1 },
		{ "freeze, order", OVERRIDE_ALL, -1 },
		{ "Freeze", OVERRIDE_ALL, -1 },
		{ "freez", OVERRIDE_ALL, -1 },
		{ "freezer", OVERRIDE_ALL, -1 },
		{ "all", OVERRIDE_ALL, -1 },
		{ "none", OVERRIDE_ALL, -1 },
		{ "order,all", OVERRIDE_ALL, -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		unsigned int set = 0;
		int r =
		    override_parse(cases[i].text, cases[i].known, &set, &e);

		CHECK((r == 0) == (cases[i].set >= 0));
		if (r == 0)
			CHECK((int)set == cases[i].set);
		else
			CHECK(e.code == ERR_USAGE);
	}
}

/* What was set stays; an error lists the words that there are. */
static void
test_adding(void)
{
	unsigned int set = OVERRIDE_BUILD;
	struct err e = ERR_INIT;

	CHECK(override_parse("order", OVERRIDE_FLIP, &set, &e) == 0);
	CHECK(set == (OVERRIDE_BUILD | OVERRIDE_ORDER));
	CHECK(override_parse("frezee", OVERRIDE_ALL, &set, &e) != 0);
	CHECK(strstr(e.text, "'frezee'") != NULL);
	CHECK(strstr(e.text, "build,freeze,order") != NULL);
	CHECK(override_parse("order,build,x", OVERRIDE_FLIP, &set, &e) != 0);
	CHECK(strstr(e.text, "'build'") != NULL);
	CHECK(strstr(e.text, "freeze,order") != NULL);
}

/* Every set is printed as it is read. */
static void
test_printing(void)
{
	for (unsigned int set = 1; set <= OVERRIDE_ALL; set++) {
		struct buf b = BUF_INIT;
		struct err e = ERR_INIT;
		unsigned int again = 0;

		override_print(set, &b);
		CHECK(override_parse(buf_str(&b), OVERRIDE_ALL, &again, &e) ==
		    0);
		CHECK(again == set);
		buf_release(&b);
	}
}

UNIT_MAIN(UNIT(test_words), UNIT(test_adding), UNIT(test_printing))
