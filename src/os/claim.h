/*
 * A worker's claim on a site, as the process of its job has it: a descriptor
 * that it inherits and keeps open (queue/queue_db.h).  One of a database session
 * is lost when the server, or the way to it, was gone for a while, as after a
 * machine was suspended: then somebody else has the job, and what this process
 * has made is old.
 */
#ifndef CLAIM_H
#define CLAIM_H

#include "base/err.h"

#define CLAIM_VARIABLE "DEPLOY_CLAIM_FD"	/* the number of it */

/* Take it from the environment, where nobody else shall find it. */
void claim_take(void);

/* Is it still there?  0, also when there was none; -1 with ERR_LOCKED. */
int claim_check(struct err *e) MUST_USE;

#endif
