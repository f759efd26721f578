/*
 * The host side: verbs over one root, one a run of
 *
 *	deploy host VERB ROOT [--key=value ...]
 *
 * or one after the other in a run of `deploy host serve ROOT`, and in a
 * thread of the client itself for a root on this machine.  wire.h has the
 * form of requests and answers; deploy-host(7) documents them well enough to
 * write the other end.  Reaches neither network nor configuration.
 */
#ifndef HOST_H
#define HOST_H

#include "base/err.h"
#include "base/strvec.h"
#include "host/limits.h"

/* Is it a list of verbs, separated by commas?  0, or -1 with ERR_USAGE. */
int host_check_verbs(const char *list, struct err *e) MUST_USE;

/* Where requests and data come from, and where answers go. */
struct host_io {
	int in, out;
};

/*
 * Run one request: its words are verb, root and options; `io->in` has its
 * data.  Returns 0, or -1 with the error, which then has been answered too.
 */
int host_run(const struct strvec *words, const struct host_limits *limits,
    const struct host_io *io, struct err *e) MUST_USE;

/*
 * Run one request after another over `root`, first what the command itself
 * said (wire_put_first(); NULL: nothing), then what comes, until the input ends, or a
 * `receive`, whose data is the rest of the input, has ended.  A request that
 * fails is answered, and the next one is waited for.  Returns 0; -1 when the
 * last one failed, or the client cannot be read or answered any more.
 *
 * Touches nothing of the process but what its verbs touch in the root, and
 * keeps nothing in static memory, so that it may run in a thread, with
 * others beside it.
 */
int host_serve(const char *root, const char *first, const struct host_limits *limits,
    const struct host_io *io, struct err *e) MUST_USE;

#endif
