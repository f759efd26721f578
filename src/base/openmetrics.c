#include "base/openmetrics.h"

#include <string.h>

#include "base/utf8.h"

void
openmetrics_family(struct buf *out, const char *name, const char *unit,
    const char *help)
{
	buf_addf(out, "# TYPE %s gauge\n", name);
	if (*unit != '\0')
		buf_addf(out, "# UNIT %s %s\n", name, unit);
	buf_addf(out, "# HELP %s %s\n", name, help);
}

/* A value in quotes; what is no UTF-8 becomes a mark. */
static void
add_value(struct buf *out, const char *value)
{
	struct buf clean = BUF_INIT;

	utf8_add(&clean, value, strlen(value));
	buf_addc(out, '"');
	for (const char *c = buf_str(&clean); *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_addc(out, '\\');
		if (*c == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, *c);
	}
	buf_addc(out, '"');
	buf_release(&clean);
}

static void
add_number(struct buf *out, int64_t value, int decimals)
{
	int64_t scale = 1;

	for (int i = 0; i < decimals; i++)
		scale *= 10;
	if (value < 0)
		buf_addc(out, '-');
	buf_addf(out, "%lld",
	    (long long)(value / scale) * (value < 0 ? -1 : 1));
	if (decimals > 0)
		buf_addf(out, ".%0*lld", decimals,
		    (long long)(value % scale) * (value < 0 ? -1 : 1));
}

void
openmetrics_sample(struct buf *out, const char *name,
    const struct openmetrics_label *labels, int64_t value, int decimals)
{
	const char *sep = "{";

	buf_adds(out, name);
	for (; labels->name != NULL; labels++) {
		buf_addf(out, "%s%s=", sep, labels->name);
		add_value(out, labels->value);
		sep = ",";
	}
	buf_adds(out, *sep == ',' ? "} " : " ");
	add_number(out, value, decimals);
	buf_addc(out, '\n');
}

void
openmetrics_end(struct buf *out)
{
	buf_adds(out, "# EOF\n");
}
