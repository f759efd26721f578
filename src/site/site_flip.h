/* What site_activate(), site_rollback() and site_publish() share. */
#ifndef SITE_FLIP_H
#define SITE_FLIP_H

#include "site/site.h"

/* What all hosts that have a say serve; none when nothing, or when they differ. */
const struct release_id *site_current(const struct site_run *s);

/*
 * Flip all hosts of the open fleet to `id`, which some of them may serve
 * already, check, and remember it for the hooks.  From what was live when
 * they were asked; an activation for which somebody else was faster starts
 * from what is live then, unless it said what it expects.  A rollback never
 * goes back from what its user has not seen (ERR_SUPERSEDED).  As
 * site_activate().
 */
int site_flip(struct site_run *s, const struct release_id *id,
    enum journal_action action, struct site_flip *out, struct err *e) MUST_USE;

/*
 * What is live, and stays, is checked if it never was, where a check is
 * configured; when it fails, the hosts go back, unless it has passed on one of
 * them, or the site is frozen (ERR_DIFFER).  0 or -1.
 */
int site_check_live(struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

/*
 * What leads to a bridge is the way of this program, not of people.  0; -1
 * with ERR_USAGE when the release is one.
 */
int site_refuse_bridge(const struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

/* Would a release with the sequence `seq` that is not there yet be refused? */
int site_check_flip(struct site_run *s, int64_t seq, struct err *e) MUST_USE;

/*
 * Send a release that some hosts have to those that lack it; a dry run only
 * says so.  0 or -1.
 */
int site_supply(struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

/*
 * The hook "pre_activate", when not all hosts serve `id` already.  0, or -1
 * when it refuses.
 */
int site_before_flip(struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

/*
 * --expect, on every host; one on which nothing ever was live, or that was left
 * out, has no say, unless that is so of all.  0; -1 with ERR_SUPERSEDED.
 */
int site_check_expected(const struct site_run *s, struct err *e) MUST_USE;

/*
 * What is staged is to go live, and the hook that follows will be told what of
 * it is new in content: compare the build, which is here, with what the hosts
 * serve, which a key with limits may ask for now, and not when it was live.
 */
void site_compare_content(struct site_run *s, const struct stage *st);

/* For the hook that follows a flip to `id`, also of one that was undone:
 * s->changed and changed_content.  0 or -1. */
int site_write_changes(struct site_run *s, const struct release_id *id,
    struct err *e) MUST_USE;

/* Run a hook, if there is one and it is no dry run.  0; or -1 when one that
 * comes before refused.  That a later one failed is told at the end. */
int site_hook(struct site_run *s, enum hook_when when,
    const struct release_id *release, const struct release_id *previous,
    struct err *e) MUST_USE;

/* Something failed that undoes nothing: it is told at the end. */
void site_tell_late(struct site_run *s, const struct err *why);

/* What the hooks of the roots came to is told at the end. */
void site_tell_root_hooks(struct site_run *s);

/* Remember for the hook that follows what visitors see now. */
void site_went_live(struct site_run *s, const struct site_flip *flip,
    enum journal_action action);

/*
 * The same of a run that fails, and in which visitors saw for a while what is
 * not live any more: caches may have it still.  Either `done->id` went back, as
 * hosts or the check failed; or it stays, in spite of its check.
 */
void site_was_seen(struct site_run *s, const struct site_flip *done,
    bool went_back);

#endif
