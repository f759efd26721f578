/*
 * The host side: verbs over one root, each one run of
 *
 *	deploy host VERB ROOT [--key=value ...]
 *
 * Requests are arguments, data is standard input, answers are lines (wire.h).
 * deploy-host(7) documents them well enough to write the other end.  Reaches
 * neither network nor configuration.
 */
#ifndef HOST_H
#define HOST_H

#include "base/err.h"
#include "base/strvec.h"

struct host_limits {
	const char *root;		/* the only root allowed; NULL: any */
	const char *allow;		/* comma-separated verbs, besides info,
					 * probe and manifest; NULL: all */
};

/* Is it a list of verbs, separated by commas?  0, or -1 with ERR_USAGE. */
int host_check_verbs(const char *list, struct err *e);

/*
 * Run the request: its words are verb, root and options.  Answers on
 * standard output.  Returns 0, or -1 with the error, which then has been
 * answered too.
 */
int host_run(const struct strvec *words, const struct host_limits *limits,
    struct err *e);

#endif
