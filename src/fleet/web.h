/*
 * A conversation with one web server, by its own address, with the right Host
 * and server name (SNI), without a proxy; and what it answers, as far as a
 * check wants to know: the body as a digest, taken out of the compressed form
 * in which it came.
 */
#ifndef WEB_H
#define WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "config/config.h"

/* What is asked for; NULL: without that. */
struct web_request {
	const char *url;
	const char *accept;	/* Accept-Encoding */
	const char *dictionary;	/* Available-Dictionary */
	const char *etag;	/* If-None-Match */
	const char *modified;	/* If-Modified-Since */
	bool head;		/* the headers are enough */
	bool keep;		/* the body, as far as a text is looked for */
	int64_t most;		/* bytes that a compressed body may stand for;
				 * more are wrong */
};

/* The header fields that are looked at; "" where it has none. */
struct web_fields {
	char encoding[64];	/* Content-Encoding */
	char cache[1024];	/* all of Cache-Control, */
	char vary[256];		/* and of Vary */
	char etag[256];
	char modified[64];	/* Last-Modified */
	char age[32];
	char via[256];
	char x_cache[128];
};

struct web_answer {
	long status;
	struct web_fields fields;
	int64_t size;		/* of the body, */
	uint8_t digest[HASH_LEN];	/* which is none of these while it
				 * is compressed in a way nobody knows */
	struct buf body;
};

#define WEB_ANSWER_INIT { .body = BUF_INIT }

struct web;

/*
 * To the web server at `connect` ("address[:port]"; NULL: where the URLs'
 * names lead), with the time and the authorities that `c` has.  NULL with
 * ERR_FAILED.
 */
struct web *web_new(const struct check_config *c, const char *connect,
    struct err *e) MUST_USE;
void web_free(struct web *w);			/* NULL accepted */

/*
 * Ask, and set the answer, which may be used again and is the caller's to
 * release.  Returns 0, whatever the status is; or -1: no answer came, or a
 * compressed body that is none (ERR_FAILED), or a signal, as intr_check().
 */
int web_get(struct web *w, const struct web_request *q, struct web_answer *out,
    struct err *e) MUST_USE;
void web_answer_release(struct web_answer *a);

/* The date of a header field, in seconds since 1970; -1: it is none. */
int64_t web_time(const struct web *w, const char *date);

#endif
