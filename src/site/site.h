/*
 * The use cases: what stage, activate, publish, rollback and prune mean for a
 * site, with its build, hooks and checks.  One struct site_run is one run of
 * a command:
 *
 *	site_run_init(&s, site, caller, "publish", &wishes, &waits);
 *	r = site_publish(&s, &done, &e);
 *	r = site_end(&s, &e);		the hooks that follow; how all ended
 *	site_run_release(&s);
 *
 * Each function says on standard error what it did.  None asks whether the
 * site has hosts: a root here is a fleet of one.
 */
#ifndef SITE_H
#define SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strvec.h"
#include "config/config.h"
#include "fleet/fleet.h"
#include "fleet/fleet_send.h"
#include "os/caller.h"
#include "root/adopt.h"
#include "root/journal.h"
#include "root/prune.h"
#include "root/stage.h"
#include "site/checkout.h"
#include "site/scratch.h"

/* What was asked for; strings are borrowed, NULL: not said. */
struct site_wishes {
	const char *source;		/* of the build, or "-" */
	bool source_named;		/* by the command, not by deploy.yml */
	const struct strvec *exclude;	/* besides the site's; NULL: none */
	const struct strvec *skipped;	/* hosts left out, for the journal */
	const char *message, *commit;
	const char *expect;		/* a release, or "none" */
	const char *preview;		/* that is to show what is staged */
	int64_t preview_for;		/* seconds; 0: as deploy.yml says */
	int64_t seq;			/* -1: none */
	bool by_commit;			/* that says what is newer; see order.h */
	unsigned int overrides;		/* override.h */
	struct prune_options prune;
	bool again, strip, build, update, no_check;
	bool quiet;
	bool dry_run;
	bool changes;			/* it is to change what hosts have: the
					 * hook "failed" is for it */
};

/* What a flip came to. */
struct site_flip {
	struct release_id id;		/* live now; "" when none was meant */
	struct release_id refused;	/* a rollback: the content of this one
					 * does not go live again */
	struct release_id from;		/* live before, where hosts agree: on
					 * all of them; "" nothing */
	bool changed;
};

struct site_run {
	const struct site_config *site;
	const struct caller *caller;
	const char *command;		/* its name, for hooks */
	struct site_wishes wishes;
	struct fleet fleet;
	struct scratch scratch;		/* of a build without a source */
	struct checkout checkout;	/* that the build is made in */
	int building;			/* lock of the build until it is staged;
					 * -1: none */
	char *commit;			/* of the build, by git; NULL: not asked */
	char *git_dir;			/* where git(1) was asked */
	/* Of what was done. */
	bool goes_live;			/* what is staged, at once */
	struct release_id staged;	/* what was staged, or is there; "" */
	struct site_flip flip;		/* flip.id "": nothing was flipped */
	bool went_live;			/* what visitors see has changed */
	char *preview_url;		/* where what was staged is shown, or
					 * NULL */
	/* For the hooks that follow. */
	enum hook_when hook;
	struct site_flip seen;		/* of a run that failed: what is live,
					 * and what visitors saw before (from),
					 * be it for a moment; id "" nothing */
	char *changed;			/* a file of URLs, or NULL */
	char *changed_content;		/* the same, of other content */
	struct err late;		/* to be told at the end */
};

#define SITE_RUN_INIT { .fleet = FLEET_INIT, .scratch = SCRATCH_INIT,	\
    .checkout = CHECKOUT_INIT, .building = -1,				\
    .late = ERR_INIT }

/* `wishes` is copied, with borrowed strings. */
void site_run_init(struct site_run *s, const struct site_config *site,
    const struct caller *caller, const char *command,
    const struct site_wishes *wishes, const struct remote_waits *waits);
void site_run_release(struct site_run *s);	/* neutral values accepted */

/* What was built is staged: the next build may begin.  No lock is fine. */
void site_end_build(struct site_run *s);

/* Connect to the hosts and ask them for all (fleet_open).  0 or -1. */
int site_open(struct site_run *s, struct err *e) MUST_USE;

/*
 * Stage what wishes.source names on all hosts.  `st` is released by the
 * caller, before the run.  0 or -1.
 */
int site_stage(struct site_run *s, struct stage *st, struct fleet_sent *sent,
    struct err *e) MUST_USE;

/* What is to be staged, as stage.h wants it; `rules` gets what --exclude
 * adds: the caller releases rules->exclude. */
void site_stage_options(const struct site_run *s, struct rules *rules,
    struct stage_options *out);

/*
 * Make a release live on all hosts, or on none; `word` NULL: the one that
 * waits.  Returns 0; or -1:
 *	ERR_REVERTED	a host or the check failed, all is as it was
 *	ERR_DIFFER	hosts differ, or what is live failed its check
 *	ERR_CLEANUP	live; a signal came before it was checked
 *	others		nothing was flipped
 */
int site_activate(struct site_run *s, const char *word,
    struct site_flip *out, struct err *e) MUST_USE;

/* Back to what was live before, or to `word`; the same. */
int site_rollback(struct site_run *s, const char *word,
    struct site_flip *out, struct err *e) MUST_USE;

/* What a sync came to; also after a failure. */
struct site_synced {
	struct release_id id;		/* what all serve; "" nothing */
	char *from;			/* the host that was right, or NULL */
	struct release_ids sent;	/* releases that some lacked */
	struct strvec hosts;		/* that were changed; their labels */
};

#define SITE_SYNCED_INIT { .sent = RELEASE_IDS_INIT, .hosts = STRVEC_INIT }

/*
 * Make all hosts serve what the host called `from` does, or, when it is NULL,
 * what those do that have a vote (vote.h), with what a rollback needs, pins
 * and the freeze.  Returns 0; or -1:
 *	ERR_DIFFER	nobody knows who is right, or not all were brought there
 *	ERR_LOCKED	one alone is frozen
 *	others		no host was made to serve something else
 */
int site_sync(struct site_run *s, const char *from, struct site_synced *out,
    struct err *e) MUST_USE;
void site_synced_release(struct site_synced *p);

/*
 * Let a preview show a release on all hosts, which have it, for `seconds` from
 * now (0: as deploy.yml says); or, with NULL, no more.  0 or -1.
 */
int site_show_preview(struct site_run *s, const char *name,
    const struct release_id *id, int64_t seconds, struct err *e) MUST_USE;

/* Where a preview of that name is; the caller frees it; NULL: nobody says. */
char *site_preview_url(const struct site_config *site, const char *name);

/* Remove old releases from all hosts; `removed` gets their ids. */
int site_prune(struct site_run *s, struct release_ids *removed, struct err *e)
    MUST_USE;

/*
 * Make a release of what every host serves already, in `dir` there, or NULL:
 * in `current` of its root; see root/adopt.h.  `out` has what came of it for
 * each host, and is the caller's to free.  0 or -1.
 */
int site_adopt(struct site_run *s, const char *dir, struct adopted **out,
    struct err *e) MUST_USE;
void site_adopted_free(const struct site_run *s, struct adopted *a);

/* All in one; what came of it is valid also after a failure. */
struct site_published {
	struct stage st;
	struct site_flip flip;
	struct release_ids removed;
	bool answer;			/* there is something to tell */
};

#define SITE_PUBLISHED_INIT { .st = STAGE_INIT, .removed = RELEASE_IDS_INIT }

int site_publish(struct site_run *s, struct site_published *out,
    struct err *e) MUST_USE;
void site_published_release(struct site_published *p);

/*
 * After the command: the hooks that follow.  `e` is how it ended, and then
 * how all ended.  0 or -1.
 */
int site_end(struct site_run *s, struct err *e) MUST_USE;

#endif
