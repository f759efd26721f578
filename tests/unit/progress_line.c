/* How far a phase is, in words: what fits, and never more than all. */
#include "os/progress_line.h"

#include <string.h>

#include "unit.h"

/* A site under way to two hosts. */
static const struct progress_facts half = { .phase = "sending to 2 hosts",
	.files = 600,
	.files_all = 1200,
	.bytes = 150000000,
	.bytes_all = 300000000,
	.rate = 3000000,
	.spent = 50000,
	.idle = 100 };

static void
check(const struct progress_facts *f, size_t width, bool bar, const char *want)
{
	char out[PROGRESS_LINE];

	progress_line(f, width, bar, out);
	CHECK_STR(out, want);
	CHECK(strlen(out) <= width);
}

static void
test_widths(void)
{
	static const struct {
		size_t width;
		bool bar;
		const char *want;
	} t[] = {
		{ 199, true,
		    "sending to 2 hosts [############............] 600/1200 files, 150.0/300.0 MB, 3.0 MB/s, 50 s left" },
		{ 99, true,
		    "sending to 2 hosts [####....] 600/1200 files, 150.0/300.0 MB, 3.0 MB/s, 50 s left" },
		{ 79, true,
		    "sending to 2 hosts 600/1200 files, 150.0/300.0 MB, 3.0 MB/s, 50 s left" },
		{ 69, true,
		    "sending to 2 hosts 150.0/300.0 MB, 3.0 MB/s, 50 s left" },
		{ 50, true, "sending to 2 hosts 150.0/300.0 MB, 50 s left" },
		{ 39, true, "sending to 2 hosts 50%, 50 s left" },
		{ 25, true, "sending to 2 hosts 50%" },
		{ 19, true, "sending to 2 hosts" },
		{ 10, true, "sending to" },
		{ 1, true, "s" },
		{ SIZE_MAX, false,
		    "sending to 2 hosts 600/1200 files, 150.0/300.0 MB, 3.0 MB/s, 50 s left" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check(&half, t[i].width, t[i].bar, t[i].want);
}

/* The form stays, whatever the numbers are. */
static void
test_form(void)
{
	struct progress_facts f = half;

	for (size_t width = 1; width < 130; width++) {
		char first[PROGRESS_LINE], out[PROGRESS_LINE];

		f = half;
		progress_line(&f, width, true, first);
		f.files = 0;
		f.bytes = 1;
		f.rate = 99900000;
		progress_line(&f, width, true, out);
		CHECK(strlen(out) <= width);
		CHECK((strchr(first, '[') != NULL) ==
		    (strchr(out, '[') != NULL));
		CHECK((strstr(first, "files") != NULL) ==
		    (strstr(out, "files") != NULL));
	}
}

/* What is not known is not told. */
static void
test_unknown(void)
{
	struct progress_facts f = { .phase = "unpacking" };

	check(&f, 79, true, "unpacking ...");
	f.spent = 3999;
	check(&f, 79, true, "unpacking, 3 s");
	f.files = 1;
	check(&f, 79, true, "unpacking 1 file");
	f.bytes = 1400000;
	f.rate = 700000;
	check(&f, 79, true, "unpacking 1 file, 1.4 MB, 700.0 kB/s");
	f.files_all = 4;
	check(&f, 79, true,
	    "unpacking [######..................] 1/4 files, 1.4 MB, 700.0 kB/s");
}

static void
test_left(void)
{
	static const struct {
		int64_t bytes, rate, idle;
		const char *want;
	} t[] = {
		{ 0, 3000000, 0, "p 0 B/300.0 MB, 3.0 MB/s, 2 min left" },
		{ 299999999, 3000000, 0,
		    "p 300.0/300.0 MB, 3.0 MB/s, 1 s left" },
		{ 300000000, 3000000, 0, "p 300.0/300.0 MB, 3.0 MB/s" },
		/* Never more than all. */
		{ 310000000, 3000000, 0, "p 300.0/300.0 MB, 3.0 MB/s" },
		{ 300000000, 0, 2000, "p 300.0/300.0 MB, waiting 2 s" },
		{ 150000000, 0, 1999, "p 150.0/300.0 MB" },
		{ 150000000, 0, 61000, "p 150.0/300.0 MB, waiting 61 s" },
		{ 0, 10000, 0, "p 0 B/300.0 MB, 10.0 kB/s, 8 h 20 min left" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const struct progress_facts f = { .phase = "p",
			.bytes = t[i].bytes,
			.bytes_all = 300000000,
			.rate = t[i].rate,
			.idle = t[i].idle };

		check(&f, 79, false, t[i].want);
	}
}

UNIT_MAIN(UNIT(test_widths), UNIT(test_form), UNIT(test_unknown),
    UNIT(test_left))
