/*
 * A jail for code that reads what strangers send: Landlock(7), which a process
 * puts itself into and never leaves.  It is not what keeps a request or an
 * archive within bounds (path.c, descriptors, O_NOFOLLOW do); it makes the
 * next mistake there harmless.
 *
 * In it are only the places that are named, with the rights that are given,
 * and what libraries read of the system: /usr, /lib and the like, users and
 * groups, the time zone, nginx's configuration.  No program is run but those
 * of the system, none gains rights (no_new_privs), no TCP connection is made
 * or taken where the kernel knows how (6.7).  Not bounded are UDP, sockets
 * with a name in the file system, and what is done to a descriptor that is
 * open already; nor, because Landlock has no word for them, chmod, chown,
 * times, and looking whether a name exists.
 *
 * A kernel before 5.19, or one without Landlock, knows no way to move or link
 * between directories in it: there is no jail then, and jail_enter() does
 * nothing.
 */
#ifndef JAIL_H
#define JAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What may be done below a place. */
enum jail_right {
	JAIL_LIST = 1,		/* list directories */
	JAIL_READ = 2,		/* list, and read files */
	JAIL_RUN = 4,		/* and run them */
	JAIL_MAKE_DIR = 8,	/* make directories, nothing else */
	JAIL_LINK = 16,		/* read, write to files that are there (which
				 * is the price of a hard link to them) */
	JAIL_WRITE = 32		/* make, write, rename and remove whatever */
};

struct jail_place {
	int fd;			/* a file or directory that is open */
	unsigned int rights;	/* or'ed */
};

/* Has the kernel what it takes? */
bool jail_is_there(void);

/*
 * Put this thread, and all that it starts from now on, in a jail.  0; -1: the
 * kernel has it, and it failed.
 */
int jail_enter(const struct jail_place *places, size_t n, struct err *e)
    MUST_USE;

/*
 * Run `work` in a jail of its own, in a thread that is waited for, so that the
 * caller stays outside.  What it returned; -1 also when the jail failed.
 */
int jail_run(const struct jail_place *places, size_t n,
    int (*work)(void *ctx, struct err *e), void *ctx, struct err *e) MUST_USE;

/*
 * Bounds for a process that strangers talk to: no core, and so much address
 * space as a release of a million files takes.  Not in a program that is
 * built with a sanitizer, which has terabytes of it.
 */
void jail_limit(void);

/* For fuzz targets: jail_run() is a call of `work` from now on. */
void jail_open(void);

#endif
