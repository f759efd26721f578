/*
 * In what the hosts of a fleet differ, in words: what is live and what was
 * before, the releases that are needed, the freeze.  Pure; of what fleet_open() found out.
 */
#ifndef DRIFT_H
#define DRIFT_H

#include "fleet/fleet.h"
#include "base/strvec.h"

/* Add a line for each difference between the hosts that have not failed. */
void drift_find(const struct fleet *f, struct strvec *out);

/* What makes them alike: "run: deploy sync ..."; the caller frees it. */
char *drift_cure(const struct fleet *f);

#endif
