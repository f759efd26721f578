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
#include "fleet/doctor_report.h"
#include "base/err.h"

/*
 * The way to a host: open, with the keys of both sides (NULL: there is no
 * way, it is this machine), or the error of ssh.h, whose phase tells what was
 * good until then.
 */
void doctor_judge_login(struct doctor_report *r, const char *host_key,
    const char *key);

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
