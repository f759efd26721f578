/* What the commands that stage and flip have in common in their answers. */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "base/json.h"
#include "cmd/cmd.h"
#include "root/stage.h"
#include "site/site.h"

/* What was staged, as a JSON document to be added to. */
json_t *report_stage(const struct run *run, const struct stage *st);

/* Add what a flip came to. */
void report_flip(json_t *doc, const struct release_id *id,
    const struct site_flip *done);

/* Add what went over the wire, and the time between the flips. */
void report_fleet(json_t *doc, const struct fleet *f);

#endif
