/*
 * Which variables of ours a child gets: decided here, for all of them.
 * Secrets (secret.h) are in nobody's environment.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "base/strvec.h"

enum environment {
	/*
	 * Programs that do one thing for us, rsync say: where programs and
	 * directories are, language, time zone.
	 */
	ENVIRONMENT_TOOL,
	/*
	 * git(1): the same, and how it gets to other machines.  Which
	 * repository it works on is not among that.
	 */
	ENVIRONMENT_GIT,
	/*
	 * What is the user's but not about this run: a worker's `notify`, and
	 * ssh(1), which runs what its configuration names (ProxyCommand,
	 * Match exec), with the variables that this wants: all but DEPLOY_*.
	 */
	ENVIRONMENT_PLAIN,
	/*
	 * This program for a job: the same, and DEPLOY_KNOWN_HOSTS; without
	 * what a CI system tells of itself (caller.h), which started the
	 * worker but not the job.
	 */
	ENVIRONMENT_JOB,
	/* The user's commands in this run: `build`, hooks.  All. */
	ENVIRONMENT_USER,
};

/*
 * The environment for a child of that kind, with the variables "NAME=value"
 * of `more` (or NULL) in the place of those of the same name.
 */
void environment_for(enum environment kind, const struct strvec *more,
    struct strvec *out);

#endif
