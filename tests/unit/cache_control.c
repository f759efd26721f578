#include "fleet/cache_control.h"

#include "unit.h"

static void
test_directives(void)
{
	static const struct {
		const char *field, *wanted;
		bool has;
	} cases[] = {
		{ "immutable", "immutable", true },
		{ "public, max-age=31536000, immutable", "immutable", true },
		{ "public,max-age=31536000 ,Immutable", "immutable", true },
		{ "public, max-age=31536000, immutable",
		    "immutable, max-age=31536000", true },
		{ "public, max-age=3153600, immutable", "max-age=31536000",
		    false },
		{ "no-cache-at-all", "no-cache", false },
		{ "not no-cache", "no-cache", false },
		{ " ,, no-cache , ", "no-cache", true },
		{ "", "no-cache", false },
		{ "no-store", "no-cache", false },
		{ "no-store", "no-cache,no-store", false },
		{ "anything", "", true },
		{ "anything", " , ", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!CHECK(cache_control_has(cases[i].field,
			       cases[i].wanted) == cases[i].has))
			printf("# '%s' '%s'\n", cases[i].field,
			    cases[i].wanted);
}

static void
test_age(void)
{
	static const struct {
		const char *field;
		int64_t age;
	} cases[] = {
		{ "", 0 },
		{ "no-cache", 0 },
		{ "max-age=0", 0 },
		{ "max-age=60", 60 },
		{ "public, Max-Age=60", 60 },
		{ "max-age=60, s-maxage=3600", 3600 },
		{ "s-maxage=10,max-age=60", 60 },
		{ "immutable", INT64_MAX },
		{ "max-age=1, IMMUTABLE", INT64_MAX },
		{ "max-age=99999999999999999999", INT64_MAX },
		{ "max-age=x", INT64_MAX },
		{ "max-age=", 0 },
		{ "x-max-age=5", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!CHECK(cache_control_age(cases[i].field) == cases[i].age))
			printf("# '%s'\n", cases[i].field);
}

UNIT_MAIN(UNIT(test_directives), UNIT(test_age))
