#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "config/config_host.h"
#include "config/config_read.h"
#include "config/yamltext.h"
#include "os/io.h"
#include "os/log.h"

#define FILE_NAME "deploy.yml"
#define OTHER_NAME "deploy.yaml" /* where there is no FILE_NAME */

int
config_parse(struct config *c, const char *text, size_t len, const char *path,
    const char *dir, struct err *e)
{
	*c = (struct config)CONFIG_INIT;
	if (config_read(c, text, len, path, dir, e) != 0) {
		config_release(c);
		return -1;
	}
	c->path = xstrdup(path);
	c->dir = xstrdup(dir);
	return 0;
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

/* Say, once in a process, that there are two files. */
static void
tell_unread(const char *other, const char *path)
{
	static bool told; /* a worker looks again and again */

	if (!told)
		log_warn(
		    "'%s' is not read, as there is '%s'; remove one of them",
		    other, path);
	told = true;
}

/*
 * The path of the configuration in `dir`, with a '/' at its end or empty,
 * which the caller frees; NULL when there is none.
 */
static char *
search_in(const char *dir)
{
	char *path = xasprintf("%s" FILE_NAME, dir),
	     *other = xasprintf("%s" OTHER_NAME, dir);
	bool first = is_there(path), second = is_there(other);

	if (first && second)
		tell_unread(other, path);
	if (!first) {
		free(path);
		path = second ? xstrdup(other) : NULL;
	}
	free(other);
	return path;
}

/* As search_in(), in the current directory or the nearest above that has one. */
static char *
search(void)
{
	char *path = search_in(""), *dir, *slash;

	if (path != NULL)
		return path;
	dir = getcwd(NULL, 0);
	while (path == NULL && dir != NULL &&
	    (slash = strrchr(dir, '/')) != NULL) {
		slash[1] = '\0';
		path = search_in(dir);
		*slash = '\0';
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
		.rules = RULES_INIT,
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

void
site_config_release(struct site_config *s)
{
	free(s->name);
	free(s->source);
	free(s->update);
	free(s->build.command);
	free(s->build.directory);
	free(s->root);
	rules_release(&s->rules);
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
		    "no " FILE_NAME
		    " here or in a parent directory;; name one with -c, or a root with --root");
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
