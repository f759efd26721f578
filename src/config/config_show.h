/*
 * What holds: each value of deploy.yml, and of what it does not say the
 * default, with where it is from.
 */
#ifndef CONFIG_SHOW_H
#define CONFIG_SHOW_H

#include <stddef.h>

#include "config/config.h"

/* Of a key, such as "sites[0].check.tries". */
struct config_value {
	char *key;
	char *value;		/* a path made absolute, a password taken out */
	size_t line;		/* 0: the default */
};

struct config_values {
	struct config_value *v;
	size_t n;
};

/*
 * All of them, in the order of the table; of the site called `site` alone, when
 * that is not NULL.  What is in a mapping that is not given has no values,
 * unless it holds all the same.
 */
void config_show(const struct config *c, const char *site,
    struct config_values *out);
void config_values_release(struct config_values *v);

#endif
