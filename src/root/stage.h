/*
 * Stage: a build becomes a complete release that is not live yet.
 *
 *	struct stage st = STAGE_INIT;
 *	r = stage_open(&st, &options, root, &e);
 *	r = stage_run(&st, &store, &e);
 *	... st.outcome, st.id, st.plan ...
 *	stage_release(&st);
 *
 * What the release is to be, the plan says (plan.h); here is what a root on
 * this machine adds: the lock, the base, room, and the way into releases/.
 * For hosts, fleet_stage.h has that.
 *
 * The crash points are those of deploy-root(5): until the rename into
 * releases/ there is only something under incoming/, which nobody sees and
 * which a run that fails removes, or the next run sweeps.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "os/caller.h"
#include "base/err.h"
#include "base/override.h"
#include "content/compress.h"
#include "content/dictionary.h"
#include "content/hoard.h"
#include "content/plan.h"
#include "content/rules.h"
#include "content/source.h"
#include "root/meta.h"
#include "root/store.h"

struct stage_options {
	const char *source;		/* path, or "-" */
	const struct rules *rules;
	const struct caller *caller;
	const char *message;		/* NULL: none */
	const char *commit;		/* NULL: none */
	bool ask_all;			/* hosts are asked for all, also where
					 * the build is live */
	const char *preview;		/* for which it is; NULL: for none */
	int64_t seq;			/* -1: none */
	int64_t lock_wait;		/* seconds */
	unsigned int overrides;		/* OVERRIDE_BUILD, OVERRIDE_ORDER */
	bool goes_live;			/* at once: content that was rolled back
					 * from is refused before it is sent */
	bool again;			/* a new release always, and nothing is
					 * linked that was not hashed again */
	bool strip;			/* an archive's leading directory */
	const struct release_id *id;	/* of the new release; NULL: its own */
	int64_t mtime;			/* of new content; 0: now */
};

enum stage_outcome {
	STAGE_NEW,		/* a new release (or there would be) */
	STAGE_UNCHANGED,	/* the live release has this content */
	STAGE_STAGED,		/* a release that is not live has it */
};

struct stage {
	enum stage_outcome outcome;
	struct release_id id;		/* of the release that is meant; none
					 * for a new one in a preview */
	struct release_id live;		/* in the root before; none for hosts */
	struct plan plan;		/* its content, and what became of it */
	size_t excluded;		/* entries of the build left out */
	struct strvec secrets, maps;	/* that it has (secrets.h) */
	struct source source;		/* the build */
	struct hoard made;		/* of the build, for `plan` */
	struct compressed compressed;	/* what was, */
	struct compressed against;	/* and against earlier files */
	int64_t mtime;			/* of new content */
	bool hashed;			/* the build is listed and hashed */
	const struct stage_options *opt;
};

#define STAGE_INIT { .plan = PLAN_INIT, .source = SOURCE_INIT, \
	.made = HOARD_INIT }

void stage_release(struct stage *st);		/* neutral values accepted */

/*
 * Open the build, which must not have `root` in it (a release would contain
 * it, and feed on itself; NULL: that is elsewhere).  The options are borrowed.
 * 0 or -1.
 */
int stage_open(struct stage *st, const struct stage_options *opt,
    const char *root, struct err *e) MUST_USE;

/*
 * List the build, and begin the plan.  An archive is unpacked into `into`,
 * an empty directory, or a temporary one (NULL).  0, or -1 with ERR_GUARD for
 * what the rules refuse.
 */
int stage_list(struct stage *st, const struct dir *into, struct err *e)
    MUST_USE;

/*
 * Of a new release, whose plan is whole: are the compressed files of the
 * build what they stand beside (sibling.h)?  `base` may be empty.  0 or -1.
 */
int stage_check_siblings(const struct stage *st, const struct manifest *base,
    struct err *e) MUST_USE;

/*
 * All files are planned: add the compressed forms that the rules want.  `base`
 * and its files as in compress.h.  0 or -1.
 */
int stage_compress(struct stage *st, const struct manifest *base,
    const struct dir *base_files, struct err *e) MUST_USE;

/*
 * The same, and then, for the forms against earlier files.  Of `job` the caller
 * sets the base and where earlier releases are.  0 or -1.
 */
int stage_dictionaries(struct stage *st, struct dictionary_job *job,
    struct err *e) MUST_USE;

/* Hash the build: all that can be known of it alone.  0 or -1. */
int stage_hash(struct stage *st, struct err *e) MUST_USE;

/*
 * Choose st->mtime.  The newest content that is there, or is being staged, is
 * of `newest`: whole seconds, because that is what web servers look at, and
 * later than that, so that two releases within a second differ.
 */
void stage_choose_mtime(struct stage *st, int64_t newest);

/* Hold the plan against the base; st->mtime is chosen.  0 or -1. */
int stage_compare(struct stage *st, const struct plan_base *base,
    struct err *e) MUST_USE;

/*
 * Stage the build, which is open, into `store`.  Takes the lock itself.
 * Returns 0, or -1: nothing is listed then, and what is live is untouched.
 */
int stage_run(struct stage *st, const struct store *store, struct err *e)
    MUST_USE;

/* Only say what would be staged; `store`: NULL where no root is yet. */
int stage_preview(struct stage *st, const struct store *store, struct err *e)
    MUST_USE;

/* What is to be remembered; its strings are borrowed, do not release it. */
void stage_fill_meta(const struct stage *st, struct meta *meta);

#endif
