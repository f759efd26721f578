#include "os/progress_line.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
	BAR = 24,
	BAR_SHORT = 8,
	STILL_MS = 2000, /* nothing done for so long is told */
	TELL_MS = 1000,	 /* so is what a phase takes that counts nothing */
};

/* What a line may have besides the phase. */
struct variant {
	int bar;
	bool files, bytes, rate, percent, left;
};

static int64_t
at_most(int64_t n, int64_t all)
{
	return all > 0 && n > all ? all : n;
}

/* The part that is done, of 1, by bytes where they are known. */
static double
fraction(const struct progress_facts *f)
{
	int64_t all = f->bytes_all > 0 ? f->bytes_all : f->files_all;
	int64_t n = f->bytes_all > 0 ? f->bytes : f->files;

	return all > 0 ? (double)at_most(n, all) / (double)all : 0;
}

static bool
counts(const struct progress_facts *f)
{
	return f->files_all > 0 || f->bytes_all > 0 || f->files > 0 ||
	    f->bytes > 0;
}

static void
put_files(const struct progress_facts *f, char *out, size_t size)
{
	int64_t n = at_most(f->files, f->files_all);

	if (f->files_all > 0)
		snprintf(out, size, "%lld/%s", (long long)n,
		    TEXT_COUNT(f->files_all, "file", "files"));
	else if (n > 0)
		snprintf(out, size, "%s", TEXT_COUNT(n, "file", "files"));
}

static void
put_bytes(const struct progress_facts *f, char *out, size_t size)
{
	char done[TEXT_SIZE_LEN], all[TEXT_SIZE_LEN];
	const char *unit;

	text_size(at_most(f->bytes, f->bytes_all), done);
	text_size(f->bytes_all, all);
	unit = strchr(done, ' ');
	if (f->bytes_all > 0 && strcmp(unit, strchr(all, ' ')) == 0)
		snprintf(out, size, "%.*s/%s", (int)(unit - done), done, all);
	else if (f->bytes_all > 0)
		snprintf(out, size, "%s/%s", done, all);
	else if (f->bytes > 0)
		snprintf(out, size, "%s", done);
}

static void
put_rate(const struct progress_facts *f, char *out, size_t size)
{
	char rate[TEXT_SIZE_LEN];

	if (f->rate <= 0)
		return;
	text_size(f->rate, rate);
	snprintf(out, size, "%s/s", rate);
}

/* How long it will take, or has stood still. */
static void
put_left(const struct progress_facts *f, char *out, size_t size)
{
	int64_t s;

	if (f->idle >= STILL_MS) {
		snprintf(out, size, "waiting %lld s",
		    (long long)(f->idle / 1000));
		return;
	}
	if (f->rate <= 0 || f->bytes_all <= f->bytes)
		return;
	s = (f->bytes_all - f->bytes + f->rate - 1) / f->rate;
	if (s < 60)
		snprintf(out, size, "%lld s left", (long long)s);
	else if (s < 60 * 60)
		snprintf(out, size, "%lld min left",
		    (long long)((s + 59) / 60));
	else
		snprintf(out, size, "%lld h %lld min left",
		    (long long)(s / 3600), (long long)(s % 3600 / 60));
}

/* One more part of the line, if there is something in it. */
static void
add(char *line, bool *began, const char *part)
{
	size_t n = strlen(line);

	if (*part == '\0')
		return;
	snprintf(line + n, PROGRESS_LINE - n, "%s%s", *began ? ", " : " ",
	    part);
	*began = true;
}

static void
add_bar(const struct progress_facts *f, int width, char *line)
{
	int full = (int)(fraction(f) * width);
	size_t n = strlen(line);
	char bar[BAR + 1];

	for (int i = 0; i < width; i++)
		bar[i] = i < full ? '#' : '.';
	bar[width] = '\0';
	if (width > 0 && f->bytes_all + f->files_all > 0)
		snprintf(line + n, PROGRESS_LINE - n, " [%s]", bar);
}

static void
compose(const struct progress_facts *f, const struct variant *v,
    char out[PROGRESS_LINE])
{
	char part[4 * TEXT_SIZE_LEN];
	bool began = false;

	snprintf(out, PROGRESS_LINE, "%.80s", f->phase);
	add_bar(f, v->bar, out);
	snprintf(part, sizeof(part), "%d%%", (int)(fraction(f) * 100));
	if (v->percent)
		add(out, &began, part);
	*part = '\0';
	put_files(f, part, sizeof(part));
	if (v->files)
		add(out, &began, part);
	*part = '\0';
	put_bytes(f, part, sizeof(part));
	if (v->bytes)
		add(out, &began, part);
	*part = '\0';
	put_rate(f, part, sizeof(part));
	if (v->rate)
		add(out, &began, part);
	*part = '\0';
	put_left(f, part, sizeof(part));
	if (v->left)
		add(out, &began, part);
}

/* Nothing to count: the phase, and how long it has taken. */
static void
name_phase(const struct progress_facts *f, char out[PROGRESS_LINE])
{
	snprintf(out, PROGRESS_LINE, "%.80s ...", f->phase);
	if (f->spent >= TELL_MS)
		snprintf(out, PROGRESS_LINE, "%.80s, %lld s", f->phase,
		    (long long)(f->spent / 1000));
}

/*
 * The same phase when its line is longest: what fits then always does, and the
 * line keeps its form.
 */
static struct progress_facts
longest(const struct progress_facts *f)
{
	struct progress_facts most = *f;

	most.files = f->files_all > 0 ? f->files_all : f->files;
	most.bytes = f->bytes_all > 0 ? f->bytes_all : f->bytes;
	most.rate = most.bytes > 0 ? 99900000 : 0;
	most.idle = 99000;
	return most;
}

void
progress_line(const struct progress_facts *f, size_t width, bool bar,
    char out[PROGRESS_LINE])
{
	static const struct variant ladder[] = {
		{ BAR, true, true, true, false, true },
		{ BAR_SHORT, true, true, true, false, true },
		{ 0, true, true, true, false, true },
		{ 0, false, true, true, false, true },
		{ 0, false, true, false, false, true },
		{ 0, false, false, false, true, true },
		{ 0, false, false, false, true, false },
	};
	const size_t n = sizeof(ladder) / sizeof(ladder[0]);
	const struct progress_facts most = longest(f);
	size_t i = bar ? 0 : 2;

	name_phase(f, out);
	if (counts(f)) {
		do
			compose(&most, &ladder[i], out);
		while (strlen(out) > width && ++i < n);
		compose(f, &ladder[i < n ? i : n - 1], out);
	}
	if (strlen(out) > width)
		snprintf(out, PROGRESS_LINE, "%.*s", (int)width, f->phase);
}
