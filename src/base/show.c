#include "base/show.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/release.h"
#include "base/text.h"

static bool whole_ids;

void
show_whole_ids(bool whole)
{
	whole_ids = whole;
}

char *
show_text(const char *fmt, va_list ap)
{
	char *out = text_vcleanf(fmt, ap);

	if (!whole_ids)
		release_shorten(out);
	return out;
}

void
show_line(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = show_text(fmt, ap);
	va_end(ap);
	puts(out);
	free(out);
}

void
show_row(const char *label, const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = show_text(fmt, ap);
	va_end(ap);
	printf("%-*s %s\n", SHOW_LABEL, label, out);
	free(out);
}
