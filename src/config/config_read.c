#include "config/config_read.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/number.h"
#include "base/path.h"
#include "config/abspath.h"
#include "config/config_check.h"
#include "config/config_host.h"
#include "config/config_table.h"
#include "config/value.h"
#include "config/yamlcheck.h"

/* A worker has a file result-NAME. */
enum { SITE_NAME_MAX = PATH_NAME_MAX - 7 };

/* Read the name, which is also for file names and command lines. */
static int
read_name(struct value_reader *r, const char *text, char **name)
{
	struct err e = ERR_INIT;

	value_at(r, "name");
	if (strchr(text, '/') != NULL)
		return value_fault(r,
		    "'%s' cannot be a name: '/' is for paths", text);
	if (path_check(text, &e) != 0)
		return value_fault(r, "%s", e.text);
	if (strlen(text) > SITE_NAME_MAX)
		return value_fault(r,
		    "'%s' is longer than %d bytes, as many as a name has",
		    text, SITE_NAME_MAX);
	*name = xstrdup(text);
	return 0;
}

/* Read the root; it is never that of the file system. */
static int
read_root(struct value_reader *r, const char *text, char **root)
{
	if (value_read_path(r, "root", text, root) != 0)
		return -1;
	if (path_is_address(text))
		return value_fault(r,
		    "'%s' looks like an address; a host goes under hosts:, root: is the path there, and a directory of that name begins with './'",
		    text);
	if (strcmp(*root, "/") != 0)
		return 0;
	return value_fault(r,
	    "'/' cannot be a root; give the site a directory, such as /srv/www/example.org");
}

/* Refuse a root on hosts that is a path of this machine. */
static int
check_root_there(struct value_reader *r, const char *text)
{
	if (text[0] == '/')
		return 0;
	return value_fault(r,
	    "'%s': a root on hosts is an absolute path there, such as /srv/www/example.org",
	    text);
}

/* Read how many releases to keep; NULL leaves the default. */
static int
read_keep(struct value_reader *r, const unsigned int *given,
    unsigned int *keep)
{
	if (given == NULL)
		return 0;
	value_at(r, "keep");
	*keep = *given;
	if (*keep == 0)
		return value_fault(r,
		    "0 leaves nothing to roll back to; at least 1");
	if (*keep > CONFIG_KEEP_MAX)
		return value_fault(r, "%u is too many; at most %d", *keep,
		    CONFIG_KEEP_MAX);
	return 0;
}

/* Read the list of shared paths; refuse those that overlap. */
static int
read_shared(struct value_reader *r, char **v, size_t n, struct strvec *out)
{
	for (size_t i = 0; i < n; i++) {
		value_at(r, "shared[%zu]", i);
		if (value_check_inside(r, v[i]) != 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (path_is_within(v[i], v[j]) ||
			    path_is_within(v[j], v[i]))
				return value_fault(r,
				    "'%s' and '%s' are the same or lie inside each other; name only the outer one",
				    v[j], v[i]);
		strvec_add(out, v[i]);
	}
	return 0;
}

/* Read what is carried, and for how long. */
static int
read_carry(struct value_reader *r, const struct raw_carry *raw,
    struct rules *out)
{
	if (raw == NULL)
		return 0;
	if (value_read_patterns(r, "carry.paths", raw->paths, raw->paths_count,
		&out->carry) != 0)
		return -1;
	if (raw->bridge != NULL)
		out->bridge = *raw->bridge;
	return value_read_duration(r, "carry.for", raw->duration,
	    &out->carry_for);
}

/* Read one of the forms that files are compressed to. */
static int
read_form(struct value_reader *r, const char *text, unsigned int *with)
{
	for (enum encoding i = 0; i < ENCODINGS; i++)
		if (strcmp(text, encodings[i].tool) == 0) {
			*with |= 1U << i;
			return 0;
		}
	return value_fault(r, "'%s' is not a format; use gzip, brotli or zstd",
	    text);
}

/* Read which files get compressed forms. */
static int
read_compress(struct value_reader *r, const struct raw_compress *raw,
    struct rules *out)
{
	if (raw == NULL)
		return 0;
	if (value_read_patterns(r, "compress.paths", raw->paths,
		raw->paths_count, &out->compress) != 0)
		return -1;
	if (raw->with_count > 0)
		out->compress_with = 0;
	for (unsigned int i = 0; i < raw->with_count; i++) {
		value_at(r, "compress.with[%u]", i);
		if (read_form(r, raw->with[i], &out->compress_with) != 0)
			return -1;
	}
	return value_read_size(r, "compress.over", raw->over,
	    &out->compress_over);
}

/* Read which files get forms against their earlier versions. */
static int
read_dictionaries(struct value_reader *r, const struct raw_dictionaries *raw,
    struct rules *out)
{
	if (raw == NULL)
		return 0;
	if (value_read_patterns(r, "dictionaries.paths", raw->paths,
		raw->paths_count, &out->dictionaries) != 0)
		return -1;
	return value_read_count(r, "dictionaries.from", raw->from, 1,
	    CONFIG_DICTIONARIES_MAX, &out->dictionaries_from);
}

/* Read what the site says about its releases. */
static int
read_rules(struct value_reader *r, const struct raw_site *raw,
    struct rules *out)
{
	out->group = xstrdup_opt(raw->group);
	if (value_read_patterns(r, "exclude", raw->exclude, raw->exclude_count,
		&out->exclude) != 0 ||
	    read_shared(r, raw->shared, raw->shared_count, &out->shared) !=
		0 ||
	    read_carry(r, raw->carry, out) != 0 ||
	    read_compress(r, raw->compress, out) != 0 ||
	    read_dictionaries(r, raw->dictionaries, out) != 0)
		return -1;
	if (raw->guard != NULL) {
		out->links = raw->guard->links;
		out->secrets = raw->guard->secrets;
		out->maps = raw->guard->maps;
	}
	return value_read_percent(r, "max_delete", raw->max_delete,
	    &out->max_delete);
}

/* Read where previews are, and for how long. */
static int
read_preview(struct value_reader *r, const struct raw_preview *raw,
    struct preview_config *p)
{
	struct strvec url = STRVEC_INIT;
	int c = 0;

	if (raw == NULL)
		return 0;
	if (raw->url != NULL) {
		value_at(r, "preview.url");
		c = strstr(raw->url, "{name}") != NULL ?
		    value_read_url(r, raw->url, &url) :
		    value_fault(r,
			"'%s' has no {name} in it, as in https://{name}.preview.example.org/",
			raw->url);
		if (c == 0)
			p->url = xstrdup(url.v[0]);
		strvec_release(&url);
	}
	if (c != 0 || raw->duration == NULL)
		return c;
	return value_read_limit(r, "preview.for", raw->duration, &p->duration);
}

static int
read_hooks(struct value_reader *r, const struct raw_hooks *raw,
    struct hook_config *h)
{
	if (raw == NULL)
		return 0;
	for (int i = 0; i < HOOK_COUNT; i++)
		h->commands[i] = xstrdup_opt(raw->commands[i]);
	if (value_read_limit(r, "hooks.timeout", raw->timeout, &h->timeout) !=
	    0)
		return -1;
	return value_read_wait(r, "hooks.timeout", raw->timeout, &h->timeout);
}

/* How the hosts are flipped. */
static int
read_strategy(struct value_reader *r, const struct raw_site *raw,
    struct site_config *s)
{
	s->strategy = raw->strategy;
	if (raw->batch != NULL)
		s->batch = *raw->batch;
	value_at(r, "batch");
	if (s->batch == 0)
		return value_fault(r,
		    "0 hosts at once would flip none; at least 1");
	return value_read_duration(r, "pause", raw->pause, &s->pause);
}

/* Read how a build is made. */
static int
read_build(struct value_reader *r, const struct raw_build *raw,
    struct build_config *b)
{
	if (raw == NULL)
		return 0;
	b->command = xstrdup(raw->command);
	b->clean = raw->clean;
	if (raw->directory != NULL) {
		free(b->directory);
		b->directory = NULL;
	}
	if (value_read_path(r, "build.directory", raw->directory,
		&b->directory) != 0)
		return -1;
	return value_read_limit(r, "build.timeout", raw->timeout, &b->timeout);
}

/* A path that is one for git, too, but relative to the clone there. */
static bool
is_path(const char *url)
{
	return strncmp(url, "./", 2) == 0 || strncmp(url, "../", 3) == 0 ||
	    strncmp(url, "~/", 2) == 0;
}

/* Read which clone a build is made in. */
static int
read_git(struct value_reader *r, const struct raw_site *raw,
    struct git_config *g)
{
	if (raw->git == NULL)
		return 0;
	g->ssh_key = raw->git->ssh_key;
	g->submodules = raw->git->submodules;
	g->history = raw->git->history || raw->order == ORDER_COMMIT;
	if (value_read_word(r, "git.ref", raw->git->ref, &g->ref) != 0)
		return -1;
	if ((is_path(raw->git->url) ?
		    value_read_path(r, "git.url", raw->git->url, &g->url) :
		    value_read_word(r, "git.url", raw->git->url, &g->url)) !=
	    0)
		return -1;
	if (*g->url == '-' || *g->url == '\0')
		return value_fault(r,
		    "'%s' is not a URL such as https://forge.example.org/site.git",
		    g->url);
	if (raw->build != NULL && raw->build->directory != NULL)
		return 0;
	return value_fault(r,
	    "the clone needs a place of its own: build: {command: ..., directory: clone}");
}

/* Read patterns of branches or tags. */
static int
read_pushed(struct value_reader *r, const char *key, char **v, size_t n,
    struct strvec *out)
{
	for (size_t i = 0; i < n; i++) {
		value_at(r, "%s[%zu]", key, i);
		if (v[i][0] == '\0' || strpbrk(v[i], " \t\n~^:\\") != NULL)
			return value_fault(r,
			    "'%s' is no pattern such as main, release/* or v[0-9]*",
			    v[i]);
		strvec_add(out, v[i]);
	}
	return 0;
}

/* Read which pushes count; without a word that is the branch that is built. */
static int
read_push(struct value_reader *r, const struct raw_push *raw,
    const struct git_config *git, struct push_config *p)
{
	static const char heads[] = "refs/heads/";

	if (raw != NULL)
		return read_pushed(r, "push.branches", raw->branches,
			   raw->branches_count, &p->branches) != 0 ?
		    -1 :
		    read_pushed(r, "push.tags", raw->tags, raw->tags_count,
			&p->tags);
	if (git->ref != NULL) {
		strvec_add(&p->branches,
		    git->ref +
			(strncmp(git->ref, heads, strlen(heads)) == 0 ?
				strlen(heads) :
				0));
	} else {
		strvec_add(&p->branches, "main");
		strvec_add(&p->branches, "master");
	}
	return 0;
}

/* Read the address. */
static int
read_address(struct value_reader *r, const struct raw_host *raw,
    struct host_config *h)
{
	struct err e = ERR_INIT;

	value_at(r, "address");
	if (value_check_unexpanded(r, raw->address) != 0)
		return -1;
	if (host_config_set_address(h, raw->address, &e) == 0)
		return 0;
	return value_fault(r, "%s", e.text);
}

/* Read one host; what it does not say is the site's. */
static int
read_host(struct value_reader *r, const struct raw_host *raw,
    const struct site_config *s, struct host_config *h)
{
	h->transport = raw->transport;
	if (raw->port != NULL) {
		value_at(r, "port");
		h->port = *raw->port;
		if (h->port == 0 || h->port > 65535)
			return value_fault(r,
			    "%u is not a port; use 1 to 65535", h->port);
	}
	if (value_read_word(r, "user", raw->user, &h->user) != 0 ||
	    value_read_word(r, "jump", raw->jump, &h->jump) != 0 ||
	    value_read_word(r, "deploy", raw->deploy, &h->deploy) != 0 ||
	    read_address(r, raw, h) != 0 ||
	    value_read_fingerprint(r, "host_key", raw->host_key,
		&h->host_key) != 0 ||
	    value_read_connect(r, "connect", raw->connect, &h->connect) != 0 ||
	    value_read_path(r, "identity", raw->identity, &h->identity) != 0)
		return -1;
	if (raw->root == NULL) {
		h->root = xstrdup(s->root);
		return 0;
	}
	if (read_root(r, raw->root, &h->root) != 0)
		return -1;
	return h->transport == HOST_LOCAL ? 0 : check_root_there(r, raw->root);
}

/* Read the hosts of site `i`, the last thing of it. */
static int
read_hosts(struct value_reader *r, size_t i, const struct raw_site *raw,
    struct site_config *s)
{
	s->hosts = xcalloc(raw->hosts_count, sizeof(*s->hosts));
	while (s->n_hosts < raw->hosts_count) {
		size_t k = s->n_hosts++;

		snprintf(r->base, sizeof(r->base), "sites[%zu].hosts[%zu].", i,
		    k);
		if (read_host(r, &raw->hosts[k], s, &s->hosts[k]) != 0)
			return -1;
		value_at(r, "address");
		for (size_t j = 0; j < k; j++)
			if (host_config_is_same(&s->hosts[j], &s->hosts[k]))
				return value_fault(r, "'%s' is there twice",
				    s->hosts[k].label);
	}
	host_config_tell_apart(s->hosts, s->n_hosts);
	return 0;
}

/* Does a host that is elsewhere take the root of the site? */
static bool
root_is_elsewhere(const struct raw_site *raw)
{
	for (size_t i = 0; i < raw->hosts_count; i++)
		if (raw->hosts[i].transport != HOST_LOCAL &&
		    raw->hosts[i].root == NULL)
			return true;
	return false;
}

/* Read the root, which is a path here or one of the hosts. */
static int
read_site_root(struct value_reader *r, const struct raw_site *raw, char **root)
{
	if (read_root(r, raw->root, root) != 0)
		return -1;
	return root_is_elsewhere(raw) ? check_root_there(r, raw->root) : 0;
}

/* Read site `i`; `s` has the defaults and may be left half filled. */
static int
read_site(struct value_reader *r, size_t i, const struct raw_site *raw,
    struct site_config *s)
{
	snprintf(r->base, sizeof(r->base), "sites[%zu].", i);
	s->freeze_on_rollback = raw->freeze_on_rollback;
	s->order = raw->order;
	s->update = xstrdup_opt(raw->update);
	/* Where `update` runs, too. */
	s->build.directory = xstrdup(r->dir);
	if (read_name(r, raw->name, &s->name) != 0 ||
	    read_site_root(r, raw, &s->root) != 0 ||
	    value_read_path(r, "source", raw->source, &s->source) != 0 ||
	    read_build(r, raw->build, &s->build) != 0 ||
	    read_git(r, raw, &s->git) != 0 ||
	    read_push(r, raw->push, &s->git, &s->push) != 0 ||
	    value_read_duration(r, "settle", raw->settle, &s->settle) != 0 ||
	    read_keep(r, raw->keep, &s->keep) != 0 ||
	    read_rules(r, raw, &s->rules) != 0 ||
	    value_read_wait(r, "lock_wait", raw->lock_wait, &s->lock_wait) !=
		0 ||
	    value_read_limit(r, "timeout", raw->timeout, &s->timeout) != 0 ||
	    config_read_check(r, raw->check, &s->check) != 0 ||
	    read_preview(r, raw->preview, &s->preview) != 0 ||
	    read_hooks(r, raw->hooks, &s->hooks) != 0 ||
	    read_strategy(r, raw, s) != 0)
		return -1;
	s->dir = xstrdup(r->dir);
	return read_hosts(r, i, raw, s);
}

/* The root of the one that is one of the other, too; NULL: none is. */
static const char *
common_root(const struct site_config *a, const struct site_config *b)
{
	if (a->n_hosts == 0 && b->n_hosts == 0)
		return abspath_is_same(a->root, b->root) ? a->root : NULL;
	for (size_t i = 0; i < a->n_hosts; i++)
		for (size_t k = 0; k < b->n_hosts; k++)
			if (host_config_is_same(&a->hosts[i], &b->hosts[k]))
				return a->hosts[i].root;
	return NULL;
}

/* Refuse a site with the name or, on the same host, a root of another. */
static int
check_distinct(struct value_reader *r, const struct config *c, size_t i)
{
	const struct site_config *s = &c->sites[i], *o = c->sites;
	const char *root;

	snprintf(r->base, sizeof(r->base), "sites[%zu].", i);
	for (; o < s; o++) {
		value_at(r, "name");
		if (strcmp(s->name, o->name) == 0)
			return value_fault(r,
			    "'%s' is the name of sites[%td] already", s->name,
			    o - c->sites);
		value_at(r, "root");
		root = common_root(s, o);
		if (root != NULL)
			return value_fault(r,
			    "'%s' is the root of sites[%td] already", root,
			    o - c->sites);
	}
	return 0;
}

/* Read all sites; after a fault `c` has those before, and half a one. */
static int
read_sites(struct value_reader *r, const struct raw_config *raw,
    struct config *c)
{
	c->sites = xcalloc(raw->sites_count, sizeof(*c->sites));
	for (size_t i = 0; i < raw->sites_count; i++) {
		site_config_init(&c->sites[c->n++]);
		if (read_site(r, i, &raw->sites[i], &c->sites[i]) != 0 ||
		    check_distinct(r, c, i) != 0)
			return -1;
	}
	return 0;
}

/* Is it where PostgreSQL is, and no path? */
static bool
is_database(const char *text)
{
	return strncmp(text, "postgresql://", 13) == 0 ||
	    strncmp(text, "postgres://", 11) == 0;
}

/* Read where the queue is. */
static int
read_queue(struct value_reader *r, const char *text, char **queue)
{
	if (text == NULL || !is_database(text)) {
		if (text != NULL && strstr(text, "://") != NULL) {
			value_at(r, "queue");
			return value_fault(r,
			    "neither a directory nor postgresql://...");
		}
		return value_read_path(r, "queue", text, queue);
	}
	*queue = xstrdup(text);
	return 0;
}

/* Read who is told what came of a job. */
static int
read_notify(struct value_reader *r, const struct raw_worker *raw,
    struct worker_config *w)
{
	struct strvec url = STRVEC_INIT;
	int n = 0;

	w->notify = xstrdup_opt(raw->notify);
	if (raw->notify_url == NULL)
		return 0;
	value_at(r, "notify_url");
	n = value_read_url(r, raw->notify_url, &url);
	if (n == 0)
		w->notify_url = xstrdup(url.v[0]);
	strvec_release(&url);
	return n;
}

/* Read how jobs are done. */
static int
read_worker(struct value_reader *r, const struct raw_worker *raw,
    struct worker_config *w)
{
	if (raw == NULL)
		return 0;
	strcpy(r->base, "worker.");
	if (read_notify(r, raw, w) != 0 ||
	    value_read_count(r, "jobs", raw->jobs, 1, CONFIG_JOBS_MAX,
		&w->jobs) != 0 ||
	    value_read_count(r, "max_jobs", raw->max_jobs, 1, UINT_MAX,
		&w->max_jobs) != 0 ||
	    value_read_count(r, "keep", raw->keep, 1, 1000000, &w->keep) !=
		0 ||
	    value_read_count(r, "log_size", raw->log_size, 4, 1000000,
		&w->log_size) != 0 ||
	    value_read_duration(r, "retry", raw->retry, &w->retry) != 0 ||
	    value_read_limit(r, "timeout", raw->timeout, &w->timeout) != 0 ||
	    value_read_duration(r, "verify", raw->verify, &w->verify) != 0 ||
	    value_read_path(r, "logs", raw->logs, &w->logs) != 0 ||
	    value_read_path(r, "metrics", raw->metrics, &w->metrics) != 0)
		return -1;
	return 0;
}

/* Read what stands beside the sites. */
static int
read_top(struct value_reader *r, const struct raw_config *raw,
    struct config *c)
{
	r->base[0] = '\0';
	if (read_queue(r, raw->queue, &c->queue) != 0 ||
	    value_read_count(r, "max_waiting", raw->max_waiting, 1, UINT_MAX,
		&c->max_waiting) != 0)
		return -1;
	return read_worker(r, raw->worker, &c->worker);
}

/* ---- the text ---------------------------------------------------------- */

/* Memory for libcyaml; size 0 frees. */
static void *
cyaml_alloc(void *ctx, void *p, size_t size)
{
	(void)ctx;
	if (size > 0)
		return xreallocarray(p, size, 1);
	free(p);
	return NULL;
}

static const cyaml_config_t cyaml = {
	.mem_fn = cyaml_alloc,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS,
};

/* Let libcyaml fill the structs; yamlcheck left it nothing to refuse. */
static int
read_text(struct value_reader *r, const char *path, const char *text,
    size_t len, struct config *c)
{
	cyaml_data_t *raw = NULL;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, &cyaml,
	    &config_table, &raw, NULL);
	int ret;

	if (err != CYAML_OK || raw == NULL)
		ret = err_set(r->e, ERR_USAGE,
		    "%s:1:1: libcyaml cannot load the file (%s);; please report this",
		    path, cyaml_strerror(err));
	else
		ret = read_sites(r, raw, c) != 0 ? -1 : read_top(r, raw, c);
	cyaml_free(&cyaml, &config_table, raw, 0);
	return ret;
}

/* For who wants to know where a value is from. */
static void
keep_given(const struct yamlcheck *yaml, struct config *c)
{
	const char *key, *name, *value;
	size_t line, n = 0;

	while (yamlcheck_value(yaml, n, &key, &name, &value, &line))
		n++;
	c->given = xcalloc(n + 1, sizeof(*c->given));
	for (; c->n_given < n; c->n_given++) {
		yamlcheck_value(yaml, c->n_given, &key, &name, &value, &line);
		c->given[c->n_given] = (struct config_given){ xstrdup(key),
			xstrdup_opt(name), xstrdup_opt(value), line };
	}
}

/* Read the text into `c`, which has the defaults, in part if that fails. */
static int
read_config(struct config *c, const char *text, size_t len, const char *path,
    const char *dir, struct err *e)
{
	struct yamlcheck *yaml;
	struct value_reader r = { .dir = dir, .e = e };
	const char *longer;
	size_t longer_len;
	int ret;

	yaml = yamlcheck_open(path, text, len, &config_table,
	    "describe a site: 'sites: [{name: example.org, root: /srv/www/example.org}]'",
	    e);
	if (yaml == NULL)
		return -1;
	r.yaml = yaml;
	longer = yamlcheck_text(yaml, &longer_len);
	ret = longer != NULL ? read_text(&r, path, longer, longer_len, c) :
			       read_text(&r, path, text, len, c);
	keep_given(yaml, c);
	yamlcheck_free(yaml);
	return ret;
}

int
config_parse(struct config *c, const char *text, size_t len, const char *path,
    const char *dir, struct err *e)
{
	*c = (struct config)CONFIG_INIT;
	if (read_config(c, text, len, path, dir, e) != 0) {
		config_release(c);
		return -1;
	}
	c->path = xstrdup(path);
	c->dir = xstrdup(dir);
	return 0;
}
