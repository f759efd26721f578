/*
 * The user and password in the URL of a repository, for git(1): on a command
 * line they are everybody's who looks at the processes, also on those of the
 * programs that git starts.  So git gets a URL without them, and asks for them
 * as it asks a credential helper (gitcredentials(7)).
 */
#ifndef GIT_LOGIN_H
#define GIT_LOGIN_H

#include "base/strvec.h"

struct git_login {
	char *url;		/* without them */
	struct strvec options;	/* of git, in front of its command */
	char *variable;		/* "NAME=value" for git; NULL: there are none */
};

#define GIT_LOGIN_INIT { NULL, STRVEC_INIT, NULL }

/* A URL that has no password, or is not one of http(s), stays as it is. */
void git_login_init(struct git_login *l, const char *url);

void git_login_release(struct git_login *l);	/* neutral accepted */

#endif
