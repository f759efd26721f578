#include "ssh/ssh_pattern.h"

#include <string.h>

#include "unit.h"

static void
test_lists(void)
{
	static const struct {
		const char *list, *name;
		bool has;
	} cases[] = {
		{ "www", "www", true },
		{ "WWW", "www", true },
		{ "www", "www1", false },
		{ "www1", "www", false },
		{ "www?", "www1", true },
		{ "www?", "www", false },
		{ "*", "www", true },
		{ "*", "", true },
		{ "", "", false },
		{ "", "www", false },
		{ "*.example.org", "www.example.org", true },
		{ "*.example.org", "example.org", false },
		{ "*a*b", "xaxbxab", true },
		{ "*a*b*", "xbxa", false },
		{ "a,b", "b", true },
		{ ",,b,", "b", true },
		{ "a,b", "a,b", false },
		{ "!evil.org,*.org", "evil.org", false },
		{ "*.org,!evil.org", "evil.org", false },
		{ "*.org,!EVIL.*", "evil.org", false },
		{ "*.org,!evil.org", "www.org", true },
		{ "!evil.org", "www.org", false },
		{ "!", "www", false },
		{ "[www]:22*", "[www]:2222", true },
		{ "[vw]ww", "www", false },
		{ "a:b/c", "a:b/c", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!CHECK(ssh_pattern_list_has(cases[i].list,
			       strlen(cases[i].list),
			       cases[i].name) == cases[i].has))
			printf("# '%s' '%s'\n", cases[i].list, cases[i].name);
	CHECK(ssh_pattern_list_has("www,!www", 3, "www"));
}

UNIT_MAIN(UNIT(test_lists))
