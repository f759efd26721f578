#include "base/release.h"

#include "base/clock.h"
#include "unit.h"

#define UUID "-6f9619ff-8b86-4011-b42d-00c04fc964ff"
#define ID "20261121T190305.482Z" UUID
#define ID_MS 1795287785482LL

static void
test_id_is_valid(void)
{
	CHECK(release_id_is_valid(ID));
	CHECK(strlen(ID) == RELEASE_ID_LEN);
	CHECK(!release_id_is_valid(""));
	CHECK(!release_id_is_valid("latest"));
	CHECK(!release_id_is_valid(ID "0"));
	CHECK(!release_id_is_valid(ID "/"));
	CHECK(!release_id_is_valid("/" ID));
	CHECK(!release_id_is_valid("2026-11-21T19:03:05Z"));
	CHECK(!release_id_is_valid("20261121T190305.482Z"));
	CHECK(!release_id_is_valid("20261121t190305.482Z" UUID));
	CHECK(!release_id_is_valid("20261121T190305,482Z" UUID));
	CHECK(!release_id_is_valid("20261121T190305.482z" UUID));
	CHECK(!release_id_is_valid("2026112 T190305.482Z" UUID));
	CHECK(!release_id_is_valid(
	    "20261121T190305.482Z-6F9619FF-8B86-4011-B42D-00C04FC964FF"));
	CHECK(!release_id_is_valid(
	    "20261121T190305.482Z-6g9619ff-8b86-4011-b42d-00c04fc964ff"));
	CHECK(!release_id_is_valid(
	    "20261121T190305.482Z-6f9619ff08b86-4011-b42d-00c04fc964ff"));
	CHECK(!release_id_is_valid("19691231T235959.999Z" UUID));
	CHECK(!release_id_is_valid("00000101T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260001T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20261301T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260100T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260132T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260431T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260229T000000.000Z" UUID));
	CHECK(!release_id_is_valid("21000229T000000.000Z" UUID));
	CHECK(release_id_is_valid("20000229T000000.000Z" UUID));
	CHECK(release_id_is_valid("20280229T000000.000Z" UUID));
	CHECK(!release_id_is_valid("20260101T240000.000Z" UUID));
	CHECK(!release_id_is_valid("20260101T006600.000Z" UUID));
	CHECK(!release_id_is_valid("20260101T000060.000Z" UUID));
	CHECK(release_id_is_valid("99991231T235959.999Z" UUID));
	CHECK(!release_id_is_valid(
	    "../../../../../../../../../../../../../../../../../../x.."));
}

/* Each character is looked at. */
static void
test_id_is_checked_whole(void)
{
	for (size_t i = 0; i < RELEASE_ID_LEN; i++) {
		char id[] = ID;

		id[i] = '/';
		CHECK(!release_id_is_valid(id));
		id[i] = '\0';
		CHECK(!release_id_is_valid(id));
		id[i] = ' ';
		CHECK(!release_id_is_valid(id));
		id[i] = '\xb2';
		CHECK(!release_id_is_valid(id));
	}
}

static void
test_id_time(void)
{
	CHECK(release_id_time(ID) == ID_MS);
	CHECK(release_id_time("19700101T000000.000Z" UUID) == 0);
	CHECK(release_id_time("19700101T000000.001Z" UUID) == 1);
	CHECK(release_id_time("20240229T235959.999Z" UUID) == 1709251199999LL);
	CHECK(release_id_time("20380119T031408.000Z" UUID) == 2147483648000LL);
	CHECK(release_id_time("") == 0);
	CHECK(release_id_time("current") == 0);
	CHECK(release_id_time(ID "x") == 0);
}

static void
test_new_id(void)
{
	struct release_id id;
	int64_t before = clock_now(), made;

	release_id_new(&id, "");
	made = release_id_time(id.text);
	CHECK(release_id_is_valid(id.text));
	CHECK(made >= before && made <= clock_now());
	/* Version 4, the random one (RFC 9562). */
	CHECK(id.text[35] == '4');
	CHECK(strchr("89ab", id.text[40]) != NULL);
}

static void
test_new_id_is_later(void)
{
	struct release_id a, b;

	/* An old one, and what is none, do not count. */
	release_id_new(&a, "20010101T000000.000Z" UUID);
	CHECK(clock_now() - release_id_time(a.text) < 10000);
	release_id_new(&a, "zzzz");
	CHECK(clock_now() - release_id_time(a.text) < 10000);
	/* One of the future does: the clock went back. */
	release_id_new(&b, "20991231T235959.999Z" UUID);
	CHECK(strncmp(b.text, "21000101T000000.000Z-", 21) == 0);
	/* A thousand within far less than a thousand milliseconds. */
	for (int i = 0; i < 1000; i++) {
		release_id_new(&b, a.text);
		if (!CHECK(release_id_is_valid(b.text)) ||
		    !CHECK(strcmp(a.text, b.text) < 0) ||
		    !CHECK(release_id_time(b.text) > release_id_time(a.text)))
			break;
		a = b;
	}
}

static void
test_new_ids_are_unique(void)
{
	struct strvec ids = STRVEC_INIT;
	struct release_id id;

	for (int i = 0; i < 1000; i++) {
		release_id_new(&id, "");
		strvec_add(&ids, id.text);
	}
	strvec_sort(&ids);
	for (size_t i = 1; i < ids.n; i++)
		CHECK(strcmp(ids.v[i - 1], ids.v[i]) != 0);
	strvec_release(&ids);
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

static struct strvec
make_ids(const char *const *stamps)
{
	struct strvec ids = STRVEC_INIT;

	for (; *stamps != NULL; stamps++)
		strvec_addf(&ids, "%s%s", *stamps, UUID);
	return ids;
}

static void
test_short_len(void)
{
	static const char *const far[] = { "20250101T000000.000Z",
		"20260101T000000.000Z", NULL };
	static const char *const near[] = { "20250101T000000.000Z",
		"20260101T000000.123Z", "20260101T000000.124Z", NULL };
	struct strvec ids = STRVEC_INIT;

	CHECK(release_short_len(&ids) == 15);
	strvec_add(&ids, ID);
	CHECK(release_short_len(&ids) == 15);
	/* The same millisecond, and the same but for the last digit. */
	strvec_add(&ids, ID);
	ids.v[1][RELEASE_ID_LEN - 1] = 'e';
	strvec_sort(&ids);
	CHECK(release_short_len(&ids) == RELEASE_ID_LEN);
	strvec_release(&ids);
	ids = make_ids(far);
	CHECK(release_short_len(&ids) == 15);
	strvec_release(&ids);
	ids = make_ids(near);
	CHECK(release_short_len(&ids) == 19);
	strvec_release(&ids);
}

static void
test_match(void)
{
	static const char *const stamps[] = { "20251121T190305.482Z",
		"20261121T190305.482Z", "20261121T190305.483Z", NULL };
	struct strvec ids = make_ids(stamps);
	struct err e = ERR_INIT;

	CHECK(release_match(&ids, "2025", &e) == ids.v[0]);
	CHECK(release_match(&ids, ids.v[0], &e) == ids.v[0]);
	CHECK(release_match(&ids, "20261121T190305.482", &e) == ids.v[1]);
	CHECK(release_match(&ids, ids.v[2], &e) == ids.v[2]);

	CHECK(release_match(&ids, "2026", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK(strstr(e.text, ids.v[1]) != NULL);
	CHECK(strstr(e.text, ids.v[2]) != NULL);
	CHECK(release_match(&ids, "2", &e) == NULL);

	CHECK(release_match(&ids, "2027", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	CHECK(strstr(e.text, "'2027'") != NULL);
	CHECK(release_match(&ids, ID "0", &e) == NULL);
	CHECK(release_match(&ids, "-6f9619ff", &e) == NULL);
	CHECK(release_match(&ids, "20261121t", &e) == NULL);
	CHECK(release_match(&ids, "*", &e) == NULL);
	strvec_release(&ids);
}

static void
test_match_of_nothing(void)
{
	struct strvec ids = STRVEC_INIT;
	struct err e = ERR_INIT;

	CHECK(release_match(&ids, "2", &e) == NULL);
	CHECK(release_match(&ids, "", &e) == NULL);
	/* Also where it would be unique. */
	strvec_add(&ids, ID);
	e = (struct err)ERR_INIT;
	CHECK(release_match(&ids, "", &e) == NULL);
	CHECK(e.code == ERR_USAGE);
	strvec_release(&ids);
}

UNIT_MAIN(UNIT(test_id_is_valid), UNIT(test_id_is_checked_whole),
    UNIT(test_id_time), UNIT(test_new_id), UNIT(test_new_id_is_later),
    UNIT(test_new_ids_are_unique), UNIT(test_format_time),
    UNIT(test_parse_time), UNIT(test_short_len), UNIT(test_match),
    UNIT(test_match_of_nothing))
