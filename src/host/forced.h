/*
 * The request of a forced command (sshd(8), "command=" of authorized_keys):
 * SSH_ORIGINAL_COMMAND, the one text that a limited key sends before it has
 * been told what it may do.  No shell ever sees it.  Pure: text in, words or
 * an error out.
 */
#ifndef FORCED_H
#define FORCED_H

#include "base/err.h"
#include "base/strvec.h"

/* Bytes of a request. */
enum { FORCED_MAX = 64 * 1024 };

/*
 * Append the words after "deploy host" of `line` to `words`: verb, root and
 * options, for host_run().  The first word may be any path of deploy, and
 * "exec SHELL -c SCRIPT" may stand before it, which a client sends that looks
 * for it there: the program that reads the line answers.  `line` NULL: nothing was asked, which
 * is a wish for a shell.  0, or -1 with ERR_USAGE and no words.
 */
int forced_words(const char *line, struct strvec *words, struct err *e)
    MUST_USE;

#endif
