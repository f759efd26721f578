/*
 * Doctor's verdicts about a root: the way to it, whose it is, whether we can
 * write there, room.  For doctor.c and doctor_live.c.
 */
#ifndef DOCTOR_ROOT_H
#define DOCTOR_ROOT_H

#include <stdbool.h>

#include "fleet/doctor.h"
#include "fleet/doctor_facts.h"
#include "fleet/doctor_report.h"

/* What all judges need. */
struct visit {
	struct doctor_report *r;
	const struct doctor_facts *f;
	const struct doctor_case *c;
	char *root;		/* the root as it was told, "/srv/x/" */
};

/* A path in the root, or NULL: it is not there. */
const struct doctor_path *visit_inside(const struct visit *v,
    const char *name);

/* The length of a path without the slash at its end, for messages. */
int visit_shown(const struct doctor_path *p);

/* Is it a directory on the way to the root, or the root? */
bool visit_is_above(const struct visit *v, const struct doctor_path *p);

/*
 * What lets somebody through a directory, behind the words `unless`: `right`, as
 * chmod(1) takes it.  The mode of one above the root is only for who has made it:
 * never one of the system or of somebody else, nor one that is everybody's.
 */
void visit_cure_passage(struct visit *v, const struct doctor_path *p,
    const char *unless, const char *right);

/* The root; false: there is none, and no more to be said of it. */
bool doctor_judge_root(struct visit *v);

/* The room, for a release as large as the live one. */
void doctor_judge_space(struct visit *v);

#endif
