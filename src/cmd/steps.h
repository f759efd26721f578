/*
 * The steps that commands have in common; publish is made of all three.
 * Each says on standard error what it did.
 */
#ifndef CMD_STEPS_H
#define CMD_STEPS_H

#include <stddef.h>

#include "activate.h"
#include "cmd.h"
#include "stage.h"
#include "strvec.h"

/*
 * What the options, the configuration and the environment say about a build,
 * but for the site.
 */
void step_stage_options(struct run *run, struct stage_options *o);

/*
 * The site with what --exclude adds; everything else in it is borrowed.  The
 * caller releases site->exclude.
 */
void step_site(struct run *run, struct site_config *site);

/*
 * Stage what the operand, or `source` in the configuration, names.  The
 * caller releases `st` and closes `s` in any case.
 */
int step_stage(struct run *run, struct store *s, struct stage *st,
    struct err *e);

/* The same on all hosts of the open fleet. */
int step_stage_hosts(struct run *run, struct fleet *f, struct stage *st,
    struct err *e);

/* What step_stage() did, for --json. */
json_t *step_stage_doc(const struct run *run, const struct stage *st);

/* What all commands that change hosts add to theirs; NULL: no hosts. */
void step_fleet_doc(json_t *doc, const struct fleet *f);

/*
 * What --expect means: an id, a prefix, "" for "none"; NULL when not given.
 * 0 or -1.
 */
int step_expected(const struct run *run, const struct view *v,
    const char **expect, struct err *e);

/*
 * Make `id` live, under the exclusive lock, and say so.  `out` tells what it
 * came to; it needs no activate_end().
 */
int step_activate(struct run *run, const struct store *s,
    const struct view *v, const char *id, enum journal_action action,
    struct activation *out, struct err *e);

/*
 * Make `id` live on all hosts of the open fleet, or on none, and say so.
 * `out` is told as if they were one.
 */
int step_activate_hosts(struct run *run, struct fleet *f, const char *id,
    enum journal_action action, struct activation *out, struct err *e);

/* What step_activate() did, for --json, into `doc`. */
void step_activate_doc(json_t *doc, const char *id,
    const struct activation *done);

/* Prune under the exclusive lock and say what went. */
int step_prune(struct run *run, const struct store *s, const struct view *v,
    struct strvec *removed, struct err *e);

/* Prune on all hosts, whose state was just asked for (fleet_open). */
int step_prune_hosts(struct run *run, struct fleet *f,
    struct strvec *removed, struct err *e);

#endif
