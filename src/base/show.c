#include "base/show.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/release.h"
#include "base/text.h"

void
show_line(const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = text_vcleanf(fmt, ap);
	va_end(ap);
	release_shorten(out);
	puts(out);
	free(out);
}

void
show_row(const char *label, const char *fmt, ...)
{
	va_list ap;
	char *out;

	va_start(ap, fmt);
	out = text_vcleanf(fmt, ap);
	va_end(ap);
	release_shorten(out);
	printf("%-10s %s\n", label, out);
	free(out);
}
