/*
 * What a key may do (authorized_keys, command="deploy host --root DIR
 * --allow VERBS"): the decision about a request before anything of it is
 * run.  Pure: words in, words or an error out.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include "base/err.h"
#include "base/strvec.h"

struct host_limits {
	const char *root;		/* the only root allowed; NULL: any */
	const char *allow;		/* comma-separated verbs, besides info,
					 * probe and manifest; NULL: all */
};

/*
 * May the request be run?  Its words are verb, root and options.  When it
 * may, the words are appended to `out` as options_take() has them.  0; -1
 * with ERR_UNREACHABLE for what the key may not do, ERR_USAGE for what is no
 * request.
 */
int limits_take(const struct host_limits *limits, const struct strvec *words,
    struct strvec *out, struct err *e);

#endif
