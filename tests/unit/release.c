#include "base/release.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit.h"

#define UUID "-6f9619ff-8b86-4011-b42d-00c04fc964ff"
#define ID "20261121T190305.482Z" UUID
#define ID_MS 1795287785482LL

/* Is it the text of an id?  What is none leaves none. */
static bool
is_id(const char *text)
{
	struct release_id id = { "x" };
	bool is = release_id_parse(&id, text);

	CHECK_STR(id.text, is ? text : "");
	CHECK(release_id_is_none(&id) == !is);
	return is;
}

/* What follows the id that the text begins with, or NULL. */
static const char *
rest_of(const char *text)
{
	struct release_id id = { "x" };
	const char *rest = release_id_scan(&id, text);

	CHECK_STR(id.text, rest != NULL ? ID : "");
	return rest;
}

static void
test_scan(void)
{
	CHECK_STR(rest_of(ID), "");
	CHECK_STR(rest_of(ID ".json"), ".json");
	CHECK_STR(rest_of(ID "/a/" ID), "/a/" ID);
	CHECK_STR(rest_of(""), NULL);
	CHECK_STR(rest_of("20261121T190305.482Z"), NULL);
	CHECK_STR(rest_of("/" ID), NULL);
}

static int64_t
time_of(const char *text)
{
	struct release_id id;

	(void)release_id_parse(&id, text);
	return release_id_time(&id);
}

static void
test_id_is_valid(void)
{
	CHECK(is_id(ID));
	CHECK(strlen(ID) == RELEASE_ID_LEN);
	CHECK(!is_id(""));
	CHECK(!is_id("latest"));
	CHECK(!is_id(ID "0"));
	CHECK(!is_id(ID "/"));
	CHECK(!is_id("/" ID));
	CHECK(!is_id("2026-11-21T19:03:05Z"));
	CHECK(!is_id("20261121T190305.482Z"));
	CHECK(!is_id("20261121t190305.482Z" UUID));
	CHECK(!is_id("20261121T190305,482Z" UUID));
	CHECK(!is_id("20261121T190305.482z" UUID));
	CHECK(!is_id("2026112 T190305.482Z" UUID));
	CHECK(!is_id(
	    "20261121T190305.482Z-6F9619FF-8B86-4011-B42D-00C04FC964FF"));
	CHECK(!is_id(
	    "20261121T190305.482Z-6g9619ff-8b86-4011-b42d-00c04fc964ff"));
	CHECK(!is_id(
	    "20261121T190305.482Z-6f9619ff08b86-4011-b42d-00c04fc964ff"));
	CHECK(!is_id("19691231T235959.999Z" UUID));
	CHECK(!is_id("00000101T000000.000Z" UUID));
	CHECK(!is_id("20260001T000000.000Z" UUID));
	CHECK(!is_id("20261301T000000.000Z" UUID));
	CHECK(!is_id("20260100T000000.000Z" UUID));
	CHECK(!is_id("20260132T000000.000Z" UUID));
	CHECK(!is_id("20260431T000000.000Z" UUID));
	CHECK(!is_id("20260229T000000.000Z" UUID));
	CHECK(!is_id("21000229T000000.000Z" UUID));
	CHECK(is_id("20000229T000000.000Z" UUID));
	CHECK(is_id("20280229T000000.000Z" UUID));
	CHECK(!is_id("20260101T240000.000Z" UUID));
	CHECK(!is_id("20260101T006600.000Z" UUID));
	CHECK(!is_id("20260101T000060.000Z" UUID));
	CHECK(is_id("99991231T235959.999Z" UUID));
	CHECK(!is_id(
	    "../../../../../../../../../../../../../../../../../../x.."));
}

/* Each character is looked at. */
static void
test_id_is_checked_whole(void)
{
	for (size_t i = 0; i < RELEASE_ID_LEN; i++) {
		char id[] = ID;

		id[i] = '/';
		CHECK(!is_id(id));
		id[i] = '\0';
		CHECK(!is_id(id));
		id[i] = ' ';
		CHECK(!is_id(id));
		id[i] = '\xb2';
		CHECK(!is_id(id));
	}
}

static void
test_id_time(void)
{
	CHECK(time_of(ID) == ID_MS);
	CHECK(time_of("19700101T000000.000Z" UUID) == 0);
	CHECK(time_of("19700101T000000.001Z" UUID) == 1);
	CHECK(time_of("20240229T235959.999Z" UUID) == 1709251199999LL);
	CHECK(time_of("20380119T031408.000Z" UUID) == 2147483648000LL);
	CHECK(release_id_time(&release_id_none) == 0);
}

static void
test_new_id(void)
{
	struct release_id id;
	int64_t before = clock_now(), made;

	release_id_new(&id, &release_id_none);
	made = release_id_time(&id);
	CHECK(is_id(id.text));
	CHECK(made >= before && made <= clock_now());
	/* Version 4, the random one (RFC 9562). */
	CHECK(id.text[35] == '4');
	CHECK(strchr("89ab", id.text[40]) != NULL);
}

static void
test_new_id_is_later(void)
{
	static const struct release_id old = { "20010101T000000.000Z" UUID };
	static const struct release_id later = { "20991231T235959.999Z" UUID };
	static const struct release_id last = { "99991231T235959.999Z" UUID };
	struct release_id a, b;

	/* An old one does not count. */
	release_id_new(&a, &old);
	CHECK(clock_now() - release_id_time(&a) < 10000);
	/* After the last there is none. */
	release_id_new(&a, &last);
	CHECK(release_id_is_none(&a));
	/* One of the future does: the clock went back. */
	release_id_new(&b, &later);
	CHECK(strncmp(b.text, "21000101T000000.000Z-", 21) == 0);
	/* A thousand within far less than a thousand milliseconds. */
	for (int i = 0; i < 1000; i++) {
		release_id_new(&b, &a);
		if (!CHECK(is_id(b.text)) ||
		    !CHECK(release_id_cmp(&a, &b) < 0) ||
		    !CHECK(release_id_time(&b) > release_id_time(&a)))
			break;
		a = b;
	}
}

static void
test_new_ids_are_unique(void)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	struct release_id id;

	for (int i = 0; i < 1000; i++) {
		release_id_new(&id, &release_id_none);
		release_ids_add(&ids, &id);
	}
	release_ids_sort(&ids);
	for (size_t i = 1; i < ids.n; i++)
		CHECK(!release_id_eq(&ids.v[i - 1], &ids.v[i]));
	release_ids_release(&ids);
}

static void
test_format_time(void)
{
	char text[32];

	release_format_time(ID_MS, text);
	CHECK_STR(text, "2026-11-21T19:03:05Z");
	release_format_time(0, text);
	CHECK_STR(text, "1970-01-01T00:00:00Z");
	release_format_time(253402300799999LL, text);
	CHECK_STR(text, "9999-12-31T23:59:59Z");
}

static void
test_parse_time(void)
{
	CHECK(release_parse_time("2026-11-21T19:03:05Z") == 1795287785000LL);
	CHECK(release_parse_time("1970-01-01T00:00:00Z") == 0);
	CHECK(release_parse_time("9999-12-31T23:59:59Z") == 253402300799000LL);
	CHECK(release_parse_time("") == -1);
	CHECK(release_parse_time("now") == -1);
	CHECK(release_parse_time("2026-11-21") == -1);
	CHECK(release_parse_time("2026-11-21T19:03:05") == -1);
	CHECK(release_parse_time("2026-11-21T19:03:05Zx") == -1);
	CHECK(release_parse_time("2026-11-21T19:03:05+01:00") == -1);
	CHECK(release_parse_time("2026-13-01T00:00:00Z") == -1);
	CHECK(release_parse_time("2026-11-21T25:03:05Z") == -1);
}

static void
add(struct release_ids *ids, const char *text)
{
	struct release_id id;

	CHECK(release_id_parse(&id, text));
	release_ids_add(ids, &id);
}

static struct release_ids
make_ids(const char *const *stamps)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	char text[80];

	for (; *stamps != NULL; stamps++) {
		snprintf(text, sizeof(text), "%s%s", *stamps, UUID);
		add(&ids, text);
	}
	return ids;
}

/* The list is sorted, has each id once if wanted, and may have its own again. */
static void
test_list(void)
{
	static const char *const stamps[] = { "20261121T190305.483Z",
		"20251121T190305.482Z", "20261121T190305.482Z", NULL };
	struct release_ids ids = make_ids(stamps), none = RELEASE_IDS_INIT;

	CHECK(release_id_is_none(release_ids_last(&none)));
	release_ids_sort(&none);
	CHECK(!release_ids_has(&ids, &release_id_none));
	for (int i = 0; i < 100; i++)
		release_ids_add(&ids, &ids.v[0]);
	release_ids_add_once(&ids, &ids.v[1]);
	CHECK(ids.n == 103);
	release_ids_sort(&ids);
	for (size_t i = 1; i < ids.n; i++)
		CHECK(release_id_cmp(&ids.v[i - 1], &ids.v[i]) <= 0);
	CHECK(strncmp(ids.v[0].text, stamps[1], 20) == 0);
	CHECK(strncmp(release_ids_last(&ids)->text, stamps[0], 20) == 0);
	release_ids_release(&ids);
	release_ids_release(&ids);
}

static void
test_short_len(void)
{
	static const char *const far[] = { "20250101T000000.000Z",
		"20260101T000000.000Z", NULL };
	static const char *const near[] = { "20250101T000000.000Z",
		"20260101T000000.123Z", "20260101T000000.124Z", NULL };
	struct release_ids ids = RELEASE_IDS_INIT;

	CHECK(release_short_len(&ids) == RELEASE_SHORT_LEN);
	add(&ids, ID);
	CHECK(release_short_len(&ids) == RELEASE_SHORT_LEN);
	/* The same millisecond, and the same but for the last digit. */
	add(&ids, ID);
	ids.v[1].text[RELEASE_ID_LEN - 1] = 'e';
	release_ids_sort(&ids);
	CHECK(release_short_len(&ids) == RELEASE_ID_LEN);
	release_ids_release(&ids);
	ids = make_ids(far);
	CHECK(release_short_len(&ids) == RELEASE_SHORT_LEN);
	release_ids_release(&ids);
	ids = make_ids(near);
	CHECK(release_short_len(&ids) == RELEASE_SHORT_LEN);
	release_ids_release(&ids);
}

static void
test_shorten(void)
{
#define SHORT "20261121T190305.482"
#define TWIN "20261121T190305.482Z-00000000-8b86-4011-b42d-00c04fc964ff"
#define LATER "20261121T190305.483Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"
	static const char *const cases[][2] = {
		{ "", "" },
		{ "T", "T" },
		{ ID, SHORT },
		{ "release " ID " is live", "release " SHORT " is live" },
		{ "'" ID "', (" ID "): " ID ".",
		    "'" SHORT "', (" SHORT "): " SHORT "." },
		{ ID "\n" LATER, SHORT "\n20261121T190305.483" },
		{ ID " and " TWIN ", not " LATER,
		    ID " and " TWIN ", not 20261121T190305.483" },
		/* Parts of something longer. */
		{ "releases/" ID, "releases/" ID },
		{ ID "/index.html", ID "/index.html" },
		{ "--id=" ID, "--id=" ID },
		{ "adopted-" ID ", " ID ".json",
		    "adopted-" ID ", " ID ".json" },
		{ "." ID ", x" ID ", " ID "0", "." ID ", x" ID ", " ID "0" },
		{ "20261321"
		  "T190305.482Z-6f9619ff",
		    "20261321T190305.482Z-6f9619ff" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = strdup(cases[i][0]);

		release_shorten(text);
		CHECK_STR(text, cases[i][1]);
		free(text);
	}
}

static void
test_match(void)
{
	static const char *const stamps[] = { "20251121T190305.482Z",
		"20261121T190305.482Z", "20261121T190305.483Z", NULL };
	struct release_ids ids = make_ids(stamps);
	struct err e = ERR_INIT;

	CHECK(release_match(&ids, NULL, "2025", &e) == &ids.v[0]);
	CHECK(release_match(&ids, NULL, ids.v[0].text, &e) == &ids.v[0]);
	CHECK(
	    release_match(&ids, NULL, "20261121T190305.482", &e) == &ids.v[1]);
	CHECK(release_match(&ids, NULL, ids.v[2].text, &e) == &ids.v[2]);

	CHECK(release_match(&ids, NULL, "2026", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK(strstr(e.text, ids.v[1].text) != NULL);
	CHECK(strstr(e.text, ids.v[2].text) != NULL);
	CHECK(release_match(&ids, NULL, "2", &e) == NULL);

	CHECK(release_match(&ids, NULL, "2027", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK(strstr(e.text, "'2027'") != NULL);
	CHECK(release_match(&ids, NULL, ID "0", &e) == NULL);
	CHECK(release_match(&ids, NULL, "-6f9619ff", &e) == NULL);
	CHECK(release_match(&ids, NULL, "20261121t", &e) == NULL);
	CHECK(release_match(&ids, NULL, "*", &e) == NULL);
	release_ids_release(&ids);
}

static void
test_match_of_what_is_named(void)
{
	static const char *const stamps[] = { "20251121T190305.482Z",
		"20261121T190305.482Z", "20261121T190305.483Z", NULL };
	struct release_ids ids = make_ids(stamps);
	struct release_ids named = RELEASE_IDS_INIT;
	struct err e = ERR_INIT;

	CHECK(release_match(&ids, &named, "#41", &e) == NULL);
	release_ids_add(&named, &ids.v[1]);
	CHECK(release_match(&ids, &named, "#41", &e) == &ids.v[1]);
	/* The start of one id, and the commit of another. */
	e = (struct err)ERR_INIT;
	CHECK(release_match(&ids, &named, "2025", &e) == NULL);
	CHECK(strstr(e.text, ids.v[0].text) != NULL);
	CHECK(strstr(e.text, ids.v[1].text) != NULL);
	CHECK(release_match(&ids, &named, "20261121T190305.482", &e) ==
	    &ids.v[1]);
	release_ids_add(&named, &ids.v[0]);
	e = (struct err)ERR_INIT;
	CHECK(release_match(&ids, &named, "#41", &e) == NULL);
	CHECK(e.code == ERR_USAGE && strstr(e.text, "'#41'") != NULL);
	release_ids_release(&named);
	release_ids_release(&ids);
}

static void
test_match_names_some_of_many(void)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err e = ERR_INIT;
	char text[RELEASE_ID_LEN + 1] = ID;

	for (char c = '0'; c <= '9'; c++) {
		text[RELEASE_ID_LEN - 1] = c;
		add(&ids, text);
	}
	CHECK(release_match(&ids, NULL, "2026", &e) == NULL);
	CHECK(strstr(e.text, ids.v[9].text) != NULL);
	CHECK(strstr(e.text, ids.v[5].text) != NULL);
	CHECK(strstr(e.text, ids.v[4].text) == NULL);
	CHECK(strstr(e.text, "one of 5 more") != NULL);
	release_ids_release(&ids);
}

static void
test_match_of_nothing(void)
{
	struct release_ids ids = RELEASE_IDS_INIT;
	struct err e = ERR_INIT;

	CHECK(release_match(&ids, NULL, "2", &e) == NULL);
	CHECK(release_match(&ids, NULL, "", &e) == NULL);
	/* Also where it would be unique. */
	add(&ids, ID);
	e = (struct err)ERR_INIT;
	CHECK(release_match(&ids, NULL, "", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	release_ids_release(&ids);
}

UNIT_MAIN(UNIT(test_id_is_valid), UNIT(test_id_is_checked_whole),
    UNIT(test_id_time), UNIT(test_scan), UNIT(test_new_id),
    UNIT(test_new_id_is_later), UNIT(test_new_ids_are_unique),
    UNIT(test_format_time), UNIT(test_parse_time), UNIT(test_list),
    UNIT(test_short_len), UNIT(test_shorten), UNIT(test_match),
    UNIT(test_match_of_what_is_named), UNIT(test_match_names_some_of_many),
    UNIT(test_match_of_nothing))
