/*
 * The plan of a release: what a build comes to by the rules of its site and
 * against what is there already.  Pure: no system calls, no store.  Who has
 * the files carries it out: fill.h and extras_place.h here, a pack on hosts.
 *
 *	plan_begin	what the rules say of the build alone
 *	plan_compare	against the base: what is carried, what must not be
 *			missing, which file stands at each path there
 *	plan_file	a file whose size and digest are known now: how it
 *			comes to its place, and its mtime
 *	plan_end	the sums, and the digest
 *
 * A plan is a value that is filled in one pass over the data.  If it were
 * made of a manifest that has all its digests, every new file would be read
 * twice: for its digest, and to be stored.  So a file is hashed, planned, and
 * stored while its content is still in memory (fill_store).  Where nothing is
 * stored, or the digests are known before the base is, plan_files() plans
 * all at once: the result is the same.
 *
 * mtimes: content that is the same at the same path keeps the base's, new
 * content gets the release's, so that a web server's ETag and Last-Modified
 * (which come from mtime and size) change exactly when the bytes do.
 * Content that moved is linked with its old mtime only if it was new in the
 * base, and only to a path that the base does not have: anywhere else, other
 * bytes of the same size and time could be in a visitor's cache.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/release.h"
#include "content/extras.h"
#include "content/guard.h"
#include "content/manifest.h"
#include "content/rules.h"

/* How an entry of the release comes to its place. */
enum plan_way {
	PLAN_MAKE,		/* a directory, or a link of the build */
	PLAN_COPY,		/* new content: the build has it */
	PLAN_LINK,		/* the base has it, at base->path */
	PLAN_CARRY,		/* `release` has it, at the same path */
	PLAN_SHARE,		/* a link into shared/ */
};

struct plan_step {
	enum plan_way way;
	bool made;		/* no file of the build: of what was made of it
				 * (plan_add_made) */
	bool placed;		/* fill.h: it is there */
	bool checked;		/* what is linked is what it was */
	union {
		/*
		 * PLAN_LINK: what is linked.  PLAN_COPY: the file that the
		 * base has at this path, and that differs; NULL: none.
		 */
		const struct entry *base;
		const struct release_id *release;	/* PLAN_CARRY */
	};
};

/* What the build is held against. */
struct plan_base {
	const struct manifest *m;	/* NULL: nothing is there */
	int64_t mtime;			/* of what was new in it, seconds */
	bool live;			/* visitors see it: max_delete counts */
	struct extras_carry carry;	/* where files may be carried from */
};

struct plan {
	/*
	 * In: the build as tree_read() lists it.  Out: all that is in the
	 * release.
	 */
	struct manifest m;
	/* Out. */
	struct plan_step *steps;	/* for each entry of m */
	size_t linked, copied, carried;	/* files; and carried links */
	int64_t copied_bytes;
	struct manifest_totals totals;
	struct strvec broken;		/* links (links.h) */
	char digest[HASH_HEX + 1];	/* the tree digest; "": not known */
	/* Private. */
	const struct rules *rules;
	bool guarded;
	int64_t mtime;
	int64_t base_mtime;
	struct digest_index *by_digest;	/* the files of the base */
	struct release_ids ids;		/* that may be carried from */
};

#define PLAN_INIT { .m = MANIFEST_INIT }

void plan_release(struct plan *p);		/* neutral values accepted */

/* The base is going: the steps are no more, but what was found out stays. */
void plan_close(struct plan *p);

/*
 * Begin with p->m, and add what is shared; modes as `group` wants them.
 * `guarded`: refuse what is probably a broken build, here and in
 * plan_compare().  The rules are borrowed.  0, or -1 with ERR_GUARD, or
 * ERR_USAGE where the build has a shared path.
 */
int plan_begin(struct plan *p, const struct rules *rules, bool guarded,
    struct err *e) MUST_USE;

/*
 * Go on against the base, whose manifest must outlive the planning;
 * `mtime`: of new content, seconds.  0, or -1 with ERR_GUARD when too much of
 * what is live would be missing, or links show nothing where the rules refuse
 * that, or what carry.usable says.
 */
int plan_compare(struct plan *p, const struct plan_base *base, int64_t mtime,
    struct err *e) MUST_USE;

/*
 * Entry i is a file of the build, and its size and digest are known: plan
 * its step, and its mtime.  Other threads may be at other entries.
 */
void plan_file(struct plan *p, size_t i);

/* The same for all files of the build. */
void plan_files(struct plan *p);

/* A file that was made of one of the build (compress.h). */
struct plan_made {
	const char *path;
	int64_t size;
	uint8_t digest[HASH_LEN];
};

/*
 * Add files to a plan that has all others, and plan them; none of them is in
 * it.  `v` is sorted by path afterwards.  `base`: as in plan_compare().
 */
void plan_add_made(struct plan *p, const struct manifest *base,
    struct plan_made *v, size_t n);

/* Leave out the carried files `which`, a bool for each entry: plan_end() again. */
void plan_leave_out(struct plan *p, const bool *which);

/*
 * The sums, and the digest; all digests are known.  May come before
 * plan_compare() too: where nothing is carried, the digest is the same.
 */
void plan_end(struct plan *p);

/* Count again what is linked and copied, after steps have changed. */
void plan_count(struct plan *p);

/*
 * What the release needs where files take blocks of so many bytes: as planned,
 * or at the most, before anything is known of what can be linked.
 */
struct guard_room plan_room(const struct plan *p, int64_t block);
struct guard_room plan_most_room(const struct plan *p, int64_t block);

/* Add what it takes to have one more entry of its own. */
void plan_add_room(struct guard_room *room, const struct entry *en,
    int64_t block);

#endif
