#include "queue/worker.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "config/config.h"
#include "os/log.h"
#include "queue/queue.h"

/* Would a worker do jobs of that site? */
static bool
is_ours(const struct run *run, const char *site)
{
	struct err ignored = ERR_INIT;

	return config_site(&run->config, site, &ignored) != NULL &&
	    (run->opts.sites.n == 0 || strvec_has(&run->opts.sites, site));
}

/* What a worker would do first; nothing is claimed. */
static int
preview(struct run *run, struct err *e)
{
	struct job_list jobs = JOB_LIST_INIT;
	struct queue *q = NULL;
	int ret = step_queue_open(run, false, &q, e);

	if (ret == 0 && q != NULL)
		ret = queue_list(q, 0, &jobs, e);
	for (size_t i = 0; ret == 0 && i < jobs.n; i++)
		if (jobs.v[i].state == JOB_WAITING &&
		    is_ours(run, jobs.v[i].site))
			log_info("would do job %lld: %s",
			    (long long)jobs.v[i].id, jobs.v[i].site);
	job_list_release(&jobs);
	queue_close(q);
	return ret;
}

static int
check_options(const struct run *run, struct err *e)
{
	if (run->opts.once && run->opts.fifo != NULL)
		return err_set(e, ERR_USAGE,
		    "--once and --fifo exclude each other: who writes to a FIFO waits for a reader");
	return 0;
}

static int
run_worker(struct run *run, struct err *e)
{
	struct worker_options o = { .config = run->opts.config,
		.sites = &run->opts.sites,
		.fifo = run->opts.fifo,
		.who = run->caller.who,
		.jobs = (unsigned int)run->opts.jobs,
		.lock_wait = run->opts.lock_wait,
		.timeout = run->opts.timeout,
		.once = run->opts.once,
		.verbose = run->opts.verbose };
	size_t failed = 0;
	json_t *doc;
	int ret;

	if (check_options(run, e) != 0 || step_queue_config(run, e) != 0)
		return -1;
	ret = run->opts.dry_run ? preview(run, e) : worker_run(&o, &failed, e);
	if (ret == 0 && run->opts.json) {
		doc = json_new_object();
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_int(doc, "failed", (int64_t)failed);
		cmd_answer(run, doc);
	}
	if (ret == 0 && run->opts.once && failed > 0)
		return err_set(e, ERR_FAILED, "%s failed;; see 'deploy jobs'",
		    TEXT_COUNT(failed, "try", "tries"));
	return ret;
}

static const enum opt_id opts[] = { OPT_ONCE, OPT_JOBS, OPT_FIFO, OPT_END };

const struct cmd cmd_worker = {
	.name = "worker",
	.group = "Building on request",
	.args = "",
	.summary = "do the jobs of the queue",
	.about =
	    "For each job: update, build, publish.  Runs until SIGTERM, which puts\n"
	    "running jobs back; with --once, until nothing is left to do.\n",
	.examples = "deploy worker --once -q               # from cron\n",
	.opts = opts,
	.run = run_worker,
};
