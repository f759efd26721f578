/*
 * The text of OpenMetrics 1.0, as far as gauges need it, which is also that of
 * Prometheus.  All samples of a family stand together, after its head.
 */
#ifndef OPENMETRICS_H
#define OPENMETRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * Begin a family.  `unit` ends the name and is "" for none; `help` is one
 * sentence without a full stop.
 */
void openmetrics_family(struct buf *out, const char *name, const char *unit,
    const char *help);

/* A label; those of a sample end with one whose name is NULL. */
struct openmetrics_label {
	const char *name;
	const char *value;	/* any text */
};

/* Add a sample: `value` divided by 10^decimals. */
void openmetrics_sample(struct buf *out, const char *name,
    const struct openmetrics_label *labels, int64_t value, int decimals);

void openmetrics_end(struct buf *out);

#endif
