/* Words that were probably meant. */
#include "base/nearest.h"

#include <string.h>

#include "unit.h"

static void
test_nearest(void)
{
	static const char *const names[] = { "keep", "root", "exclude",
		"max_delete", NULL };
	static const char *const none[] = { NULL };

	CHECK_STR(nearest_word("keep", names), "keep");
	CHECK_STR(nearest_word("kep", names), "keep");
	CHECK_STR(nearest_word("keeep", names), "keep");
	CHECK_STR(nearest_word("ekep", names), "keep");
	CHECK_STR(nearest_word("KEEP", names), "keep");
	CHECK_STR(nearest_word("max-delete", names), "max_delete");
	CHECK_STR(nearest_word("maxdelete", names), "max_delete");
	CHECK_STR(nearest_word("exlcudes", names), "exclude");
	CHECK_STR(nearest_word("boot", names), "root");
	CHECK_STR(nearest_word("toor", names), NULL);
	CHECK_STR(nearest_word("ex", names), NULL);
	CHECK_STR(nearest_word("", names), NULL);
	CHECK_STR(nearest_word("completely", names), NULL);
	CHECK_STR(nearest_word("keep", none), NULL);
}

static void
test_nearest_of_long_words(void)
{
	char word[400];
	const char *names[2] = { word, NULL };

	memset(word, 'x', sizeof(word));
	word[255] = '\0';
	CHECK_STR(nearest_word(word, names), word);
	word[255] = 'x';
	word[399] = '\0';
	CHECK_STR(nearest_word(word, names), NULL);
	CHECK_STR(nearest_word("x", names), NULL);
}

UNIT_MAIN(UNIT(test_nearest), UNIT(test_nearest_of_long_words))
