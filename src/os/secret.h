/*
 * What came in the environment and is for nobody else: the key for the hosts,
 * its passphrase, a password.
 *
 * A variable that is taken is copied into memory of ours that is in no core
 * and empty in a child, its bytes are wiped where the kernel has put them
 * (/proc/PID/environ shows them to every process of the same user, which a
 * build is), and it is unset: no child can inherit it.  From then on, if there
 * was one, this process is not "dumpable" (prctl(2)): no core, and others of
 * the same user neither trace it nor read its memory.  Not otherwise, because
 * that also closes what others may need to see of a process in /proc.
 *
 * Of the secrets of web hooks of each site, DEPLOY_HOOK_SECRET_*, an empty
 * variable is left.
 *
 * To be used by one thread, before there are others; secret_get() by any.
 *
 * What cannot be mended from here: who started us had the variable too, and
 * a shell that got it from a CI system still has it in /proc.
 */
#ifndef SECRET_H
#define SECRET_H

#include "base/err.h"

enum secret {
	SECRET_KEY,		/* DEPLOY_SSH_KEY */
	SECRET_PASSPHRASE,	/* DEPLOY_SSH_KEY_PASSPHRASE */
	SECRET_HOOK,		/* DEPLOY_HOOK_SECRET, of webhook(1) */
	SECRET_NOTIFY,		/* DEPLOY_NOTIFY_SECRET, signs notifications */
	SECRET_PG_PASSWORD,	/* PGPASSWORD */
	SECRET_COUNT
};

/*
 * Take those that are ours, whatever is done; also what secret_hand_over()
 * gave.  The first thing that the program does.
 */
void secret_init(void);

/*
 * Take one that is ours only now: PGPASSWORD, before a queue in PostgreSQL is
 * opened.  Otherwise it is of the user, whose build may want it.
 */
void secret_take(enum secret which);

/* Its text; NULL when there is none. */
const char *secret_get(enum secret which);

/*
 * For a child that is this program: the secrets for hosts and for
 * notifications on a socket, whose number goes into its environment as SECRET_VARIABLE.  A
 * socket, because what a pipe or a file holds can be opened in /proc.  The
 * descriptor is the caller's to close; -1 when there is nothing to hand over;
 * -2 with the error.
 */
#define SECRET_VARIABLE "DEPLOY_SECRETS"
int secret_hand_over(struct err *e) MUST_USE;

#endif
