/*
 * What root has to run on a new host before `deploy` can work there, as a
 * script for sh(1), and the lines for known_hosts of all hosts.  For
 * `deploy doctor`.
 */
#ifndef DOCTOR_SCRIPT_H
#define DOCTOR_SCRIPT_H

#include "base/err.h"
#include "config/config.h"

/*
 * What follows the assignments of user, root, key and deploy, the program there
 * that limits keys, or "none".  Lines; ended by NULL.
 */
extern const char *const doctor_script[];

/* Print the script for a host of the site.  0 or -1. */
int doctor_print_script(const struct site_config *s,
    const struct host_config *h, struct err *e) MUST_USE;

/*
 * Print the lines for known_hosts of all hosts of the site that are reached over
 * SSH, as they show their keys now, and on standard error the fingerprints, which
 * somebody has to compare.  0, or -1 when one does not answer.
 */
int doctor_print_known_hosts(const struct site_config *s,
    struct err *e) MUST_USE;

#endif
