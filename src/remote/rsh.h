/*
 * The remote shell of rsync(1): rsync starts `deploy __rsh FD HOST COMMAND
 * ...`, and that hands its standard input and output, with the command, to
 * the program that started rsync, which runs it over the connection that it
 * has open and verified.  So there is one login, one decision about the
 * host's key, and no secret in any argument.
 *
 * FD is an inherited end of a socketpair(2): nobody else can reach it,
 * nothing has a name in the file system, and when rsync and all its children
 * are gone, the other end reads an end of file.
 */
#ifndef RSH_H
#define RSH_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Make the pair: pair[0] for the program, pair[1] for rsync.  0 or -1. */
int rsh_pair(int pair[2], struct err *e) MUST_USE;

/*
 * In `deploy __rsh`: hand over the standard input and output and the words
 * of the command, and wait for its end.  Its exit status, or -1.
 */
int rsh_hand_over(int fd, char *const *words, struct err *e) MUST_USE;

/* What was handed over. */
struct rsh_call {
	struct buf command;
	int in, out;		/* read and write; -1: none */
};

#define RSH_CALL_INIT { BUF_INIT, -1, -1 }

/*
 * In the program: wait until a command is handed over.  1; 0 when rsync has
 * ended without; -1 also when it takes longer than `timeout` ms.
 */
int rsh_take(int fd, struct rsh_call *c, int64_t timeout, struct err *e)
    MUST_USE;

/* Tell how the command ended. */
void rsh_tell(int fd, int status);

void rsh_call_release(struct rsh_call *c);	/* neutral values accepted */

#endif
