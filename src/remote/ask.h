/*
 * Requests to a host and its answers: one program on the host
 * (`deploy host serve`, or the sh verbs; for a root on this machine a thread)
 * answers one request after the other.  It is started by the first request,
 * and again when it has ended or does not behave.
 *
 *	ask()		the request is sent, and the host is there
 *	ask_write()	its data, if it has some
 *	ask_line()	... the answer, up to its end
 *
 * An answer that is not read to its end costs the program.  A host is not
 * trusted: an answer may not take longer, nor be longer, than all that it may
 * have to say; a signal ends it at once.
 */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strvec.h"
#include "host/wire.h"

struct remote;

/* How long, in ms, a line of an answer may take: a host that waits for a lock
 * says so each second; and when it works on a whole release. */
int64_t ask_answer_ms(const struct remote *r);
int64_t ask_work_ms(const struct remote *r);

/*
 * Send a request; `args` are its options, "--key=value" or "--key"; NULL:
 * none.  0 or -1.
 */
int ask(struct remote *r, const char *verb, const struct strvec *args,
    struct err *e) MUST_USE;

/*
 * The next line of the answer, cut, within `timeout` ms: 1; 0 at its end; -1
 * for an error, the host's (PHASE_ANSWER) or ours.  Valid until the next call.
 */
int ask_line(struct remote *r, struct wire_line *l, int64_t timeout,
    struct err *e) MUST_USE;

/* The next line, which must have this key.  0 or -1. */
int ask_expect(struct remote *r, const char *key, struct wire_line *l,
    int64_t timeout, struct err *e) MUST_USE;

/* The rest of the answer, each line within `timeout` ms, to `line`, which
 * may be NULL: then a warning in it is told.  0 or -1. */
int ask_rest(struct remote *r, int64_t timeout,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e) MUST_USE;

/* A request without data, and all of its answer. */
int ask_all(struct remote *r, const char *verb, const struct strvec *args,
    void (*line)(void *ctx, const char *key, const char *value), void *ctx,
    struct err *e) MUST_USE;

/* Data of the request. */
int ask_write(struct remote *r, const void *data, size_t len, struct err *e)
    MUST_USE;
int ask_end_input(struct remote *r, struct err *e) MUST_USE;

/* How many bytes of what is written from now on the program has taken: told
 * as ssh_watch() does, until it ends. */
void ask_watch(struct remote *r, void (*taken)(void *ctx, int64_t bytes),
    void *ctx);

/* Bytes of the answer, at least one; 0 at the end of all output; -1. */
ssize_t ask_read(struct remote *r, void *data, size_t len, struct err *e)
    MUST_USE;

/* The answer that goes on may take `ms` from now. */
void ask_allow(struct remote *r, int64_t ms);

/* An answer that is none: say so.  Returns -1. */
int ask_wrong(struct remote *r, const char *what, struct err *e) MUST_USE;

/*
 * The program ends with the data that it has got.  Start the one for the next
 * request now, while this one works, if that takes no time.  What came of that
 * is seen when there is a request.
 */
void ask_ahead(struct remote *r);

/* End the program, if one runs, but not one that was started ahead. */
void ask_hang_up(struct remote *r);

#endif
