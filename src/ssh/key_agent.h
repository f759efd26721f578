/*
 * DEPLOY_SSH_KEY for a program that logs in with ssh(1), such as git(1): an
 * ssh-agent(1) of our own that has it, so that it is in no file.
 *
 * The agent watches over a program that reads from us, and ends within seconds
 * of that, which is when we are killed; the directory of its socket, without a
 * key, is left then.
 */
#ifndef KEY_AGENT_H
#define KEY_AGENT_H

#include "base/err.h"
#include "base/strvec.h"
#include "os/run.h"

struct key_agent {
	struct run_child child;
	char *dir;		/* ours alone; NULL: not started */
	pid_t pid;		/* of the agent; 0: not known */
	char *known_hosts;	/* the file of DEPLOY_KNOWN_HOSTS; or NULL */
	struct strvec env;	/* for programs that are to use it */
};

#define KEY_AGENT_INIT { .child = RUN_CHILD_INIT }

/*
 * Start it with the key.  What DEPLOY_KNOWN_HOSTS says is for the ssh(1) of git
 * then, too.  0, or -1: ERR_USAGE when there is no key; to be stopped all the
 * same.
 */
int key_agent_start(struct key_agent *a, struct err *e) MUST_USE;

void key_agent_stop(struct key_agent *a);	/* neutral values accepted */

#endif
