/*
 * A program that runs on a host, over a connection (ssh.h): ssh_start() starts
 * it.  Its calls are made as those of the connection are, by its thread.
 */
#ifndef SSH_PROC_H
#define SSH_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct ssh_link;
struct ssh_proc;
struct ssh_timeouts;

/* For ssh_start(), which see; link and deadlines must outlive the program. */
struct ssh_proc *ssh_proc_start(struct ssh_link *l,
    const struct ssh_timeouts *timeouts, const char *command, struct err *e)
    MUST_USE;

/*
 * The same for no program: a channel to a port that the host itself connects
 * to, within timeouts->connect, for ssh_join().  NULL with ERR_UNREACHABLE,
 * which names both.
 */
struct ssh_proc *ssh_proc_forward(struct ssh_link *l,
    const struct ssh_timeouts *timeouts, const char *host, int port,
    struct err *e) MUST_USE;

/*
 * Send to its standard input, all of it; what it says meanwhile is kept (up
 * to 64 MiB of its output).  0, or -1: the connection was lost, it took
 * nothing for longer than `idle`, or the program ended (its standard error is
 * in the message; what it said can still be read).
 */
int ssh_write(struct ssh_proc *p, const void *data, size_t len,
    struct err *e) MUST_USE;

/*
 * From now on `taken` hears, whenever the connection is waited for or written
 * to, how many of the bytes written from now on the program there has taken,
 * a little less than it really has.
 */
void ssh_watch(struct ssh_proc *p, void (*taken)(void *ctx, int64_t bytes),
    void *ctx);

/* End its standard input.  0 or -1. */
int ssh_end_input(struct ssh_proc *p, struct err *e) MUST_USE;

/*
 * The next line of its standard output, without the newline, into `line`
 * (replaced).  Returns 1; 0 at the end of the output; -1 on failure, or when
 * none came within `timeout` ms (e->sys is ETIMEDOUT).  A last line without
 * a newline is not given: it was cut short.  Lines longer than 64 MiB are an
 * error.
 */
int ssh_read_line(struct ssh_proc *p, struct buf *line, int64_t timeout,
    struct err *e) MUST_USE;

/*
 * What is there of its standard output, at least a byte; 0 at the end; -1 on
 * failure, or when nothing came for longer than `idle`.
 */
ssize_t ssh_read(struct ssh_proc *p, void *data, size_t len, struct err *e)
    MUST_USE;

/*
 * Be the wire between it and another program: what `from` gives is its
 * standard input, what it says goes to `to`, until it has ended or neither
 * descriptor is good for anything any more.  They stay the caller's, and are
 * non-blocking afterwards.  There is no deadline but that of a silent
 * connection as long as the other program is there: it is to have its own.
 * 0 or -1.
 */
int ssh_join(struct ssh_proc *p, int from, int to, struct err *e) MUST_USE;

/*
 * Wait for its end, up to `idle` after the last that it said; output that
 * was not read is lost.  `status` gets the exit status; a missing one (killed
 * by a signal, connection lost) is a failure, never 0.  The last 4 KiB of its
 * standard error are added to `errors` when that is not NULL.  0 or -1.
 */
int ssh_finish(struct ssh_proc *p, int *status, struct buf *errors,
    struct err *e) MUST_USE;

/* What it said on standard error until now, the last 4 KiB; borrowed. */
const char *ssh_errors(const struct ssh_proc *p);

/* Close it, running or not; NULL accepted. */
void ssh_proc_close(struct ssh_proc *p);

#endif
