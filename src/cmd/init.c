#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/path.h"
#include "cmd/cmd.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "config/generator.h"
#include "os/example.h"
#include "os/file.h"
#include "os/log.h"

#define CONFIG_NAME "deploy.yml"

/* A name for the site: that of the directory, if it can be one. */
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
		    strspn(base, "0123456789._") < len ?
		base :
		"example.org");
	free(cwd);
}

/* The text of deploy.yml for what is in the directory. */
static char *
make_config(const struct generator *g)
{
	struct buf b = BUF_INIT;
	char name[128];

	choose_name(name, sizeof(name));
	buf_addf(&b,
	    "# What `deploy` needs to know; see deploy.yml(5).\n"
	    "sites:\n"
	    "  - name: %s\n"
	    "    source: %-18s # what the site generator writes\n"
	    "    root: /srv/www/%s\n"
	    "    # The web server's document root is `current` in the root.\n",
	    name, g->source, name);
	if (g->command != NULL)
		buf_addf(&b,
		    "    # How `deploy publish` makes the build; without `source`, each in a\n"
		    "    # fresh directory:\n"
		    "    # build: {command: \"%s\"%s}\n",
		    g->command, g->leaves ? ", clean: true" : "");
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
		r = cmd_call_hosts(run, &f, "init", NULL, NULL, NULL, e);
	for (size_t i = 0; r == 0 && i < f.n; i++)
		tell_prepared(run, &f.v[i]);
	if (r == 0 && !ready)
		tell_examples();
	if (r == 0 && run->opts.json)
		answer_prepared(run, ready);
	fleet_release(&f);
	return r;
}

static int
run_init(struct run *run, struct err *e)
{
	if (run->opts.root == NULL && run->opts.config == NULL) {
		if (config_load(&run->config, NULL, e) != 0)
			return -1;
		if (run->config.path == NULL)
			return write_config(run, e);
		config_release(&run->config);
	}
	return cmd_site(run, e) == 0 ? prepare_roots(run, e) : -1;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_init = {
	.name = "init",
	.group = "Going live",
	.args = "",
	.summary = "write a commented deploy.yml, or prepare the root",
	.about =
	    "Without a deploy.yml (and without --root) writes one here.  With\n"
	    "one prepares the site's root.  What is there is left as it is.\n"
	    "A site that is served already: see 'deploy adopt'.\n",
	.examples =
	    "deploy init                           # a deploy.yml to edit\n"
	    "deploy init --root /srv/www/example.org\n",
	.opts = opts,
	.run = run_init,
};
