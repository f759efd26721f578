/*
 * What is known about a release besides its content: .deploy/meta/<id>.json.
 */
#ifndef META_H
#define META_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/release.h"
#include "root/store.h"

struct meta {
	struct release_id id;
	char *who;		/* as caller.h; NULL when not known */
	char *job;
	char *commit;
	char *message;
	char *preview;		/* it was staged for this one, and goes live by
				 * its name only; NULL: for none */
	struct release_id bridge;	/* it is a bridge (bridge.h), and stands
				 * for this release; none: it is no bridge */
	int64_t seq;		/* -1: none */
	int64_t files;
	int64_t bytes;
	int64_t mtime;		/* of new content, seconds */
	char digest[HASH_HEX + 1];	/* the tree digest; "" not known */
	bool pinned;
};

#define META_INIT { .seq = -1 }

void meta_release(struct meta *m);		/* neutral values accepted */
void meta_copy(struct meta *out, const struct meta *m);

/*
 * Read the meta of a release.  Returns 0, or -1: ERR_FAILED with ENOENT in
 * e->sys when there is none, ERR_INTEGRITY when it cannot be understood.
 */
int meta_read(const struct store *s, const struct release_id *id,
    struct meta *out, struct err *e) MUST_USE;

/* Parse its text; `name` is for messages.  0 or -1 with ERR_INTEGRITY. */
int meta_parse(const char *text, size_t len, const char *name,
    struct meta *out, struct err *e) MUST_USE;

/* Append its text, a line of JSON, to `out`. */
void meta_print(const struct meta *m, struct buf *out);

/* Write it, durably (file_publish).  0 or -1. */
int meta_write(const struct store *s, const struct meta *m, struct err *e)
    MUST_USE;

/*
 * A newer build turned out to have the content of the release: give it that
 * build's sequence, if it is higher, and then also its commit unless that is
 * NULL, so that an older build cannot overtake.  The lock is held at least
 * shared; of several who do this at once the highest sequence stays.  0 or -1.
 */
int meta_raise(const struct store *s, const struct release_id *id, int64_t seq,
    const char *commit, struct err *e) MUST_USE;

#endif
