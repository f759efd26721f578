#include "config/config_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/yamlcheck.h"

/* Read what Cache-Control has to have where. */
static int
read_headers(struct value_reader *r, struct check_config *c)
{
	const char *name, *value;
	char all[sizeof(r->key)];

	value_at(r, "check.headers");
	strcpy(all, r->key);
	for (size_t i = 0; yamlcheck_pair(r->yaml, all, i, &name, &value);
	     i++) {
		char *pattern = xstrdup(name);
		int n;

		/* As in any list of patterns. */
		n = value_read_pattern(r, "check.headers", i, pattern,
		    &c->cached);
		free(pattern);
		if (n != 0)
			return -1;
		if (value[strspn(value, ", ")] == '\0')
			return value_fault(r,
			    "'%s' is not a directive, such as no-cache, or max-age=31536000, immutable",
			    value);
		strvec_add(&c->cache_control, value);
	}
	return 0;
}

int
config_read_check(struct value_reader *r, const struct raw_check *raw,
    struct check_config *c)
{
	if (raw == NULL)
		return 0;
	value_at(r, "check.url");
	if (value_read_url(r, raw->url, &c->urls) != 0)
		return -1;
	for (unsigned int i = 0; i < raw->also_count; i++) {
		value_at(r, "check.also[%u]", i);
		if (value_read_url(r, raw->also[i], &c->urls) != 0)
			return -1;
	}
	for (unsigned int i = 0; i < raw->edge_count; i++) {
		value_at(r, "check.edge[%u]", i);
		if (value_read_url(r, raw->edge[i], &c->edge) != 0)
			return -1;
	}
	c->contains = xstrdup_opt(raw->contains);
	if (raw->sample != NULL)
		c->sample = *raw->sample;
	if (read_headers(r, c) != 0)
		return -1;
	if (raw->expect != NULL)
		c->expect = *raw->expect;
	value_at(r, "check.expect");
	if (c->expect < 100 || c->expect > 599)
		return value_fault(r,
		    "%u is not a status of HTTP; use 100 to 599", c->expect);
	if (raw->tries != NULL)
		c->tries = *raw->tries;
	value_at(r, "check.tries");
	if (c->tries == 0)
		return value_fault(r, "0 tries find out nothing; at least 1");
	if (value_read_connect(r, "check.connect", raw->connect,
		&c->connect) != 0 ||
	    value_read_path(r, "check.ca", raw->ca, &c->ca) != 0 ||
	    value_read_wait(r, "check.within", raw->within, &c->within) != 0 ||
	    value_read_duration(r, "check.wait", raw->wait, &c->wait) != 0)
		return -1;
	return value_read_limit(r, "check.timeout", raw->timeout, &c->timeout);
}
