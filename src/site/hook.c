#include "site/hook.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "content/dcz.h"
#include "content/diff.h"
#include "content/reach.h"
#include "fleet/check.h"
#include "os/io.h"
#include "os/log.h"
#include "os/shell.h"

static const char *const names[HOOK_COUNT] = {
	[HOOK_PRE_STAGE] = "pre_stage",
	[HOOK_POST_STAGE] = "post_stage",
	[HOOK_PRE_ACTIVATE] = "pre_activate",
	[HOOK_POST_ACTIVATE] = "post_activate",
	[HOOK_POST_ROLLBACK] = "post_rollback",
	[HOOK_FAILED] = "failed",
};

bool
hook_exists(const struct site_config *site, enum hook_when when)
{
	return site->hooks.commands[when] != NULL;
}

static void
add(struct strvec *env, const char *name, const char *value)
{
	strvec_addf(env, "DEPLOY_%s=%s", name, value != NULL ? value : "");
}

static void
make_environment(enum hook_when when, const struct hook_facts *f,
    struct strvec *env)
{
	struct buf hosts = BUF_INIT;

	for (size_t i = 0; i < f->site->n_hosts; i++)
		buf_addf(&hosts, "%s%s", i > 0 ? " " : "",
		    f->site->hosts[i].label);
	add(env, "HOOK", names[when]);
	add(env, "SITE", f->site->name);
	add(env, "ROOT", f->site->root);
	add(env, "COMMAND", f->command);
	add(env, "HOSTS", buf_str(&hosts));
	add(env, "RELEASE", f->release != NULL ? f->release->text : NULL);
	add(env, "PREVIOUS", f->previous != NULL ? f->previous->text : NULL);
	add(env, "COMMIT", f->commit);
	add(env, "CHANGED_FILE", f->changed);
	add(env, "CHANGED_CONTENT_FILE", f->changed_content);
	add(env, "ERROR", f->error != NULL ? f->error->text : NULL);
	strvec_addf(env, "DEPLOY_STATUS=%d",
	    f->error != NULL ? (int)f->error->code : 0);
	buf_release(&hosts);
}

int
hook_run(enum hook_when when, const struct hook_facts *f, struct err *e)
{
	const struct site_config *site = f->site;
	struct strvec env = STRVEC_INIT;
	struct shell_options o = { .what = names[when],
		.command = site->hooks.commands[when],
		.directory = site->dir != NULL ? site->dir : ".",
		.timeout = site->hooks.timeout,
		.quiet = log_level() == LOG_QUIET,
		.env = &env };
	int r;

	if (o.command == NULL)
		return 0;
	make_environment(when, f, &env);
	r = shell_run(&o, e);
	strvec_release(&env);
	if (r != 0 && when != HOOK_PRE_STAGE && when != HOOK_PRE_ACTIVATE)
		e->code = ERR_CLEANUP;
	return r;
}

/* A file or a link. */
static bool
has_page(const struct manifest *m, const char *path)
{
	const struct entry *en = manifest_find(m, path);

	return en != NULL && en->type != ENTRY_DIR;
}

/* The URLs that differ between two releases. */
struct changes {
	const struct manifest *from, *to;
	bool content;
	struct strvec *urls;
};

/* What visitors get at `path` stands in one of the two at `at`. */
static void
add_change(void *ctx, const char *path, const char *at)
{
	const struct changes *c = ctx;
	char *url;

	/* A directory that came or went empty has no page; what was a file
	 * and is one, or the other way round, had or has. */
	if (!has_page(c->from, at) && !has_page(c->to, at))
		return;
	/* It says what its file says; who asks for it by its own name wants
	 * to know of it, but has nothing new to read. */
	if (c->content &&
	    (form_has_file(c->from, at) || form_has_file(c->to, at)))
		return;
	url = check_url("/", path);
	strvec_add(c->urls, url);
	free(url);
}

static void
add_changes(const struct hook_before *from, const struct manifest *to,
    bool content, struct strvec *urls)
{
	struct changes c = { &from->m, to, content, urls };
	struct diff d = DIFF_INIT;

	diff_manifests(&d, &from->m, to);
	if (content && from->same != NULL)
		diff_drop(&d, to, from->same);
	for (size_t i = 0; i < d.n; i++)
		add_change(&c, d.v[i].path, d.v[i].path);
	if (!reach_changes(&from->m, to, &d, add_change, &c) && !content)
		log_warn(
		    "DEPLOY_CHANGED_FILE lacks URLs through symbolic links to directories: there are too many; purge all of a CDN, and have fewer links in one another");
	diff_release(&d);
}

/* Sorted, and each once, a line each. */
static void
print_once(struct strvec *urls, struct buf *out)
{
	strvec_sort(urls);
	for (size_t i = 0; i < urls->n; i++)
		if (i == 0 || strcmp(urls->v[i - 1], urls->v[i]) != 0)
			buf_addf(out, "%s\n", urls->v[i]);
}

int
hook_write_changes(const struct hook_before *from, size_t n,
    const struct manifest *to, bool content, char **path, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	struct strvec urls = STRVEC_INIT;
	struct buf b = BUF_INIT;
	int fd, r = 0;

	*path = xasprintf("%s/deploy-changes-XXXXXX",
	    tmp != NULL && *tmp == '/' ? tmp : "/tmp");
	fd = mkstemp(*path);
	if (fd < 0) {
		err_sys(e, "cannot make a temporary file '%s'", *path);
		free(*path);
		*path = NULL;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		add_changes(&from[i], to, content, &urls);
	print_once(&urls, &b);
	if (io_write(fd, buf_str(&b), b.len) != 0)
		r = err_sys(e, "cannot write '%s'", *path);
	if (io_close(fd) != 0 && r == 0)
		r = err_sys(e, "cannot write '%s'", *path);
	strvec_release(&urls);
	buf_release(&b);
	return r;
}
