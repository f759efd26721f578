/* What a limited key may do: each verb, each root, each list. */
#include "host/limits.h"

#include <string.h>

#include "unit.h"

#define ID "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"

static const char *const verbs[] = { "info", "probe", "init", "adopt",
	"manifest", "files", "signatures", "receive", "note", "activate",
	"prune", "verify", "journal", "pin", "preview", "freeze" };

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* 0, or the code of the refusal. */
static enum err_code
decide(const struct host_limits *l, const char *verb, const char *root,
    const char *option)
{
	struct strvec words = STRVEC_INIT, out = STRVEC_INIT;
	struct err e = ERR_INIT;

	if (verb != NULL)
		strvec_add(&words, verb);
	if (root != NULL)
		strvec_add(&words, root);
	if (option != NULL)
		strvec_add(&words, option);
	if (limits_take(l, &words, &out, &e) == 0)
		CHECK(out.n == words.n && e.code == ERR_OK);
	else
		CHECK(e.code != ERR_OK && e.text[0] != '\0');
	strvec_release(&words);
	strvec_release(&out);
	return e.code;
}

/* No list: every verb there is, and no other. */
static void
test_no_limits(void)
{
	const struct host_limits none = { NULL, NULL };
	static const char *const others[] = { "", "serve2", "INFO", "info ",
		"inf", "infoo", "authorize", "host", "sh" };

	for (size_t i = 0; i < VERBS; i++)
		CHECK(decide(&none, verbs[i], "/srv/a", NULL) == ERR_OK);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(decide(&none, others[i], "/srv/a", NULL) == ERR_USAGE);
	/* What is left of a request whose first words were read by another. */
	CHECK(decide(&none, "--id", "/srv/a", NULL) == ERR_FAILED);
	CHECK(decide(&none, "-", "/srv/a", NULL) == ERR_FAILED);
	CHECK(decide(&none, NULL, NULL, NULL) == ERR_USAGE);
	CHECK(decide(&none, "info", NULL, NULL) == ERR_USAGE);
	CHECK(decide(&none, "info", "srv/a", NULL) == ERR_USAGE);
	CHECK(decide(&none, "info", "", NULL) == ERR_USAGE);
}

/* A list of one verb allows that one, and what every key may. */
static void
test_each_verb_alone(void)
{
	for (size_t k = 0; k < VERBS; k++) {
		const struct host_limits one = { "/srv/a", verbs[k] };

		for (size_t i = 0; i < VERBS; i++) {
			bool may = i == k || strcmp(verbs[i], "info") == 0 ||
			    strcmp(verbs[i], "probe") == 0 ||
			    strcmp(verbs[i], "manifest") == 0 ||
			    ((strcmp(verbs[i], "note") == 0 ||
				 strcmp(verbs[i], "files") == 0 ||
				 strcmp(verbs[i], "signatures") == 0) &&
				(strcmp(verbs[k], "receive") == 0 ||
				    strcmp(verbs[k], "preview") == 0)) ||
			    (strcmp(verbs[i], "receive") == 0 &&
				strcmp(verbs[k], "preview") == 0);

			if (decide(&one, verbs[i], "/srv/a", NULL) !=
			    (may ? ERR_OK : ERR_UNREACHABLE)) {
				printf("# %s with --allow %s\n", verbs[i],
				    verbs[k]);
				CHECK(false);
			}
		}
	}
}

static void
test_lists(void)
{
	static const struct {
		const char *list;
		const char *verb;
		bool may;
	} cases[] = {
		{ "receive,activate", "activate", true },
		{ "receive,activate", "receive", true },
		{ "receive,activate", "prune", false },
		{ "receive,activate", "receive,activate", false },
		{ "receive,activate", "rec", false },
		{ "receive,activate", "ctivate", false },
		{ "receive,activate", "", false },
		{ "", "receive", false },
		{ ",", "receive", false },
		{ ",,receive,,", "receive", true },
		{ "receive ", "receive", false },
		{ "RECEIVE", "receive", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct host_limits l = { NULL, cases[i].list };

		CHECK((decide(&l, cases[i].verb, "/srv/a", NULL) == ERR_OK) ==
		    cases[i].may);
	}
}

/* The one root, letter for letter. */
static void
test_roots(void)
{
	const struct host_limits l = { "/srv/a", NULL };
	static const char *const others[] = { "/srv/b", "/srv/a/", "/srv//a",
		"/srv/a/.", "/srv/a/../a", "/srv/A", "/srv/aa", "/srv", "/",
		"", "srv/a", "./srv/a", " /srv/a", "/srv/a\n" };

	CHECK(decide(&l, "info", "/srv/a", NULL) == ERR_OK);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK(decide(&l, "info", others[i], NULL) == ERR_UNREACHABLE);
}

/* Options of another verb, or of none. */
static void
test_options(void)
{
	const struct host_limits l = { "/srv/a", "receive,verify" };

	CHECK(decide(&l, "verify", "/srv/a", "--id=" ID) == ERR_OK);
	CHECK(decide(&l, "receive", "/srv/a", "--filled") == ERR_OK);
	CHECK(decide(&l, "verify", "/srv/a", "--filled") == ERR_USAGE);
	CHECK(decide(&l, "verify", "/srv/a", "--id=x") == ERR_USAGE);
	CHECK(decide(&l, "verify", "/srv/a", "--id") == ERR_USAGE);
	CHECK(decide(&l, "verify", "/srv/a", "id=" ID) == ERR_USAGE);
	CHECK(decide(&l, "verify", "/srv/a", "--root=/") == ERR_USAGE);
	CHECK(decide(&l, "verify", "/srv/a", "--allow=init") == ERR_USAGE);
	/* What it may not do is said before what is wrong with it. */
	CHECK(decide(&l, "init", "/srv/a", "--x") == ERR_UNREACHABLE);
}

UNIT_MAIN(UNIT(test_no_limits), UNIT(test_each_verb_alone), UNIT(test_lists),
    UNIT(test_roots), UNIT(test_options))
