#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/override.h"
#include "cmd/report.h"
#include "cmd/table.h"
#include "os/claim.h"
#include "os/file.h"
#include "os/log.h"

static json_t *
document(struct run *run, const struct site_published *p)
{
	json_t *doc, *removed;

	doc = report_stage(run, &p->st);
	removed = json_new_array();
	report_flip(doc, &p->st.id, &p->flip);
	/* A dry run: what would be. */
	if (run->opts.dry_run)
		json_put_bool(doc, "changed",
		    p->st.outcome != STAGE_UNCHANGED);
	for (size_t i = 0; i < p->removed.n; i++)
		json_push_string(removed, p->removed.v[i].text);
	json_put(doc, "pruned", removed);
	report_fleet(doc, &run->work.fleet);
	return doc;
}

/* Leave the document for `deploy metrics`; a worker names the file. */
static void
leave_result(struct run *run, const struct site_published *p, const char *path)
{
	json_t *doc = document(run, p);
	struct buf text = BUF_INIT;
	const char *name = strrchr(path, '/') + 1;
	char *logs = xstrndup(path, (size_t)(name - path));
	struct dir dir = DIR_INIT;
	struct err e = ERR_INIT;
	struct stat st;

	json_write(doc, &text);
	/* For the same users as the directory. */
	if (dir_open_path(&dir, logs, &e) != 0 || fstat(dir.fd, &st) != 0 ||
	    file_publish_mode(&dir, name, text.data, text.len,
		st.st_mode & 0666, &e) != 0)
		log_warn("%s", e.text);
	dir_close(&dir);
	free(logs);
	buf_release(&text);
	json_free(doc);
}

static void
answer(struct run *run, const struct site_published *p)
{
	if (run->opts.json)
		cmd_answer(run, document(run, p));
	else if (!release_id_is_none(&p->st.id))
		printf("%s\n", p->st.id.text);
}

/* The file that the worker named, taken from the commands; the caller frees. */
static char *
take_result_path(void)
{
	char *path = xstrdup_opt(getenv("DEPLOY_RESULT"));

	unsetenv("DEPLOY_RESULT");
	return path;
}

static int
run_publish(struct run *run, struct err *e)
{
	struct site_published p = SITE_PUBLISHED_INIT;
	char *result = take_result_path();
	int r;

	claim_take();
	r = cmd_begin(run, e);
	if (r == 0)
		r = site_publish(&run->work, &p, e);
	if (p.answer)
		answer(run, &p);
	if (p.answer && result != NULL && *result == '/')
		leave_result(run, &p, result);
	free(result);
	site_published_release(&p);
	return r;
}

static const enum opt_id opts[] = { OPT_MESSAGE, OPT_COMMIT, OPT_SEQ,
	OPT_EXPECT, OPT_EXCLUDE, OPT_STRIP, OPT_KEEP, OPT_OVERRIDE, OPT_AGAIN,
	OPT_BUILD, OPT_UPDATE, OPT_NO_CHECK, OPT_SKIP, OPT_END };

const struct cmd cmd_publish = {
	.name = "publish",
	.group = "Going live",
	.args = "[SOURCE]",
	.summary = "stage, activate and prune: all in one",
	.about =
	    "For CI jobs and post-build hooks.  SOURCE is as for 'stage'; without\n"
	    "it, 'build' in deploy.yml is run first.  When the live release has this\n"
	    "content already, nothing happens.  Prints the id of the release that is\n"
	    "live.\n",
	.examples =
	    "deploy publish public --root /srv/www/example.org\n"
	    "deploy publish -s example.org --seq 41 --commit 5f0c1ab\n",
	.max_args = 1,
	.changes = true,
	.overrides = OVERRIDE_ALL,
	.opts = opts,
	.run = run_publish,
};
