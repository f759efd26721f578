/*
 * Unit tests of pure modules.  A file reads
 *
 *	static void
 *	test_empty(void)
 *	{
 *		CHECK(thing_count("") == 0);
 *		CHECK_STR(thing_name("x"), "x");
 *	}
 *
 *	UNIT_MAIN(UNIT(test_empty), UNIT(test_more))
 *
 * and prints TAP.  A failed check is reported and the test goes on; REQUIRE
 * leaves the function.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	void (*run)(void);
};

#define UNIT(fn) { #fn, fn }

/* Define main() for these tests. */
#define UNIT_MAIN(...) \
	int \
	main(void) \
	{ \
		static const struct unit units[] = { __VA_ARGS__ }; \
		return unit_main(units, sizeof(units) / sizeof(units[0])); \
	}

#define CHECK(expr) unit_check((expr), #expr, __FILE__, __LINE__)
#define CHECK_STR(got, want) unit_check_str(got, want, __FILE__, __LINE__)
#define REQUIRE(expr) \
	do { \
		if (!CHECK(expr)) \
			return; \
	} while (0)

/* Did a check of the running test fail? */
static bool unit_failed;

/* Report `expr` unless it holds; returns whether it does. */
static inline bool
unit_check(bool holds, const char *expr, const char *file, int line)
{
	if (!holds) {
		printf("# %s:%d: %s\n", file, line, expr);
		unit_failed = true;
	}
	return holds;
}

/* Report two strings that differ; NULL equals only NULL. */
static inline bool
unit_check_str(const char *got, const char *want, const char *file, int line)
{
	bool same = got == want ||
	    (got != NULL && want != NULL && strcmp(got, want) == 0);

	if (!same) {
		printf("# %s:%d: got '%s', want '%s'\n", file, line,
		    got != NULL ? got : "(null)",
		    want != NULL ? want : "(null)");
		unit_failed = true;
	}
	return same;
}

/* Run the tests in order; returns the status of the program. */
static inline int
unit_main(const struct unit *units, size_t n)
{
	bool any = false;

	/* A test that crashes must not take earlier results with it. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		unit_failed = false;
		units[i].run();
		printf("%s %zu - %s\n", unit_failed ? "not ok" : "ok", i + 1,
		    units[i].name);
		any |= unit_failed;
	}
	return any;
}

#endif
