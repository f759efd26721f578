/*
 * Stage: a build becomes a complete release that is not live yet.
 *
 *	struct stage st = STAGE_INIT;
 *	r = stage_run(&st, &store, &options, &e);
 *	... st.outcome, st.id, st.m ...
 *	stage_release(&st);
 *
 * The crash points are those of deploy-root(5): until the rename into
 * releases/ there is only something under incoming/, which nobody sees and
 * which a run that fails removes, or the next run sweeps.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "os/caller.h"
#include "base/err.h"
#include "base/override.h"
#include "root/extras.h"
#include "content/fill.h"
#include "root/incoming.h"
#include "os/lock.h"
#include "content/manifest.h"
#include "content/rules.h"
#include "content/source.h"
#include "root/store.h"
#include "root/view.h"

/*
 * What a build for other machines is held against, in place of a store: the
 * state of the hosts as one of them tells it.
 */
struct stage_remote {
	const struct view *view;
	const struct release_id *base;	/* that `manifest` is of, or none */
	const struct manifest *manifest;	/* NULL: no base */
	int64_t base_mtime;		/* of what was new in the base */
	int64_t mtime;			/* of the newest content there */
	int (*read)(void *ctx, const struct release_id *id, struct manifest *m,
	    struct err *e);		/* the manifest of a release */
	void *ctx;
};

struct stage_options {
	const char *source;		/* path, or "-" */
	const struct rules *rules;
	const struct caller *caller;
	const char *message;		/* NULL: none */
	const char *commit;		/* NULL: none */
	int64_t seq;			/* -1: none */
	int64_t lock_wait;		/* seconds */
	unsigned int overrides;		/* OVERRIDE_BUILD */
	bool again;			/* a new release always, and nothing is
					 * linked that was not hashed again */
	bool strip;			/* an archive's leading directory */
	const struct release_id *id;	/* of the new release; NULL: its own */
	int64_t mtime;			/* of new content; 0: now */
	bool preview;			/* change nothing: stop when all is
					 * known */
};

enum stage_outcome {
	STAGE_NEW,		/* a new release (or there would be) */
	STAGE_UNCHANGED,	/* the live release has this content */
	STAGE_STAGED,		/* a release that never was live has it */
};

struct stage {
	/* Out, valid after stage_run(). */
	enum stage_outcome outcome;
	struct release_id id;		/* of the release that is meant; ""
					 * for a new one in a preview */
	struct manifest m;		/* its content */
	struct manifest_totals totals;
	size_t linked, copied, carried, excluded;
	int64_t copied_bytes;
	struct view view;		/* the store as it was before */
	int64_t mtime;			/* of new content */
	char digest[HASH_HEX + 1];	/* the tree digest */
	struct manifest base_manifest;	/* of the live release, else of the
					 * newest; empty without one */
	/* Private. */
	const struct store *store;
	const struct stage_options *opt;
	const struct stage_remote *remote;	/* during stage_plan() */
	bool planning;			/* nothing is to be changed */
	bool elsewhere;			/* it is for other machines */
	struct source source;
	struct incoming incoming;
	char *scratch_path;		/* a preview's temporary directory */
	struct dir scratch;
	struct dir scratch_target;	/* in it */
	struct dir base;
	struct release_id found;	/* has the same content */
	struct extras extras;
	struct fill fill;
	uint64_t stamp;			/* of the source, tree_stamp() */
	gid_t gid;
	bool read;			/* stage_read() was there already */
};

#define STAGE_INIT {							\
	.source = SOURCE_INIT,			\
	.incoming = INCOMING_INIT, .scratch = DIR_INIT,			\
	.scratch_target = DIR_INIT, .view = VIEW_INIT,			\
	.base = DIR_INIT, .extras = EXTRAS_INIT				\
}

/*
 * For hosts, and before they are known: read and hash the build, and find what
 * is wrong with it alone.  st->totals are set, and st->digest unless there is
 * something to carry.  stage_plan() does the rest later.  0 or -1.
 */
int stage_read(struct stage *st, const struct stage_options *opt,
    struct err *e) MUST_USE;

/*
 * Stage the build into `store`, or in a preview say what would be staged
 * (then `store` may be NULL: there is no root yet).  Takes the lock itself.
 * Returns 0, or -1: nothing is listed then, and what is live is untouched.
 */
int stage_run(struct stage *st, const struct store *store,
    const struct stage_options *opt, struct err *e) MUST_USE;

/*
 * For hosts: what the build, which stage_read() may have read before, comes to
 * against what `remote` has.  Changes nothing, also where opt->preview is not
 * set.  st->id stays "" for a new release.  0 or -1.
 */
int stage_plan(struct stage *st, const struct stage_remote *remote,
    const struct stage_options *opt, struct err *e) MUST_USE;

void stage_release(struct stage *st);

/* Where the files of the build are, until stage_release(); for a preview. */
const struct dir *stage_build_dir(const struct stage *st);

/* What is to be remembered; its strings are borrowed, do not release it. */
void stage_fill_meta(const struct stage *st, struct meta *meta);

#endif
