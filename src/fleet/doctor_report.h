/*
 * What doctor found, and the cure for it.
 */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include <stddef.h>

#include "base/err.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor_finding {
	enum doctor_level level;
	const char *what;	/* "current"; the manual lists them */
	char *detail;
	char *cure;		/* NULL: none is needed, or known */
};

struct doctor_report {
	struct doctor_finding *v;
	size_t n;
};

#define DOCTOR_REPORT_INIT { NULL, 0 }

void doctor_report_release(struct doctor_report *r);	/* neutral: fine */

/* "ok", "warn" or "fail". */
const char *doctor_level_name(enum doctor_level level);

/* How many findings of the level there are. */
size_t doctor_count(const struct doctor_report *r, enum doctor_level level);

/* Add a finding; `what` is not copied. */
void doctor_add(struct doctor_report *r, enum doctor_level level,
    const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Give the last finding a cure. */
void doctor_cure(struct doctor_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Add the error as a failure: what is wrong, and its cure. */
void doctor_add_error(struct doctor_report *r, const char *what,
    const struct err *e);

#endif
