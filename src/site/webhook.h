/*
 * Requests of forges, by way of webhook(1): its hooks for the sites of a
 * deploy.yml, one a site for all forges, and the secrets of each.
 * deploy-queue(7) tells how they are used.
 */
#ifndef WEBHOOK_H
#define WEBHOOK_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

/* What the hooks run: a script for sh(1). */
extern const char *const webhook_script[];	/* lines; ended by NULL */

/* The variable with the secret of a site; the caller frees it. */
char *webhook_variable(const struct site_config *s);

/*
 * Add the file of hooks, a template of Go that makes YAML: without a secret a
 * site has no hook.  `script` is the path of the script.  0, or -1 with
 * ERR_USAGE when two sites would have one variable.
 */
int webhook_hooks(const struct config *c, const char *script, struct buf *out,
    struct err *e) MUST_USE;

/*
 * Add secrets, "NAME=value" a line, for those sites that have none in `text`,
 * to which they are added.  How many were; -1 without chance.
 */
int webhook_secrets(const struct config *c, struct buf *text, struct err *e)
    MUST_USE;

#endif
