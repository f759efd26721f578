#include "fleet/fleet.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

enum { HOSTS = 4 };

static struct host_config hosts[HOSTS];
static struct remote remotes[HOSTS];
static const struct caller caller = CALLER_INIT;
static struct fleet fleet = { .v = remotes, .n = HOSTS, .caller = &caller };
static char warnings[4096];

/* Hosts that fail for these reasons; NULL: it does not. */
static void
set_up(const char *const reasons[HOSTS])
{
	static char labels[HOSTS][8];

	for (size_t i = 0; i < HOSTS; i++) {
		snprintf(labels[i], sizeof(labels[i]), "www%zu", i + 1);
		hosts[i].label = labels[i];
		remotes[i] = (struct remote){ .host = &hosts[i],
			.failed = reasons[i] != NULL };
		if (reasons[i] != NULL)
			err_set(&remotes[i].err, ERR_FAILED, "%s", reasons[i]);
	}
}

/* What fleet_fail() makes of it, and what it warns of. */
static void
fail(const char *const reasons[HOSTS], struct err *e)
{
	FILE *f = tmpfile();
	int kept = dup(STDERR_FILENO);
	size_t n;

	set_up(reasons);
	*e = (struct err)ERR_INIT;
	fflush(stderr);
	REQUIRE(f != NULL && kept >= 0);
	REQUIRE(dup2(fileno(f), STDERR_FILENO) >= 0);
	CHECK(fleet_fail(&fleet, "not done", e) == -1);
	fflush(stderr);
	REQUIRE(dup2(kept, STDERR_FILENO) >= 0);
	close(kept);
	rewind(f);
	n = fread(warnings, 1, sizeof(warnings) - 1, f);
	warnings[n] = '\0';
	fclose(f);
}

/* How often is it in the warnings? */
static size_t
count(const char *text)
{
	size_t n = 0;

	for (const char *p = warnings; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static void
test_one(void)
{
	static const char *const reasons[HOSTS] = { NULL, "a", NULL, NULL };
	struct err e;

	fail(reasons, &e);
	CHECK_STR(e.text, "1 of 4 hosts failed; not done: www2: a");
	CHECK_STR(warnings, "");
}

static void
test_the_same_is_told_once(void)
{
	static const char *const reasons[HOSTS] = { "a", NULL, "a", "a" };
	struct err e;

	fail(reasons, &e);
	CHECK_STR(e.text,
	    "3 of 4 hosts failed; not done: www1, www3, www4: a");
	CHECK_STR(warnings, "");
}

static void
test_each_reason_is_told(void)
{
	static const char *const reasons[HOSTS] = { "a", "b", "a", "b" };
	static const char *const other[HOSTS] = { NULL, "a", "b", "c" };
	struct err e;

	fail(reasons, &e);
	CHECK_STR(e.text, "4 of 4 hosts failed; not done: www1, www3: a");
	CHECK(count("www2, www4: b") == 1 && count("www") == 2);
	fail(other, &e);
	CHECK_STR(e.text, "3 of 4 hosts failed; not done: www2: a");
	CHECK(count("www3: b") == 1 && count("www4: c") == 1);
	CHECK(count("www2") == 0);
}

/* The cure stays where it is. */
static void
test_cure(void)
{
	static const char *const reasons[HOSTS] = { "a; x", "a; x", NULL,
		NULL };
	struct err e = ERR_INIT;

	set_up(reasons);
	for (size_t i = 0; i < 2; i++)
		err_append(&remotes[i].err, ";; run: b");
	CHECK(fleet_fail(&fleet, "not done", &e) == -1);
	CHECK_STR(e.text,
	    "2 of 4 hosts failed; not done: www1, www2: a; x; run: b");
	CHECK_STR(err_cure(&e), "run: b");
}

static void
test_none(void)
{
	static const char *const reasons[HOSTS] = { NULL, NULL, NULL, NULL };
	struct err e;

	fail(reasons, &e);
	CHECK_STR(e.text, "not done");
}

UNIT_MAIN(UNIT(test_one), UNIT(test_the_same_is_told_once),
    UNIT(test_each_reason_is_told), UNIT(test_cure), UNIT(test_none))
