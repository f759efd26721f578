/*
 * What deploy.yml says under `check`: what web servers are asked for.
 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"
#include "config/config_table.h"
#include "config/value.h"

/* Read it; NULL: nothing is asked.  0, or -1 with ERR_USAGE. */
int config_read_check(struct value_reader *r, const struct raw_check *raw,
    struct check_config *c) MUST_USE;

#endif
