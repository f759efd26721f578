#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd/table.h"
#include "file.h"
#include "log.h"

#define CONFIG_NAME "deploy.yml"

static const char template[] =
    "# What `deploy` needs to know; see deploy.yml(5).\n"
    "sites:\n"
    "  - name: example.org\n"
    "    source: public             # what the site generator writes\n"
    "    root: /srv/www/example.org # the web server's document root is\n"
    "                               # <root>/current\n"
    "    keep: 5                    # releases that were live stay\n"
    "    # exclude: [\"*.map\", \".DS_Store\"]\n"
    "    # shared: [\".well-known/acme-challenge\"]\n"
    "    # carry: {paths: [\"assets/**\"], for: 7d}\n"
    "    # max_delete: 50%          # refuse a build that lacks more\n";

/* Write deploy.yml into the current directory; it must not be there. */
static int
write_config(struct run *run, struct err *e)
{
	struct dir here = DIR_INIT;
	json_t *doc;
	int r = 0;

	if (!run->opts.dry_run) {
		if (dir_open_path(&here, ".", e) != 0)
			return -1;
		r = file_publish(&here, CONFIG_NAME, template,
		    strlen(template), e);
		dir_close(&here);
	}
	if (r != 0)
		return -1;
	log_info("%s %s; set name, source and root in it, then run 'deploy "
	    "init' again", run->opts.dry_run ? "would write" : "wrote",
	    CONFIG_NAME);
	if (run->opts.json) {
		doc = json_new_object();
		json_put_string(doc, "config", CONFIG_NAME);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_bool(doc, "changed", true);
		cmd_answer(run, doc);
	}
	return 0;
}

/* Prepare the root of the site, and say how to serve it. */
static int
prepare_root(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct release_id current;
	bool ready = store_is_root(run->site->root);
	json_t *doc;
	int r = 0;

	if (!run->opts.dry_run) {
		r = store_create(&s, run->site->root, e);
		if (r == 0)
			r = store_current(&s, &current, e);
	}
	store_close(&s);
	if (r != 0)
		return -1;
	log_info("'%s' %s; the web server's document root is '%s/current'",
	    run->site->root, ready ? "is prepared already" :
	    run->opts.dry_run ? "would be prepared" : "is prepared",
	    run->site->root);
	if (run->opts.json) {
		doc = cmd_new_doc(run);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_bool(doc, "prepared", ready || !run->opts.dry_run);
		json_put_bool(doc, "changed", !ready);
		cmd_answer(run, doc);
	}
	return 0;
}

/* Prepare the root on every host. */
static int
prepare_hosts(struct run *run, struct err *e)
{
	struct fleet f = FLEET_INIT;
	json_t *doc;
	int r = cmd_open_fleet(run, &f, e);

	if (r == 0 && !run->opts.dry_run)
		r = cmd_call_hosts(run, &f, "init", NULL, NULL, NULL, e);
	for (size_t i = 0; r == 0 && i < f.n; i++)
		log_info("%s: '%s' %s", f.v[i].host->label,
		    f.v[i].host->root, f.v[i].prepared ?
		    "is prepared already" : run->opts.dry_run ?
		    "would be prepared" : "is prepared");
	if (r == 0 && run->opts.json) {
		doc = cmd_new_doc(run);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_bool(doc, "prepared", !run->opts.dry_run);
		cmd_answer(run, doc);
	}
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
	if (cmd_site(run, e) != 0)
		return -1;
	return cmd_has_hosts(run) ? prepare_hosts(run, e) :
	    prepare_root(run, e);
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_init = {
	.name = "init",
	.group = "Releases",
	.args = "",
	.summary = "write a commented deploy.yml, or prepare the root",
	.about =
	    "Without a deploy.yml (and without --root) writes one here.  With\n"
	    "one prepares the site's root.  What is there is left as it is.\n",
	.opts = opts,
	.run = run_init,
};
