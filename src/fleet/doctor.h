/*
 * What is wrong with a host and a root, judged from facts, and the cure for
 * it.  Asks nobody and changes nothing.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/doctor_facts.h"
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

/*
 * The way to a host: open, with the keys of both sides (NULL: there is no
 * way, it is this machine), or the error of ssh.h, whose phase tells what was
 * good until then.
 */
void doctor_judge_login(struct doctor_report *r, const char *host_key,
    const char *key);

/* Add the error as a failure: what is wrong, and its cure. */
void doctor_add_error(struct doctor_report *r, const char *what,
    const struct err *e);

/* Where the way there ended. */
void doctor_judge_refusal(struct doctor_report *r, const struct err *e);

/* What is known besides the facts. */
struct doctor_case {
	const char *root;
	const char *version;	/* of this program; NULL: it gave the facts */
	bool rsync;		/* files travel by rsync(1) */
	int64_t asked, heard;	/* when facts.now was asked for and heard, in
				 * ms since 1970 by our clock; 0: no need */
};

/* Judge all facts. */
void doctor_judge(struct doctor_report *r, const struct doctor_facts *f,
    const struct doctor_case *c);

#endif
