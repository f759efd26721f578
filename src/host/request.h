/*
 * A request, taken apart, for the verbs (verbs.h): what it asks, where its
 * data is, where the answer goes, and what belongs to it while it runs.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/release.h"
#include "base/strvec.h"
#include "host/limits.h"
#include "host/wire.h"
#include "os/caller.h"
#include "os/lock.h"
#include "root/store.h"

struct request {
	const char *verb;
	const char *root;
	const struct strvec *words;	/* the options are words 2... */
	struct strvec taken;		/* the same, held against option.h */
	const struct host_limits *limits;
	struct wire_in *in;		/* its data */
	int out_fd;
	struct buf out;			/* answer lines not yet written */
	bool last;			/* no other request can follow */
	struct store store;		/* a verb opens it, its end closes it */
	struct lock lock;		/* the same */
	struct caller caller;
	struct release_id id;		/* of request_id() */
	struct release_id expect;	/* of request_expect() */
};

/* The value of --key, or `otherwise`; "" for a flag. */
const char *request_option(const struct request *r, const char *key,
    const char *otherwise);

/* Is --key there? */
bool request_flag(const struct request *r, const char *key);

/* Add the lines of the value of --key. */
void request_lines(const struct request *r, const char *key,
    struct strvec *out);

/* A number of the table's range (option.h); `otherwise` when absent. */
int request_number(const struct request *r, const char *key,
    int64_t otherwise, int64_t *out, struct err *e) MUST_USE;

/* The release id that the request must name, or NULL with the error. */
const struct release_id *request_id(struct request *r, struct err *e);

/* What --expect wants to be live, none for nothing; NULL: it is not there. */
const struct release_id *request_expect(struct request *r);

/* Take the lock of the open store for it; not with --check.  0 or -1. */
int request_lock(struct request *r, enum lock_kind kind, struct err *e)
    MUST_USE;

#endif
