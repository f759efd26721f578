#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "cmd/cmd.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "config/generator.h"
#include "os/example.h"
#include "os/file.h"
#include "os/log.h"
#include "site/webhook.h"

#define CONFIG_NAME "deploy.yml"

/* A name for the site: that of the directory, if it can be one in YAML. */
static void
choose_name(char *name, size_t size)
{
	char *cwd = getcwd(NULL, 0);
	const char *base = cwd != NULL ? path_base(cwd) : "";
	size_t len = strspn(base,
	    "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

	snprintf(name, size, "%s",
	    len > 0 && len < size && base[len] == '\0' &&
		    strchr(".-", base[0]) == NULL &&
		    strspn(base, "0123456789._") < len &&
		    strcasecmp(base, "null") != 0 ?
		base :
		"example.org");
	free(cwd);
}

/* The text of deploy.yml for what is in the directory. */
static char *
make_config(const struct generator *g)
{
	char name[128], *schema = example_path("deploy.schema.json");
	struct buf b = BUF_INIT;

	choose_name(name, sizeof(name));
	buf_adds(&b, "# What `deploy` needs to know; see deploy.yml(5).\n");
	if (schema != NULL)
		buf_addf(&b, "# yaml-language-server: $schema=%s\n", schema);
	free(schema);
	buf_addf(&b,
	    "sites:\n"
	    "  - name: %s\n"
	    "    source: %-18s # what the site generator writes\n"
	    "    root: /srv/www/%s\n"
	    "    # The web server's document root is `current` in the root.\n",
	    name, g->source, name);
	if (g->command != NULL)
		buf_addf(&b,
		    "    # To have `deploy publish` build the site, each time in a fresh\n"
		    "    # directory, put this in the place of `source`:\n"
		    "    # build: {command: \"%s\"}\n",
		    g->command);
	buf_adds(&b,
	    "    keep: 5                    # releases that were live stay\n");
	if (g->exclude != NULL)
		buf_addf(&b, "    exclude: [\"%s\"]   # %s copies it\n",
		    g->exclude, g->name);
	else
		buf_adds(&b, "    # exclude: [\"*.map\", \".DS_Store\"]\n");
	buf_adds(&b,
	    "    # shared: [\".well-known/acme-challenge\"]\n"
	    "    # carry: {paths: [\"assets/**\"], for: 7d}\n"
	    "    # compress: {paths: [\"*.html\", \"*.css\", \"*.js\"]}   # .gz, .br\n"
	    "    # dictionaries: {paths: [\"assets/**\"]}   # what changed, for who was here\n"
	    "    # max_delete: 50%          # refuse a build that lacks more\n");
	buf_addf(&b,
	    "    # check: {url: \"https://%s/\"}\n"
	    "    # hooks: {post_activate: \"./purge-cdn\"}\n"
	    "    # hosts:                   # without: this machine\n"
	    "    #   - address: deploy@www1.example.org\n"
	    "    #   - address: deploy@www2.example.org\n",
	    name);
	return buf_detach(&b);
}

/* Write deploy.yml into the current directory; it must not be there. */
static int
write_config(struct run *run, struct err *e)
{
	const struct generator *g;
	struct dir here = DIR_INIT;
	char *text;
	json_t *doc;
	int r = dir_open_path(&here, ".", e);

	if (r != 0)
		return -1;
	g = generator_detect(&here);
	text = make_config(g);
	if (!run->opts.dry_run)
		r = file_publish(&here, CONFIG_NAME, text, strlen(text), e);
	dir_close(&here);
	free(text);
	if (r != 0)
		return -1;
	if (g->name != NULL)
		log_info("this is a site of %s, which writes to '%s'", g->name,
		    g->source);
	log_info(
	    "%s %s; set name, source and root in it, then run 'deploy init' again",
	    run->opts.dry_run ? "would write" : "wrote", CONFIG_NAME);
	if (run->opts.json) {
		doc = json_new_object();
		json_put_string(doc, "config", CONFIG_NAME);
		json_put_string(doc, "generator", g->name);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_bool(doc, "changed", true);
		cmd_answer(run, doc);
	}
	return 0;
}

/* What there was on a host, and what is there now. */
static void
tell_prepared(const struct run *run, const struct remote *r)
{
	log_info("%s'%s' %s; the web server's document root is '%s/current'",
	    remote_said(r), r->host->root,
	    r->prepared		  ? "is prepared already" :
		run->opts.dry_run ? "would be prepared" :
				    "is prepared",
	    r->host->root);
}

/* Which example is for the web server. */
static void
tell_examples(void)
{
	char *nginx = example_path("nginx.conf");

	if (nginx != NULL)
		log_info(
		    "examples for nginx, Caddy and Apache: '%s', Caddyfile and apache.conf beside it",
		    nginx);
	free(nginx);
}

static void
answer_prepared(struct run *run, bool ready)
{
	json_t *doc = cmd_new_doc(run);

	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_bool(doc, "prepared", ready || !run->opts.dry_run);
	json_put_bool(doc, "changed", !ready);
	cmd_answer(run, doc);
}

/* Prepare the root on every host, and say how to serve it. */
static int
prepare_roots(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	bool ready = true;
	int r;

	cmd_init_fleet(run, &f);
	r = fleet_open(&f, false, e);
	for (size_t i = 0; r == 0 && i < f.n; i++)
		ready &= f.v[i].prepared;
	if (r == 0 && !run->opts.dry_run)
		r = cmd_call_hosts(&f, "init", "not prepared everywhere", NULL,
		    NULL, NULL, e);
	for (size_t i = 0; r == 0 && i < f.n; i++)
		tell_prepared(run, &f.v[i]);
	if (r == 0 && !ready)
		tell_examples();
	if (r == 0 && run->opts.json)
		answer_prepared(run, ready);
	fleet_release(&f);
	return r;
}

/* ---- web hooks --------------------------------------------------------- */

#define HOOKS_NAME "hooks.yml"
#define SECRETS_NAME "hooks.env"
#define SCRIPT_NAME "deploy-hook"

/* Where forges send pushes to, and what signs them. */
static void
tell_hooks(const struct run *run)
{
	for (size_t i = 0; i < run->config.n; i++) {
		const struct site_config *s = &run->config.sites[i];
		char *variable = webhook_variable(s);

		log_info("%s: https://HOST/hooks/%s, with the secret %s of %s",
		    s->name, s->name, variable, SECRETS_NAME);
		free(variable);
	}
}

static void
answer_hooks(struct run *run, bool changed)
{
	json_t *doc = json_new_object(), *list = json_new_array(), *site;

	json_put_string(doc, "hooks", HOOKS_NAME);
	json_put_string(doc, "secrets", SECRETS_NAME);
	json_put_string(doc, "script", SCRIPT_NAME);
	for (size_t i = 0; i < run->config.n; i++) {
		char *variable = webhook_variable(&run->config.sites[i]);

		site = json_new_object();
		json_put_string(site, "site", run->config.sites[i].name);
		json_put_string(site, "secret", variable);
		json_push(list, site);
		free(variable);
	}
	json_put(doc, "sites", list);
	json_put_bool(doc, "dry_run", run->opts.dry_run);
	json_put_bool(doc, "changed", changed);
	cmd_answer(run, doc);
}

/* Write the file if it is another one.  1: it was; 0; -1. */
static int
replace(const struct run *run, const struct dir *dir, const char *name,
    const struct buf *text, mode_t mode, struct err *e)
{
	struct buf old = BUF_INIT;
	struct err none = ERR_INIT;
	int r = 1;

	if (file_read(dir, name, INT_MAX, &old, &none) == 0 &&
	    buf_eq(&old, text))
		r = 0;
	if (r == 1)
		log_info("%s '%s/%s'",
		    run->opts.dry_run ? "would write" : "wrote", dir->path,
		    name);
	if (r == 1 && !run->opts.dry_run &&
	    file_publish_mode(dir, name, text->data, text->len, mode, e) != 0)
		r = -1;
	buf_wipe(&old);
	return r;
}

/* The three files; secrets that are there stay.  1: changed; 0; -1. */
static int
write_files(const struct run *run, const struct dir *dir, struct buf *hooks,
    struct buf *secrets, struct err *e)
{
	char *script = xasprintf("%s/" SCRIPT_NAME, run->config.dir);
	struct buf text = BUF_INIT;
	int r, changed = 0;

	r = file_read(dir, SECRETS_NAME, INT_MAX, secrets, e);
	if (r != 0 && e->sys == ENOENT) {
		*e = (struct err)ERR_INIT;
		r = 0;
	}
	if (r == 0)
		r = webhook_secrets(&run->config, secrets, e) < 0 ? -1 : 0;
	if (r == 0)
		r = webhook_hooks(&run->config, script, hooks, e);
	for (const char *const *l = webhook_script; *l != NULL; l++)
		buf_adds(&text, *l);
	/* A hook that is there has what it wants. */
	if (r == 0 &&
	    (r = replace(run, dir, SECRETS_NAME, secrets, 0600, e)) >= 0) {
		changed |= r;
		r = replace(run, dir, SCRIPT_NAME, &text, 0755, e);
	}
	if (r >= 0) {
		changed |= r;
		r = replace(run, dir, HOOKS_NAME, hooks, 0644, e);
	}
	buf_release(&text);
	free(script);
	return r < 0 ? -1 : changed | r;
}

/* Write hooks for all sites beside the deploy.yml. */
static int
write_hooks(struct run *run, struct err *e)
{
	struct buf hooks = BUF_INIT, secrets = BUF_INIT;
	struct dir dir = DIR_INIT;
	int r = -1;

	if (run->opts.root != NULL || run->opts.sites.n > 0)
		return err_set(e, ERR_USAGE,
		    "--hooks is about all sites of a deploy.yml, without --root and --site");
	if (step_queue_config(run, e) == 0 &&
	    dir_open_path(&dir, run->config.dir, e) == 0)
		r = write_files(run, &dir, &hooks, &secrets, e);
	buf_wipe(&secrets);
	buf_release(&hooks);
	dir_close(&dir);
	if (r < 0)
		return -1;
	tell_hooks(run);
	if (run->opts.json)
		answer_hooks(run, r > 0);
	return 0;
}

static int
run_init(struct run *run, struct err *e)
{
	if (run->opts.hooks)
		return write_hooks(run, e);
	if (run->opts.root == NULL && run->opts.config == NULL) {
		if (config_load(&run->config, NULL, e) != 0)
			return -1;
		if (run->config.path == NULL)
			return write_config(run, e);
		config_release(&run->config);
	}
	return cmd_site(run, e) == 0 ? prepare_roots(run, e) : -1;
}

static const enum opt_id opts[] = { OPT_HOOKS, OPT_END };

const struct cmd cmd_init = {
	.name = "init",
	.group = "Going live",
	.args = "",
	.summary = "write a commented deploy.yml, or prepare the root",
	.about =
	    "Without a deploy.yml, and without --root, writes one here.\n"
	    "Otherwise prepares the root of the site.  Nothing that exists is\n"
	    "changed.  For a site that is served already, see 'deploy adopt'.\n"
	    "With --hooks, writes what webhook(1) needs for pushes to the sites.\n",
	.examples =
	    "deploy init                           # a deploy.yml to edit\n"
	    "deploy init --root /srv/www/example.org\n"
	    "deploy init --hooks -c /etc/deploy/deploy.yml\n",
	.opts = opts,
	.run = run_init,
};
