/*
 * The state of a root as the commands see it: releases, what is live, what
 * was live.  A snapshot; under the exclusive lock it stays true.
 */
#ifndef VIEW_H
#define VIEW_H

#include "base/err.h"
#include "root/history.h"
#include "root/journal.h"
#include "base/release.h"
#include "root/store.h"

struct view {
	struct release_id current;	/* "": nothing is live */
	struct release_id bridge;	/* that stands for it (bridge.h); "":
					 * none */
	struct release_ids ids;	/* complete releases, oldest first */
	struct journal journal;
	struct history history;
};

#define VIEW_INIT							\
	{ { "" }, { "" }, RELEASE_IDS_INIT, JOURNAL_INIT, HISTORY_INIT }

int view_read(struct view *v, const struct store *s, struct err *e) MUST_USE;
void view_release(struct view *v);		/* neutral values accepted */

/* Say that "current", "previous" or "latest" means no release.  -1. */
int view_refuse(const char *word, struct err *e);

/* What a rollback would go to; NULL when there is nothing. */
const struct release_id *view_previous(const struct view *v);

/* Is the directory of the live release gone? */
bool view_has_lost_live(const struct view *v);

/*
 * What a new release is held against: the live one, if it is there, else the
 * newest; or none.
 */
const struct release_id *view_base(const struct view *v);

/* The newest complete release, none when there is none. */
const struct release_id *view_latest(const struct view *v);

/*
 * Add the releases that wait to go live, oldest first: staged after every
 * release that was ever live.  An older one was passed over.  Bridges are among
 * them: only their metas tell.
 */
void view_waiting(const struct view *v, struct release_ids *out);

#endif
