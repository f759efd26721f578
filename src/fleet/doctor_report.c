#include "fleet/doctor_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void
doctor_report_release(struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].detail);
		free(r->v[i].cure);
	}
	free(r->v);
	*r = (struct doctor_report)DOCTOR_REPORT_INIT;
}

const char *
doctor_level_name(enum doctor_level level)
{
	static const char *const names[] = { "ok", "warn", "fail" };

	return names[level];
}

size_t
doctor_count(const struct doctor_report *r, enum doctor_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->v[i].level == level;
	return n;
}

void
doctor_add(struct doctor_report *r, enum doctor_level level, const char *what,
    const char *fmt, ...)
{
	va_list ap;

	r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
	va_start(ap, fmt);
	r->v[r->n++] = (struct doctor_finding){ level, what,
		text_vcleanf(fmt, ap), NULL };
	va_end(ap);
}

void
doctor_cure(struct doctor_report *r, const char *fmt, ...)
{
	struct doctor_finding *last = &r->v[r->n - 1];
	va_list ap;

	free(last->cure);
	va_start(ap, fmt);
	last->cure = text_vcleanf(fmt, ap);
	va_end(ap);
}

void
doctor_add_error(struct doctor_report *r, const char *what,
    const struct err *e)
{
	doctor_add(r, DOCTOR_FAIL, what, "%.*s", err_problem_len(e),
	    err_problem(e));
	if (*err_cure(e) != '\0')
		doctor_cure(r, "%s", err_cure(e));
}
