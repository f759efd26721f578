#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "config/config_host.h"

void
site_config_init(struct site_config *s)
{
	*s = (struct site_config){
		.build = { .timeout = CONFIG_BUILD_TIMEOUT },
		.keep = CONFIG_KEEP,
		.rules = RULES_INIT,
		.lock_wait = CONFIG_LOCK_WAIT,
		.timeout = CONFIG_TIMEOUT,
		.check = {
			.expect = CONFIG_CHECK_STATUS,
			.sample = CONFIG_CHECK_SAMPLE,
			.tries = CONFIG_CHECK_TRIES,
			.wait = CONFIG_CHECK_WAIT,
			.timeout = CONFIG_CHECK_TIMEOUT,
			.within = CONFIG_CHECK_WITHIN,
		},
		.preview.duration = CONFIG_PREVIEW_FOR,
		.hooks.timeout = CONFIG_HOOK_TIMEOUT,
		.batch = 1,
	};
}

void
site_config_release(struct site_config *s)
{
	free(s->name);
	free(s->source);
	free(s->update);
	free(s->build.command);
	free(s->build.directory);
	free(s->git.url);
	free(s->git.ref);
	strvec_release(&s->push.branches);
	strvec_release(&s->push.tags);
	free(s->root);
	rules_release(&s->rules);
	strvec_release(&s->check.urls);
	strvec_release(&s->check.edge);
	strvec_release(&s->check.cached);
	strvec_release(&s->check.cache_control);
	free(s->check.contains);
	free(s->check.connect);
	free(s->check.ca);
	free(s->preview.url);
	for (int i = 0; i < HOOK_COUNT; i++)
		free(s->hooks.commands[i]);
	free(s->dir);
	for (size_t i = 0; i < s->n_hosts; i++)
		host_config_release(&s->hosts[i]);
	free(s->hosts);
	site_config_init(s);
}

void
config_release(struct config *c)
{
	for (size_t i = 0; i < c->n; i++)
		site_config_release(&c->sites[i]);
	free(c->sites);
	for (size_t i = 0; i < c->n_given; i++) {
		free(c->given[i].key);
		free(c->given[i].name);
		free(c->given[i].value);
	}
	free(c->given);
	free(c->path);
	free(c->dir);
	free(c->queue);
	free(c->worker.logs);
	free(c->worker.notify);
	free(c->worker.notify_url);
	free(c->worker.metrics);
	*c = (struct config)CONFIG_INIT;
}

/* Report why config_site() has no answer. */
static void
fault_site(const struct config *c, const char *name, struct err *e)
{
	const char **names = xcalloc(c->n + 1, sizeof(*names)), *near;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < c->n; i++) {
		names[i] = c->sites[i].name;
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", names[i]);
	}
	if (c->n == 0)
		err_set(e, ERR_USAGE,
		    "no deploy.yml here or in a parent directory;; name one with -c, or a root with --root");
	else if (name == NULL)
		err_set(e, ERR_USAGE,
		    "%s has several sites;; choose one with -s: %s", c->path,
		    buf_str(&all));
	else if ((near = nearest_word(name, names)) != NULL)
		err_set(e, ERR_USAGE,
		    "no site '%s' in %s;; did you mean '%s'?", name, c->path,
		    near);
	else
		err_set(e, ERR_USAGE, "no site '%s' in %s;; there is %s", name,
		    c->path, buf_str(&all));
	buf_release(&all);
	free(names);
}

const struct site_config *
config_site(const struct config *c, const char *name, struct err *e)
{
	if (name == NULL && c->n == 1)
		return &c->sites[0];
	for (size_t i = 0; name != NULL && i < c->n; i++)
		if (strcmp(c->sites[i].name, name) == 0)
			return &c->sites[i];
	fault_site(c, name, e);
	return NULL;
}
