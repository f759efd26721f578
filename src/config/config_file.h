/*
 * Where deploy.yml is, and what it says (config_read.h).
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "base/err.h"
#include "config/config.h"

/*
 * Find and parse the configuration: `file` when not NULL, else
 * $DEPLOY_CONFIG when not empty, else deploy.yml in the current directory or
 * the nearest parent that has one (a symbolic link that leads nowhere is one,
 * and an error).  deploy.yaml is one where there is no deploy.yml; where both
 * are, it is named in a warning.  None found is no error: c->path stays NULL.
 * c->path is the name as it was given, or as found here, or an absolute path.
 */
int config_load(struct config *c, const char *file, struct err *e) MUST_USE;

#endif
