/* The options of the verbs: what a request may say. */
#include "host/option.h"

#include "unit.h"

#define ID "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"

/* Take the words; 0 or -1.  `out` is replaced. */
static int
take(const char *const *words, struct strvec *out, struct err *e)
{
	struct strvec in = STRVEC_INIT;
	int r;

	strvec_release(out);
	*e = (struct err)ERR_INIT;
	for (; *words != NULL; words++)
		strvec_add(&in, *words);
	r = options_take(&in, out, e);
	strvec_release(&in);
	return r;
}

static const struct {
	const char *verb, *option;
	bool good;
} cases[] = {
	{ "info", "--full", true },
	{ "info", "--full=", false },
	{ "info", "--full=1", false },
	{ "info", "full", false },
	{ "info", "-full", false },
	{ "info", "--", false },
	{ "info", "", false },
	{ "info", "--id=" ID, false },
	{ "info", "--who", false },
	{ "info", "--who=", true },
	{ "info", "--lock-wait=86400", true },
	{ "info", "--lock-wait=86401", false },
	{ "info", "--lock-wait=", false },
	{ "manifest", "--id=" ID, true },
	{ "manifest", "--id=", false },
	{ "manifest", "--id=current", false },
	{ "manifest", "--id=" ID "/", false },
	{ "activate", "--expect=", true },
	{ "activate", "--expect=" ID, true },
	{ "activate", "--expect=any", false },
	{ "activate", "--armed=3600000", true },
	{ "activate", "--armed=3600001", false },
	{ "note", "--seq=9007199254740991", true },
	{ "note", "--seq=9007199254740992", false },
	{ "note", "--seq=-1", false },
	{ "adopt", "--path=/srv", true },
	{ "adopt", "--path=srv", false },
	{ "adopt", "--path=", false },
	{ "prune", "--keep=1000000", true },
	{ "prune", "--keep=4294967296", false },
	{ "nothing", "--full", false },
};

static void
test_values(void)
{
	struct strvec out = STRVEC_INIT;
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const words[] = { cases[i].verb, "/r",
			cases[i].option, NULL };

		if (!CHECK((take(words, &out, &e) == 0) == cases[i].good))
			printf("# %s %s\n", words[0], words[2]);
		CHECK(cases[i].good || e.code == ERR_USAGE);
		CHECK(!cases[i].good || out.n == 3);
	}
	strvec_release(&out);
}

/* Each once, whatever its value. */
static void
test_repeated(void)
{
	static const char *const twice[] = { "pin", "/r", "--off", "--off",
		NULL };
	static const char *const other[] = { "pin", "/r", "--id=" ID,
		"--who=a", "--id=" ID, NULL };
	static const char *const alike[] = { "info", "/r", "--who=--who",
		"--job=--who=x", NULL };
	struct strvec out = STRVEC_INIT;
	struct err e;

	CHECK(take(twice, &out, &e) != 0);
	CHECK(take(other, &out, &e) != 0);
	CHECK(take(alike, &out, &e) == 0);
	strvec_release(&out);
}

/* Texts lose what terminals obey; other values are as they were. */
static void
test_texts(void)
{
	static const char *const words[] = { "freeze", "/r",
		"--message=a\x1b[1m\xc2\x9b"
		"b\x7f",
		NULL };
	struct strvec out = STRVEC_INIT;
	struct err e;

	REQUIRE(take(words, &out, &e) == 0 && out.n == 3);
	CHECK_STR(out.v[2], "--message=a[1mb");
	strvec_release(&out);
}

UNIT_MAIN(UNIT(test_values), UNIT(test_repeated), UNIT(test_texts))
