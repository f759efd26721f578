#include "base/openmetrics.h"

#include "unit.h"

static void
test_a_family(void)
{
	static const struct openmetrics_label none[] = { { NULL, NULL } };
	struct buf b = BUF_INIT;

	openmetrics_family(&b, "x_bytes", "bytes", "Bytes of it");
	openmetrics_sample(&b, "x_bytes",
	    (const struct openmetrics_label[]){ { "site", "a\"b\\c\nd" },
		{ "host", "\xff" }, { NULL, NULL } },
	    12, 0);
	openmetrics_family(&b, "y", "", "What");
	openmetrics_sample(&b, "y", none, 1500, 3);
	openmetrics_sample(&b, "y", none, 7, 3);
	openmetrics_sample(&b, "y", none, -7, 3);
	openmetrics_sample(&b, "y", none, INT64_MAX, 0);
	openmetrics_end(&b);
	CHECK_STR(b.data,
	    "# TYPE x_bytes gauge\n"
	    "# UNIT x_bytes bytes\n"
	    "# HELP x_bytes Bytes of it\n"
	    "x_bytes{site=\"a\\\"b\\\\c\\nd\",host=\"\xef\xbf\xbd\"} 12\n"
	    "# TYPE y gauge\n"
	    "# HELP y What\n"
	    "y 1.500\n"
	    "y 0.007\n"
	    "y -0.007\n"
	    "y 9223372036854775807\n"
	    "# EOF\n");
	buf_release(&b);
}

UNIT_MAIN(UNIT(test_a_family))
