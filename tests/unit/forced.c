/* The request of a forced command: words, or nothing at all. */
#include "host/forced.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "unit.h"

/* The words, each in brackets; the caller frees it.  NULL: refused. */
static char *
words_of(const char *line, struct err *e)
{
	struct strvec words = STRVEC_INIT;
	char *all = xstrdup("");
	int r = forced_words(line, &words, e);

	CHECK(r == 0 || words.n == 0);
	for (size_t i = 0; i < words.n; i++) {
		char *more = xasprintf("%s[%s]", all, words.v[i]);

		free(all);
		all = more;
	}
	strvec_release(&words);
	if (r == 0)
		return all;
	free(all);
	return NULL;
}

static void
test_words(void)
{
	static const struct {
		const char *line;
		const char *want;
	} good[] = {
		{ "deploy host info /srv/a", "[info][/srv/a]" },
		{ "/opt/x/deploy host info /srv/a", "[info][/srv/a]" },
		{ "'no such program' host info /srv/a", "[info][/srv/a]" },
		{ "  deploy   host  info /a  ", "[info][/a]" },
		{ "deploy host", "" },
		{ "deploy host ''", "[]" },
		{ "deploy 'ho'st info", "[info]" },
		{ "deploy host host host", "[host][host]" },
		{ "deploy host note /a '--message=it'\\''s; $(x) `y`\n'",
		    "[note][/a][--message=it's; $(x) `y`\n]" },
		{ "deploy host note /a --who=\xc3\xa9",
		    "[note][/a][--who=\xc3\xa9]" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = ERR_INIT;
		char *got = words_of(good[i].line, &e);

		CHECK_STR(got, good[i].want);
		free(got);
	}
}

static void
test_refused(void)
{
	static const struct {
		const char *line;
		const char *why;
	} bad[] = {
		{ NULL, "there is no shell" },
		{ "", "'deploy host' only" },
		{ "   ", "'deploy host' only" },
		{ "deploy", "'deploy host' only" },
		{ "host info /srv/a", "'deploy host' only" },
		{ "deploy publish public", "'deploy host' only" },
		{ "deploy 'host ' info /a", "'deploy host' only" },
		{ "deploy HOST info /a", "'deploy host' only" },
		{ "deploy -v host info /a", "'deploy host' only" },
		{ "sh -c 'deploy host info /a'", "'deploy host' only" },
		{ "deploy host info /a; id", "';', which is not allowed" },
		{ "deploy host info /a && id", "'&', which is not allowed" },
		{ "deploy host info /a | id", "'|', which is not allowed" },
		{ "deploy host info $(id)", "'$', which is not allowed" },
		{ "deploy host info `id`", "'`', which is not allowed" },
		{ "deploy host info /a > /x", "'>', which is not allowed" },
		{ "deploy host info /*", "'*', which is not allowed" },
		{ "deploy host info ~/a", "'~', which is not allowed" },
		{ "deploy host info {a,b}", "'{', which is not allowed" },
		{ "deploy host info \"/a\"", "'\"', which is not allowed" },
		{ "deploy host info /a\nid", "which is not allowed" },
		{ "deploy host info /a\tid", "which is not allowed" },
		{ "deploy host info \\n", "'\\', which is not allowed" },
		{ "deploy host info /a\\", "'\\', which is not allowed" },
		{ "deploy host info '/a", "is not closed" },
		{ "deploy host info /a'", "is not closed" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;
		char *got = words_of(bad[i].line, &e);

		CHECK(got == NULL);
		CHECK(e.code == ERR_USAGE);
		if (!CHECK(strstr(e.text, bad[i].why) != NULL))
			CHECK_STR(e.text, bad[i].line);
		free(got);
	}
}

/* As long as allowed, and a byte more. */
static void
test_long(void)
{
	static const char head[] = "deploy host info /";
	char *line = xmalloc(FORCED_MAX + 2);
	struct err e = ERR_INIT;
	char *got;

	memset(line, 'a', FORCED_MAX);
	memcpy(line, head, sizeof(head) - 1);
	line[FORCED_MAX] = '\0';
	got = words_of(line, &e);
	CHECK(got != NULL);
	free(got);
	strcpy(line + FORCED_MAX, "a");
	got = words_of(line, &e);
	CHECK(got == NULL);
	CHECK_STR(e.text, "the request is too long");
	free(got);
	free(line);
}

UNIT_MAIN(UNIT(test_words), UNIT(test_refused), UNIT(test_long))
