/*
 * In what the hosts of a fleet differ, in words: what is live, its content,
 * what was before, the releases that are needed, the freeze.  Pure; of what
 * fleet_open() found out.
 */
#ifndef DRIFT_H
#define DRIFT_H

#include "fleet/fleet.h"
#include "base/buf.h"
#include "base/strvec.h"

/* Add a line for each difference between the hosts that have not failed. */
void drift_find(const struct fleet *f, struct strvec *out);

/* Add " ID on HOST, HOST; ID on HOST": what is live.  How many ids there are. */
size_t drift_live(const struct fleet *f, struct buf *out);

/*
 * Do all serve one id, but not one content, as hosts may that were adopted?
 * 0, or -1: ERR_DIFFER with the command that makes them alike.
 */
int drift_refuse_content(const struct fleet *f, struct err *e) MUST_USE;

/*
 * What makes them alike, "run: deploy sync ...", or gives all of them something
 * to serve again; the caller frees it.
 */
char *drift_cure(const struct fleet *f);

/*
 * Of hosts that are well some are frozen, and what is meant is not guessed:
 * ERR_DIFFER with the two commands.  Returns -1.
 */
int drift_refuse_freezes(const struct fleet *f, struct err *e);

#endif
