#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/openmetrics.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "os/file.h"
#include "os/log.h"

enum { RESULT_SIZE = 16 << 20 };

/* ---- what is known ------------------------------------------------------ */

struct host_facts {
	char *label;
	bool up;
	bool live;    /* serves what the site serves */
	int64_t room; /* bytes; -1: not known */
};

struct site_facts {
	const struct site_config *site;
	struct host_facts *hosts;
	size_t n;
	struct release_id live; /* "": nothing, or nobody answered */
	char *commit;
	int64_t since;	      /* ms; 0: not known */
	int64_t files, bytes; /* of it; -1: not known */
	bool answered;	      /* some host did */
	bool verified, frozen;
	struct job tried;   /* the last of which a try ended; id 0: none */
	struct job waiting; /* id 0: none */
	int64_t workers;    /* that know it */
	json_t *result;	    /* of its last publish by a worker here */
	int64_t result_at;  /* ms */
};

struct facts {
	struct site_facts *v;
	size_t n;
	int64_t waiting, running, failed; /* jobs in the queue */
	int64_t oldest; /* that waits: since when, ms; 0: none */
	int64_t workers;
};

static void
facts_release(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct site_facts *s = &f->v[i];

		for (size_t k = 0; k < s->n; k++)
			free(s->hosts[k].label);
		free(s->hosts);
		free(s->commit);
		job_release(&s->tried);
		job_release(&s->waiting);
		json_free(s->result);
	}
	free(f->v);
}

/* The release that most lately went live of those that hosts serve. */
static const struct remote *
newest(const struct fleet *f)
{
	const struct remote *found = NULL;

	for (size_t i = 0; i < f->n; i++) {
		const struct remote *r = &f->v[i];

		if (r->failed || release_id_is_none(&r->view.current))
			continue;
		if (found == NULL ||
		    r->view.history.since > found->view.history.since)
			found = r;
	}
	return found;
}

static void
learn_live(struct site_facts *s, const struct remote *r)
{
	const struct meta *meta = remote_meta(r, &r->view.current);

	s->live = r->view.current;
	s->since = r->view.history.since;
	s->verified = r->verified;
	if (meta == NULL)
		return;
	s->commit = xstrdup_opt(meta->commit);
	s->files = meta->files;
	s->bytes = meta->bytes;
}

/* Ask the hosts of a site; those that do not answer are down. */
static void
ask_hosts(struct run *run, struct site_facts *s)
{
	struct fleet f = FLEET_INIT;
	struct err e = ERR_INIT;
	const struct remote *live;

	run->site = s->site;
	cmd_init_fleet(run, &f);
	if (fleet_open(&f, true, &e) != 0)
		log_debug("%s: %s", s->site->name, e.text);
	live = newest(&f);
	if (live != NULL)
		learn_live(s, live);
	s->n = f.n;
	s->hosts = xcalloc(f.n, sizeof(*s->hosts));
	for (size_t i = 0; i < f.n; i++) {
		const struct remote *r = &f.v[i];

		s->hosts[i] = (struct host_facts){
			/* This machine has none. */
			.label =
			    xstrdup(*r->host->label != '\0' ? r->host->label :
							      "localhost"),
			.up = !r->failed,
			.live = !r->failed && live != NULL &&
			    release_id_eq(&r->view.current, &s->live),
			.room = r->failed ? -1 : r->room.bytes,
		};
		s->answered |= !r->failed;
		s->frozen |= r->frozen;
		if (s->hosts[i].live)
			s->verified &= r->verified;
	}
	fleet_release(&f);
}

/* What a worker of this machine published last. */
static void
find_result(const struct run *run, struct site_facts *s)
{
	const char *logs = run->config.worker.logs;
	struct err e = ERR_INIT;
	char *path =
	    logs != NULL ? xstrdup(logs) : queue_logs(run->config.queue, &e);
	char *name = xasprintf("result-%s", s->site->name);
	struct dir dir = DIR_INIT;
	struct buf text = BUF_INIT;
	struct stat st;

	if (path != NULL && dir_open_path(&dir, path, &e) == 0 &&
	    file_read(&dir, name, RESULT_SIZE, &text, &e) == 0 &&
	    fstatat(dir.fd, name, &st, 0) == 0) {
		s->result = json_parse(text.data, text.len, name, &e);
		s->result_at = (int64_t)st.st_mtim.tv_sec * 1000 +
		    st.st_mtim.tv_nsec / 1000000;
	}
	buf_release(&text);
	dir_close(&dir);
	free(name);
	free(path);
}

/* What the queue knows of a site.  0 or -1. */
static int
ask_about(struct queue *q, const struct job_list *jobs,
    const struct worker_list *workers, struct site_facts *s, struct err *e)
{
	s->workers = (int64_t)worker_list_live(workers, s->site->name);
	for (size_t i = 0; i < jobs->n; i++)
		if (jobs->v[i].state == JOB_WAITING &&
		    strcmp(jobs->v[i].site, s->site->name) == 0)
			return queue_get(q, jobs->v[i].id, &s->waiting, e) !=
				0 ?
			    -1 :
			    queue_find_tried(q, s->site->name, &s->tried, e);
	return queue_find_tried(q, s->site->name, &s->tried, e);
}

/* What the queue knows.  0 or -1. */
static int
ask_queue(struct queue *q, struct facts *f, struct err *e)
{
	struct worker_list workers = WORKER_LIST_INIT;
	struct job_list jobs = JOB_LIST_INIT;
	int r = registry_list(q, &workers, e);

	if (r == 0)
		r = queue_list(q, 0, &jobs, e);
	if (r == 0)
		r = queue_count(q, JOB_FAILED, &f->failed, e);
	for (size_t i = 0; i < workers.n; i++)
		f->workers += workers.v[i].live;
	for (size_t i = 0; i < jobs.n; i++) {
		const struct job *j = &jobs.v[i];

		f->running += j->state == JOB_RUNNING;
		f->waiting += j->state == JOB_WAITING;
		if (j->state == JOB_WAITING &&
		    (f->oldest == 0 || j->created < f->oldest))
			f->oldest = j->created;
	}
	for (size_t i = 0; r >= 0 && i < f->n; i++)
		r = ask_about(q, &jobs, &workers, &f->v[i], e);
	worker_list_release(&workers);
	job_list_release(&jobs);
	return r < 0 ? -1 : 0;
}

/* The sites that were named, or all.  0 or -1. */
static int
list_sites(const struct run *run, struct facts *f, struct err *e)
{
	const struct strvec *named = &run->opts.sites;

	f->n = named->n > 0 ? named->n : run->config.n;
	f->v = xcalloc(f->n, sizeof(*f->v));
	for (size_t i = 0; i < f->n; i++) {
		struct site_facts *s = &f->v[i];

		*s = (struct site_facts){ .files = -1, .bytes = -1 };
		s->site = named->n > 0 ?
		    config_site(&run->config, named->v[i], e) :
		    &run->config.sites[i];
		if (s->site == NULL)
			return -1;
	}
	return 0;
}

static int
find_out(struct run *run, struct facts *f, struct err *e)
{
	struct queue *q = NULL;
	int r = list_sites(run, f, e);

	for (size_t i = 0; r == 0 && i < f->n; i++) {
		ask_hosts(run, &f->v[i]);
		find_result(run, &f->v[i]);
	}
	if (r == 0)
		r = step_queue_open(run, false, &q, e);
	if (r == 0 && q != NULL)
		r = ask_queue(q, f, e);
	queue_close(q);
	return r;
}

/* ---- what is said ------------------------------------------------------- */

/* A family of which each site has one sample, or none. */
struct family {
	const char *name, *unit, *help;
	int decimals;
	bool (*get)(const struct site_facts *s, int64_t *value);
};

static bool
get_since(const struct site_facts *s, int64_t *v)
{
	*v = s->since;
	return s->since > 0;
}

static bool
get_files(const struct site_facts *s, int64_t *v)
{
	*v = s->files;
	return s->files >= 0;
}

static bool
get_bytes(const struct site_facts *s, int64_t *v)
{
	*v = s->bytes;
	return s->bytes >= 0;
}

static bool
get_verified(const struct site_facts *s, int64_t *v)
{
	*v = s->verified;
	return s->site->check.urls.n > 0 && !release_id_is_none(&s->live);
}

static bool
get_frozen(const struct site_facts *s, int64_t *v)
{
	*v = s->frozen;
	return s->answered;
}

static bool
get_success(const struct site_facts *s, int64_t *v)
{
	*v = s->tried.status == ERR_OK || s->tried.status == ERR_CLEANUP ||
	    s->tried.status == ERR_SUPERSEDED;
	return s->tried.id != 0;
}

static bool
get_status(const struct site_facts *s, int64_t *v)
{
	*v = s->tried.status;
	return s->tried.id != 0;
}

static bool
get_ended(const struct site_facts *s, int64_t *v)
{
	*v = s->tried.ended;
	return s->tried.id != 0;
}

static bool
get_duration(const struct site_facts *s, int64_t *v)
{
	/* A retry that runs has a later start. */
	*v = s->tried.ended - s->tried.started;
	return s->tried.id != 0 && *v >= 0;
}

static bool
get_tries(const struct site_facts *s, int64_t *v)
{
	*v = s->tried.state == JOB_DONE ? 0 : s->tried.tries;
	return s->tried.id != 0;
}

static bool
get_waiting(const struct site_facts *s, int64_t *v)
{
	*v = s->waiting.created;
	return s->waiting.id != 0;
}

static bool
get_workers(const struct site_facts *s, int64_t *v)
{
	*v = s->workers;
	return true;
}

static bool
get_published(const struct site_facts *s, int64_t *v)
{
	*v = s->result_at;
	return s->result != NULL;
}

static bool
get_sent(const struct site_facts *s, int64_t *v)
{
	*v =
	    s->result != NULL ? json_get_int(s->result, "sent_bytes", -1) : -1;
	return *v >= 0;
}

static bool
get_received(const struct site_facts *s, int64_t *v)
{
	*v = s->result != NULL ?
	    json_get_int(s->result, "received_bytes", -1) :
	    -1;
	return *v >= 0;
}

static bool
get_skew(const struct site_facts *s, int64_t *v)
{
	*v = s->result != NULL ? json_get_int(s->result, "skew_us", -1) : -1;
	return *v >= 0;
}

static const struct family families[] = {
	{ "deploy_live_since_timestamp_seconds", "seconds",
	    "When the live release went live", 3, get_since },
	{ "deploy_live_files", "", "Files of the live release", 0, get_files },
	{ "deploy_live_bytes", "bytes", "Size of the live release", 0,
	    get_bytes },
	{ "deploy_live_verified", "",
	    "1 when the checks passed since it is live, on all hosts that serve it",
	    0, get_verified },
	{ "deploy_frozen", "", "1 when nothing may go live", 0, get_frozen },
	{ "deploy_job_success", "",
	    "1 when the last try of a job did not fail", 0, get_success },
	{ "deploy_job_status", "", "Exit status of the last try of a job", 0,
	    get_status },
	{ "deploy_job_end_timestamp_seconds", "seconds",
	    "When the last try of a job ended", 3, get_ended },
	{ "deploy_job_duration_seconds", "seconds",
	    "How long the last try of a job took", 3, get_duration },
	{ "deploy_job_failed_tries", "",
	    "Tries that failed of the job that is not done yet", 0,
	    get_tries },
	{ "deploy_job_waiting_since_timestamp_seconds", "seconds",
	    "Since when a job waits", 3, get_waiting },
	{ "deploy_job_workers", "", "Workers that know the site", 0,
	    get_workers },
	{ "deploy_publish_timestamp_seconds", "seconds",
	    "When a worker here last published, also what was unchanged", 3,
	    get_published },
	{ "deploy_publish_sent_bytes", "bytes", "What that sent to all hosts",
	    0, get_sent },
	{ "deploy_publish_received_bytes", "bytes",
	    "What that received from all hosts", 0, get_received },
	{ "deploy_publish_skew_seconds", "seconds",
	    "Time between the first and the last host of that flip", 6,
	    get_skew },
};

#define LABELS(...) \
	(const struct openmetrics_label[]) \
	{ \
		__VA_ARGS__, \
		{ \
			NULL, NULL \
		} \
	}

static void
print_families(struct buf *out, const struct facts *f)
{
	int64_t value;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *a = &families[i];

		openmetrics_family(out, a->name, a->unit, a->help);
		for (size_t k = 0; k < f->n; k++)
			if (a->get(&f->v[k], &value))
				openmetrics_sample(out, a->name,
				    LABELS({ "site", f->v[k].site->name }),
				    value, a->decimals);
	}
}

/* Which release is live. */
static void
print_live(struct buf *out, const struct facts *f)
{
	openmetrics_family(out, "deploy_live_info", "",
	    "The release that is live");
	for (size_t i = 0; i < f->n; i++) {
		const struct site_facts *s = &f->v[i];

		if (!release_id_is_none(&s->live))
			openmetrics_sample(out, "deploy_live_info",
			    LABELS({ "site", s->site->name },
				{ "release", s->live.text },
				{ "commit",
				    s->commit != NULL ? s->commit : "" }),
			    1, 0);
	}
}

static void
add_host(struct buf *out, const char *name, const struct site_facts *s,
    const struct host_facts *h, int64_t value)
{
	openmetrics_sample(out, name,
	    LABELS({ "site", s->site->name }, { "host", h->label }), value, 0);
}

static void
print_hosts(struct buf *out, const struct facts *f)
{
	openmetrics_family(out, "deploy_host_up", "", "1 when it answered");
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].n; k++)
			add_host(out, "deploy_host_up", &f->v[i],
			    &f->v[i].hosts[k], f->v[i].hosts[k].up);
	openmetrics_family(out, "deploy_host_live", "",
	    "1 when it serves the live release");
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].n; k++)
			if (f->v[i].hosts[k].up)
				add_host(out, "deploy_host_live", &f->v[i],
				    &f->v[i].hosts[k], f->v[i].hosts[k].live);
	openmetrics_family(out, "deploy_host_free_bytes", "bytes",
	    "Space that is free for releases");
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i].n; k++)
			if (f->v[i].hosts[k].room >= 0)
				add_host(out, "deploy_host_free_bytes",
				    &f->v[i], &f->v[i].hosts[k],
				    f->v[i].hosts[k].room);
}

static void
print_queue(struct buf *out, const struct facts *f)
{
	static const struct openmetrics_label none[] = { { NULL, NULL } };
	static const char jobs[] = "deploy_queue_jobs",
			  oldest[] = "deploy_queue_oldest_timestamp_seconds";

	openmetrics_family(out, jobs, "", "Jobs of all sites in the queue");
	openmetrics_sample(out, jobs, LABELS({ "state", "waiting" }),
	    f->waiting, 0);
	openmetrics_sample(out, jobs, LABELS({ "state", "running" }),
	    f->running, 0);
	openmetrics_sample(out, jobs, LABELS({ "state", "failed" }), f->failed,
	    0);
	openmetrics_family(out, oldest, "seconds",
	    "Since when the job that waits longest waits");
	if (f->oldest > 0)
		openmetrics_sample(out, oldest, none, f->oldest, 3);
	openmetrics_family(out, "deploy_queue_workers", "",
	    "Workers that run");
	openmetrics_sample(out, "deploy_queue_workers", none, f->workers, 0);
	openmetrics_family(out, "deploy_build_info", "",
	    "The version of deploy");
	openmetrics_sample(out, "deploy_build_info",
	    LABELS({ "version", DEPLOY_VERSION }), 1, 0);
	openmetrics_end(out);
}

/* ---- the command -------------------------------------------------------- */

static int
give(struct run *run, const struct buf *text, struct err *e)
{
	const char *file = run->opts.file;
	json_t *doc;

	if (file != NULL && run->opts.dry_run)
		log_info("would write '%s'", file);
	else if (file != NULL &&
	    file_publish_path(file, text->data, text->len, e) != 0)
		return -1;
	if (run->opts.json) {
		doc = json_new_object();
		json_put_string(doc, "file", file);
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put_string(doc, "metrics", text->data);
		cmd_answer(run, doc);
	} else if (file == NULL) {
		fputs(text->data, stdout);
	}
	return 0;
}

static int
run_metrics(struct run *run, struct err *e)
{
	struct facts f = { .v = NULL };
	struct buf text = BUF_INIT;
	int r = step_queue_config(run, e);

	if (r == 0)
		r = find_out(run, &f, e);
	if (r == 0) {
		print_live(&text, &f);
		print_families(&text, &f);
		print_hosts(&text, &f);
		print_queue(&text, &f);
		r = give(run, &text, e);
	}
	buf_release(&text);
	facts_release(&f);
	return r;
}

static const enum opt_id opts[] = { OPT_FILE, OPT_END };

const struct cmd cmd_metrics = {
	.name = "metrics",
	.group = "Building on request",
	.args = "",
	.summary = "print metrics of the sites, their hosts and the queue",
	.about =
	    "For all sites of the configuration, or those of --site: what is live,\n"
	    "the outcome of the last job, what waits.  The format is OpenMetrics,\n"
	    "which Prometheus reads.\n",
	.examples =
	    "deploy metrics\n"
	    "deploy metrics --file /var/lib/prometheus/node-exporter/deploy.prom\n",
	.looks = true,
	.opts = opts,
	.run = run_metrics,
};
