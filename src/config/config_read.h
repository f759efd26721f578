/*
 * deploy.yml is read in two passes over one table, config_table.h.
 *
 * yamlcheck.c holds the text against it and gives every message about keys
 * and types.  Then libcyaml fills the raw structs that the table describes,
 * which become struct site_config here, where every value is checked.  So a
 * new key is a row of the table, a member of the raw struct and a line in
 * read_site() or read_host().
 */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include <stddef.h>

#include "config/config.h"
#include "base/err.h"

/*
 * Read the text into `c`, which has the defaults; see config_parse().  0, or
 * -1 with ERR_USAGE; then `c` may be filled in part, for config_release().
 */
int config_read(struct config *c, const char *text, size_t len,
    const char *path, const char *dir, struct err *e) MUST_USE;

#endif
