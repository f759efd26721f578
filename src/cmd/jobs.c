#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/nearest.h"
#include "base/number.h"
#include "base/release.h"
#include "base/show.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/habit.h"
#include "cmd/queue_steps.h"
#include "cmd/table.h"
#include "config/config_file.h"
#include "os/intr.h"
#include "os/io.h"
#include "os/log.h"
#include "queue/joblog.h"
#include "queue/queue.h"

enum {
	LISTED = 20,	  /* ended jobs, without --limit */
	SHOWN_LINES = 20, /* of the log */
	WHEN_LEN = 32,
	FOLLOW_MS = 300, /* how soon new lines are seen */
};

/* ---- for people -------------------------------------------------------- */

/* What a job is doing, and since when or when. */
static void
describe(const struct job *job, struct buf *out)
{
	int64_t now = clock_now();
	char span[DURATION_LEN], took[DURATION_LEN];

	duration_format(job->ended - job->started, took);
	switch (job->state) {
	case JOB_WAITING:
		duration_format(now - job->created, span);
		buf_addf(out, "for %s", span);
		if (job->tries > 0)
			buf_addf(out, ", %lld of %d tries failed",
			    (long long)job->tries, QUEUE_TRIES);
		duration_format(job->due - now, span);
		if (job->due > now)
			buf_addf(out, ", goes on in %s", span);
		break;
	case JOB_RUNNING:
		duration_format(now - job->started, span);
		buf_addf(out, "for %s, by %s", span, job->worker);
		if (job->stopped_by != NULL)
			buf_addf(out, ", to be ended for %s", job->stopped_by);
		break;
	case JOB_MERGED:
		buf_addf(out, "into job %lld", (long long)job->merged_into);
		break;
	default:
		duration_format(now - job->ended, span);
		buf_addf(out, "%s ago", span);
		if (job->started > 0)
			buf_addf(out, ", took %s", took);
		break;
	}
}

static void
print_time(const char *label, int64_t ms)
{
	char text[WHEN_LEN];

	release_format_time(ms, text);
	if (ms > 0)
		show_row(label, "%s", text);
}

/* ---- the log ----------------------------------------------------------- */

/* The log of a job: the file, if it is here, else the end of it. */
static void
read_log(struct run *run, const struct job *job, struct buf *out)
{
	struct err e = ERR_INIT;
	char *path = run->config.worker.logs != NULL ?
	    xstrdup(run->config.worker.logs) :
	    queue_logs(run->config.queue, &e);
	struct dir dir = DIR_INIT;

	if (path == NULL || dir_open_path(&dir, path, &e) != 0 ||
	    joblog_read(&dir, job->id, out, &e) != 0) {
		if (e.sys != ENOENT)
			log_warn("%s; the end of it is in the queue", e.text);
		buf_reset(out);
		buf_adds(out, job->tail != NULL ? job->tail : "");
	}
	dir_close(&dir);
	free(path);
}

/* Where the last lines of a text begin. */
static const char *
last_lines(const char *text, size_t len, int lines)
{
	const char *p = text + len;

	if (len > 0 && p[-1] == '\n')
		p--;
	while (p > text) {
		const char *line = memrchr(text, '\n', (size_t)(p - text));

		if (line == NULL)
			return text;
		if (--lines == 0)
			return line + 1;
		p = line;
	}
	return text;
}

/* Print output of builds: what could disturb a terminal is escaped. */
static void
print_log(const char *text, size_t len)
{
	bool raw = isatty(STDOUT_FILENO) == 0;
	struct buf line = BUF_INIT;

	if (raw) {
		fwrite(text, 1, len, stdout);
		return;
	}
	for (const char *end = text + len; text < end; text++) {
		for (; text < end && *text != '\n'; text++)
			if (*text != '\0')
				buf_addc(&line, *text);
			else
				buf_adds(&line, "\\x00");
		show_line("%s", buf_str(&line));
		buf_reset(&line);
	}
	buf_release(&line);
}

/* ---- the actions ------------------------------------------------------- */

/* One call: what is done with which job. */
struct call {
	struct run *run;
	struct queue *q;
	const char *name;
	int64_t priority;
	struct job job;
	struct worker_list workers;
	json_t *list; /* of the answer */
};

/* Add a job to the answer; `log`, any bytes, may be NULL.  0 or -1. */
static int
put_job(struct call *c, const struct job *job, const char *log, size_t len,
    struct err *e)
{
	json_t *j = step_job_doc(job), *list = json_new_array();
	struct strvec items = STRVEC_INIT;
	struct buf text = BUF_INIT;
	int r = queue_items(c->q, job->id, &items, e);

	for (size_t i = 0; i < items.n; i++)
		json_push_string(list, items.v[i]);
	json_put(j, "items", list);
	if (log != NULL)
		utf8_add(&text, log, len);
	json_put_int(j, "workers",
	    (int64_t)worker_list_live(&c->workers, job->site));
	json_put_string(j, "log", log != NULL ? buf_str(&text) : NULL);
	json_push(c->list, j);
	strvec_release(&items);
	buf_release(&text);
	return r;
}

/* The columns, and the cells of each job in their order. */
static const struct table_column columns[] = { { "JOB", true },
	{ "STATE", false }, { "SITE", false }, { "SINCE", false },
	{ "TOOK", true }, { "REF", false }, { "ITEMS", true }, { "BY", false },
	{ "NOTE", false } };

static enum table_colour
colour_of(enum job_state state)
{
	return state == JOB_RUNNING ? TABLE_GREEN :
	    state == JOB_FAILED	    ? TABLE_RED :
				      TABLE_PLAIN;
}

/* When it came to be what it is. */
static int64_t
since(const struct job *job)
{
	switch (job->state) {
	case JOB_WAITING:
		return job->created;
	case JOB_RUNNING:
		return job->started;
	default:
		return job->ended;
	}
}

/* One more thing to know of a job follows. */
static struct buf *
next_note(struct buf *out)
{
	if (out->len > 0)
		buf_adds(out, "; ");
	return out;
}

/* Why it waits, who works at it, what became of it. */
static void
add_notes(const struct call *c, const struct job *job, struct buf *out)
{
	struct buf nobody = BUF_INIT;
	char span[DURATION_LEN];
	int64_t left = job->due - clock_now();

	duration_format(left, span);
	if (job->state == JOB_WAITING && job->tries > 0)
		buf_addf(next_note(out), "%lld of %d tries failed",
		    (long long)job->tries, QUEUE_TRIES);
	if (job->state == JOB_WAITING && left > 0)
		buf_addf(next_note(out), "goes on in %s", span);
	if (job->state == JOB_WAITING &&
	    step_say_nobody(&c->workers, job->site, &nobody))
		buf_adds(next_note(out), nobody.data);
	if (job->state == JOB_RUNNING)
		buf_addf(next_note(out), "on %s", job->worker);
	if (job->state == JOB_RUNNING && job->stopped_by != NULL)
		buf_addf(next_note(out), "to be ended for %s",
		    job->stopped_by);
	if (job->state == JOB_MERGED)
		buf_addf(next_note(out), "into job %lld",
		    (long long)job->merged_into);
	if (job->state == JOB_FAILED && job->message != NULL)
		buf_adds(next_note(out), job->message);
	buf_release(&nobody);
}

/* A row of the table.  0 or -1. */
static int
add_job(struct call *c, struct table *t, const struct job *job, struct err *e)
{
	struct buf notes = BUF_INIT;
	struct strvec items = STRVEC_INIT;
	char took[DURATION_LEN] = "", n[32] = "";
	int r = queue_items(c->q, job->id, &items, e);

	if (job->state != JOB_WAITING && job->ended > 0 && job->started > 0)
		duration_format(job->ended - job->started, took);
	if (items.n > 0)
		snprintf(n, sizeof(n), "%zu", items.n);
	add_notes(c, job, &notes);
	table_cell(t, TABLE_PLAIN, "%lld", (long long)job->id);
	table_cell(t, colour_of(job->state), "%s", job_state_name(job->state));
	table_cell(t, TABLE_PLAIN, "%s", job->site);
	cmd_put_moment(t, since(job));
	table_cell(t, TABLE_PLAIN, "%s", took);
	table_cell(t, TABLE_PLAIN, "%s", job->ref != NULL ? job->ref : "");
	table_cell(t, TABLE_PLAIN, "%s", n);
	table_cell(t, TABLE_PLAIN, "%s", job->who != NULL ? job->who : "");
	table_cell(t, TABLE_YELLOW, "%s", buf_str(&notes));
	strvec_release(&items);
	buf_release(&notes);
	return r;
}

/* The lines of a text, when there are several: one alone is told already. */
static void
print_lines(const char *label, const char *text)
{
	if (text == NULL || strchr(text, '\n') == NULL)
		return;
	while (*text != '\0') {
		int len = (int)strcspn(text, "\n");

		show_row(label, "%.*s", len, text);
		label = "";
		text += len + (text[len] == '\n');
	}
}

/* All that is known of a job. */
static int
print_details(struct call *c, struct err *e)
{
	const struct job *job = &c->job;
	struct buf what = BUF_INIT, nobody = BUF_INIT;
	struct strvec items = STRVEC_INIT;
	int r = queue_items(c->q, job->id, &items, e);

	describe(job, &what);
	show_row("job", "%lld", (long long)job->id);
	show_row("site", "%s", job->site);
	show_row("state", "%s %s", job_state_name(job->state), buf_str(&what));
	if (job->state == JOB_WAITING &&
	    step_say_nobody(&c->workers, job->site, &nobody))
		show_row("workers", "%s", nobody.data);
	buf_release(&nobody);
	show_row("priority", "%lld", (long long)job->priority);
	if (job->ref != NULL)
		show_row("ref", "%s", job->ref);
	print_lines("refs", job->refs);
	for (size_t i = 0; i < items.n; i++)
		show_row(i == 0 ? "items" : "", "%s", items.v[i]);
	strvec_release(&items);
	if (job->reason != NULL)
		show_row("reason", "%s", job->reason);
	show_row("requests", "%lld, the last by %s", (long long)job->requests,
	    job->who != NULL ? job->who : "?");
	print_time("created", job->created);
	print_time("started", job->started);
	print_time("ended", job->ended);
	show_row("tries", "%lld failed", (long long)job->tries);
	if (job->ended > 0)
		show_row("status", "%lld%s%s", (long long)job->status,
		    job->message != NULL ? ": " : "",
		    job->message != NULL ? job->message : "");
	if (job->worker != NULL)
		show_row("worker", "%s", job->worker);
	buf_release(&what);
	return r;
}

static int
do_list(struct call *c, struct err *e)
{
	const struct opts *o = &c->run->opts;
	struct job_list jobs = JOB_LIST_INIT;
	struct table *t =
	    table_new(columns, sizeof(columns) / sizeof(columns[0]));
	int ret = 0;

	if (c->q != NULL)
		ret = queue_list(c->q, o->limit > 0 ? o->limit : LISTED, &jobs,
		    e);
	for (size_t i = 0; ret == 0 && i < jobs.n; i++) {
		if (o->sites.n > 0 && !strvec_has(&o->sites, jobs.v[i].site))
			continue;
		ret = o->json ? put_job(c, &jobs.v[i], NULL, 0, e) :
				add_job(c, t, &jobs.v[i], e);
	}
	if (ret == 0)
		table_print(t);
	if (ret == 0 && !o->json && table_is_empty(t))
		log_info(
		    "there are no jobs%s%s; 'deploy enqueue SITE' makes one",
		    o->sites.n > 0 ? " of " : "",
		    o->sites.n > 0 ? o->sites.v[0] : "");
	table_free(t);
	job_list_release(&jobs);
	return ret;
}

static int
do_show(struct call *c, struct err *e)
{
	struct buf log = BUF_INIT;
	const char *last;
	size_t len;
	int r;

	read_log(c->run, &c->job, &log);
	last = last_lines(buf_str(&log), log.len, SHOWN_LINES);
	len = (size_t)(buf_str(&log) + log.len - last);
	if (c->run->opts.json) {
		r = put_job(c, &c->job, last, len, e);
	} else {
		r = print_details(c, e);
		if (len > 0)
			printf("\n");
		print_log(last, len);
	}
	buf_release(&log);
	return r;
}

/* Nothing more comes into its log. */
static bool
has_ended(const struct job *job)
{
	return job->state != JOB_WAITING && job->state != JOB_RUNNING;
}

/* Print what is new in the log since `shown` bytes: whole lines, or all. */
static void
print_new(struct call *c, bool all, size_t *shown)
{
	struct buf log = BUF_INIT;
	const char *from, *end;

	read_log(c->run, &c->job, &log);
	from = buf_str(&log) + (*shown < log.len ? *shown : log.len);
	end = buf_str(&log) + log.len;
	while (!all && end > from && end[-1] != '\n')
		end--;
	print_log(from, (size_t)(end - from));
	fflush(stdout);
	*shown += (size_t)(end - from);
	buf_release(&log);
}

/* Print the log until the job has ended, all its tries. */
static int
follow(struct call *c, struct err *e)
{
	const int64_t id = c->job.id;
	size_t shown = 0;
	bool ended;

	for (;;) {
		job_release(&c->job);
		if (queue_get(c->q, id, &c->job, e) != 0)
			return -1;
		/* The state first: what came before it is in the log then. */
		ended = has_ended(&c->job);
		print_new(c, ended, &shown);
		if (ended || intr_check(e) != 0 || ferror(stdout))
			return ended || e->text[0] == '\0' ? 0 : -1;
		err_ignore(io_wait(-1, FOLLOW_MS));
	}
}

static int
do_log(struct call *c, struct err *e)
{
	struct buf log = BUF_INIT;
	int r = 0;

	if (c->run->opts.follow)
		return follow(c, e);
	read_log(c->run, &c->job, &log);
	if (c->run->opts.json)
		r = put_job(c, &c->job, buf_str(&log), log.len, e);
	else
		print_log(buf_str(&log), log.len);
	buf_release(&log);
	return r;
}

static void
tell(const struct call *c, const char *what)
{
	log_info("job %lld of '%s': %s%s", (long long)c->job.id, c->job.site,
	    c->run->opts.dry_run ? "would be " : "", what);
}

/* Answer with the job as it is after a change. */
static int
answer_changed(struct call *c, const char *what, struct err *e)
{
	int64_t id = c->job.id;

	tell(c, what);
	if (!c->run->opts.json)
		return 0;
	if (!c->run->opts.dry_run && queue_get(c->q, id, &c->job, e) != 0)
		return -1;
	return put_job(c, &c->job, NULL, 0, e);
}

/* The columns of workers; what they know is the longest part. */
static const struct table_column worker_columns[] = { { "WORKER", false },
	{ "STATE", false }, { "SINCE", false }, { "HOST", false },
	{ "SITES", false } };

static void
add_worker(struct table *t, const struct worker_seen *w)
{
	struct buf sites = BUF_INIT;

	for (size_t i = 0; i < w->sites.n; i++)
		buf_addf(&sites, "%s%s", i > 0 ? ", " : "", w->sites.v[i]);
	table_cell(t, TABLE_PLAIN, "%s", w->name);
	table_cell(t, w->live ? TABLE_GREEN : TABLE_PLAIN, "%s",
	    w->live ? "there" : "gone");
	cmd_put_moment(t, w->live ? w->since : w->seen);
	table_cell(t, TABLE_PLAIN, "%s", w->host);
	table_cell(t, TABLE_PLAIN, "%s", buf_str(&sites));
	buf_release(&sites);
}

static int
do_workers(struct call *c, struct err *e)
{
	struct table *t = table_new(worker_columns,
	    sizeof(worker_columns) / sizeof(worker_columns[0]));

	(void)e;
	for (size_t i = 0; !c->run->opts.json && i < c->workers.n; i++)
		add_worker(t, &c->workers.v[i]);
	table_print(t);
	table_free(t);
	return 0;
}

static int
do_retry(struct call *c, struct err *e)
{
	if (!c->run->opts.dry_run && queue_retry(c->q, c->job.id, e) != 0)
		return -1;
	return answer_changed(c, "put back, to be tried again", e);
}

static int
do_stop(struct call *c, struct err *e)
{
	if (!c->run->opts.dry_run &&
	    queue_stop(c->q, c->job.id, c->run->caller.who, e) != 0)
		return -1;
	return answer_changed(c, "asked to end", e);
}

static int
do_remove(struct call *c, struct err *e)
{
	const struct opts *o = &c->run->opts;

	/* As it was: then it is no more. */
	if (o->json && put_job(c, &c->job, NULL, 0, e) != 0)
		return -1;
	if (!o->dry_run && queue_remove(c->q, c->job.id, e) != 0)
		return -1;
	tell(c, "removed");
	return 0;
}

static int
do_priority(struct call *c, struct err *e)
{
	if (!c->run->opts.dry_run &&
	    queue_set_priority(c->q, c->job.id, c->priority, e) != 0)
		return -1;
	return answer_changed(c, "given another priority", e);
}

static const struct action {
	const char *name;
	size_t args;
	int (*run)(struct call *c, struct err *e);
} actions[] = {
	{ "list", 0, do_list },
	{ "workers", 0, do_workers },
	{ "show", 1, do_show },
	{ "log", 1, do_log },
	{ "retry", 1, do_retry },
	{ "stop", 1, do_stop },
	{ "remove", 1, do_remove },
	{ "priority", 2, do_priority },
};

enum { N_ACTIONS = sizeof(actions) / sizeof(actions[0]) };

static const struct action *
find_action(const char *name, struct err *e)
{
	const char *names[N_ACTIONS + 1], *near;

	for (size_t i = 0; i < N_ACTIONS; i++) {
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
		names[i] = actions[i].name;
	}
	names[N_ACTIONS] = NULL;
	near = habit_job_action(name);
	if (near == NULL)
		near = nearest_word(name, names);
	err_set(e, ERR_USAGE, "jobs cannot '%s'", name);
	if (number_or(name, 0, INT64_MAX, -1) >= 0)
		err_append(e, ";; did you mean 'jobs show %s'?", name);
	else if (near != NULL)
		err_append(e, ";; did you mean '%s'?", near);
	else
		err_append(e, ";; see 'deploy jobs -h'");
	return NULL;
}

/*
 * The job that an operand means: a number, or the site; also one that had this
 * name before, or that another configuration knows.
 */
static int
find_job(struct call *c, const char *name, struct err *e)
{
	int64_t id = number_or(name, 0, INT64_MAX, -1);
	struct err why = ERR_INIT;

	if (c->q == NULL)
		return err_set(e, ERR_USAGE,
		    "there are no jobs yet;; 'deploy enqueue SITE' makes one");
	if (id >= 0)
		return queue_get(c->q, id, &c->job, e);
	if (queue_find(c->q, name, &c->job, e) == 0)
		return 0;
	if (e->code == ERR_USAGE &&
	    config_site(&c->run->config, name, &why) == NULL)
		*e = why;
	return -1;
}

/* The workers, for the answer. */
static json_t *
workers_doc(const struct worker_list *l)
{
	json_t *list = json_new_array();

	for (size_t i = 0; i < l->n; i++) {
		const struct worker_seen *w = &l->v[i];
		json_t *j = json_new_object(), *sites = json_new_array();

		json_put_string(j, "worker", w->name);
		json_put_string(j, "host", w->host);
		json_put_bool(j, "there", w->live);
		step_put_time(j, "since", w->since);
		step_put_time(j, "seen", w->seen);
		for (size_t k = 0; k < w->sites.n; k++)
			json_push_string(sites, w->sites.v[k]);
		json_put(j, "sites", sites);
		json_push(list, j);
	}
	return list;
}

/* Read the operands, find the job. */
static int
prepare(struct call *c, const struct action *a, struct err *e)
{
	const struct strvec *args = &c->run->opts.args;
	size_t n = args->n > 0 ? args->n - 1 : 0;

	if (c->run->opts.follow && (a->run != do_log || c->run->opts.json))
		return err_set(e, ERR_USAGE,
		    "--follow prints a log as it grows: deploy jobs log JOB --follow, without --json");
	if (n != a->args)
		return err_set(e, ERR_USAGE,
		    "'jobs %s' wants %s (see 'deploy jobs -h')", a->name,
		    a->args == 0     ? "nothing more" :
			a->args == 1 ? "the number of a job, or its site" :
				       "a job and a priority");
	if (a->args == 2 &&
	    opt_number("a priority", args->v[2], -OPT_PRIORITY_MAX,
		OPT_PRIORITY_MAX, &c->priority, e) != 0)
		return -1;
	return a->args > 0 ? find_job(c, args->v[1], e) : 0;
}

static int
run_jobs(struct run *run, struct err *e)
{
	const struct strvec *args = &run->opts.args;
	const struct action *a =
	    find_action(args->n > 0 ? args->v[0] : "list", e);
	struct call c = { .run = run,
		.job = JOB_INIT,
		.workers = WORKER_LIST_INIT };
	json_t *doc;
	int ret;

	if (a == NULL || step_queue_open(run, false, &c.q, e) != 0)
		return -1;
	c.list = json_new_array();
	ret = c.q != NULL ? registry_list(c.q, &c.workers, e) : 0;
	if (ret == 0)
		ret = prepare(&c, a, e);
	if (ret == 0)
		ret = a->run(&c, e);
	if (ret == 0 && run->opts.json) {
		doc = json_new_object();
		json_put_bool(doc, "dry_run", run->opts.dry_run);
		json_put(doc, "jobs", c.list);
		json_put(doc, "workers", workers_doc(&c.workers));
		c.list = NULL;
		cmd_answer(run, doc);
	}
	json_free(c.list);
	worker_list_release(&c.workers);
	job_release(&c.job);
	queue_close(c.q);
	return ret;
}

static const enum opt_id opts[] = { OPT_LIMIT, OPT_FOLLOW, OPT_UTC, OPT_LONG,
	OPT_END };

const struct cmd cmd_jobs = {
	.name = "jobs",
	.group = "Building on request",
	.args = "[ACTION [JOB [N]]]",
	.summary = "list and change the jobs of the queue",
	.about =
	    "ACTION is one of\n"
	    "  list            list running, waiting and ended jobs (the default)\n"
	    "  workers         list the workers and their sites\n"
	    "  show JOB        show all about a job, and the end of its log\n"
	    "  log JOB         print its log\n"
	    "  retry JOB       try a failed job again, or a waiting one at once\n"
	    "  stop JOB        end a running job; it counts as failed\n"
	    "  remove JOB      forget a job that does not run\n"
	    "  priority JOB N  change the priority of a waiting job\n"
	    "JOB is a number, or a site: its job that runs, else waits, else the last.\n",
	.examples = "deploy jobs\n"
		    "deploy jobs log example.org --follow\n"
		    "deploy jobs retry 17\n",
	.max_args = 3,
	.opts = opts,
	.run = run_jobs,
};
