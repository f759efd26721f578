/*
 * What came of a job, told to another service: a POST of JSON, signed as
 * GitHub signs what it sends.
 */
#ifndef POST_H
#define POST_H

#include "base/err.h"

struct post {
	const char *url;
	const char *event;	/* X-Deploy-Event */
	const char *delivery;	/* X-Deploy-Delivery: the same when it is sent
				 * again */
	const char *secret;	/* X-Hub-Signature-256; NULL: not signed */
	const char *body;
};

/*
 * Send it, up to three times while the server does not answer, has trouble or
 * says that it was too much; any other answer but 2xx is an error at once.
 * 0, or -1 with ERR_FAILED.
 */
int post_send(const struct post *p, struct err *e) MUST_USE;

#endif
