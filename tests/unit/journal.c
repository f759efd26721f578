#include "root/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/file.h"
#include "place.h"

#define A "20261121T190305.482Z-6f9619ff-8b86-4011-b42d-00c04fc964ff"
#define B "20261121T190405.000Z-00000000-8b86-4011-b42d-00c04fc964ff"
#define LINE(from, to) \
	"{\"time\":\"2026-11-21T19:05:00Z\",\"action\":\"activate\"," \
	"\"from\":" from ",\"to\":\"" to "\",\"seq\":7,\"who\":\"ann@ci\"," \
	"\"job\":\"https://ci/1\",\"message\":\"m\"}"

/* Parse `text` anew; the journal is released by the caller. */
static struct journal
parse(const char *text, size_t len)
{
	struct journal j = JOURNAL_INIT;
	/* Exactly as long as the text: a sanitizer sees what reads on. */
	char *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	journal_parse(&j, copy, len);
	free(copy);
	return j;
}

static void
check_counts(const char *text, size_t good, size_t broken, int line)
{
	struct journal j = parse(text, strlen(text));

	if (j.n != good || j.broken != broken) {
		printf("# %d: %zu lines and %zu broken\n", line, j.n,
		    j.broken);
		unit_failed = true;
	}
	journal_release(&j);
}

#define CHECK_COUNTS(text, good, broken) \
	check_counts(text, good, broken, __LINE__)

static void
test_line(void)
{
	static const char text[] =
	    LINE("null", A) "\n" LINE("\"" A "\"", B) "\n";
	struct journal j = parse(text, strlen(text));

	CHECK(j.broken == 0);
	REQUIRE(j.n == 2);
	CHECK(j.v[0].action == JOURNAL_ACTIVATE);
	CHECK(j.v[0].time == 1795287900000LL);
	CHECK_STR(j.v[0].from.text, "");
	CHECK_STR(j.v[0].to.text, A);
	CHECK(j.v[0].seq == 7);
	CHECK_STR(j.v[0].who, "ann@ci");
	CHECK_STR(j.v[0].job, "https://ci/1");
	CHECK_STR(j.v[0].message, "m");
	CHECK_STR(j.v[1].from.text, A);
	CHECK_STR(j.v[1].to.text, B);
	journal_release(&j);
	journal_release(&j);
}

static void
test_least_line(void)
{
	static const char text[] = "{\"to\":\"" A "\",\"action\":\"rollback\","
				   "\"time\":\"1970-01-01T00:00:00Z\","
				   "\"new\":{\"er\":[1,2]}}\n";
	struct journal j = parse(text, strlen(text));

	REQUIRE(j.n == 1);
	CHECK(j.v[0].action == JOURNAL_ROLLBACK);
	CHECK(j.v[0].time == 0);
	CHECK(j.v[0].seq == -1);
	CHECK_STR(j.v[0].from.text, "");
	CHECK_STR(j.v[0].who, NULL);
	CHECK_STR(j.v[0].message, NULL);
	journal_release(&j);
}

static void
test_frames(void)
{
	CHECK_COUNTS("", 0, 0);
	CHECK_COUNTS("\n\n\n", 0, 0);
	CHECK_COUNTS(LINE("null", A), 1, 0);
	CHECK_COUNTS(LINE("null", A) "\r\n" LINE("null", B) "\r\n", 2, 0);
	CHECK_COUNTS("  " LINE("null", A) "\t\n", 1, 0);
	CHECK_COUNTS(LINE("null", A) LINE("null", B) "\n", 0, 1);
	CHECK_COUNTS("\xef\xbb\xbf" LINE("null", A) "\n", 0, 1);
}

static void
test_torn_lines(void)
{
	static const char line[] = LINE("null", A);
	char text[2 * sizeof(line) + 2];

	/* The last one ends anywhere. */
	for (size_t n = 1; n < sizeof(line) - 1; n++) {
		snprintf(text, sizeof(text), "%s\n%.*s", line, (int)n, line);
		check_counts(text, 1, 1, (int)n);
	}
	/* And the next run has put a newline behind it. */
	CHECK_COUNTS("{\"time\":\"20\n" LINE("null", A) "\n", 1, 1);
}

static void
test_garbage(void)
{
	CHECK_COUNTS("x\n" LINE("null", A) "\n<html>\n", 1, 2);
	CHECK_COUNTS("[]\n5\nnull\n\"x\"\n{}\n", 0, 5);
	CHECK_COUNTS(LINE("null", "x") "\n", 0, 1);
	CHECK_COUNTS(LINE("\"x\"", A) "\n", 0, 1);
	CHECK_COUNTS(LINE("null", A "0") "\n", 0, 1);
	CHECK_COUNTS(LINE("null", "../../../etc") "\n", 0, 1);
	CHECK_COUNTS("{\"time\":\"2026-11-21T19:05:00Z\","
		     "\"action\":\"activate\",\"from\":null,\"to\":null}\n",
	    0, 1);
	CHECK_COUNTS("{\"time\":\"yesterday\",\"action\":\"activate\","
		     "\"to\":\"" A "\"}\n",
	    0, 1);
	CHECK_COUNTS("{\"time\":5,\"action\":\"activate\",\"to\":\"" A "\"}\n",
	    0, 1);
	CHECK_COUNTS("{\"time\":\"2026-11-21T19:05:00Z\","
		     "\"action\":\"explode\",\"to\":\"" A "\"}\n",
	    0, 1);
	/* Twice the same key: which one counts? */
	CHECK_COUNTS("{\"time\":\"2026-11-21T19:05:00Z\","
		     "\"action\":\"activate\",\"to\":\"" A "\",\"to\":\"" B
		     "\"}\n",
	    0, 1);
	/* No UTF-8, and an escape that is a NUL. */
	CHECK_COUNTS("{\"time\":\"2026-11-21T19:05:00Z\","
		     "\"action\":\"activate\",\"to\":\"" A
		     "\",\"who\":\"\xff\"}\n",
	    0, 1);
	CHECK_COUNTS("{\"time\":\"2026-11-21T19:05:00Z\","
		     "\"action\":\"activate\",\"to\":\"" A "\\u0000\"}\n",
	    0, 1);
}

static void
test_nul(void)
{
	static const char text[] = "\0\0\0\n" LINE("null", A) "\n\0";
	struct journal j = parse(text, sizeof(text) - 1);

	CHECK(j.n == 1);
	CHECK(j.broken == 2);
	journal_release(&j);
}

/* A number of another kind is no number. */
static void
test_sequence_types(void)
{
	static const char *const values[] = { "null", "\"8\"", "8.5", "true",
		"[8]" };

	for (size_t i = 0; i < 5; i++) {
		char text[512];
		struct journal j;

		snprintf(text, sizeof(text),
		    "{\"time\":\"2026-11-21T19:05:00Z"
		    "\",\"action\":\"activate\",\"to\":\"" A "\",\"seq\":%s}",
		    values[i]);
		j = parse(text, strlen(text));
		if (CHECK(j.n == 1))
			CHECK(j.v[0].seq == -1);
		journal_release(&j);
	}
}

static void
test_deep_nesting(void)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"time\":");
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, '[');
	buf_addc(&b, '\n');
	CHECK_COUNTS(b.data, 0, 1);
	buf_release(&b);
}

/* A new root in a directory of its own. */
static int
enter_root(struct store *s)
{
	struct err e = ERR_INIT;

	if (make_place() != 0)
		return -1;
	return CHECK(store_create(s, place, &e) == 0) ? 0 : -1;
}

static void
leave_root(struct store *s)
{
	store_close(s);
	remove_place();
}

static void
test_append_and_read(void)
{
	static char who[] = "ann \"quoted\"", job[] = "https://ci/1?a=b&c";
	static char message[] = "two\nlines\t\x1b[31m\\ \xc3\xa4 \xff\xc3";
	const struct journal_line first = { .action = JOURNAL_ACTIVATE,
		.time = 1795287900123LL,
		.to.text = A,
		.seq = 9007199254740991,
		.who = who,
		.job = job,
		.message = message };
	const struct journal_line second = { .action = JOURNAL_ROLLBACK,
		.time = 1795287900999LL,
		.from.text = A,
		.to.text = B,
		.seq = -1 };
	struct store s = STORE_INIT;
	struct journal j = JOURNAL_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter_root(&s) == 0);
	CHECK(journal_read(&s, &j, &e) == 0);
	CHECK(j.n == 0);
	CHECK(journal_append(&s, &first, &e) == 0);
	CHECK(journal_append(&s, &second, &e) == 0);
	CHECK(journal_read(&s, &j, &e) == 0);
	CHECK(j.broken == 0);
	if (CHECK(j.n == 2)) {
		CHECK(j.v[0].time == 1795287900000LL);
		CHECK_STR(j.v[0].from.text, "");
		CHECK_STR(j.v[0].to.text, A);
		CHECK(j.v[0].seq == 9007199254740991);
		CHECK_STR(j.v[0].who, who);
		CHECK_STR(j.v[0].job, job);
		/* What is no UTF-8 is replaced, byte by byte. */
		CHECK_STR(j.v[0].message,
		    "two\nlines\t\x1b[31m\\ \xc3\xa4 "
		    "\xef\xbf\xbd\xef\xbf\xbd");
		CHECK(j.v[1].action == JOURNAL_ROLLBACK);
		CHECK_STR(j.v[1].from.text, A);
		CHECK(j.v[1].seq == -1);
		CHECK_STR(j.v[1].who, NULL);
		CHECK_STR(j.v[1].message, NULL);
	}
	journal_release(&j);
	leave_root(&s);
}

static void
test_append_after_a_torn_line(void)
{
	const struct journal_line line = { .action = JOURNAL_ACTIVATE,
		.time = 1795287900000LL,
		.to.text = A,
		.seq = -1 };
	struct store s = STORE_INIT;
	struct journal j = JOURNAL_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter_root(&s) == 0);
	CHECK(journal_append(&s, &line, &e) == 0);
	CHECK(file_append(&s.state, "journal", "{\"time\":\"2026-", 14, &e) ==
	    0);
	CHECK(journal_append(&s, &line, &e) == 0);
	CHECK(journal_read(&s, &j, &e) == 0);
	CHECK(j.n == 2 && j.broken == 1);
	journal_release(&j);
	leave_root(&s);
}

static void
test_long_message(void)
{
	struct journal_line line = { .action = JOURNAL_ACTIVATE,
		.time = 1795287900000LL,
		.to.text = A,
		.seq = -1 };
	struct store s = STORE_INIT;
	struct journal j = JOURNAL_INIT;
	struct err e = ERR_INIT;
	const size_t len = 1000000;

	line.message = malloc(len + 1);
	memset(line.message, '\n', len);
	line.message[len] = '\0';
	REQUIRE(enter_root(&s) == 0);
	CHECK(journal_append(&s, &line, &e) == 0);
	CHECK(journal_read(&s, &j, &e) == 0);
	if (CHECK(j.n == 1))
		CHECK_STR(j.v[0].message, line.message);
	journal_release(&j);
	free(line.message);
	leave_root(&s);
}

static void
test_no_journal_but_something_else(void)
{
	struct store s = STORE_INIT;
	struct journal j = JOURNAL_INIT;
	struct err e = ERR_INIT;

	REQUIRE(enter_root(&s) == 0);
	CHECK(symlinkat("../outside", s.state.fd, "journal") == 0);
	CHECK(journal_read(&s, &j, &e) == -1);
	CHECK(unlinkat(s.state.fd, "journal", 0) == 0);
	CHECK(mkfifoat(s.state.fd, "journal", 0600) == 0);
	CHECK(journal_read(&s, &j, &e) == -1);
	journal_release(&j);
	leave_root(&s);
}

static void
test_action_names(void)
{
	CHECK_STR(journal_action_name(JOURNAL_ACTIVATE), "activate");
	CHECK_STR(journal_action_name(JOURNAL_ROLLBACK), "rollback");
}

/* Of what stands there only rollbacks are; the line is printed as it was. */
static void
test_left(void)
{
	static const char text[] =
	    "{\"time\":\"2026-11-21T19:05:00Z\",\"action\":\"sync\",\"from\":null,"
	    "\"to\":\"" A
	    "\",\"digest\":null,\"seq\":null,\"who\":null,\"job\":null,"
	    "\"message\":null,\"before\":[],\"left\":["
	    "{\"time\":\"2026-11-21T19:03:00Z\",\"action\":\"rollback\",\"from\":\"" B
	    "\",\"to\":\"" A
	    "\",\"digest\":null,\"from_digest\":null,\"seq\":null,"
	    "\"who\":\"ann\",\"job\":null,\"message\":\"\\\"left\\\":[\"}";
	char whole[2048];
	struct journal j;
	struct buf b = BUF_INIT;

	snprintf(whole, sizeof(whole), "%s,7,[],{},null," LINE("null", A) "]}",
	    text);
	j = parse(whole, strlen(whole));
	REQUIRE(j.n == 1);
	REQUIRE(j.v[0].n_left == 1);
	CHECK_STR(j.v[0].left[0].from.text, B);
	CHECK_STR(j.v[0].left[0].who, "ann");
	CHECK_STR(j.v[0].left[0].message, "\"left\":[");
	journal_print(&j.v[0], &b);
	snprintf(whole, sizeof(whole), "%s]}", text);
	CHECK_STR(buf_str(&b), whole);
	buf_release(&b);
	journal_release(&j);
}

UNIT_MAIN(UNIT(test_line), UNIT(test_least_line), UNIT(test_frames),
    UNIT(test_torn_lines), UNIT(test_garbage), UNIT(test_nul),
    UNIT(test_sequence_types), UNIT(test_deep_nesting),
    UNIT(test_append_and_read), UNIT(test_append_after_a_torn_line),
    UNIT(test_long_message), UNIT(test_no_journal_but_something_else),
    UNIT(test_action_names), UNIT(test_left))
