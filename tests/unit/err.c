#include "base/err.h"

#include <errno.h>
#include <stdlib.h>

#include "unit.h"

/* An err with a fence behind it, to see what is written too far. */
struct fenced {
	struct err e;
	char fence[64];
};

#define FENCED_INIT \
	{ \
		ERR_INIT, "0123456789abcdef0123456789abcdef" \
	}

static void
check_fence(const struct fenced *f)
{
	CHECK(memcmp(f->fence, "0123456789abcdef", 16) == 0);
	CHECK(strlen(f->e.text) < sizeof(f->e.text));
}

/* `n` times `c`; freed by the caller. */
static char *
repeat(char c, size_t n)
{
	char *s = malloc(n + 1);

	memset(s, c, n);
	s[n] = '\0';
	return s;
}

static void
test_set(void)
{
	struct err e = ERR_INIT;

	errno = EIO;
	CHECK(err_set(&e, ERR_USAGE, "a %s and %d", "word", 5) == -1);
	CHECK(e.code == ERR_USAGE);
	CHECK(e.sys == 0);
	CHECK_STR(e.text, "a word and 5");
	err_set(&e, ERR_LOCKED, "%s", "");
	CHECK_STR(e.text, "");
}

static void
test_set_escapes(void)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_FAILED, "%s", "a\nb\tc\x1b[31m\x7f\r\x01");
	CHECK_STR(e.text, "a\\x0ab\\x09c\\x1b[31m\\x7f\\x0d\\x01");
	/* UTF-8 stays, bytes that are none are escaped. */
	err_set(&e, ERR_FAILED, "%s", "\xc3\xa4\xff");
	CHECK_STR(e.text, "\xc3\xa4\\xff");
	/* CSI, the last of them, line separator; not U+00A0 and U+2027. */
	err_set(&e, ERR_FAILED, "%s",
	    "\xc2\x9b"
	    "31m \xc2\x9f \xe2\x80\xa8");
	CHECK_STR(e.text, "\\xc2\\x9b31m \\xc2\\x9f \\xe2\\x80\\xa8");
	err_set(&e, ERR_FAILED, "%s",
	    "\x9b"
	    "31m \xe2\x9b\x94");
	CHECK_STR(e.text, "\\x9b31m \xe2\x9b\x94");
	err_set(&e, ERR_FAILED, "%s", "\xc2\xa0 \xe2\x80\xa7 \xc2");
	CHECK_STR(e.text, "\xc2\xa0 \xe2\x80\xa7 \\xc2");
	for (int c = 1; c < 256; c++) {
		const char text[] = { (char)c, '\0' };

		err_set(&e, ERR_FAILED, "%s", text);
		CHECK(strlen(e.text) == (c < 32 || c >= 127 ? 4 : 1));
	}
}

/* What is wrong, and the cure. */
static void
check_cure(const struct err *e, const char *problem, const char *cure)
{
	char *is = strndup(err_problem(e), (size_t)err_problem_len(e));

	CHECK_STR(is, problem);
	CHECK_STR(err_cure(e), cure);
	CHECK(e->cure == 0 ||
	    e->cure == e->problem + strlen(problem) + strlen("; "));
	free(is);
}

static void
test_cure(void)
{
	struct err e = ERR_INIT;

	CHECK_STR(err_cure(&e), "");
	err_set(&e, ERR_FAILED, "'%s' is %s;; run: chmod %d '%s'", "a\nb", "x",
	    7, "a");
	CHECK_STR(e.text, "'a\\x0ab' is x; run: chmod 7 'a'");
	check_cure(&e, "'a\\x0ab' is x", "run: chmod 7 'a'");
	/* It moves with the text. */
	err_prefix(&e, "%s: ", "w\n1");
	check_cure(&e, "w\\x0a1: 'a\\x0ab' is x", "run: chmod 7 'a'");
	err_append(&e, ", or %s", "not");
	check_cure(&e, "w\\x0a1: 'a\\x0ab' is x", "run: chmod 7 'a', or not");
	/* A new message has its own, or none. */
	err_set(&e, ERR_FAILED, "%s", "b; c");
	check_cure(&e, "b; c", "");
	err_append(&e, ";; see %s", "d");
	check_cure(&e, "b; c", "see d");
	err_append(&e, ";; see %s", "e");
	check_cure(&e, "b; c", "see d; see e");
	/* After a question there is no semicolon. */
	err_set(&e, ERR_FAILED, "b;; is it up?");
	err_append(&e, ";; run: %s", "c");
	check_cure(&e, "b", "is it up? run: c");
	err_set(&e, ERR_FAILED, "b?");
	err_append(&e, ";; c");
	check_cure(&e, "b?", "c");
	err_set(&e, ERR_FAILED, "b; c; see d; see e");
	/* Also of itself. */
	err_set(&e, ERR_FAILED, "<%s>;; %s", e.text, "f");
	check_cure(&e, "<b; c; see d; see e>", "f");
	/* Arguments are no format. */
	err_set(&e, ERR_FAILED, "%s%s", ";; a", ";; b");
	check_cure(&e, ";; a;; b", "");
	err_set(&e, ERR_FAILED, "%s;; %s", "a;; b", "c;; d");
	check_cure(&e, "a;; b", "c;; d");
	errno = EPERM;
	err_sys(&e, "x");
	check_cure(&e, "x: Operation not permitted", "");
	err_append(&e, ";; y");
	check_cure(&e, "x: Operation not permitted", "y");
}

static void
test_phase(void)
{
	struct err e = ERR_INIT;

	err_set(&e, ERR_FAILED, "a;; b");
	CHECK(e.phase == PHASE_NONE);
	CHECK(err_in(&e, PHASE_HOST_KEY, "host key: ") == -1);
	CHECK(e.phase == PHASE_HOST_KEY);
	CHECK_STR(e.text, "host key: a; b");
	check_cure(&e, "a", "b");
	/* More before it, and behind it, changes none of that. */
	err_prefix(&e, "nothing was changed: %s: ", "www1");
	err_append(&e, "c");
	CHECK_STR(e.text, "nothing was changed: www1: host key: a; bc");
	CHECK(e.phase == PHASE_HOST_KEY && e.code == ERR_FAILED);
	check_cure(&e, "a", "bc");
	/* Without words all of it is what is wrong. */
	err_set(&e, ERR_FAILED, "d;; e");
	CHECK(e.phase == PHASE_NONE && e.problem == 0);
	err_in(&e, PHASE_CONNECT, "");
	err_prefix(&e, "f: ");
	check_cure(&e, "f: d", "e");
	errno = EPERM;
	err_sys(&e, "g");
	CHECK(e.phase == PHASE_NONE);
}

/* There may be no room for the cure, or for a part of it. */
static void
test_cure_without_room(void)
{
	struct fenced f = FENCED_INIT;

	for (size_t n = TEXT_LINE_MAX - 20; n < TEXT_LINE_MAX + 20; n++) {
		char *s = repeat('a', n);

		err_set(&f.e, ERR_FAILED, "%s;; run: abc", s);
		check_fence(&f);
		CHECK(f.e.cure == 0 || f.e.cure == n + 2);
		CHECK(f.e.cure <= strlen(f.e.text));
		err_prefix(&f.e, "%s", "1234567");
		check_fence(&f);
		CHECK(f.e.cure <= strlen(f.e.text));
		CHECK(err_problem_len(&f.e) <= (int)strlen(f.e.text));
		err_in(&f.e, PHASE_CONNECT, "connect: ");
		err_prefix(&f.e, "%s", "1234567");
		check_fence(&f);
		CHECK(f.e.problem == strlen("1234567connect: "));
		CHECK(err_problem_len(&f.e) >= 0);
		free(s);
	}
}

static void
test_sys(void)
{
	struct err e = ERR_INIT;

	errno = ENOENT;
	CHECK(err_sys(&e, "cannot open '%s'", "x") == -1);
	CHECK(e.code == ERR_FAILED);
	CHECK(e.sys == ENOENT);
	CHECK_STR(e.text, "cannot open 'x': No such file or directory");
	errno = ENOSPC;
	err_sys(&e, "x");
	CHECK(e.code == ERR_GUARD && e.sys == ENOSPC);
	errno = EDQUOT;
	err_sys(&e, "x");
	CHECK(e.code == ERR_GUARD && e.sys == EDQUOT);
	errno = EROFS;
	err_sys(&e, "x");
	CHECK(e.code == ERR_FAILED);
}

static void
test_prefix_and_append(void)
{
	struct err e = ERR_INIT;

	errno = EPERM;
	err_sys(&e, "why");
	CHECK(err_prefix(&e, "host %s: ", "www1") == -1);
	CHECK(err_append(&e, "; run: %s", "chmod") == -1);
	CHECK_STR(e.text,
	    "host www1: why: Operation not permitted; "
	    "run: chmod");
	CHECK(e.code == ERR_FAILED && e.sys == EPERM);
	err_set(&e, ERR_USAGE, "%s", "a\nb");
	err_prefix(&e, "%s", "\x1b");
	err_append(&e, "%s", "\x07");
	/* What is escaped once stays as it is. */
	CHECK_STR(e.text, "\\x1ba\\x0ab\\x07");
}

static void
test_set_truncates(void)
{
	struct fenced f = FENCED_INIT;

	for (size_t n = 2030; n < 2060; n++) {
		char *s = repeat('x', n);

		err_set(&f.e, ERR_FAILED, "%s", s);
		check_fence(&f);
		if (strcmp(f.e.text, s) != 0) {
			size_t len = strlen(f.e.text);

			CHECK(n > 2040);
			CHECK(len > 2040);
			CHECK_STR(f.e.text + len - 4, "x...");
		}
		free(s);
	}
}

/* An escape is whole or not there. */
static void
test_truncates_between_escapes(void)
{
	struct fenced f = FENCED_INIT;

	for (size_t pad = 0; pad < 8; pad++) {
		char *bells = repeat('\a', 2000), *x = repeat('x', pad);
		size_t len;

		err_set(&f.e, ERR_FAILED, "%s%s", x, bells);
		check_fence(&f);
		len = strlen(f.e.text);
		CHECK(len > 2030);
		CHECK_STR(f.e.text + len - 7, "\\x07...");
		free(bells);
		free(x);
	}
}

static void
test_sys_keeps_the_reason(void)
{
	struct fenced f = FENCED_INIT;
	char *s = repeat('x', 5000);

	errno = ENOENT;
	err_sys(&f.e, "%s", s);
	check_fence(&f);
	CHECK(strstr(f.e.text, ": No such file") != NULL);
	free(s);
}

static void
test_prefix_truncates(void)
{
	struct fenced f = FENCED_INIT;
	char *s = repeat('x', 5000), *t = repeat('y', 1500);

	err_set(&f.e, ERR_FAILED, "%s", t);
	err_prefix(&f.e, "%s", t);
	check_fence(&f);
	CHECK(strncmp(f.e.text, t, 1500) == 0);
	err_prefix(&f.e, "%s", s);
	check_fence(&f);
	CHECK(f.e.text[0] == 'x');
	free(s);
	free(t);
}

/* What is appended to a sentence that fills the buffer, or nearly. */
static void
test_append_to_a_long_sentence(void)
{
	for (size_t n = 2000; n < 2060 && !unit_failed; n++) {
		struct fenced f = FENCED_INIT;
		char *s = repeat('x', n);

		err_set(&f.e, ERR_USAGE, "%s", s);
		err_append(&f.e, " (see 'deploy -h')");
		check_fence(&f);
		CHECK(strncmp(f.e.text, s, 2000) == 0);
		err_append(&f.e, "%s", "");
		err_append(&f.e, "%s", s);
		check_fence(&f);
		free(s);
	}
}

/* What sums it up stays where it is in all that comes before and behind. */
static void
test_sum(void)
{
	struct fenced f = FENCED_INIT;
	char *s = repeat('x', 6000);

	err_set(&f.e, ERR_FAILED, "broken;; mend it");
	err_prefix(&f.e, "www2: ");
	err_sum_up(&f.e, "%d of %d hosts failed", 1, 2);
	CHECK_STR(f.e.text, "1 of 2 hosts failed: www2: broken; mend it");
	CHECK_STR(f.e.text + f.e.sum, ": www2: broken; mend it");
	CHECK_STR(err_cure(&f.e), "mend it");
	err_prefix(&f.e, "so: ");
	CHECK_STR(f.e.text + f.e.sum, ": www2: broken; mend it");
	err_prefix(&f.e, "%s", s);
	check_fence(&f);
	CHECK(f.e.sum == 0);
	err_sum_up(&f.e, "%s", s);
	check_fence(&f);
	CHECK(f.e.sum == 0);
	err_set(&f.e, ERR_FAILED, "another");
	CHECK(f.e.sum == 0);
	free(s);
}

UNIT_MAIN(UNIT(test_set), UNIT(test_set_escapes), UNIT(test_cure),
    UNIT(test_phase), UNIT(test_cure_without_room), UNIT(test_sys),
    UNIT(test_prefix_and_append), UNIT(test_set_truncates),
    UNIT(test_truncates_between_escapes), UNIT(test_sys_keeps_the_reason),
    UNIT(test_prefix_truncates), UNIT(test_append_to_a_long_sentence),
    UNIT(test_sum))
