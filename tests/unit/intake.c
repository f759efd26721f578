#include "base/intake.h"

#include "unit.h"

static void
say(struct intake *t, const char *text)
{
	buf_adds(&t->said, text);
}

/* A line comes when its end has, however the bytes are cut. */
static void
test_lines(void)
{
	struct intake t = INTAKE_INIT;
	struct buf line = BUF_INIT;

	CHECK(!intake_line(&t, &line));
	say(&t, "on");
	CHECK(!intake_line(&t, &line));
	say(&t, "e\n\ntw");
	CHECK(intake_line(&t, &line));
	CHECK_STR(line.data, "one");
	CHECK(intake_line(&t, &line));
	CHECK_STR(line.data, "");
	CHECK(!intake_line(&t, &line));
	CHECK(intake_len(&t) == 2);
	say(&t, "o\nrest");
	CHECK(intake_line(&t, &line));
	CHECK_STR(line.data, "two");
	CHECK_STR(intake_data(&t), "rest");
	buf_release(&line);
	intake_release(&t);
}

/* What was looked at for a newline can be taken as bytes all the same. */
static void
test_bytes(void)
{
	struct intake t = INTAKE_INIT;
	struct buf line = BUF_INIT;
	char data[8] = "";

	CHECK(intake_take(&t, data, sizeof(data)) == 0);
	say(&t, "abcdef");
	CHECK(!intake_line(&t, &line));
	CHECK(intake_take(&t, data, 4) == 4);
	CHECK(memcmp(data, "abcd", 4) == 0);
	say(&t, "\n");
	CHECK(intake_line(&t, &line));
	CHECK_STR(line.data, "ef");
	CHECK(intake_len(&t) == 0);
	buf_release(&line);
	intake_release(&t);
}

/* Of a long talk only what was not taken is kept. */
static void
test_stays_small(void)
{
	struct intake t = INTAKE_INIT;
	struct buf line = BUF_INIT;

	for (int i = 0; i < 100000; i++) {
		char want[32];

		snprintf(want, sizeof(want), "line %d", i);
		buf_addf(&t.said, "%s\npart", want);
		REQUIRE(intake_line(&t, &line));
		REQUIRE(i > 0 ? strcmp(line.data + 4, want) == 0 :
				strcmp(line.data, want) == 0);
	}
	CHECK(intake_len(&t) == 4);
	CHECK(t.said.cap < 1024 * 1024);
	buf_release(&line);
	intake_release(&t);
}

static void
test_keep_last(void)
{
	struct buf b = BUF_INIT;

	buf_keep_last(&b, 0);
	CHECK_STR(buf_str(&b), "");
	buf_adds(&b, "abcdef");
	buf_keep_last(&b, 6);
	CHECK_STR(b.data, "abcdef");
	buf_keep_last(&b, 2);
	CHECK_STR(b.data, "ef");
	CHECK(b.len == 2);
	buf_keep_last(&b, 0);
	CHECK_STR(b.data, "");
	buf_release(&b);
}

UNIT_MAIN(UNIT(test_lines), UNIT(test_bytes), UNIT(test_stays_small),
    UNIT(test_keep_last))
