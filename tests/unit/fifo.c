/* Names from a FIFO: what is one, and what is dropped. */
#include "queue/fifo.h"

#include <stdlib.h>

#include "base/strvec.h"
#include "unit.h"

static void
on_name(void *ctx, const char *name)
{
	strvec_add(ctx, name);
}

/* The names in a text, with commas between them; "+N" for N dropped lines. */
static const char *
names_in(const char *text, size_t len, size_t step)
{
	static char out[1024];
	struct fifo_lines l = FIFO_LINES_INIT;
	struct strvec names = STRVEC_INIT;

	for (size_t i = 0; i < len; i += step)
		fifo_feed(&l, text + i, len - i < step ? len - i : step,
		    on_name, &names);
	out[0] = '\0';
	for (size_t i = 0; i < names.n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s,",
		    names.v[i]);
	if (l.dropped > 0)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "+%zu",
		    l.dropped);
	strvec_release(&names);
	fifo_lines_release(&l);
	return out;
}

static void
test_lines(void)
{
	static const char text[] = "a\n\n b \t\r\nc d\n\x01\n\xc3\xa4\ntail";

	for (size_t step = 1; step < sizeof(text); step++)
		CHECK_STR(names_in(text, sizeof(text) - 1, step),
		    "a,b,c d,\xc3\xa4,+1");
}

static void
test_long_lines(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[FIFO_LINE_MAX] = '\n';
	CHECK(strlen(names_in(text, FIFO_LINE_MAX + 1, 100)) ==
	    FIFO_LINE_MAX + 1);
	memset(text, 'x', sizeof(text));
	text[FIFO_LINE_MAX + 1] = '\n';
	CHECK_STR(names_in(text, FIFO_LINE_MAX + 2, 100), "+1");
	/* Nothing of it is taken for a line of its own. */
	memset(text, 'x', sizeof(text));
	memcpy(text + 4990, "\nb\n", 3);
	for (size_t step = 1; step < 5000; step += 61)
		CHECK_STR(names_in(text, 4993, step), "b,+1");
	/* Blanks do not count. */
	memset(text, ' ', 300);
	memcpy(text + 300, "b\n", 2);
	CHECK_STR(names_in(text, 302, 7), "b,");
}

static void
test_half_a_line(void)
{
	struct fifo_lines l = FIFO_LINES_INIT;
	struct strvec names = STRVEC_INIT;

	fifo_feed(&l, "ab", 2, on_name, &names);
	CHECK(fifo_is_partial(&l));
	CHECK(names.n == 0);
	fifo_flush(&l, on_name, &names);
	CHECK(!fifo_is_partial(&l));
	REQUIRE(names.n == 1);
	CHECK_STR(names.v[0], "ab");
	fifo_feed(&l, "c\n", 2, on_name, &names);
	REQUIRE(names.n == 2);
	CHECK_STR(names.v[1], "c");
	strvec_release(&names);
	fifo_lines_release(&l);
}

UNIT_MAIN(UNIT(test_lines), UNIT(test_long_lines), UNIT(test_half_a_line))
