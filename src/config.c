/*
 * deploy.yml is read in two passes over one table.
 *
 * The table (top_fields and what hangs from it) is libcyaml's schema.
 * yamlcheck.c holds the text against it and gives every message about keys
 * and types.  Then libcyaml fills the raw structs that the table describes,
 * which become struct site_config here.  So a new key is a row of the table,
 * a member of the raw struct and a line in read_site() or read_host().
 */
#include "config.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abspath.h"
#include "alloc.h"
#include "buf.h"
#include "duration.h"
#include "io.h"
#include "nearest.h"
#include "path.h"
#include "yamlcheck.h"
#include "yamltext.h"

#define FILE_NAME "deploy.yml"

enum { LIST_MAX = 1000 }; /* entries in any list */

/* What libcyaml fills; a NULL pointer is a key that was not given. */
struct raw_carry {
	char **paths;
	unsigned int paths_count;
	char *duration;
};

struct raw_check {
	char *url;
	char **also;
	unsigned int also_count;
	unsigned int *expect;
	char *contains;
	unsigned int *sample;
	char *connect;
	char *ca;
	unsigned int *tries;
	char *wait;
	char *timeout;
};

struct raw_hooks {
	char *commands[HOOK_COUNT];
	char *timeout;
};

struct raw_build {
	char *command;
	char *directory;
	char *timeout;
};

struct raw_host {
	char *address;
	char *root;
	char *user;
	unsigned int *port;
	char *identity;
	char *host_key;
	char *jump;
	char *connect;
	enum host_transport transport;
	char *deploy;
};

struct raw_site {
	char *name;
	char *root;
	char *source;
	char *update;
	char *settle;
	struct raw_build *build;
	unsigned int *keep;
	char **exclude;
	unsigned int exclude_count;
	char **shared;
	unsigned int shared_count;
	struct raw_carry *carry;
	char *max_delete;
	char *group;
	char *lock_wait;
	char *timeout;
	bool freeze_on_rollback;
	struct raw_check *check;
	struct raw_hooks *hooks;
	enum site_strategy strategy;
	unsigned int *batch;
	char *pause;
	struct raw_host *hosts;
	unsigned int hosts_count;
};

struct raw_worker {
	unsigned int *jobs;
	unsigned int *max_jobs;
	unsigned int *keep;
	unsigned int *log_size;
	char *retry;
	char *timeout;
	char *logs;
	char *notify;
};

struct raw_config {
	struct raw_site *sites;
	unsigned int sites_count;
	char *queue;
	struct raw_worker *worker;
};

/* Rows of the table: key, REQUIRED or OPTIONAL, struct, member. */
#define REQUIRED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define STRING(key, need, type, member) \
	CYAML_FIELD_STRING_PTR(key, need, type, member, 1, CYAML_UNLIMITED)
#define UINT(key, need, type, member) \
	CYAML_FIELD_UINT_PTR(key, need, type, member)
#define BOOL(key, type, member) \
	CYAML_FIELD_BOOL(key, CYAML_FLAG_OPTIONAL, type, member)
#define ENUM(key, type, member, words) \
	CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL, type, member, words, \
	    sizeof(words) / sizeof((words)[0]))
#define MAPPING(key, type, member, fields) \
	CYAML_FIELD_MAPPING_PTR(key, OPTIONAL, type, member, fields)
#define LIST(key, need, type, member, min) \
	CYAML_FIELD_SEQUENCE(key, need, type, member, &string_entry, min, \
	    LIST_MAX)

static const cyaml_schema_value_t string_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t carry_fields[] = {
	LIST("paths", REQUIRED, struct raw_carry, paths, 1),
	STRING("for", OPTIONAL, struct raw_carry, duration),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t check_fields[] = {
	STRING("url", REQUIRED, struct raw_check, url),
	LIST("also", OPTIONAL, struct raw_check, also, 0),
	UINT("expect", OPTIONAL, struct raw_check, expect),
	STRING("contains", OPTIONAL, struct raw_check, contains),
	UINT("sample", OPTIONAL, struct raw_check, sample),
	STRING("connect", OPTIONAL, struct raw_check, connect),
	STRING("ca", OPTIONAL, struct raw_check, ca),
	UINT("tries", OPTIONAL, struct raw_check, tries),
	STRING("wait", OPTIONAL, struct raw_check, wait),
	STRING("timeout", OPTIONAL, struct raw_check, timeout),
	CYAML_FIELD_END,
};

#define HOOK(key, when) \
	STRING(key, OPTIONAL, struct raw_hooks, commands[when])

static const cyaml_schema_field_t hook_fields[] = {
	HOOK("pre_stage", HOOK_PRE_STAGE),
	HOOK("post_stage", HOOK_POST_STAGE),
	HOOK("pre_activate", HOOK_PRE_ACTIVATE),
	HOOK("post_activate", HOOK_POST_ACTIVATE),
	HOOK("post_rollback", HOOK_POST_ROLLBACK),
	HOOK("failed", HOOK_FAILED),
	STRING("timeout", OPTIONAL, struct raw_hooks, timeout),
	CYAML_FIELD_END,
};

static const cyaml_strval_t strategies[] = {
	{ "atomic", STRATEGY_ATOMIC },
	{ "rolling", STRATEGY_ROLLING },
};

static const cyaml_schema_field_t build_fields[] = {
	STRING("command", REQUIRED, struct raw_build, command),
	STRING("directory", OPTIONAL, struct raw_build, directory),
	STRING("timeout", OPTIONAL, struct raw_build, timeout),
	CYAML_FIELD_END,
};

static const cyaml_strval_t transports[] = {
	{ "ssh", HOST_SSH },
	{ "rsync", HOST_RSYNC },
	{ "local", HOST_LOCAL },
};

static const cyaml_schema_field_t host_fields[] = {
	STRING("address", REQUIRED, struct raw_host, address),
	STRING("root", OPTIONAL, struct raw_host, root),
	STRING("user", OPTIONAL, struct raw_host, user),
	UINT("port", OPTIONAL, struct raw_host, port),
	STRING("identity", OPTIONAL, struct raw_host, identity),
	STRING("host_key", OPTIONAL, struct raw_host, host_key),
	STRING("jump", OPTIONAL, struct raw_host, jump),
	STRING("connect", OPTIONAL, struct raw_host, connect),
	ENUM("transport", struct raw_host, transport, transports),
	STRING("deploy", OPTIONAL, struct raw_host, deploy),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t host_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_host, host_fields),
};

static const cyaml_schema_field_t site_fields[] = {
	STRING("name", REQUIRED, struct raw_site, name),
	STRING("root", REQUIRED, struct raw_site, root),
	STRING("source", OPTIONAL, struct raw_site, source),
	MAPPING("build", struct raw_site, build, build_fields),
	STRING("update", OPTIONAL, struct raw_site, update),
	STRING("settle", OPTIONAL, struct raw_site, settle),
	UINT("keep", OPTIONAL, struct raw_site, keep),
	LIST("exclude", OPTIONAL, struct raw_site, exclude, 0),
	LIST("shared", OPTIONAL, struct raw_site, shared, 0),
	MAPPING("carry", struct raw_site, carry, carry_fields),
	STRING("max_delete", OPTIONAL, struct raw_site, max_delete),
	STRING("group", OPTIONAL, struct raw_site, group),
	STRING("lock_wait", OPTIONAL, struct raw_site, lock_wait),
	STRING("timeout", OPTIONAL, struct raw_site, timeout),
	BOOL("freeze_on_rollback", struct raw_site, freeze_on_rollback),
	MAPPING("check", struct raw_site, check, check_fields),
	MAPPING("hooks", struct raw_site, hooks, hook_fields),
	ENUM("strategy", struct raw_site, strategy, strategies),
	UINT("batch", OPTIONAL, struct raw_site, batch),
	STRING("pause", OPTIONAL, struct raw_site, pause),
	CYAML_FIELD_SEQUENCE("hosts", OPTIONAL, struct raw_site, hosts,
	    &host_entry, 0, LIST_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t site_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_site, site_fields),
};

static const cyaml_schema_field_t worker_fields[] = {
	UINT("jobs", OPTIONAL, struct raw_worker, jobs),
	UINT("max_jobs", OPTIONAL, struct raw_worker, max_jobs),
	UINT("keep", OPTIONAL, struct raw_worker, keep),
	UINT("log_size", OPTIONAL, struct raw_worker, log_size),
	STRING("retry", OPTIONAL, struct raw_worker, retry),
	STRING("timeout", OPTIONAL, struct raw_worker, timeout),
	STRING("logs", OPTIONAL, struct raw_worker, logs),
	STRING("notify", OPTIONAL, struct raw_worker, notify),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
	CYAML_FIELD_SEQUENCE("sites", REQUIRED, struct raw_config, sites,
	    &site_entry, 1, LIST_MAX),
	STRING("queue", OPTIONAL, struct raw_config, queue),
	MAPPING("worker", struct raw_config, worker, worker_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t top_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, top_fields),
};

/* One reading of one file. */
struct reader {
	const struct yamlcheck *yaml;
	const char *dir; /* relative paths are relative to it */
	char base[64];	 /* the site or host, such as sites[0]. */
	char key[128];	 /* the key in it, such as sites[0].keep */
	struct err *e;
};

static void at(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Go to a key of `base`: the one that fault() is about from now on. */
static void
at(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strcpy(r->key, r->base);
	vsnprintf(r->key + strlen(r->base), sizeof(r->key) - strlen(r->base),
	    fmt, ap);
	va_end(ap);
}

static int fault(struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Report what is wrong with the value of the key that we are at.  -1. */
static int
fault(struct reader *r, const char *fmt, ...)
{
	char text[sizeof(r->e->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return yamlcheck_fault(r->yaml, r->key, text, r->e);
}

/* ---- values ------------------------------------------------------------ */

/* Read the name, which is also for file names and command lines. */
static int
read_name(struct reader *r, const char *text, char **name)
{
	struct err e = ERR_INIT;

	at(r, "name");
	if (strchr(text, '/') != NULL)
		return fault(r, "'%s' cannot be a name: '/' is for paths",
		    text);
	if (path_check(text, &e) != 0)
		return fault(r, "%s", e.text);
	*name = xstrdup(text);
	return 0;
}

/* Read a path; `text` is NULL when it was not given. */
static int
read_path(struct reader *r, const char *key, const char *text, char **path)
{
	struct err e = ERR_INIT;

	if (text == NULL)
		return 0;
	at(r, "%s", key);
	*path = abspath_make(text, r->dir, getenv("HOME"), &e);
	return *path != NULL ? 0 : fault(r, "%s", e.text);
}

/* Read the root; it is never that of the file system. */
static int
read_root(struct reader *r, const char *text, char **root)
{
	if (read_path(r, "root", text, root) != 0)
		return -1;
	if (strcmp(*root, "/") != 0)
		return 0;
	return fault(r,
	    "'/' cannot be a root; give the site a directory, "
	    "such as /srv/www/example.org");
}

/* Read how many releases to keep; NULL leaves the default. */
static int
read_keep(struct reader *r, const unsigned int *given, unsigned int *keep)
{
	if (given == NULL)
		return 0;
	at(r, "keep");
	*keep = *given;
	if (*keep > 0)
		return 0;
	return fault(r, "0 leaves nothing to roll back to; at least 1");
}

/* Read a duration; NULL leaves the default. */
static int
read_duration(struct reader *r, const char *key, const char *text,
    int64_t *seconds)
{
	struct err e = ERR_INIT;

	if (text == NULL)
		return 0;
	at(r, "%s", key);
	if (duration_parse(text, seconds, &e) != 0)
		return fault(r, "%s", e.text);
	return 0;
}

/* Read how long a host may be silent. */
static int
read_timeout(struct reader *r, const char *text, int64_t *seconds)
{
	if (read_duration(r, "timeout", text, seconds) != 0)
		return -1;
	if (*seconds > 0)
		return 0;
	return fault(r, "no time is not enough; at least 1s");
}

/* Read a percentage, with or without its sign. */
static int
read_percent(struct reader *r, const char *key, const char *text,
    unsigned int *percent)
{
	size_t len;

	if (text == NULL)
		return 0;
	at(r, "%s", key);
	len = strspn(text, "0123456789");
	*percent = (unsigned int)strtoul(text, NULL, 10);
	if (len > 0 && len <= 3 && *percent <= 100 &&
	    (text[len] == '\0' || strcmp(text + len, "%") == 0))
		return 0;
	return fault(r, "'%s' is not a percentage from 0 to 100, such as 50%%",
	    text);
}

/*
 * Check that `text` names something inside the release; a '/' at its end says
 * nothing and is cut off.
 */
static int
check_inside(struct reader *r, char *text)
{
	struct err e = ERR_INIT;

	for (size_t len = strlen(text); len > 1 && text[len - 1] == '/'; len--)
		text[len - 1] = '\0';
	if (path_check(text, &e) == 0)
		return 0;
	return fault(r, "%s; write a path inside the release", e.text);
}

/* Read a list of patterns; refuse what can match nothing. */
static int
read_patterns(struct reader *r, const char *key, char **v, size_t n,
    struct strvec *out)
{
	for (size_t i = 0; i < n; i++) {
		at(r, "%s[%zu]", key, i);
		if (v[i][0] == '!')
			return fault(r,
			    "'%s': patterns cannot be negated; write '\\!' "
			    "for a name that begins with '!'",
			    v[i]);
		if (check_inside(r, v[i] + (v[i][0] == '/')) != 0)
			return -1;
		strvec_add(out, v[i]);
	}
	return 0;
}

/* Read the list of shared paths; refuse those that overlap. */
static int
read_shared(struct reader *r, char **v, size_t n, struct strvec *out)
{
	for (size_t i = 0; i < n; i++) {
		at(r, "shared[%zu]", i);
		if (check_inside(r, v[i]) != 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (path_is_within(v[i], v[j]) ||
			    path_is_within(v[j], v[i]))
				return fault(r,
				    "'%s' and '%s' are the same or lie inside "
				    "each other; name only the outer one",
				    v[j], v[i]);
		strvec_add(out, v[i]);
	}
	return 0;
}

/* Read what is carried, and for how long. */
static int
read_carry(struct reader *r, const struct raw_carry *raw,
    struct site_config *s)
{
	if (raw == NULL)
		return 0;
	if (read_patterns(r, "carry.paths", raw->paths, raw->paths_count,
		&s->carry) != 0)
		return -1;
	return read_duration(r, "carry.for", raw->duration, &s->carry_for);
}

/* Read a URL that curl can fetch. */
static int
read_url(struct reader *r, const char *text, struct strvec *out)
{
	size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 :
	    strncmp(text, "http://", 7) == 0 ? 7 : 0;

	if (scheme == 0 || strcspn(text + scheme, "/?#") == 0 ||
	    strpbrk(text, " \t\r\n") != NULL)
		return fault(r, "'%s' is no URL such as https://example.org/",
		    text);
	/* "https://example.org" is its top. */
	if (strchr(text + scheme, '/') == NULL)
		strvec_addf(out, "%s/", text);
	else
		strvec_add(out, text);
	return 0;
}

/* Read "address", "address:port" or "[address]:port". */
static int
read_connect(struct reader *r, const char *key, const char *text, char **out)
{
	const char *port;
	char *end;
	unsigned long n;

	if (text == NULL)
		return 0;
	at(r, "%s", key);
	port = *text == '[' ? strstr(text, "]:") : strrchr(text, ':');
	if (port != NULL) {
		port += *port == ']' ? 2 : 1;
		n = strtoul(port, &end, 10);
		if (*port < '0' || *port > '9' || *end != '\0' || n == 0 ||
		    n > 65535)
			return fault(r, "'%s' is no address such as "
			    "192.0.2.1, www1:8080 or [2001:db8::1]:443",
			    text);
	}
	*out = xstrdup(text);
	return 0;
}

/* Read what is asked of the web servers. */
static int
read_check(struct reader *r, const struct raw_check *raw,
    struct check_config *c)
{
	if (raw == NULL)
		return 0;
	at(r, "check.url");
	if (read_url(r, raw->url, &c->urls) != 0)
		return -1;
	for (unsigned int i = 0; i < raw->also_count; i++) {
		at(r, "check.also[%u]", i);
		if (read_url(r, raw->also[i], &c->urls) != 0)
			return -1;
	}
	c->contains = xstrdup_opt(raw->contains);
	if (raw->sample != NULL)
		c->sample = *raw->sample;
	if (raw->expect != NULL)
		c->expect = *raw->expect;
	at(r, "check.expect");
	if (c->expect < 100 || c->expect > 599)
		return fault(r, "%u is no status of HTTP; 100 to 599 are",
		    c->expect);
	if (raw->tries != NULL)
		c->tries = *raw->tries;
	at(r, "check.tries");
	if (c->tries == 0)
		return fault(r, "0 tries find out nothing; at least 1");
	if (read_connect(r, "check.connect", raw->connect, &c->connect) != 0 ||
	    read_path(r, "check.ca", raw->ca, &c->ca) != 0 ||
	    read_duration(r, "check.wait", raw->wait, &c->wait) != 0)
		return -1;
	return read_duration(r, "check.timeout", raw->timeout, &c->timeout);
}

static int
read_hooks(struct reader *r, const struct raw_hooks *raw,
    struct hook_config *h)
{
	if (raw == NULL)
		return 0;
	for (int i = 0; i < HOOK_COUNT; i++)
		h->commands[i] = xstrdup_opt(raw->commands[i]);
	return read_duration(r, "hooks.timeout", raw->timeout, &h->timeout);
}

/* How the hosts are flipped. */
static int
read_strategy(struct reader *r, const struct raw_site *raw,
    struct site_config *s)
{
	s->strategy = raw->strategy;
	if (raw->batch != NULL)
		s->batch = *raw->batch;
	at(r, "batch");
	if (s->batch == 0)
		return fault(r, "no host at once is none ever; at least 1");
	return read_duration(r, "pause", raw->pause, &s->pause);
}

/* Read how a build is made. */
static int
read_build(struct reader *r, const struct raw_build *raw,
    struct build_config *b)
{
	if (raw == NULL)
		return 0;
	b->command = xstrdup(raw->command);
	if (raw->directory != NULL) {
		free(b->directory);
		b->directory = NULL;
	}
	if (read_path(r, "build.directory", raw->directory, &b->directory) !=
		0 ||
	    read_duration(r, "build.timeout", raw->timeout, &b->timeout) != 0)
		return -1;
	if (b->timeout > 0)
		return 0;
	return fault(r, "0 leaves no time to build; at least 1s");
}

/*
 * Take "host" or "user@host" apart; `user`, if not NULL, goes before the one
 * in it.  False when it is no address.
 */
static bool
set_address(struct host_config *h, const char *text, const char *user)
{
	const char *sign = strrchr(text, '@');

	h->label = xstrdup(text);
	h->address = xstrdup(sign != NULL ? sign + 1 : text);
	if (user != NULL)
		h->user = xstrdup(user);
	else if (sign != NULL)
		h->user = xstrndup(text, (size_t)(sign - text));
	/* It becomes an operand of ssh(1), which must not see an option. */
	return h->address[0] != '\0' && h->address[0] != '-' &&
	    (h->user == NULL || (h->user[0] != '\0' && h->user[0] != '-'));
}

/* Read the address. */
static int
read_address(struct reader *r, const struct raw_host *raw,
    struct host_config *h)
{
	if (set_address(h, raw->address, raw->user))
		return 0;
	at(r, "address");
	return fault(r, "'%s' is no address; 'host' or 'user@host' is",
	    raw->address);
}

/* Read one host; what it does not say is the site's. */
static int
read_host(struct reader *r, const struct raw_host *raw,
    const struct site_config *s, struct host_config *h)
{
	h->transport = raw->transport;
	h->host_key = xstrdup_opt(raw->host_key);
	h->jump = xstrdup_opt(raw->jump);
	h->deploy = xstrdup_opt(raw->deploy);
	if (raw->port != NULL) {
		at(r, "port");
		h->port = *raw->port;
		if (h->port == 0 || h->port > 65535)
			return fault(r, "%u is no port; 1 to 65535 are",
			    h->port);
	}
	if (read_address(r, raw, h) != 0 ||
	    read_connect(r, "connect", raw->connect, &h->connect) != 0 ||
	    read_path(r, "identity", raw->identity, &h->identity) != 0)
		return -1;
	if (raw->root != NULL)
		return read_root(r, raw->root, &h->root);
	h->root = xstrdup(s->root);
	return 0;
}

/* Are they the same place? */
static bool
is_same_host(const struct host_config *a, const struct host_config *b)
{
	return strcmp(a->label, b->label) == 0 && a->port == b->port &&
	    strcmp(a->root, b->root) == 0;
}

/* Read the hosts of site `i`, the last thing of it. */
static int
read_hosts(struct reader *r, size_t i, const struct raw_site *raw,
    struct site_config *s)
{
	s->hosts = xcalloc(raw->hosts_count, sizeof(*s->hosts));
	while (s->n_hosts < raw->hosts_count) {
		size_t k = s->n_hosts++;

		snprintf(r->base, sizeof(r->base), "sites[%zu].hosts[%zu].", i,
		    k);
		if (read_host(r, &raw->hosts[k], s, &s->hosts[k]) != 0)
			return -1;
		at(r, "address");
		for (size_t j = 0; j < k; j++)
			if (is_same_host(&s->hosts[j], &s->hosts[k]))
				return fault(r, "'%s' is there twice",
				    s->hosts[k].label);
	}
	return 0;
}

/* Read site `i`; `s` has the defaults and may be left half filled. */
static int
read_site(struct reader *r, size_t i, const struct raw_site *raw,
    struct site_config *s)
{
	snprintf(r->base, sizeof(r->base), "sites[%zu].", i);
	s->freeze_on_rollback = raw->freeze_on_rollback;
	s->group = xstrdup_opt(raw->group);
	s->update = xstrdup_opt(raw->update);
	/* Where `update` runs, too. */
	s->build.directory = xstrdup(r->dir);
	if (read_name(r, raw->name, &s->name) != 0 ||
	    read_root(r, raw->root, &s->root) != 0 ||
	    read_path(r, "source", raw->source, &s->source) != 0 ||
	    read_build(r, raw->build, &s->build) != 0 ||
	    read_duration(r, "settle", raw->settle, &s->settle) != 0 ||
	    read_keep(r, raw->keep, &s->keep) != 0 ||
	    read_patterns(r, "exclude", raw->exclude, raw->exclude_count,
		&s->exclude) != 0 ||
	    read_shared(r, raw->shared, raw->shared_count, &s->shared) != 0 ||
	    read_carry(r, raw->carry, s) != 0 ||
	    read_percent(r, "max_delete", raw->max_delete, &s->max_delete) !=
		0 ||
	    read_duration(r, "lock_wait", raw->lock_wait, &s->lock_wait) !=
		0 ||
	    read_timeout(r, raw->timeout, &s->timeout) != 0 ||
	    read_check(r, raw->check, &s->check) != 0 ||
	    read_hooks(r, raw->hooks, &s->hooks) != 0 ||
	    read_strategy(r, raw, s) != 0)
		return -1;
	s->dir = xstrdup(r->dir);
	return read_hosts(r, i, raw, s);
}

/* Refuse a site with the name or, on this machine, the root of another. */
static int
check_distinct(struct reader *r, const struct config *c, size_t i)
{
	const struct site_config *s = &c->sites[i], *o = c->sites;

	snprintf(r->base, sizeof(r->base), "sites[%zu].", i);
	for (; o < s; o++) {
		at(r, "name");
		if (strcmp(s->name, o->name) == 0)
			return fault(r,
			    "'%s' is the name of sites[%td] already", s->name,
			    o - c->sites);
		at(r, "root");
		if (s->n_hosts == 0 && o->n_hosts == 0 &&
		    strcmp(s->root, o->root) == 0)
			return fault(r,
			    "'%s' is the root of sites[%td] already", s->root,
			    o - c->sites);
	}
	return 0;
}

/* Read all sites; after a fault `c` has those before, and half a one. */
static int
read_sites(struct reader *r, const struct raw_config *raw, struct config *c)
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
read_queue(struct reader *r, const char *text, char **queue)
{
	if (text == NULL || !is_database(text)) {
		if (text != NULL && strstr(text, "://") != NULL) {
			at(r, "queue");
			return fault(r, "neither a directory nor "
			    "postgresql://...");
		}
		return read_path(r, "queue", text, queue);
	}
	*queue = xstrdup(text);
	return 0;
}

/* Read a number of at least `least`; NULL leaves the default. */
static int
read_count(struct reader *r, const char *key, const unsigned int *given,
    unsigned int least, unsigned int most, unsigned int *out)
{
	if (given == NULL)
		return 0;
	at(r, "%s", key);
	*out = *given;
	if (*out >= least && *out <= most)
		return 0;
	return fault(r, "%u is out of range; %u to %u", *out, least, most);
}

/* Read how jobs are done. */
static int
read_worker(struct reader *r, const struct raw_worker *raw,
    struct worker_config *w)
{
	if (raw == NULL)
		return 0;
	strcpy(r->base, "worker.");
	w->notify = xstrdup_opt(raw->notify);
	if (read_count(r, "jobs", raw->jobs, 1, CONFIG_JOBS_MAX, &w->jobs) !=
		0 ||
	    read_count(r, "max_jobs", raw->max_jobs, 1, UINT_MAX,
		&w->max_jobs) != 0 ||
	    read_count(r, "keep", raw->keep, 1, 1000000, &w->keep) != 0 ||
	    read_count(r, "log_size", raw->log_size, 4, 1000000,
		&w->log_size) != 0 ||
	    read_duration(r, "retry", raw->retry, &w->retry) != 0 ||
	    read_duration(r, "timeout", raw->timeout, &w->timeout) != 0 ||
	    read_path(r, "logs", raw->logs, &w->logs) != 0)
		return -1;
	at(r, "timeout");
	return w->timeout > 0 ? 0 :
	    fault(r, "0 leaves no time for a job; at least 1s");
}

/* Read what stands beside the sites. */
static int
read_top(struct reader *r, const struct raw_config *raw, struct config *c)
{
	r->base[0] = '\0';
	if (read_queue(r, raw->queue, &c->queue) != 0)
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
read_text(struct reader *r, const char *path, const char *text, size_t len,
    struct config *c)
{
	cyaml_data_t *raw = NULL;
	cyaml_err_t err = cyaml_load_data((const uint8_t *)text, len, &cyaml,
	    &top_schema, &raw, NULL);
	int ret;

	if (err != CYAML_OK || raw == NULL)
		ret = err_set(r->e, ERR_USAGE,
		    "%s:1:1: libcyaml cannot load the file (%s); please "
		    "report this",
		    path, cyaml_strerror(err));
	else
		ret = read_sites(r, raw, c) != 0 ? -1 : read_top(r, raw, c);
	cyaml_free(&cyaml, &top_schema, raw, 0);
	return ret;
}

int
config_parse(struct config *c, const char *text, size_t len, const char *path,
    const char *dir, struct err *e)
{
	struct yamlcheck *yaml;
	struct reader r = { .dir = dir, .e = e };
	int ret;

	*c = (struct config)CONFIG_INIT;
	yaml = yamlcheck_open(path, text, len, &top_schema,
	    "describe a site: 'sites: [{name: example.org, root: "
	    "/srv/www/example.org}]'",
	    e);
	if (yaml == NULL)
		return -1;
	r.yaml = yaml;
	ret = read_text(&r, path, text, len, c);
	yamlcheck_free(yaml);
	if (ret != 0) {
		config_release(c);
	} else {
		c->path = xstrdup(path);
		c->dir = xstrdup(dir);
	}
	return ret;
}

/* ---- the file ---------------------------------------------------------- */

/* Read the whole file; `origin` is a cure that says who named it. */
static int
read_file(const char *path, const char *origin, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), sys = errno;
	ssize_t n = -1;

	if (fd >= 0) {
		buf_reserve(out, YAMLTEXT_MAX + 1);
		n = io_read(fd, out->data, YAMLTEXT_MAX + 1);
		sys = errno;
		close(fd);
	}
	if (n < 0) {
		errno = sys;
		err_sys(e, "cannot read the configuration '%s'", path);
		e->code = ERR_USAGE;
		return err_append(e, "; %s", origin);
	}
	out->len = (size_t)n;
	out->data[out->len] = '\0';
	return 0;
}

/*
 * The directory of a file as an absolute path without symbolic links, so that
 * a ".." behind it means what it says.  The caller frees it.
 */
static char *
directory_of(const char *path, struct err *e)
{
	char *copy = xstrdup(path), *real = realpath(dirname(copy), NULL);

	if (real == NULL) {
		err_sys(e, "cannot find the directory of '%s'", path);
		e->code = ERR_USAGE;
	}
	free(copy);
	return real;
}

/* Is there a file of that name, even one that leads nowhere? */
static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

/*
 * The path of deploy.yml in the current directory or the nearest parent that
 * has one, which the caller frees; NULL when there is none.
 */
static char *
search(void)
{
	char *dir, *slash, *path = NULL;

	if (is_there(FILE_NAME))
		return xstrdup(FILE_NAME);
	dir = getcwd(NULL, 0);
	while (path == NULL && dir != NULL &&
	    (slash = strrchr(dir, '/')) != NULL) {
		*slash = '\0';
		path = xasprintf("%s/" FILE_NAME, dir);
		if (!is_there(path)) {
			free(path);
			path = NULL;
		}
	}
	free(dir);
	return path;
}

/* Read and parse the file at `path`. */
static int
load_file(struct config *c, const char *path, const char *origin,
    struct err *e)
{
	struct buf text = BUF_INIT;
	char *dir = NULL;
	int ret = -1;

	if (read_file(path, origin, &text, e) == 0 &&
	    (dir = directory_of(path, e)) != NULL)
		ret = config_parse(c, buf_str(&text), text.len, path, dir, e);
	free(dir);
	buf_release(&text);
	return ret;
}

int
config_load(struct config *c, const char *file, struct err *e)
{
	const char *env = getenv("DEPLOY_CONFIG");
	char *path;
	int ret = 0;

	*c = (struct config)CONFIG_INIT;
	if (file != NULL)
		return load_file(c, file, "check the name after -c", e);
	if (env != NULL && env[0] != '\0')
		return load_file(c, env, "check $DEPLOY_CONFIG", e);
	path = search();
	if (path != NULL)
		ret = load_file(c, path, "mend or remove it", e);
	free(path);
	return ret;
}

/* ---- what was read ----------------------------------------------------- */

void
site_config_init(struct site_config *s)
{
	*s = (struct site_config){
		.build = { .timeout = CONFIG_BUILD_TIMEOUT },
		.keep = CONFIG_KEEP,
		.carry_for = CONFIG_CARRY_FOR,
		.max_delete = CONFIG_MAX_DELETE,
		.lock_wait = CONFIG_LOCK_WAIT,
		.timeout = CONFIG_TIMEOUT,
		.check = {
			.expect = CONFIG_CHECK_STATUS,
			.sample = CONFIG_CHECK_SAMPLE,
			.tries = CONFIG_CHECK_TRIES,
			.wait = CONFIG_CHECK_WAIT,
			.timeout = CONFIG_CHECK_TIMEOUT,
		},
		.hooks.timeout = CONFIG_HOOK_TIMEOUT,
		.batch = 1,
	};
}

/* Free what a host has. */
static void
host_config_release(struct host_config *h)
{
	free(h->label);
	free(h->address);
	free(h->user);
	free(h->root);
	free(h->identity);
	free(h->host_key);
	free(h->jump);
	free(h->connect);
	free(h->deploy);
}

void
site_config_release(struct site_config *s)
{
	free(s->name);
	free(s->source);
	free(s->update);
	free(s->build.command);
	free(s->build.directory);
	free(s->root);
	free(s->group);
	strvec_release(&s->exclude);
	strvec_release(&s->shared);
	strvec_release(&s->carry);
	strvec_release(&s->check.urls);
	free(s->check.contains);
	free(s->check.connect);
	free(s->check.ca);
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
	free(c->path);
	free(c->dir);
	free(c->queue);
	free(c->worker.logs);
	free(c->worker.notify);
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
		    "no " FILE_NAME " here or in a parent directory; name "
		    "one with -c, or a root with --root");
	else if (name == NULL)
		err_set(e, ERR_USAGE,
		    "%s has several sites; choose one with -s: %s", c->path,
		    buf_str(&all));
	else if ((near = nearest_word(name, names)) != NULL)
		err_set(e, ERR_USAGE, "no site '%s' in %s; did you mean '%s'?",
		    name, c->path, near);
	else
		err_set(e, ERR_USAGE, "no site '%s' in %s; there is %s", name,
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

/* ---- hosts that are named ---------------------------------------------- */

/* Cut ":PORT" off an address that is no IPv6 one.  False: it is no port. */
static bool
cut_port(struct host_config *h)
{
	char *colon = strchr(h->address, ':'), *end;
	unsigned long port;

	if (colon == NULL || strchr(colon + 1, ':') != NULL)
		return true;
	port = strtoul(colon + 1, &end, 10);
	if (strspn(colon + 1, "0123456789") == 0 || *end != '\0' ||
	    port == 0 || port > 65535)
		return false;
	*colon = '\0';
	h->port = (unsigned int)port;
	return h->address[0] != '\0';
}

int
site_config_add_host(struct site_config *s, const char *address,
    struct err *e)
{
	struct host_config *h;

	s->hosts =
	    xreallocarray(s->hosts, s->n_hosts + 1, sizeof(*s->hosts));
	h = &s->hosts[s->n_hosts++];
	*h = (struct host_config){ .root = xstrdup(s->root) };
	if (!set_address(h, address, NULL) || !cut_port(h))
		return err_set(e, ERR_USAGE,
		    "'%s' is no address; 'host' or 'user@host:22' is",
		    address);
	for (size_t i = 0; i + 1 < s->n_hosts; i++)
		if (strcmp(s->hosts[i].label, address) == 0)
			return err_set(e, ERR_USAGE, "'%s' is there twice",
			    address);
	return 0;
}

/* Does the name mean the host? */
static bool
is_called(const struct host_config *h, const char *name)
{
	char *full;
	bool is;

	if (strcmp(h->label, name) == 0 || strcmp(h->address, name) == 0)
		return true;
	full = xasprintf("%s:%u", h->address, h->port);
	is = strcmp(full, name) == 0;
	free(full);
	return is;
}

/* No host of the site has the name. */
static int
fault_host(const struct site_config *s, const char *name, struct err *e)
{
	const char **names = xcalloc(2 * s->n_hosts + 1, sizeof(*names)),
		   *near;
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < s->n_hosts; i++) {
		names[2 * i] = s->hosts[i].label;
		names[2 * i + 1] = s->hosts[i].address;
		buf_addf(&all, "%s%s", i > 0 ? ", " : "", s->hosts[i].label);
	}
	if (s->n_hosts == 0)
		err_set(e, ERR_USAGE,
		    "no host '%s': the site '%s' has no hosts, it is on this "
		    "machine",
		    name, s->name);
	else if ((near = nearest_word(name, names)) != NULL)
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s'; did you mean '%s'?",
		    s->name, name, near);
	else
		err_set(e, ERR_USAGE,
		    "the site '%s' has no host '%s'; there is %s", s->name,
		    name, buf_str(&all));
	buf_release(&all);
	free(names);
	return -1;
}

int
site_config_narrow(const struct site_config *s, const struct strvec *names,
    struct site_config *out, struct err *e)
{
	bool *wanted = xcalloc(s->n_hosts + 1, sizeof(*wanted));
	int ret = 0;

	*out = *s;
	out->hosts = xcalloc(s->n_hosts + 1, sizeof(*out->hosts));
	out->n_hosts = 0;
	for (size_t i = 0; ret == 0 && i < names->n; i++) {
		bool found = false;

		for (size_t k = 0; k < s->n_hosts; k++)
			if (is_called(&s->hosts[k], names->v[i]))
				found = wanted[k] = true;
		if (!found)
			ret = fault_host(s, names->v[i], e);
	}
	for (size_t k = 0; k < s->n_hosts; k++)
		if (wanted[k])
			out->hosts[out->n_hosts++] = s->hosts[k];
	free(wanted);
	return ret;
}
