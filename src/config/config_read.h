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
 * Parse deploy.yml text; `len` may be 0, `text` not NULL, and it need not end
 * in a NUL.  `path` is used in messages; relative `source` and `root` are
 * taken relative to `dir`, the directory of the file as realpath(3) gives it.
 * Returns 0, or -1 with ERR_USAGE and one sentence that names file, line,
 * column, the key, and what would be right.  On failure `c` is empty.
 */
int config_parse(struct config *c, const char *text, size_t len,
    const char *path, const char *dir, struct err *e) MUST_USE;

#endif
